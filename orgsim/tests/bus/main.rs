//! The event bus as a stranger sees it: a real gRPC client over loopback, Avro read by the `apache-avro` crate,
//! bitmaps decoded by the tests' own code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should fail loudly"
)]

mod calls;
mod client;
mod disturbed;
mod enriched;
mod events;
mod flow;
mod orgs;
mod property;
mod reader;
mod schemas;
mod streams;
mod throughput;
