//! A change that the product (or the engine itself) appended to the log, understood and checked against the plan.

use std::sync::Arc;

use super::event::EventId;
use super::ids::{FieldIdx, RecordKey};
use super::payload::{PersonalText, RawJson};
use super::salesforce_id::SalesforceId;
use super::stream::EntryRef;
use super::time::Timestamp;

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Sets the named fields; creates the record where there is none.
    Upsert,
    /// Deletes the record.
    Delete,
    /// Says that a Salesforce record is this key's.
    Link,
    /// The product did not apply an event.
    Refuse,
}

/// Who appended an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The product.
    Product,
    /// Tandem: a write-back after a merge.
    Engine,
}

/// An idempotency key, hashed; the key itself is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// Keyed hash of the key.
    pub key: [u8; 16],
    /// Keyed hash of the entry's content, to tell a repeat from a re-use.
    pub content: [u8; 8],
}

/// A checked change.
#[derive(Debug, Clone)]
pub struct Change {
    /// The log entry.
    pub entry: EntryRef,
    /// Whose change it is.
    pub record: RecordKey,
    /// What it does.
    pub op: Op,
    /// Who appended it.
    pub origin: Origin,
    /// Changed fields by position, each once, groups whole; only fields that flow to Salesforce.
    pub fields: Vec<(FieldIdx, RawJson)>,
    /// The row's version, if the product gives versions (never 0).
    pub version: Option<u64>,
    /// When the edit was made; the entry's time when not given.
    pub at: Timestamp,
    /// Revision of the last event of the record that the edit had seen.
    pub seen_revision: Option<u64>,
    /// The event whose application made this change.
    pub caused_by: Option<EventId>,
    /// The event that this change answers: with `refuse` always, else where it answers a question.
    pub answers: Option<EventId>,
    /// The Salesforce record, with `link`; none means: create one.
    pub salesforce_id: Option<SalesforceId>,
    /// Why the product did not apply an event, with `refuse` (≤ 1,000 characters).
    pub reason: Option<PersonalText>,
    /// Hash of the idempotency key and the content.
    pub idempotency: Option<IdempotencyKey>,
    /// The idempotency key as given (≤ 255 characters), for receipts.
    pub idempotency_text: Option<Arc<str>>,
    /// W3C trace context.
    pub traceparent: Option<Arc<str>>,
}

/// Why an entry of the log cannot become a change. The product is told by a `rejected` event.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// Machine-readable, snake_case, e.g. `unknown_object`.
    pub code: &'static str,
    /// Names of fields concerned (names are not personal).
    pub fields: Vec<Arc<str>>,
    /// What is wrong, in plain words.
    pub message: PersonalText,
    /// What to do about it.
    pub remedy: &'static str,
    /// The record, as far as it could be read.
    pub record: Option<RecordKey>,
    /// The idempotency key as given, for the `rejected` event.
    pub idempotency_text: Option<Arc<str>>,
}
