//! A Salesforce org in a process, for tests: REST data API, OAuth, and the change events of what was committed.
//!
//! [`Simulator::start`] opens the ports; [`org::Org`] is the org itself, without any I/O. Not affiliated with Salesforce.

pub mod bus;
pub mod commit;
pub mod directory;
pub mod formula;
pub mod org;
pub mod schema;

mod admin;
mod bulk;
mod clock;
mod cometd;
mod cursors;
mod faults;
mod http;
#[cfg(test)]
#[path = "../../tests/fuzz/mutate.rs"]
#[allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a test may end by panicking, and says what it did"
)]
mod mutate;
mod oauth;
mod running;
mod seen;
mod simulator;
mod soql;
mod usage;
mod world;

pub use bulk::BulkLimits;
pub use simulator::{Options, Simulator, StartError};

/// The Pub/Sub API's messages, client and server, generated from `proto/pubsub_api.proto`.
pub mod wire {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        reason = "generated code; the contract file documents it"
    )]
    tonic::include_proto!("eventbus.v1");
}
