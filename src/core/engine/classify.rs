//! What an answer of Salesforce means for the engine: decided once, from status, code and fields, never from messages
//! (but for the two codes that hide several conditions behind one name, contract.md 5 and 6).

mod rules;
mod table;
#[cfg(test)]
mod table_test;

use std::sync::Arc;
use std::time::Duration;

use crate::domain::payload::PersonalText;
use crate::domain::salesforce_id::SalesforceId;

pub use rules::{call, row};

/// What to do about a failure (design 6, 'Outcome').
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Transient: the same again, later.
    Retry,
    /// The org's quota is used up: wait for it.
    SlowDown,
    /// Too much at once: the same again with less in parallel, after seconds.
    Concurrency,
    /// The token is dead.
    Reauthorise,
    /// The record's data is refused for good: dead letter.
    Reject,
    /// Another record or a newer state stands against it.
    Conflict,
    /// The record is deleted, merged or hidden.
    Gone,
    /// The org's sequence fence refused it: the org holds a higher number.
    Fence,
    /// The mapping, a permission or the org's set-up is wrong: pause field, object or tenant.
    Configuration,
    /// Whether it happened is not known.
    Unknown,
}

/// A call that gave no row outcomes.
#[derive(Debug, Clone)]
pub struct CallFault {
    /// What to do.
    pub class: Class,
    /// HTTP status; 0 when there was none.
    pub status: u16,
    /// Salesforce's code or Tandem's (`TIMEOUT`, `RESET`, `TRUNCATED`, `HOST_REFUSED`, …).
    pub code: Arc<str>,
    /// What happened, without record data.
    pub detail: String,
    /// How long Salesforce asked to wait, if it did.
    pub retry_after: Option<Duration>,
}

/// One row's outcome.
#[derive(Debug, Clone)]
pub enum RowOutcome {
    /// Written.
    Done {
        /// The record.
        id: SalesforceId,
        /// Whether this call created it (upserts).
        created: bool,
    },
    /// Not written.
    Failed(RowFault),
}

/// Why a row was not written.
#[derive(Debug, Clone)]
pub struct RowFault {
    /// What to do.
    pub class: Class,
    /// Salesforce's status code.
    pub code: Arc<str>,
    /// API names of fields concerned.
    pub fields: Vec<Arc<str>>,
    /// Salesforce's words; can hold values.
    pub message: PersonalText,
}
