//! The store against a real Redis: one module per script, and the rules of the log road that live in the store.
#![allow(missing_docs, unreachable_pub, reason = "a test binary has no outside")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::large_futures,
    reason = "a test may fail by panic, and its fixtures are not test functions"
)]

mod attach;
mod backpressure;
mod begin;
mod compact;
mod declared;
mod doorbell;
mod emit;
mod fence;
mod fixture;
mod forward;
mod forwarded;
mod full;
mod heartbeat;
mod lane;
mod layout;
mod lease_acquire;
mod lease_release;
mod lease_renew;
mod lengths;
mod link;
mod newest;
mod rules;
mod seal;
mod server;
mod settle;
mod token_put;
mod view;
