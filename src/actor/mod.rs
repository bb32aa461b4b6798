//! The actors: who lives where, who watches whom, and the thin shells round the decisions of `tandem_core::engine`.
//!
//! ```text
//! Node (1 a process)  membership, partition leases, doorbell, sweep, drain        a panic here ends the process
//!  └ Shard (1 an arbiter)  its tenants' rows, lane, change streams, one timer     started again by Node
//!     ├ Connection (1 a live tenant)  the tenant machine's shell                  started again by Shard, parked after 5
//!     └ WorkerPool  fair grants                                                   lives and dies with its shard
//!        └ Worker (8–32)  one batch at a time                                     replaced at once by the pool
//! ```
//! Actors stay on their arbiter and never wait for I/O. Whatever waits is a task on the shared io runtime whose answer
//! comes back as one message. A mailbox is a doorbell: what would be missed if it were lost is in Redis.

pub mod clock;
pub mod connection;
mod contain;
pub mod directory;
mod doorbell;
mod effects;
pub mod messages;
mod node;
pub mod pool;
mod row;
pub mod runtime;
mod seats;
pub mod shard;
mod start;
mod stream;
mod streams;
pub mod tenant;
mod timer;
pub mod watch;
mod worker;

pub use start::{Deps, EXIT_PANICKED, Fatal, LaneFactory, NodeSettings, Place, Running, start};
pub use tenant::TenantSpec;
