//! Calls of the admin port.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::error::LoadError;
use crate::product::OrgEdit;

/// Longest wait for an answer of the admin port.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// One org of the simulator, as its start line names it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OrgInfo {
    /// The org's name: here, the tenant's.
    pub name: String,
    /// 18-character id.
    pub org_id: String,
    /// Where to log in.
    pub login_url: String,
    /// Consumer key of the connected app.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// A live access token of the integration user.
    pub access_token: String,
    /// The integration user.
    pub user_id: String,
    /// Its name.
    pub username: String,
}

/// What came of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Committed; with the record's Salesforce id, where the port names it.
    Done(Option<String>),
    /// Refused: nothing happened (such as: no record with this key, yet or any more).
    Refused,
}

/// Counted API calls of one org.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calls {
    /// All calls.
    pub total: u64,
    /// Calls by kind.
    pub by: serde_json::Map<String, Json>,
    /// Rows written through the API: changes while the engine writes.
    pub rows: u64,
    /// Rows the fence refused.
    pub fence_refusals: u64,
}

/// A client of the admin port.
#[derive(Debug, Clone)]
pub struct Admin {
    url: String,
    client: reqwest::Client,
}

impl Admin {
    /// A client for this base URL.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(url: &str) -> Result<Self, LoadError> {
        let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).no_proxy().build()?;
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            client,
        })
    }

    /// Makes an edit as a person would.
    ///
    /// # Errors
    /// When the port does not answer; a refusal is an [`Answer`].
    pub async fn edit(&self, org: &str, edit: &OrgEdit) -> Result<Answer, LoadError> {
        let mut body = json!({"entity": edit.entity, "op": edit.op, "as": "human"});
        for (name, value) in [("key", &edit.key), ("id", &edit.id)] {
            if let (Some(body), Some(value)) = (body.as_object_mut(), value) {
                body.insert(name.to_owned(), Json::from(value.clone()));
            }
        }
        if let (Some(body), false) = (body.as_object_mut(), edit.fields.is_empty()) {
            body.insert("fields".to_owned(), Json::Object(edit.fields.clone()));
        }
        let answer = self
            .client
            .post(format!("{}/orgs/{org}/edit", self.url))
            .json(&body)
            .send()
            .await?;
        match answer.status().as_u16() {
            200..=299 => {
                let done: Json = answer.json().await?;
                Ok(Answer::Done(done.get("id").and_then(Json::as_str).map(str::to_owned)))
            }
            400..=499 => Ok(Answer::Refused),
            status => Err(LoadError::Admin(format!(
                "an edit in org {org} was answered with status {status}"
            ))),
        }
    }

    /// Rows of an object, with all fields.
    ///
    /// # Errors
    /// When the port does not answer with a list.
    pub async fn records(&self, org: &str, entity: &str, deleted: bool) -> Result<Vec<Json>, LoadError> {
        let suffix = if deleted { "?deleted=true" } else { "" };
        self.list(&format!("/orgs/{org}/records/{entity}{suffix}")).await
    }

    /// Live rows of an object, with these fields.
    ///
    /// # Errors
    /// When the port does not answer with a list.
    pub async fn columns(&self, org: &str, entity: &str, fields: &[&str]) -> Result<Vec<Json>, LoadError> {
        let fields = fields.join(",");
        self.list(&format!("/orgs/{org}/records/{entity}?fields={fields}"))
            .await
    }

    /// Makes many rows that no change event tells of; their ids.
    ///
    /// # Errors
    /// When the port refuses them or does not answer.
    pub async fn load(&self, org: &str, entity: &str, rows: &[Json]) -> Result<Vec<String>, LoadError> {
        let body = json!({"entity": entity, "rows": rows});
        let url = format!("{}/orgs/{org}/load", self.url);
        let answer = self.client.post(url).json(&body).send().await?;
        let status = answer.status();
        let ids = answer.json::<Json>().await?;
        let ids = ids.get("ids").and_then(Json::as_array);
        let ids: Option<Vec<String>> = ids.map(|ids| ids.iter().filter_map(Json::as_str).map(str::to_owned).collect());
        ids.filter(|ids| ids.len() == rows.len()).ok_or_else(|| {
            LoadError::Admin(format!(
                "{} rows loaded into org {org} were answered with status {}",
                rows.len(),
                status.as_u16()
            ))
        })
    }

    /// Every commit of the rows with this key, and of the rows with these ids, in order.
    ///
    /// # Errors
    /// When the port does not answer with a list.
    pub async fn history(&self, org: &str, entity: &str, key: &str, ids: &[&str]) -> Result<Vec<Json>, LoadError> {
        let ids = ids.join(",");
        self.list(&format!("/orgs/{org}/history/{entity}?key={key}&ids={ids}"))
            .await
    }

    async fn list(&self, path: &str) -> Result<Vec<Json>, LoadError> {
        match self.get(path).await? {
            Json::Array(list) => Ok(list),
            other => Err(LoadError::Admin(format!(
                "GET {path}: a list was expected, got {}",
                kind_of(&other)
            ))),
        }
    }

    async fn get(&self, path: &str) -> Result<Json, LoadError> {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await?;
        if !answer.status().is_success() {
            return Err(LoadError::Admin(format!(
                "GET {path}: status {}",
                answer.status().as_u16()
            )));
        }
        Ok(answer.json().await?)
    }

    /// Counted calls so far.
    ///
    /// # Errors
    /// When the port does not answer.
    pub async fn calls(&self, org: &str) -> Result<Calls, LoadError> {
        let json = self.get(&format!("/orgs/{org}/calls")).await?;
        let number = |name: &str| json.get(name).and_then(Json::as_u64).unwrap_or(0);
        let map = |name: &str| json.get(name).and_then(Json::as_object).cloned().unwrap_or_default();
        let rows = map("rows").values().filter_map(Json::as_u64).sum();
        Ok(Calls {
            total: number("total"),
            by: map("by"),
            rows,
            fence_refusals: number("fence_refusals"),
        })
    }

    /// Replaces the fault rules of an org.
    ///
    /// # Errors
    /// When the port does not take them.
    pub async fn faults(&self, org: &str, rules: &[Json]) -> Result<(), LoadError> {
        let url = format!("{}/orgs/{org}/faults", self.url);
        let answer = self.client.post(url).json(&json!({"rules": rules})).send().await?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(LoadError::Admin(format!(
            "fault rules for org {org}: status {}",
            answer.status().as_u16()
        )))
    }

    /// How often each present rule struck, by its kind (`status` rules by their status).
    ///
    /// # Errors
    /// When the port does not answer.
    pub async fn struck(&self, org: &str) -> Result<Vec<(String, u64)>, LoadError> {
        let json = self.get(&format!("/orgs/{org}/faults")).await?;
        Ok(struck(&json))
    }
}

/// Rules with their counts: in a list, or under `rules`; the kind beside the count, or inside `rule`.
fn struck(json: &Json) -> Vec<(String, u64)> {
    let list = json.as_array().or_else(|| json.get("rules").and_then(Json::as_array));
    let count = |rule: &Json| {
        ["struck", "hits", "count", "times"]
            .iter()
            .find_map(|name| rule.get(*name).and_then(Json::as_u64))
            .unwrap_or(0)
    };
    let name = |rule: &Json| {
        let inner = rule.get("rule").unwrap_or(rule);
        let status = inner
            .get("status")
            .and_then(Json::as_u64)
            .map(|status| status.to_string());
        status
            .or_else(|| inner.get("kind").and_then(Json::as_str).map(str::to_owned))
            .unwrap_or_default()
    };
    list.into_iter()
        .flatten()
        .map(|rule| (name(rule), count(rule)))
        .collect()
}

fn kind_of(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_fault_rules_are_found_where_they_stand() {
        let expected = vec![("503".to_owned(), 7), ("drop".to_owned(), 2)];
        let flat = json!({"rules": [{"kind": "status", "status": 503, "struck": 7}, {"kind": "drop", "struck": 2}]});
        let nested = json!([{"rule": {"kind": "status", "status": 503}, "struck": 7},
            {"rule": {"kind": "drop"}, "struck": 2}]);
        assert_eq!(struck(&flat), expected);
        assert_eq!(struck(&nested), expected);
    }
}
