//! A Salesforce org in a process, for tests (not affiliated with Salesforce).

pub mod bus;
pub mod commit;
pub mod directory;

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
