//! The decisions: total, deterministic functions and machines over time, dice and inputs.

pub mod breaker;
pub mod call;
pub mod classify;
pub mod commit;
pub mod inbound;
pub mod place;
pub mod retry;
pub mod state;
pub mod tenant;
