//! Change events over the Pub/Sub API (change-events.md 1–4).

pub mod channels;
pub mod feed;

mod bitmap;
mod changes;
mod codec;
mod decode;
mod ending;
mod flatten;
mod pump;
mod reading;
mod schema;
mod schemas;
mod session_metadata;
mod wire;

#[cfg(test)]
mod decode_tests;
#[cfg(test)]
mod event_fixture;
#[cfg(test)]
mod fuzz_test;
