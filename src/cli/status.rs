//! `tandem status`: how the tenants are, asked from a running node.

use std::time::Duration;

use serde_json::Value;

use super::{Failure, Outcome, runtime};

/// Longest wait for a node's answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Most pages of tenants that are asked for; a page has at least 100.
const PAGES_MAX: usize = 1_000;

/// Show how each tenant is, asked from a running node.
///
/// A node tells of all tenants; those that another node holds are shown as `elsewhere`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tandem status\n  tandem status acme --json")]
pub(super) struct Args {
    /// One tenant, in full
    tenant: Option<String>,
    /// The node's HTTP address ([http] listen)
    #[arg(
        long,
        value_name = "URL",
        env = "TANDEM_URL",
        default_value = "http://127.0.0.1:8080"
    )]
    url: String,
    /// Print the node's answer as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Outcome {
    runtime()?.block_on(async {
        let client = reqwest::Client::builder()
            .timeout(ANSWER_TIMEOUT)
            .build()
            .map_err(|why| Failure::failed(format!("no HTTP client: {why}")))?;
        let base = args.url.trim_end_matches('/');
        match &args.tenant {
            Some(tenant) => {
                let answer = ask(&client, base, &format!("{base}/v1/tenants/{}", escaped(tenant))).await?;
                if args.json {
                    println!("{answer}")
                } else {
                    print!("{}", account(&answer))
                }
            }
            None => {
                let tenants = all(&client, base).await?;
                if args.json {
                    println!("{}", Value::Array(tenants))
                } else {
                    print!("{}", table(&tenants))
                }
            }
        }
        Ok(())
    })
}

async fn all(client: &reqwest::Client, base: &str) -> Result<Vec<Value>, Failure> {
    let mut tenants: Vec<Value> = Vec::new();
    let mut url = format!("{base}/v1/tenants");
    for _ in 0..PAGES_MAX {
        let answer = ask(client, base, &url).await?;
        let next = answer.get("next").and_then(Value::as_str).map(str::to_owned);
        let page = answer.get("tenants").unwrap_or(&answer).as_array().cloned();
        tenants.extend(page.ok_or_else(|| Failure::failed(format!("{url} did not answer with a list of tenants")))?);
        match next {
            Some(after) => url = format!("{base}/v1/tenants?after={}", escaped(&after)),
            None => return Ok(tenants),
        }
    }
    Ok(tenants)
}

async fn ask(client: &reqwest::Client, base: &str, url: &str) -> Result<Value, Failure> {
    let answer = client.get(url).send().await.map_err(|why| {
        let remedy = "is a node running there? Name another with --url, or TANDEM_URL";
        Failure::failed(format!("{base} does not answer ({}); {remedy}", cause(&why)))
    })?;
    let status = answer.status();
    if !status.is_success() {
        let said: Value = answer.json().await.unwrap_or_default();
        let part = |path| said.pointer(path).and_then(Value::as_str);
        let said = part("/error/message").map_or_else(|| format!("{url} answered {status}"), str::to_owned);
        let text = part("/error/remedy").map_or_else(|| said.clone(), |remedy| format!("{said}; {remedy}"));
        return Err(if status.is_client_error() {
            Failure::wrong(text)
        } else {
            Failure::failed(text)
        });
    }
    answer
        .json()
        .await
        .map_err(|why| Failure::failed(format!("{url} did not answer with JSON: {}", cause(&why))))
}

/// The innermost reason: the outer ones repeat the address.
fn cause(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Column heads, and where in a tenant's answer each stands.
const COLUMNS: [(&str, &str); 10] = [
    ("TENANT", "/tenant"),
    ("STATE", "/state"),
    ("PHASE", "/machine/phase"),
    ("WAITING", "/machine/pending_records"),
    ("IN FLIGHT", "/machine/in_flight"),
    ("UNKNOWN", "/machine/unknown"),
    ("DEAD", "/machine/dead"),
    ("ASKED", "/machine/open_questions"),
    ("OLDEST", "/freshness_ms"),
    ("CRASHES", "/crashes"),
];

fn table(tenants: &[Value]) -> String {
    let mut rows: Vec<Vec<String>> = vec![COLUMNS.iter().map(|(head, _)| (*head).to_owned()).collect()];
    rows.extend(tenants.iter().map(|tenant| {
        COLUMNS
            .iter()
            .map(|(head, path)| cell(head, tenant.pointer(path)))
            .collect()
    }));
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    if tenants.is_empty() {
        text.push_str("no tenants: add one to the settings, [tenants.NAME]\n");
    }
    text
}

fn cell(head: &str, value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::Number(ms)) if head == "OLDEST" => format!("{:.1} s", ms.as_f64().unwrap_or_default() / 1_000.0),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// One tenant's answer as `path: value` lines.
fn account(answer: &Value) -> String {
    let mut lines = String::new();
    let mut open = vec![(String::new(), answer)];
    while let Some((path, value)) = open.pop() {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map.iter().rev() {
                    let path = if path.is_empty() {
                        key.clone()
                    } else {
                        format!("{path}.{key}")
                    };
                    open.push((path, value));
                }
            }
            Value::String(text) => lines.push_str(&format!("{path}: {text}\n")),
            other => lines.push_str(&format!("{path}: {other}\n")),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_table_lines_up_and_shows_what_is_unknown_as_a_dash() {
        let live = json!({"tenant": "acme", "state": "live", "freshness_ms": 1500, "crashes": 0,
            "machine": {"phase": "live", "pending_records": 12, "in_flight": 3, "unknown": 0, "dead": 1, "open_questions": 2}});
        let away = json!({"tenant": "globex-long-name", "state": "elsewhere", "freshness_ms": null, "machine": null});
        let text = table(&[live, away]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1],
            "acme              live       live   12       3          0        1     2      1.5 s   0"
        );
        assert_eq!(
            lines[2],
            "globex-long-name  elsewhere  -      -        -          -        -     -      -       -"
        );
        assert!(
            lines[0].starts_with("TENANT            STATE      PHASE  WAITING"),
            "{}",
            lines[0]
        );
    }

    #[test]
    fn an_account_names_each_value() {
        let text = account(&json!({"tenant": "acme", "machine": {"phase": "live", "last_errors": ["X"]}}));
        assert_eq!(
            text,
            "machine.last_errors: [\"X\"]\nmachine.phase: live\ntenant: acme\n"
        );
    }
}
