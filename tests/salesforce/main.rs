//! The Salesforce adapter against servers that say exactly what real ones were seen to say.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should fail loudly"
)]

mod bus;
mod ends;
mod hosts;
mod login;
mod polling;
mod reads;
mod rig;
mod rows;
mod session;
mod simulated;
mod stream;
mod tokens;
