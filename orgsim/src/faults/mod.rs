//! What goes wrong on purpose: rules that strike data calls, rows and bulk jobs.

mod catalogue;
mod rule;

use serde_json::{Value, json};

pub(crate) use rule::{Kind, Rule};

use crate::org::{RowError, Stream, code};

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
    /// Answer so, without any work.
    pub(crate) answer: Option<Spoilt>,
    /// Spoil the answer.
    pub(crate) cut: Cut,
    /// Do no work at all: the connection closes.
    pub(crate) reset: bool,
    /// Rules that may refuse rows.
    rows: Vec<usize>,
}

/// An answer that a rule gives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spoilt {
    pub(crate) status: u16,
    /// A page of HTML without one.
    pub(crate) body: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
}

/// Which rows are refused, by place; missing ones are free.
pub(crate) type Refused = Vec<Option<RowError>>;

#[derive(Debug)]
struct Entry {
    rule: Rule,
    /// Calls, chunks or rows that it meant, and how often it struck.
    seen: u64,
    struck: u64,
}

impl Entry {
    fn strikes(&mut self, dice: &mut Stream) -> bool {
        let due = self.rule.is_due(self.seen, self.struck);
        self.seen += 1;
        let strikes = due && dice.happens(self.rule.percent);
        self.struck += u64::from(strikes);
        strikes
    }
}

/// The rules of one org and how often each struck.
#[derive(Debug)]
pub(crate) struct Faults {
    rules: Vec<Entry>,
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
        let entry = |rule| Entry {
            rule,
            seen: 0,
            struck: 0,
        };
        self.rules = rules.into_iter().map(entry).collect();
    }

    /// Throws the dice for one data call.
    pub(crate) fn fate(&mut self, method: &str, path: &str, now_ms: i64) -> Fate {
        let mut fate = Fate::default();
        for (place, entry) in self.rules.iter_mut().enumerate() {
            if !entry.rule.means(Some(method), path, now_ms) {
                continue;
            }
            let kind = entry.rule.kind;
            match kind {
                Kind::Lock | Kind::Row => {
                    fate.rows.push(place);
                    continue;
                }
                Kind::BulkDelay | Kind::BulkFailAfter => continue,
                // One answer a call: what comes after the first that is given does not strike.
                Kind::Status | Kind::Error if fate.answer.is_some() => continue,
                _ => {}
            }
            if !entry.strikes(&mut self.dice) {
                continue;
            }
            let rule = &entry.rule;
            match kind {
                Kind::Status => fate.answer = Some(spoilt(rule, 503, rule.body.clone())),
                Kind::Error => {
                    let body = json!([{"message": rule.words(), "errorCode": rule.code}]).to_string();
                    fate.answer = Some(spoilt(rule, 400, Some(body)));
                }
                Kind::Drop => fate.cut = Cut::Nothing,
                Kind::Reset => fate.reset = true,
                Kind::Truncate if fate.cut == Cut::Whole => fate.cut = Cut::Half,
                Kind::Delay => fate.delay_ms += rule.ms.unwrap_or(0),
                Kind::Truncate | Kind::Lock | Kind::Row | Kind::BulkDelay | Kind::BulkFailAfter => {}
            }
        }
        fate
    }

    /// The rules of one kind that strike a bulk job with this path now.
    fn strike(&mut self, kind: Kind, path: &str, now_ms: i64) -> Vec<Rule> {
        let dice = &mut self.dice;
        let meant = self
            .rules
            .iter_mut()
            .filter(|e| e.rule.kind == kind && e.rule.means(None, path, now_ms));
        meant
            .filter_map(|entry| entry.strikes(dice).then(|| entry.rule.clone()))
            .collect()
    }

    /// How long a bulk job with this path waits now, in milliseconds.
    pub(crate) fn bulk_delay(&mut self, path: &str, now_ms: i64) -> u64 {
        let rules = self.strike(Kind::BulkDelay, path, now_ms);
        rules.iter().filter_map(|r| r.ms).sum()
    }

    /// After how many rows a bulk job with this path fails, and with which `errorMessage` where the rule says one.
    pub(crate) fn bulk_fail_after(&mut self, path: &str, now_ms: i64) -> Option<(usize, Option<String>)> {
        let rules = self.strike(Kind::BulkFailAfter, path, now_ms);
        let first = rules.into_iter().next()?;
        Some((first.rows.unwrap_or(0), first.body))
    }

    /// Which of `rows` rows of a bulk job with this path are refused.
    pub(crate) fn bulk_refused(&mut self, path: &str, rows: usize, now_ms: i64) -> Refused {
        let rules = self.rules.iter().enumerate();
        let meant =
            rules.filter(|(_, e)| matches!(e.rule.kind, Kind::Lock | Kind::Row) && e.rule.means(None, path, now_ms));
        let fate = Fate {
            rows: meant.map(|(place, _)| place).collect(),
            ..Fate::default()
        };
        self.refused(&fate, rows)
    }

    /// Which of `rows` rows are refused.
    pub(crate) fn refused(&mut self, fate: &Fate, rows: usize) -> Refused {
        if fate.rows.is_empty() {
            return Vec::new();
        }
        let dice = &mut self.dice;
        let rules = &mut self.rules;
        (0..rows)
            .map(|_| {
                let mut meant = fate.rows.iter();
                meant.find_map(|place| {
                    let entry = rules.get_mut(*place)?;
                    entry.strikes(dice).then(|| refusal(&entry.rule))
                })
            })
            .collect()
    }

    /// The rules and how often each struck.
    #[must_use]
    pub(crate) fn report(&self) -> Value {
        let rules: Vec<Value> = self
            .rules
            .iter()
            .map(|entry| {
                let mut value = serde_json::to_value(&entry.rule).unwrap_or_default();
                value["struck"] = json!(entry.struck);
                value
            })
            .collect();
        json!({ "rules": rules })
    }
}

fn spoilt(rule: &Rule, status: u16, body: Option<String>) -> Spoilt {
    Spoilt {
        status: rule.status.unwrap_or(status),
        body,
        headers: rule
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    }
}

/// What a rule says of a row; a lock names the row later.
fn refusal(rule: &Rule) -> RowError {
    if rule.kind == Kind::Lock {
        return RowError::new(code::LOCK, LOCKED);
    }
    let code = rule
        .code
        .as_deref()
        .and_then(catalogue::code)
        .unwrap_or("UNKNOWN_EXCEPTION");
    RowError {
        code,
        message: rule.words(),
        fields: rule.fields.iter().map(|field| field.as_str().into()).collect(),
        duplicates: None,
        also: Vec::new(),
    }
}

/// [C, two independent reports]; the ids of the rows come after it.
pub(crate) const LOCKED: &str = "unable to obtain exclusive access to this record or 1 records";

#[cfg(test)]
mod tests;
