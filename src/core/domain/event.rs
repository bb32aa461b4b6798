//! What the product is told: events of the feed, and the opaque id that lets `caused_by` work without stored state.

use std::sync::Arc;

use super::ids::{FieldIdx, RecordKey, TenantName};
use super::payload::RawJson;
use super::row::FieldHash;
use super::salesforce_id::SalesforceId;
use super::stream::StreamId;
use super::time::Timestamp;

/// The kinds of event (design 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventType {
    /// Field values changed in Salesforce.
    Changed,
    /// The record was deleted in Salesforce.
    Deleted,
    /// The record came back from the recycle bin.
    Undeleted,
    /// A Salesforce record without a key, or a key without a single partner: the product is to answer with `link`.
    LinkWanted,
    /// The pair of key and Salesforce id is known now.
    Linked,
    /// The product is to append these fields of the record again: Tandem keeps no values and needs them.
    Wanted,
    /// Salesforce or Tandem refused a change.
    Rejected,
    /// A conflict needs, or got, a decision.
    Conflict,
    /// Receipt: these entries are in Salesforce.
    Applied,
    /// The tenant's state changed.
    Tenant,
}

impl EventType {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Changed,
        Self::Deleted,
        Self::Undeleted,
        Self::LinkWanted,
        Self::Linked,
        Self::Wanted,
        Self::Rejected,
        Self::Conflict,
        Self::Applied,
        Self::Tenant,
    ];

    /// The name in the feed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Deleted => "deleted",
            Self::Undeleted => "undeleted",
            Self::LinkWanted => "link_wanted",
            Self::Linked => "linked",
            Self::Wanted => "wanted",
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
            Self::Applied => "applied",
            Self::Tenant => "tenant",
        }
    }
}

/// An event on its way to the outbox. Its id is made when it is forwarded, from the outbox entry's id.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its kind.
    pub kind: EventType,
    /// The record, possibly [keyless](RecordKey::keyless); none for events of the tenant.
    pub record: Option<RecordKey>,
    /// The Salesforce record, where known.
    pub salesforce_id: Option<SalesforceId>,
    /// JSON object of product values, for `changed`, `undeleted` and `link_wanted`.
    pub data: Option<RawJson>,
    /// JSON object of what the type adds.
    pub detail: Option<RawJson>,
    /// The record's revision; 0 for events of no record.
    pub revision: u64,
    /// When it happened.
    pub at: Timestamp,
    /// Trace context.
    pub traceparent: Option<Arc<str>>,
    /// What its id says of values, for `caused_by` and `answers`.
    pub says: Says,
}

/// Hashes of values that an event tells, or that Salesforce held when a question was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Says {
    /// Version of the object plan that the fields are laid out by.
    pub plan: u32,
    /// Field and hash.
    pub fields: Vec<(FieldIdx, FieldHash)>,
}

impl Says {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// What is said by this version of the plan: nothing of what another version laid out is believed.
    pub fn under(&self, plan: u32) -> &[(FieldIdx, FieldHash)] {
        if self.plan == plan { &self.fields } else { &[] }
    }
}

/// The id of an event as the product sees it, decoded: opaque to everyone else, ≤ `TEXT_MAX` bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventId {
    /// The tenant that the event belongs to.
    pub tenant: TenantName,
    /// The outbox entry.
    pub outbox: StreamId,
    /// The record's revision.
    pub revision: u64,
    /// What the event says of values; empty when it did not fit.
    pub says: Says,
}

impl EventId {
    /// Longest text form, in bytes.
    pub const TEXT_MAX: usize = 1024;
}
