//! Redis as Tandem's store: the only module that speaks to it.
//!
//! Contract: every change of a tenant's state is one Lua script on one slot, atomic and fenced. Failure story: a lane
//! dies with its connection and its tenants attach again; a pooled connection that breaks is replaced at the next use.

mod cluster;
mod commit;
mod connection;
pub mod dead;
mod doorbell;
pub mod keys;
mod lane;
mod outbox;
mod pipe;
mod pooled;
mod reply;
#[cfg(feature = "sabotage")]
mod sabotage;
pub mod script;
pub mod seal;
mod token;
mod view;

pub use cluster::{FORGOTTEN_AFTER, KEPT_FOR_NEXT, RedisCluster};
pub use connection::{StoreSettings, StoreSetupError};
pub use lane::{LaneFactory, RedisLane};
pub use pipe::{IN_FLIGHT_MAX, QUEUED_MAX};
pub use token::RedisTokens;
pub use view::{CounterTotals, LeaseView, OwnerView, RedisView, StreamView, TenantView};
