//! What goes into the tenant machine and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::change::IdempotencyKey;
use crate::domain::ids::{BatchId, Epoch, Fence, RecordKey, ReplayId};
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::stream::{Log, StreamId};
use crate::domain::time::Timestamp;
use crate::engine::call::{FindCall, ReadRow, WriteAnswer, WriteCall};
use crate::engine::classify::CallFault;
use crate::engine::commit::{BatchIdList, Commit, Intent, LogChunk, Script};
use crate::engine::inbound::EventBatch;
use crate::engine::state::{Attached, Committed, CompactedPage, Lengths, Loaded};

/// Why an owner lost its tenant; it forgets everything and attaches again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The connection to Redis broke.
    Broken,
    /// Another owner, or a rewound Redis.
    Fenced,
    /// The partition epoch is too old: the lease must be re-acquired above this one.
    OldPartition(Epoch),
    /// Redis is full.
    Full,
    /// Redis holds what this version cannot read, or the other way round.
    Unexpected,
}

/// Inputs, one at a time.
#[derive(Debug)]
pub enum Input {
    /// Begin (again): attach.
    Start,
    /// Answer of [`Effect::Attach`].
    Attached(Attached),
    /// Answer of [`Effect::ReadLog`].
    Log(LogChunk),
    /// Answer of [`Effect::ScanCompacted`].
    Compacted(CompactedPage),
    /// Answer of [`Effect::Load`].
    Loaded {
        /// The effect's ticket.
        ticket: u64,
        /// The state asked for.
        loaded: Loaded,
    },
    /// Answer of [`Effect::Resolve`].
    Resolved {
        /// The effect's ticket.
        ticket: u64,
        /// A key for each id, in order.
        keys: Vec<Option<RecordKey>>,
    },
    /// Answer of [`Effect::Begin`]: the batch may be sent now.
    Begun(BatchId),
    /// Answer of [`Effect::Send`].
    Answered {
        /// The batch.
        batch: BatchId,
        /// How it ended.
        answer: WriteAnswer,
    },
    /// Answer of [`Effect::Commit`].
    Committed {
        /// The effect's ticket.
        ticket: u64,
        /// What was done.
        done: Committed,
    },
    /// Answer of [`Effect::Read`].
    Read {
        /// The effect's ticket.
        ticket: u64,
        /// The rows, or why there are none.
        rows: Result<Vec<ReadRow>, CallFault>,
    },
    /// Answer of [`Effect::Find`]: what was found, at most [`FindCall::FOUND_MAX`] records.
    Found {
        /// The effect's ticket.
        ticket: u64,
        /// The records in no order, or why there are none.
        rows: Result<Vec<ReadRow>, CallFault>,
    },
    /// Answer of [`Effect::DueQuestions`].
    DueQuestions(Vec<RecordKey>),
    /// Answer of [`Effect::Lengths`].
    Lengths(Lengths),
    /// Some store effect failed: the tenant is lost.
    Lost(Lost),
    /// A worker is free for one batch; answers [`Effect::WantWorker`], one for one.
    Granted,
    /// Change events; the next ones come after [`Effect::NextEvents`].
    Events(EventBatch),
    /// The stream's cursor is no longer valid: events were missed.
    CursorLost,
    /// The log may have new entries.
    Wake,
    /// Time passed; sent at [`super::Snapshot::wake_at`] or later.
    Tick,
    /// Stop claiming, finish what is in flight, then [`Effect::Drained`].
    Drain,
    /// An operator holds the tenant: nothing is sent until resumed; intake and events go on.
    Pause,
    /// The operator lets it go on.
    Resume,
}

/// What the shell is to do, in order.
#[derive(Debug)]
pub enum Effect {
    /// Take the tenant over.
    Attach,
    /// Read the log.
    ReadLog {
        /// Which.
        log: Log,
        /// After this entry.
        after: StreamId,
        /// Entries at most.
        count: usize,
    },
    /// Name records that have compacted folds.
    ScanCompacted {
        /// Where to go on.
        cursor: u64,
        /// Hint of how many.
        count: usize,
    },
    /// Load records' state.
    Load {
        /// Comes back with the answer.
        ticket: u64,
        /// Which records.
        records: Vec<RecordKey>,
        /// Which idempotency keys.
        keys: Vec<IdempotencyKey>,
    },
    /// Look ids up.
    Resolve {
        /// Comes back with the answer.
        ticket: u64,
        /// Which ids.
        ids: Vec<SalesforceId>,
    },
    /// Store an intent.
    Begin {
        /// The fence to name.
        fence: Fence,
        /// The intent.
        intent: Intent,
        /// Older intents that are dealt with.
        done: BatchIdList,
    },
    /// Run a fenced script.
    Commit {
        /// Comes back with the answer.
        ticket: u64,
        /// The fence to name.
        fence: Fence,
        /// Which script.
        script: Script,
        /// What it does.
        commit: Box<Commit>,
    },
    /// Ask the pool for a worker; answered by one [`Input::Granted`].
    WantWorker,
    /// Give an unused grant back.
    ReturnWorker,
    /// Send a batch; uses up one grant.
    Send {
        /// The batch.
        batch: BatchId,
        /// The call.
        call: WriteCall,
    },
    /// Read records from Salesforce.
    Read {
        /// Comes back with the answer.
        ticket: u64,
        /// sObject API name.
        sobject: Arc<str>,
        /// Which.
        ids: Vec<SalesforceId>,
        /// API names of fields.
        fields: Vec<Arc<str>>,
    },
    /// Look for records in Salesforce by values.
    Find {
        /// Comes back with the answer.
        ticket: u64,
        /// What is looked for.
        call: FindCall,
    },
    /// Name records whose open questions are due to be looked at.
    DueQuestions {
        /// Due before this time.
        before: Timestamp,
        /// Records at most.
        count: usize,
    },
    /// Read the logs' lengths, to compare with memory.
    Lengths,
    /// Open the change stream here; none means: from now on.
    Subscribe {
        /// After this place.
        after: Option<ReplayId>,
    },
    /// The last events were taken in: ask for more.
    NextEvents,
    /// The outbox has entries: forward them.
    Forward,
    /// Tell producers: `ok`, `slow` or `stop`.
    Backpressure {
        /// The fence to name (no step is raised).
        fence: Fence,
        /// The word.
        level: &'static str,
    },
    /// The tenant was lost: forget grants and answers of the life before, then send [`Input::Start`] after the pause.
    Restart {
        /// How long to wait.
        pause: Duration,
        /// Why.
        reason: Lost,
    },
    /// Nothing is in flight any more; the tenant may be handed over.
    Drained,
    /// Something operators want to see.
    Note(Note),
}

/// Something noteworthy: counted and logged by the shell. Never holds values or keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A batch ended.
    Batch {
        /// sObject.
        sobject: Arc<str>,
        /// Rows sent.
        rows: usize,
        /// Rows written.
        done: usize,
        /// Rows to be sent again.
        retried: usize,
        /// Rows refused for good.
        dead: usize,
        /// Rows of unknown outcome.
        unknown: usize,
        /// From asking to answer.
        took: Duration,
        /// Age of the oldest edit in it.
        oldest_age: Duration,
    },
    /// A call failed as a whole.
    CallFailed {
        /// Salesforce's or Tandem's code.
        code: Arc<str>,
        /// HTTP status.
        status: u16,
    },
    /// Entries were taken from the log.
    Folded {
        /// How many.
        entries: usize,
        /// Of them refused.
        refused: usize,
        /// Of them repeats.
        duplicate: usize,
        /// Of them stale.
        stale: usize,
    },
    /// Change events were taken in.
    Events {
        /// How many.
        events: usize,
        /// Of them own writes.
        echoes: usize,
        /// Told to the product.
        told: usize,
        /// Conflicts decided.
        conflicts: usize,
        /// Of records without a key.
        unlinked: usize,
    },
    /// Partners were looked for before first creates.
    Matched {
        /// Linked to the one partner.
        one: usize,
        /// Asked about.
        many: usize,
        /// Without a partner.
        none: usize,
    },
    /// Log entries became folds.
    Compacted {
        /// Records.
        records: usize,
        /// Entries.
        entries: usize,
    },
    /// The org refused an owner's sequence: it knows a higher one.
    FenceRefused {
        /// Records.
        records: usize,
    },
    /// Twice refused after the number was lifted: an alarm.
    FenceStuck,
    /// Fewer log entries were there than asked to delete: a producer trims its stream.
    Trimmed {
        /// How many were missing.
        entries: u64,
    },
    /// Memory and log disagree at the log's end: attaching again.
    LogMismatch,
    /// An entry's id is far in the future: the stream is pinned.
    FutureEntry,
    /// The change stream's cursor was lost: changes were missed until now.
    CursorLost,
    /// Events that tell only that something changed (gaps): records to re-read.
    Gap {
        /// Records, or 0 for a whole object.
        records: usize,
    },
}

/// Where a tenant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not begun, or between lives.
    Detached,
    /// Taking over.
    Attaching,
    /// Reading the log and the folds that earlier owners left.
    Rebuilding,
    /// Working.
    Live,
    /// Salesforce does not answer well: one probe at a time.
    BackingOff,
    /// The token is refused: an admin must act.
    AuthorisationNeeded,
    /// Held by an operator.
    Paused,
    /// Finishing.
    Draining,
}

/// A tenant as operators see it; cheap to make.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Snapshot {
    /// Where it stands.
    pub phase: Phase,
    /// The owner's epoch.
    pub epoch: u64,
    /// Records with something to send.
    pub pending_records: usize,
    /// Log entries in memory.
    pub pending_entries: usize,
    /// Records in flight.
    pub in_flight: usize,
    /// Records whose last write has an unknown outcome.
    pub unknown: usize,
    /// Records whose changes wait until the product says which Salesforce record is theirs.
    pub waiting_for_answer: usize,
    /// Records that wait for a parent.
    pub waiting_for_parent: usize,
    /// Records in dead letters that this owner made.
    pub dead: u64,
    /// Questions that the product has not answered, as of the last look at an idle log.
    pub open_questions: u64,
    /// When the oldest unsent edit was made, milliseconds since 1970.
    pub oldest_ms: Option<u64>,
    /// Whether both logs were read to their ends.
    pub caught_up: bool,
    /// Newest codes of failed calls and rows, newest last, at most ten.
    pub last_errors: Vec<Arc<str>>,
    /// Calls made since the process took the tenant.
    pub calls: u64,
    /// The org's own count of calls in 24 h, and its limit, as last heard.
    pub api_used: Option<u64>,
    /// See `api_used`.
    pub api_limit: Option<u64>,
    /// When the last change event was taken in, milliseconds since 1970.
    pub last_event_ms: Option<u64>,
    /// When to call with [`Input::Tick`] if nothing else happens.
    #[serde(skip)]
    pub wake_at: Option<Timestamp>,
}
