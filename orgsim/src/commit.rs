//! What one transaction of an org changed: the only thing the event bus learns of the data.
//!
//! A transaction changes rows; when it commits, the org hands one [`Commit`] to the bus, in commit order.
//! The bus turns it into change events. Neither side knows more of the other than these types.

use std::sync::Arc;

use arcstr::ArcStr;

use crate::org::Row;

/// One committed transaction of one org.
#[derive(Debug, Clone)]
pub struct Commit {
    /// 18-character organisation id (`00D…`).
    pub org_id: String,
    /// Same for all events of the transaction; uuid-shaped.
    pub transaction_key: String,
    /// Commit time in milliseconds since 1970, whole seconds.
    pub commit_ms: i64,
    /// Grows by commit within an org (a database change number).
    pub commit_number: i64,
    /// 18-character id of the user who committed.
    pub commit_user: String,
    /// `com/salesforce/api/rest/67.0;client=x`, or empty for changes that no API call made.
    pub change_origin: String,
    /// In the order they happened; at most one entry a row (a transaction's changes of a row are one event of the first kind).
    pub changes: Vec<RowChange>,
}

/// What a transaction did to one row.
#[derive(Debug, Clone)]
pub struct RowChange {
    /// sObject API name, e.g. `Contact`.
    pub entity: Arc<str>,
    /// 18-character record id.
    pub id: ArcStr,
    /// The first kind of change in the transaction.
    pub kind: ChangeKind,
    /// The row before the transaction; None for a create. Values are at [`crate::directory::EntityField::place`].
    pub before: Option<Arc<Row>>,
    /// The row after the transaction; None for a delete.
    pub after: Option<Arc<Row>>,
}

/// The kinds of change that an event can tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// A new row.
    Create,
    /// New field values.
    Update,
    /// The row went to the recycle bin.
    Delete,
    /// The row came back from the recycle bin.
    Undelete,
}

/// Where an org hands its commits to.
pub trait CommitSink: Send + Sync {
    /// Takes one committed transaction; called in commit order within an org, and returns at once.
    fn publish(&self, commit: Commit);
    /// Replaces how the events of one org are disturbed from now on.
    fn disturb(&self, org_id: &str, disturbance: Disturbance);
}

/// A fault of an org's event bus, for tests. The default disturbs nothing.
#[derive(Debug, Clone, Default)]
pub struct Disturbance {
    /// Share of events that are lost as if they had never been persisted, 0–100.
    pub drop_percent: f64,
    /// How long an event waits before subscribers can see it, milliseconds.
    pub delay_ms: u64,
    /// The next change becomes a `GAP_…` event (once).
    pub gap: bool,
    /// Share of events that are delivered twice, with another replay id each, 0–100.
    pub duplicate_percent: f64,
    /// Share of events that overtake the one before them in their transaction, 0–100.
    pub swap_percent: f64,
    /// Streams stay open, and neither an event nor a sign of life comes.
    pub silent: bool,
    /// Streams that may be open at once.
    pub max_clients: Option<usize>,
    /// Events that may still be delivered, to all subscribers together; `Some(None)` is no limit, None leaves it as it is.
    pub allowance: Option<Option<u64>>,
    /// Ends all streams that are open now with this error code, e.g. `service.unavailable`; `reset` has none.
    pub end_streams: Option<String>,
    /// Replay ids below this one are no longer valid, and their events are gone.
    pub expire_replay_before: Option<Vec<u8>>,
}
