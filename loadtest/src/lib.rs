//! Tandem's load tests and the oracle that judges them.
//!
//! Nothing here depends on the engine. A run is recorded as a [`history::History`] from three sources only: what the
//! product model itself did, the streams it reads and writes, and what the org says over HTTP. The [`oracle`] is pure
//! code over that record, so each promise is also tested on small histories written by hand.
//!
//! The scenarios that print [`figures`] measure the engine beside an org that stores nothing, the [`stub`].

pub mod backlog;
pub mod bench;
pub mod cli;
pub mod dice;
pub mod drain;
pub mod error;
pub mod feed;
pub mod figures;
pub mod history;
pub mod idle;
pub mod latency;
pub mod mixed;
pub mod onboarding;
pub mod oracle;
pub mod org;
pub mod product;
pub mod redis_info;
pub mod report;
pub mod sample;
pub mod shape;
pub mod simulator;
pub mod slow_org;
pub mod stack;
pub mod stub;
pub mod usage;
pub mod value;
