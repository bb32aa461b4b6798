//! Everything that takes bytes from outside takes any bytes. The decoder of change events is fuzzed beside it, in
//! `src/salesforce/pubsub`: it is not public.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a test may end by panicking, and says what it did"
)]

mod changes;
mod codecs;
mod mutate;
mod settings;
