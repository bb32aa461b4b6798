//! A whole stack, with the real Redis, org and engine, against what a product, an org and an operator may do to it.
//!
//! `canary` pushes marked personal values and secrets through every path; then every place is searched for them. A mark
//! is random text made at run time, so that it can stand in one place for one reason only; `find` says where a mark may
//! be, and anything else is a leak.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end by panicking"
)]

mod canary;
mod find;
mod input;
mod marks;
mod outage;
mod places;
mod product;
mod secrets;
mod sick_redis;
mod stack;
mod wrong;
