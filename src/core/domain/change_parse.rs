//! From an entry of the log to a change: the product's contract (design 3.1), checked to the letter.
//!
//! An entry either becomes a change that the engine can carry out, or a rejection that tells the product what is wrong
//! and what to do. Nothing is guessed: a misspelt name or a value of the wrong type would otherwise be lost in silence.
//! Parsing is a function of the entry, the plan and, for ids far ahead only, of the time of Redis.

mod data;
mod names;
#[cfg(test)]
mod parse_test;
mod refusal;
#[cfg(test)]
mod rejection_test;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::change::{Change, IdempotencyKey, Op, Origin, Rejection};
use super::digest::Digester;
use super::event::EventId;
use super::ids::{RecordKey, TenantName};
use super::payload::PersonalText;
use super::plan::{ObjectPlan, TenantPlan};
use super::salesforce_id::SalesforceId;
use super::stream::{RawEntry, StreamId};
use super::time::Timestamp;
use super::value::parse_instant_ms;
use names::{Name, Names};
use refusal::Refusal;

/// Bytes of `data` at most.
pub const DATA_BYTES_MAX: usize = 1 << 20;
/// Fields in `data` at most.
pub const FIELDS_MAX: usize = 1_000;
/// Characters of an idempotency key at most.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
/// Characters of a reason at most.
pub const REASON_CHARS_MAX: usize = 1_000;
/// How far an entry's id may be ahead of Redis, and `at` ahead of its entry. Later ids pin the stream (log-road rule 15).
pub const AHEAD_MAX: Duration = Duration::from_mins(5);

/// Reads one tenant's entries.
#[derive(Debug, Clone, Copy)]
pub struct Parser<'a> {
    /// The tenant's mapping.
    pub plan: &'a TenantPlan,
    /// The tenant's digests, for idempotency keys.
    pub digest: &'a Digester,
    /// Whose log it is.
    pub tenant: &'a TenantName,
}

impl Parser<'_> {
    /// The change that an entry says, or why it says none. Never panics, whatever the entry holds.
    #[expect(
        clippy::result_large_err,
        reason = "a change is larger than a rejection, and far more frequent"
    )]
    pub fn parse(&self, entry: &RawEntry, redis_now: Timestamp) -> Result<Change, Rejection> {
        let (names, problem) = Names::collect(&entry.fields);
        let change = match problem {
            Some(refusal) => Err(refusal),
            None => self.change(entry, &names, redis_now),
        };
        change.map_err(|refusal| Rejection {
            code: refusal.code,
            fields: refusal.fields,
            message: PersonalText::new(refusal.message),
            remedy: refusal.remedy,
            record: record_if_readable(&names),
            idempotency_text: idempotency_text(&names).ok().flatten(),
        })
    }

    fn change(&self, entry: &RawEntry, names: &Names<'_>, redis_now: Timestamp) -> Result<Change, Refusal> {
        if Timestamp(entry.at.id.ms) > redis_now.after(AHEAD_MAX) {
            return Err(Refusal::future_id());
        }
        let op = op(names)?;
        names.allow(op)?;
        let origin = origin(names)?;
        let object = self.object(names)?;
        let record = RecordKey {
            object: object.object.clone(),
            key: key(names)?.into(),
        };
        if matches!(op, Op::Upsert | Op::Delete) && !object.direction.writes_salesforce() {
            return Err(Refusal::object_not_writable(&object.object));
        }
        let answers = self.event_id(names, Name::Answers)?;
        let fields = match op {
            Op::Upsert => data::read(object, names.required(Name::Data)?, origin)?,
            Op::Delete | Op::Link | Op::Refuse => Vec::new(),
        };
        let salesforce_id = if op == Op::Link {
            salesforce_id(names, answers.is_some())?
        } else {
            None
        };
        let reason = if op == Op::Refuse { Some(reason(names)?) } else { None };
        if op == Op::Refuse {
            names.required(Name::Answers)?;
        }
        let idempotency_text = idempotency_text(names)?;
        Ok(Change {
            entry: entry.at,
            record,
            op,
            origin,
            fields,
            version: version(names)?,
            at: edit_time(names, entry.at.id)?,
            seen_revision: seen_revision(names)?,
            caused_by: self.event_id(names, Name::CausedBy)?,
            answers,
            salesforce_id,
            reason,
            idempotency: idempotency_text.as_ref().map(|text| self.idempotency(text, entry)),
            idempotency_text,
            traceparent: traceparent(names),
        })
    }

    fn object(&self, names: &Names<'_>) -> Result<&Arc<ObjectPlan>, Refusal> {
        let name = names.required_text(Name::Object)?;
        self.plan.object(name).ok_or_else(|| Refusal::unknown_object(name))
    }

    fn event_id(&self, names: &Names<'_>, name: Name) -> Result<Option<EventId>, Refusal> {
        let Some(text) = names.text(name)? else { return Ok(None) };
        let id = EventId::decode(text).map_err(|_| Refusal::bad_event_id(name))?;
        if id.tenant == *self.tenant {
            Ok(Some(id))
        } else {
            Err(Refusal::foreign_event_id(name))
        }
    }

    /// The content is what makes the change: the order of the names does not count, nor does the trace, which differs
    /// from one attempt to the next.
    fn idempotency(&self, text: &str, entry: &RawEntry) -> IdempotencyKey {
        let no_content = [
            Name::IdempotencyKey.as_str().as_bytes(),
            Name::Traceparent.as_str().as_bytes(),
        ];
        let mut content: Vec<(Bytes, Bytes)> = entry
            .fields
            .iter()
            .filter(|(name, _)| !no_content.contains(&name.as_ref()))
            .cloned()
            .collect();
        content.sort_unstable();
        self.digest.idempotency(text, &content)
    }
}

fn op(names: &Names<'_>) -> Result<Op, Refusal> {
    match names.required_text(Name::Op)? {
        "upsert" => Ok(Op::Upsert),
        "delete" => Ok(Op::Delete),
        "link" => Ok(Op::Link),
        "refuse" => Ok(Op::Refuse),
        other => Err(Refusal::unknown_op(other)),
    }
}

/// `origin engine` is written by the engine's own script. A producer that forges it gains nothing but that its groups
/// may be incomplete; where that matters, Redis ACLs keep producers apart.
fn origin(names: &Names<'_>) -> Result<Origin, Refusal> {
    match names.text(Name::Origin)? {
        None => Ok(Origin::Product),
        Some("engine") => Ok(Origin::Engine),
        Some(_) => Err(Refusal::bad_origin()),
    }
}

fn key<'a>(names: &Names<'a>) -> Result<&'a str, Refusal> {
    let key = names.required_text(Name::Key)?;
    if RecordKey::is_key(key) {
        Ok(key)
    } else {
        Err(Refusal::bad_key())
    }
}

/// 0 is no version: it stands for none in rows.
fn version(names: &Names<'_>) -> Result<Option<u64>, Refusal> {
    let Some(text) = names.text(Name::Version)? else {
        return Ok(None);
    };
    whole_number(text)
        .filter(|version| *version > 0)
        .map(Some)
        .ok_or_else(Refusal::bad_version)
}

fn seen_revision(names: &Names<'_>) -> Result<Option<u64>, Refusal> {
    let Some(text) = names.text(Name::SeenRevision)? else {
        return Ok(None);
    };
    whole_number(text).map(Some).ok_or_else(Refusal::bad_seen_revision)
}

/// Digits only: `+5` and ` 5` show that a producer does not know what it writes.
fn whole_number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

fn edit_time(names: &Names<'_>, id: StreamId) -> Result<Timestamp, Refusal> {
    let appended = Timestamp(id.ms);
    let Some(text) = names.text(Name::At)? else {
        return Ok(appended);
    };
    let at = parse_instant_ms(text)
        .and_then(|ms| u64::try_from(ms).ok())
        .map(Timestamp);
    at.filter(|at| *at <= appended.after(AHEAD_MAX))
        .ok_or_else(Refusal::bad_at)
}

/// Empty is allowed as an answer only: then it means 'none of them, create one'.
fn salesforce_id(names: &Names<'_>, answers: bool) -> Result<Option<SalesforceId>, Refusal> {
    match names.required_text(Name::SalesforceId)? {
        "" if answers => Ok(None),
        text => SalesforceId::parse(text)
            .map(Some)
            .map_err(|_| Refusal::bad_salesforce_id()),
    }
}

fn reason(names: &Names<'_>) -> Result<PersonalText, Refusal> {
    let reason = names.required_text(Name::Reason)?.trim();
    let length = reason.chars().take(REASON_CHARS_MAX + 1).count();
    if (1..=REASON_CHARS_MAX).contains(&length) {
        Ok(PersonalText::new(reason))
    } else {
        Err(Refusal::bad_reason())
    }
}

fn idempotency_text(names: &Names<'_>) -> Result<Option<Arc<str>>, Refusal> {
    let Some(text) = names.text(Name::IdempotencyKey)? else {
        return Ok(None);
    };
    let length = text.chars().take(IDEMPOTENCY_KEY_CHARS_MAX + 1).count();
    let good = (1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&length) && !text.contains(char::is_control);
    if good {
        Ok(Some(text.into()))
    } else {
        Err(Refusal::bad_idempotency_key())
    }
}

/// A malformed trace context is ignored, as W3C Trace Context asks: a trace is never worth an edit.
fn traceparent(names: &Names<'_>) -> Option<Arc<str>> {
    let text = names.text(Name::Traceparent).ok().flatten()?;
    let mut parts = text.split('-');
    let lengths = [2, 32, 16, 2];
    let well_formed = lengths.iter().all(|length| {
        parts.next().is_some_and(|part| {
            part.len() == *length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    });
    (well_formed && parts.next().is_none()).then(|| text.into())
}

/// The record that a rejection is about, where both parts can be read; the object need not be mapped.
fn record_if_readable(names: &Names<'_>) -> Option<RecordKey> {
    let object = names
        .text(Name::Object)
        .ok()
        .flatten()
        .filter(|text| RecordKey::is_key(text))?;
    let key = names
        .text(Name::Key)
        .ok()
        .flatten()
        .filter(|text| RecordKey::is_key(text))?;
    Some(RecordKey::new(object, key))
}
