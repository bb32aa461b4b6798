//! The actor tree under scripted machines, a fake store and a paused clock: what the shells promise.
//!
//! Nothing here waits for real time (but `http` and `arbiters`, which need sockets and threads): waits are for levels,
//! on a clock that jumps.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may fail by panicking"
)]

mod arbiters;
mod cluster;
mod grants;
mod http;
mod lanes;
mod logs;
mod metrics;
mod restarts;
mod scale;
mod script;
mod site;
mod store;
mod streams;
mod waking;
mod world;
