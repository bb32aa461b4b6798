//! The decisions: total, deterministic functions and machines over time, dice and inputs.

pub mod breaker;
pub mod call;
pub mod classify;
pub mod commit;
pub mod fair;
pub mod fold;
pub mod inbound;
pub mod lease;
pub mod place;
pub mod placement;
pub mod retry;
pub mod stamps;
pub mod state;
pub mod step_size;
pub mod supervise;
pub mod tenant;
