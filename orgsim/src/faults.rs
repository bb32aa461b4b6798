//! What goes wrong on purpose: rules that strike data calls by chance.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::org::Stream;

/// One rule of `POST /orgs/{org}/faults`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FaultRule)]
pub(crate) struct Rule {
    /// What happens.
    pub(crate) kind: Kind,
    /// HTTP status of kind `status`; 503 when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// Chance in percent; 100 when missing.
    #[serde(default = "always")]
    pub(crate) percent: f64,
    /// Only calls and bulk jobs whose path contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// Body of kind `status`, sent as JSON where it begins like JSON; a page of HTML when missing. Of kind
    /// `bulk_fail_after` the job's `errorMessage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
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
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Answers before doing anything, with an HTML body or the rule's own.
    Status,
    /// Applies the request, then closes the connection without an answer.
    Drop,
    /// Applies the request, then sends half of the body.
    Truncate,
    /// Waits before the work.
    Delay,
    /// Rows fail with `UNABLE_TO_LOCK_ROW`; the chance is a row's.
    Lock,
    /// A bulk job waits before it begins and after each chunk; the chance is a chunk's.
    #[serde(rename = "bulk_delay")]
    BulkDelay,
    /// A bulk job fails when so many rows were worked on; the chance is a job's.
    #[serde(rename = "bulk_fail_after")]
    BulkFailAfter,
}

/// How an answer is spoiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Cut {
    /// Not at all.
    #[default]
    Whole,
    /// The connection closes without an answer.
    Nothing,
    /// Half of the body, then the connection closes.
    Half,
}

/// What happens to one call.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Fate {
    /// Wait before the work, in milliseconds.
    pub(crate) delay_ms: u64,
    /// Answer with this status, and with this body where there is one.
    pub(crate) status: Option<(u16, Option<String>)>,
    /// Spoil the answer.
    pub(crate) cut: Cut,
    /// Chance in percent that a row is locked.
    pub(crate) lock_percent: f64,
}

/// The rules of one org and how often each struck.
#[derive(Debug)]
pub(crate) struct Faults {
    rules: Vec<(Rule, u64)>,
    dice: Stream,
}

impl Faults {
    /// No rules.
    #[must_use]
    pub(crate) fn new(dice: Stream) -> Self {
        Self {
            rules: Vec::new(),
            dice,
        }
    }

    /// Replaces all rules.
    pub(crate) fn set(&mut self, rules: Vec<Rule>) {
        self.rules = rules.into_iter().map(|r| (r, 0)).collect();
    }

    /// Throws the dice for one data call.
    pub(crate) fn fate(&mut self, path: &str) -> Fate {
        let mut fate = Fate::default();
        for (rule, struck) in &mut self.rules {
            if rule.path.as_ref().is_some_and(|p| !path.contains(p.as_str())) {
                continue;
            }
            if rule.kind == Kind::Lock {
                fate.lock_percent = fate.lock_percent.max(rule.percent);
                continue;
            }
            if matches!(rule.kind, Kind::BulkDelay | Kind::BulkFailAfter) {
                continue;
            }
            // One answer a call: what comes after the first that is given does not strike.
            if (rule.kind == Kind::Status && fate.status.is_some()) || !self.dice.happens(rule.percent) {
                continue;
            }
            *struck += 1;
            match rule.kind {
                Kind::Status => {
                    fate.status = Some((rule.status.unwrap_or(503), rule.body.clone()));
                }
                Kind::Drop => fate.cut = Cut::Nothing,
                Kind::Truncate if fate.cut == Cut::Whole => fate.cut = Cut::Half,
                Kind::Delay => fate.delay_ms += rule.ms.unwrap_or(0),
                Kind::Truncate | Kind::Lock | Kind::BulkDelay | Kind::BulkFailAfter => {}
            }
        }
        fate
    }

    /// The rules of one kind that strike a bulk job with this path now.
    fn strike(&mut self, kind: Kind, path: &str) -> Vec<Rule> {
        let mut struck = Vec::new();
        for (rule, n) in &mut self.rules {
            let meant = rule.kind == kind && rule.path.as_ref().is_none_or(|p| path.contains(p.as_str()));
            if meant && self.dice.happens(rule.percent) {
                *n += 1;
                struck.push(rule.clone());
            }
        }
        struck
    }

    /// How long a bulk job with this path waits now, in milliseconds.
    pub(crate) fn bulk_delay(&mut self, path: &str) -> u64 {
        let rules = self.strike(Kind::BulkDelay, path);
        rules.iter().filter_map(|r| r.ms).sum()
    }

    /// After how many rows a bulk job with this path fails, and with which `errorMessage` where the rule says one.
    pub(crate) fn bulk_fail_after(&mut self, path: &str) -> Option<(usize, Option<String>)> {
        let rules = self.strike(Kind::BulkFailAfter, path);
        let first = rules.into_iter().next()?;
        Some((first.rows.unwrap_or(0), first.body))
    }

    /// Which of `rows` rows of a bulk job with this path are locked.
    pub(crate) fn bulk_locked(&mut self, path: &str, rows: usize) -> Vec<bool> {
        let locks = self.rules.iter().map(|(rule, _)| rule);
        let locks = locks.filter(|r| r.kind == Kind::Lock && r.path.as_ref().is_none_or(|p| path.contains(p.as_str())));
        let fate = Fate {
            lock_percent: locks.map(|r| r.percent).fold(0.0, f64::max),
            ..Fate::default()
        };
        self.locked(&fate, rows)
    }

    /// Which of `rows` rows are locked.
    pub(crate) fn locked(&mut self, fate: &Fate, rows: usize) -> Vec<bool> {
        if fate.lock_percent <= 0.0 {
            return Vec::new();
        }
        let locked: Vec<bool> = (0..rows).map(|_| self.dice.happens(fate.lock_percent)).collect();
        let struck = u64::try_from(locked.iter().filter(|l| **l).count()).unwrap_or(0);
        if let Some((_, n)) = self.rules.iter_mut().find(|(r, _)| r.kind == Kind::Lock) {
            *n += struck;
        }
        locked
    }

    /// The rules and how often each struck.
    #[must_use]
    pub(crate) fn report(&self) -> Value {
        let rules: Vec<Value> = self
            .rules
            .iter()
            .map(|(rule, struck)| {
                let mut value = serde_json::to_value(rule).unwrap_or_default();
                value["struck"] = json!(struck);
                value
            })
            .collect();
        json!({ "rules": rules })
    }
}
