//! What actors say to one another. Each message says who sends it and what bounds it.

use std::sync::Arc;

use actix::{Addr, Message, Recipient};
use tandem_core::domain::ids::{BatchId, Epoch, ReplayId, TenantName};
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::call::{WriteAnswer, WriteCall};
use tandem_core::engine::inbound::EventBatch;
use tandem_core::engine::tenant::{Input, Lost};

use super::connection::Connection;
use super::tenant::TenantSpec;
use super::watch::Generation;
use crate::port::org::Org;
use crate::port::store::{Lane, StoreError};

/// Counts the lives of a machine within one connection: answers to an earlier life are dropped.
pub type Life = u64;

/// A lane and which one it is.
#[derive(Clone)]
pub struct LaneTerm {
    /// Counts the shard's lanes.
    pub generation: Generation,
    /// The lane.
    pub lane: Arc<dyn Lane>,
}

// ===== to Connection =====

/// Look at the log. From the shard; at most one waits (the row's bell).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Wake;

/// The time that the machine named has come. From the shard; one for each [`Report`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Due;

/// Finish and stop. From the shard, once.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Finish;

/// Stop if there is nothing to do. From the shard; answered by stopping or by [`Busy`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Passivate;

/// How a request to the store or the org ended. From an io task; one for each request, at most `OUTSTANDING_MAX`.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Answered {
    /// The life that asked.
    pub life: Life,
    /// What the machine is to be told, if anything.
    pub outcome: Result<Option<Input>, Lost>,
}

/// How a run of the forwarder ended. One at a time.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Forwarded {
    /// The life that asked.
    pub life: Life,
    /// Events put on the feed, or why it ended early.
    pub outcome: Result<u64, StoreError>,
}

/// News of the tenant's change stream. From the shard; one for each `NextEvents`.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StreamNews {
    /// The life that subscribed.
    pub life: Life,
    /// What came.
    pub news: News,
}

/// What a change stream told.
#[derive(Debug, Clone)]
pub enum News {
    /// Events.
    Batch(EventBatch),
    /// Its place is no longer valid.
    CursorLost,
}

/// A worker is ours for one batch. From the pool; one for each [`Want`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Granted {
    /// The life that asked.
    pub life: Life,
    /// Names the grant.
    pub ticket: Ticket,
}

/// How a batch ended. From the pool; one for each [`Run`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Ran {
    /// The life that sent it.
    pub life: Life,
    /// Which batch.
    pub batch: BatchId,
    /// How it ended.
    pub answer: WriteAnswer,
}

// ===== to WorkerPool =====

/// Names a grant: a worker's place and a number that is used once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The worker's place.
    pub worker: usize,
    /// Counts the pool's grants.
    pub number: u64,
}

/// One worker, please. From a connection, at most `fair::WAITING_MAX` at once.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Want {
    /// For whom.
    pub tenant: TenantName,
    /// Which of the tenant's connections.
    pub generation: Generation,
    /// Comes back with the grant.
    pub life: Life,
    /// Where the grant goes.
    pub to: Addr<Connection>,
}

/// An unused grant comes back. One for each grant at most.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Return(pub Ticket);

/// A batch for a granted worker. One for each grant at most.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Run {
    /// The grant.
    pub ticket: Ticket,
    /// Comes back with the answer.
    pub life: Life,
    /// Comes back with the answer.
    pub batch: BatchId,
    /// Where it goes.
    pub org: Arc<dyn Org>,
    /// What is sent.
    pub call: WriteCall,
}

/// A connection has died or begun a new life: its asks and unused grants are void. From connection or shard.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Gone {
    /// Whose.
    pub tenant: TenantName,
    /// Which of the tenant's connections.
    pub generation: Generation,
}

/// A worker is free again. One for each batch.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Done {
    /// The grant.
    pub ticket: Ticket,
    /// How the batch ended.
    pub answer: WriteAnswer,
}

// ===== to Worker =====

/// A batch to carry out. From the pool, one at a time.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Job {
    /// The grant.
    pub ticket: Ticket,
    /// Where it goes.
    pub org: Arc<dyn Org>,
    /// What is sent.
    pub call: WriteCall,
    /// Who is told.
    pub done: Recipient<Done>,
}

// ===== to Shard =====

/// Tenants to work on. From the node, once a lease.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Assign {
    /// Their partition.
    pub partition: u16,
    /// The lease's epoch.
    pub epoch: Epoch,
    /// All of the partition's tenants.
    pub tenants: Vec<Arc<TenantSpec>>,
}

/// The lease is lost: drop its tenants now. From the node, once a lease.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Revoke(pub u16);

/// The lease is to be given back: let its tenants finish. From the node; answered by [`PartitionDrained`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct DrainPartition(pub u16);

/// Some tenants' bits are set on the shard's bell. At most one waits.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Rung;

/// A connection's state has changed in a way that the shard acts on. At most one for each input of its machine.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Report {
    /// Whose.
    pub tenant: TenantName,
    /// Which connection.
    pub generation: Generation,
    /// When its machine wants a tick.
    pub wake_at: Option<Timestamp>,
    /// Whether it has nothing to do.
    pub idle: bool,
    /// Whether it has taken over and read its log.
    pub started: bool,
}

/// A connection was asked to stop and has work. One for each [`Passivate`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Busy {
    /// Whose.
    pub tenant: TenantName,
    /// Which connection.
    pub generation: Generation,
}

/// The machine wants change events after this place. At most once a life, or after a lost cursor.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Subscribe {
    /// Whose.
    pub tenant: TenantName,
    /// Which connection.
    pub generation: Generation,
    /// Comes back with the news.
    pub life: Life,
    /// After this place; none means from now on.
    pub after: Option<ReplayId>,
}

/// The last events were taken in. One for each [`StreamNews`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct NextEvents {
    /// Whose.
    pub tenant: TenantName,
    /// Which connection.
    pub generation: Generation,
    /// Which life.
    pub life: Life,
}

/// A stream has news. From a stream's task, which then waits until it is asked for more.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StreamTold {
    /// Whose.
    pub tenant: TenantName,
    /// Which of the tenant's streams.
    pub generation: Generation,
    /// What.
    pub news: News,
}

/// An attempt to open a lane has ended. From an io task, one at a time.
#[derive(Message)]
#[rtype(result = "()")]
pub struct LaneOpened {
    /// Which attempt.
    pub generation: Generation,
    /// The lane.
    pub lane: Result<Arc<dyn Lane>, StoreError>,
}

/// A request on the lane failed as only a broken connection does. At most one a connection and lane.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct LaneBroken(pub Generation);

// ===== to Node =====

/// A partition's tenants have finished. From a shard, once for each [`DrainPartition`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct PartitionDrained(pub u16);

/// A tenant has seen a higher partition epoch. From a connection, once a life.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct AttachRefused {
    /// Which partition.
    pub partition: u16,
    /// The highest epoch that was seen.
    pub seen: Epoch,
}
