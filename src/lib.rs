//! Tandem keeps a SaaS product and its customers' Salesforce orgs in step, in both directions.
//!
//! Imports point one way: `tandem_core` (domain, engine) ← [`port`] ← (`salesforce` | `store` | `sink`) ← `actor` ←
//! `http` ← `cli`. `settings` and `telemetry` may be used by all but the core. `tests/tidy` enforces it.

pub mod port;
pub mod store;
