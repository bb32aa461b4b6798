//! One rule: which calls it means, when it strikes, and what happens then.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::catalogue;

/// Longest delay, milliseconds: requests live ten minutes.
const MAX_DELAY_MS: u64 = 600_000;

/// One rule of `POST /orgs/{org}/faults`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FaultRule)]
pub(crate) struct Rule {
    /// What happens.
    pub(crate) kind: Kind,
    /// Only calls of this method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    /// Only calls and bulk jobs whose path contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// Chance in percent; 100 when missing.
    #[serde(default = "always")]
    pub(crate) percent: f64,
    /// The first calls that it lets pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<u64>,
    /// Of the calls after these only each so-many-th.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) every: Option<u64>,
    /// How often it strikes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) times: Option<u64>,
    /// Only from this time of the org's clock on, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from_ms: Option<i64>,
    /// Only before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until_ms: Option<i64>,
    /// HTTP status of the kinds `status` (503 when missing) and `error` (400 when missing).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// Body of kind `status`, sent as JSON where it begins like JSON; a page of HTML when missing. Of kind
    /// `bulk_fail_after` the job's `errorMessage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
    /// Headers of the kinds `status` and `error`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, String>,
    /// Error code of the kinds `error` and `row`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    /// Its message; the code in words when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    /// API names of the fields that kind `row` blames.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) fields: Vec<String>,
    /// Milliseconds of kinds `delay` and `bulk_delay`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ms: Option<u64>,
    /// Rows of kind `bulk_fail_after`; none when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rows: Option<usize>,
}

fn always() -> f64 {
    100.0
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Answers before doing anything, with an HTML body or the rule's own.
    Status,
    /// Answers before doing anything, with an error code as the REST API tells it.
    Error,
    /// Applies the request, then closes the connection without an answer.
    Drop,
    /// Closes the connection before doing anything.
    Reset,
    /// Applies the request, then sends half of the body.
    Truncate,
    /// Waits before the work.
    Delay,
    /// Rows are refused with an error code; the chance is a row's.
    Row,
    /// Rows fail with `UNABLE_TO_LOCK_ROW`; the chance is a row's.
    Lock,
    /// A bulk job waits before it begins and after each chunk; the chance is a chunk's.
    BulkDelay,
    /// A bulk job fails when so many rows were worked on; the chance is a job's.
    BulkFailAfter,
}

impl Rule {
    /// What is wrong with it, for people.
    pub(crate) fn problem(&self) -> Option<String> {
        if !(0.0..=100.0).contains(&self.percent) {
            return Some("percent must be from 0 to 100".to_owned());
        }
        if self.status.is_some_and(|status| !(200..=599).contains(&status)) {
            return Some("status must be from 200 to 599".to_owned());
        }
        if self.ms.is_some_and(|ms| ms > MAX_DELAY_MS) {
            return Some(format!("ms must be at most {MAX_DELAY_MS}"));
        }
        if self.every == Some(0) {
            return Some("every must be at least 1".to_owned());
        }
        let needs_code = matches!(self.kind, Kind::Error | Kind::Row);
        match &self.code {
            None if needs_code => Some("code is missing, e.g. STORAGE_LIMIT_EXCEEDED".to_owned()),
            Some(code) if catalogue::code(code).is_none() => Some(format!("there is no error code {code}")),
            _ => None,
        }
    }

    /// Whether it means this call, or this bulk job (which has no method), at this time.
    pub(super) fn means(&self, method: Option<&str>, path: &str, now_ms: i64) -> bool {
        self.path.as_ref().is_none_or(|part| path.contains(part.as_str()))
            && self
                .method
                .as_ref()
                .is_none_or(|m| method.is_some_and(|method| m.eq_ignore_ascii_case(method)))
            && self.from_ms.is_none_or(|from| now_ms >= from)
            && self.until_ms.is_none_or(|until| now_ms < until)
    }

    /// Whether its turn has come: `seen` calls that it meant came before, and it struck `struck` times.
    pub(super) fn is_due(&self, seen: u64, struck: u64) -> bool {
        let after = self.after.unwrap_or(0);
        let every = self.every.unwrap_or(1).max(1);
        // Of the calls that follow, the last of each round.
        seen >= after && (seen - after + 1).is_multiple_of(every) && self.times.is_none_or(|times| struck < times)
    }

    /// The words of its error.
    pub(super) fn words(&self) -> String {
        let code = self.code.as_deref().unwrap_or_default();
        self.message
            .clone()
            .unwrap_or_else(|| code.to_lowercase().replace('_', " "))
    }
}
