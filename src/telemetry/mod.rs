//! Logs and metrics: names in one place, one place that turns what happened into both, and their set-up.
//!
//! No metric carries a tenant but the worst-of gauge; nothing ever carries values or keys.

pub mod events;
pub mod log;
pub mod metrics;
pub mod names;
pub mod panics;

pub use metrics::{Gauges, Reading, Telemetry, TelemetryError};
