//! The tenant machine: everything that one live tenant's connection decides.
//!
//! The shell (`actor::connection`) translates messages into [`Input`]s, calls [`Machine::step`] and carries the
//! [`Effect`]s out in the order given. Effects that name a `fence` are queued on the shard's lane before the next
//! effect is looked at: the machine counts steps ahead, so their order is what keeps them valid.

pub mod io;

pub use io::{Effect, Input, Lost, Note, Phase, Snapshot};
