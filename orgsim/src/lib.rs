//! A Salesforce org in a process, for tests: REST data API, OAuth, and the change events of what was committed.
//!
//! [`Simulator::start`] opens the ports; [`org::Org`] is the org itself, without any I/O. Not affiliated with Salesforce.

pub mod bus;
pub mod commit;
pub mod directory;
pub mod org;
pub mod schema;

mod admin;
mod bulk;
mod clock;
mod cursors;
mod faults;
mod http;
mod oauth;
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
