//! Tandem's core: what it knows (`domain`) and what it decides (`engine`).
//!
//! Everything here is synchronous, total and deterministic. Time and random numbers are arguments, effects are return
//! values. Nothing here can reach the network, Redis, a clock or a runtime: the crate's manifest has none of them.

pub mod domain;
pub mod engine;
