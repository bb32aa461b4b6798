//! Tandem's load tests and the oracle that judges them.
//!
//! Nothing here depends on the engine. A run is recorded as a [`history::History`] from three sources only: what the
//! product model itself did, the streams it reads and writes, and what the org says over HTTP. The [`oracle`] is pure
//! code over that record, so each promise is also tested on small histories written by hand.

pub mod cli;
pub mod dice;
pub mod error;
pub mod history;
pub mod mixed;
pub mod oracle;
pub mod org;
pub mod product;
pub mod report;
pub mod shape;
pub mod stack;
pub mod value;
