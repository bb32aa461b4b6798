//! Marked personal values and secrets go through every path of a whole stack; then every place is searched for them.
//!
//! A mark is random text made at run time, so that it can stand in one place for one reason only. `find` says where a
//! mark may be; anything else is a leak.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end by panicking"
)]

mod canary;
mod find;
mod marks;
mod outage;
mod places;
mod product;
mod stack;
