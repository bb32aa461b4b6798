//! The org fails in every way, with words of its own; a backlog grows until it is compacted.

use serde_json::json;

use crate::marks::Marks;
use crate::stack::{Stack, until};

/// Records of the backlog, and changes of each: more than are held before the log is compacted.
const RECORDS: usize = 8;
const CHANGES: usize = 160;

/// Ends with the org down and the backlog waiting.
pub(crate) async fn outage(stack: &Stack, marks: &Marks) {
    let words = |name: &str| marks.words(name);
    let json_error = |status: u16, code: &str, name: &str| {
        let body = json!([{"errorCode": code, "message": format!("near '{}'", words(name))}]).to_string();
        json!({"kind": "status", "status": status, "body": body})
    };
    let page = |status: u16, name: &str| json!({"kind": "status", "status": status, "body": format!("<p>{}</p>", words(name))});
    let cut = format!(
        "[{{\"success\":false,\"errors\":[{{\"message\":\"{}",
        words("an answer cut off")
    );
    let cut = json!({"kind": "status", "status": 200, "body": cut});
    let no_code = json!([{"errorCode": format!("{} is down", words("a code that is none")), "message": "x"}]);
    let no_code = json!({"kind": "status", "status": 503, "body": no_code.to_string()});
    let writes = [
        page(500, "page for a write"),
        cut,
        no_code,
        json!({"kind": "truncate"}),
        json!({"kind": "drop"}),
    ];
    for rule in writes {
        strikes(stack, marks, "/composite", rule, Change::Contact).await;
    }
    // A contact with an e-mail is looked for before it is written.
    let looks = [
        page(200, "page for a look"),
        page(302, "page that leads elsewhere"),
        json_error(500, "UNKNOWN_EXCEPTION", "message with status 500"),
        json_error(400, "MALFORMED_QUERY", "message of a malformed query"),
    ];
    for rule in looks {
        strikes(stack, marks, "/query", rule, Change::ContactWithEmail).await;
    }
    // The last one held all contacts back for a while; each of these holds its object.
    let rule = json_error(400, "INVALID_FIELD", "message of an unknown field");
    strikes(stack, marks, "/composite", rule, Change::Company).await;
    let rule = json_error(403, "FUNCTIONALITY_NOT_ENABLED", "message of a permission");
    strikes(stack, marks, "/composite", rule, Change::Deal).await;

    let mut describe = json_error(403, "INSUFFICIENT_ACCESS", "message beside a describe");
    describe["path"] = "/describe".into();
    stack.faults(json!([describe, {"kind": "status", "status": 503}])).await;
    let keys: Vec<_> = (0..RECORDS)
        .map(|at| marks.key(&format!("key {at} of a backlog")))
        .collect();
    for change in 1..=CHANGES {
        for (at, key) in keys.iter().enumerate() {
            let name = if change == CHANGES {
                marks.value(&format!("last name {at} of a backlog"))
            } else {
                format!("name {change}")
            };
            stack.upsert(key, &json!({ "last_name": name })).await;
        }
    }
    until("the backlog is compacted", async || {
        stack.view("acme").await.compacted_records > 0
    })
    .await;
}

/// What is appended to meet a fault.
#[derive(Clone, Copy)]
enum Change {
    Contact,
    ContactWithEmail,
    Company,
    Deal,
}

/// Makes calls of this path go wrong, and waits until one has.
async fn strikes(stack: &Stack, marks: &Marks, path: &str, mut rule: serde_json::Value, change: Change) {
    rule["path"] = path.into();
    stack.faults(json!([rule])).await;
    let name = marks.value("name in an outage");
    let (object, data) = match change {
        Change::Contact => ("contact", json!({ "last_name": name })),
        Change::ContactWithEmail => {
            let email = format!("{}@outage.example", marks.value("email in an outage"));
            ("contact", json!({"last_name": name, "email": email}))
        }
        Change::Company => ("company", json!({ "name": name })),
        Change::Deal => (
            "deal",
            json!({"name": name, "stage": "Prospecting", "close_date": "2026-01-31"}),
        ),
    };
    let (key, data) = (marks.key("key in an outage"), data.to_string());
    let fields = [
        ("object", object),
        ("key", key.as_str()),
        ("op", "upsert"),
        ("data", &data),
    ];
    stack.append("changes", &fields).await;
    until(&format!("the fault {rule} strikes"), async || stack.struck().await > 0).await;
}
