//! The adapter to Salesforce: hosts, logins, sessions, REST calls and change events.
//!
//! Everything that arrives is untrusted input: sizes, lengths and counts are limited, nothing is guessed.

pub mod auth;
pub mod client;
pub mod hosts;
pub mod org;
pub mod poll;
pub mod pubsub;
pub mod session;

mod collections;
mod fault;
mod find;
mod limit_info;
mod pace;
mod read;
mod request;
