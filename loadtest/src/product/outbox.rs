//! The outbox: what each change of a row leaves for the appenders, in the same transaction.

use std::collections::VecDeque;

use serde_json::{Map, Value as Json};

use super::rfc3339::rfc3339;
use super::table::{Cause, Product};

/// Appenders a tenant: a record always goes through the same one, so its rows are appended in commit order.
pub const LANES: usize = 2;

/// The log of what people do now.
pub const CHANGES: &str = "changes";
/// The log of imports, which yields to people.
pub const BACKFILL: &str = "backfill";

/// One row of the outbox, to be appended to the tenant's log.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The outbox row's id, and so its idempotency key.
    pub id: u64,
    /// Index of the record.
    pub record: usize,
    /// Which of the tenant's logs it goes to.
    pub log: &'static str,
    /// Names and values of the stream entry.
    pub fields: Vec<(&'static str, String)>,
    /// Counts as a change made by people, so that it must reach the org.
    pub dirty: bool,
    /// A deliberate copy of an entry that was appended before.
    pub copy: bool,
}

/// One outbox row, beside the record that it is of.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    pub(super) op: &'static str,
    pub(super) data: Option<&'a Map<String, Json>>,
    pub(super) salesforce_id: Option<&'a str>,
    /// The event that a trigger's row comes of.
    pub(super) cause: Option<Cause<'a>>,
    pub(super) answers: Option<&'a str>,
    /// People changed something.
    pub(super) dirty: bool,
}

impl Product {
    /// Rows waiting to be appended.
    pub fn waiting(&self) -> usize {
        self.outbox.iter().map(VecDeque::len).sum()
    }

    /// The appender of a record.
    pub fn lane(record: usize) -> usize {
        record % LANES
    }

    /// The trigger's part of a change.
    pub(super) fn emit(&mut self, record: usize, said: &Said<'_>, now_ms: u64) {
        let (Some(history), Some(mark)) = (self.records.get(record), self.marks.get_mut(record)) else {
            return;
        };
        let Some(object) = self.shapes.objects.get(history.object) else {
            return;
        };
        mark.version += 1;
        self.next_row += 1;
        let mut fields = vec![
            ("object", object.name.clone()),
            ("key", history.key.clone()),
            ("op", said.op.to_owned()),
            ("version", mark.version.to_string()),
            ("at", rfc3339(now_ms)),
            ("idempotency_key", format!("{}-{}", self.tenant, self.next_row)),
        ];
        if let Some(data) = said.data {
            fields.push(("data", Json::Object(data.clone()).to_string()));
        }
        if let Some(id) = said.salesforce_id {
            fields.push(("salesforce_id", id.to_owned()));
        }
        let seen = said.cause.and_then(|cause| cause.revision).or(mark.seen);
        if let Some(seen) = seen {
            fields.push(("seen_revision", seen.to_string()));
        }
        if let Some(cause) = said.cause {
            fields.push(("caused_by", cause.id.to_owned()));
        }
        if let Some(answers) = said.answers {
            fields.push(("answers", answers.to_owned()));
        }
        let entry = Entry {
            id: self.next_row,
            record,
            log: self.log,
            fields,
            dirty: said.dirty,
            copy: false,
        };
        if let Some(queue) = self.outbox.get_mut(Self::lane(record)) {
            queue.push_back(entry);
        }
    }
}
