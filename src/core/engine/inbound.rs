//! Change events, as the engine takes them in.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::ids::ReplayId;
use crate::domain::salesforce_id::SalesforceId;
pub use crate::domain::salesforce_value::SalesforceValue;
use crate::domain::time::Timestamp;
use crate::domain::value;

/// What happened to the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// New; all fields are in the event.
    Create,
    /// Changed; the changed fields are in the event.
    Update,
    /// Deleted; no fields.
    Delete,
    /// Undeleted; all fields are in the event.
    Undelete,
    /// No event but the record as a poll saw it, all mapped fields: what changed since the last look is told by comparing.
    Seen,
    /// Something changed that the event does not tell: re-read the records.
    Gap,
    /// So much changed that the event names no records: re-read the object since then.
    Overflow,
}

/// One change event, decoded and flattened (`MailingAddress.City` is `MailingCity`).
#[derive(Debug, Clone)]
pub struct ChangeEvent {
    /// Its place in the stream.
    pub replay_id: ReplayId,
    /// sObject API name.
    pub sobject: Arc<str>,
    /// The records; several when one transaction changed them alike.
    pub ids: Vec<SalesforceId>,
    /// What happened.
    pub kind: ChangeKind,
    /// When it was committed (whole seconds).
    pub committed: Timestamp,
    /// The org's order of commits.
    pub commit_number: i64,
    /// Same for all events of a transaction.
    pub transaction_key: Arc<str>,
    /// Order within the transaction, from 1.
    pub sequence: i32,
    /// 18-character id of the user who committed.
    pub commit_user: Arc<str>,
    /// `com/salesforce/api/rest/67.0;client=…`, or empty.
    pub origin: Arc<str>,
    /// Fields whose new value is known: for creates and undeletes all that are set, for updates the changed ones
    /// (nulled ones as `Null`).
    pub fields: Vec<(Arc<str>, SalesforceValue)>,
    /// Changed fields whose new value the event does not hold (text diffs): read them.
    pub unread: Vec<Arc<str>>,
}

impl ChangeEvent {
    /// The value of a field, if the event holds it.
    pub fn field(&self, name: &str) -> Option<&SalesforceValue> {
        self.fields.iter().find(|(n, _)| n.as_ref() == name).map(|(_, v)| v)
    }
}

/// A record's fields as the REST API writes them; none where it is no object of values that fields can have.
pub fn row_values(json: &[u8]) -> Option<Vec<(Arc<str>, SalesforceValue)>> {
    let fields: BTreeMap<String, &serde_json::value::RawValue> = serde_json::from_slice(json).ok()?;
    Some(
        fields
            .into_iter()
            .filter(|(name, _)| name != "attributes")
            .filter_map(|(name, raw)| Some((Arc::from(name.as_str()), value::from_rest(raw).ok()?)))
            .collect(),
    )
}

/// Some events, or none but a newer cursor (a keep-alive).
#[derive(Debug, Clone)]
pub struct EventBatch {
    /// In bus order.
    pub events: Vec<ChangeEvent>,
    /// A legal place to resume from that covers all of `events`.
    pub latest: ReplayId,
}
