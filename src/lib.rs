//! Tandem keeps a SaaS product and its customers' Salesforce orgs in step, in both directions.
//!
//! Imports point one way: `tandem_core` (domain, engine) ← [`port`] ← (`salesforce` | `store` | `sink`) ← `actor` ←
//! `http` ← `app` ← [`cli`]. [`settings`] and `telemetry` may be used by all but the core. `tests/tidy.rs` enforces it.

pub mod actor;
pub mod app;
pub mod cli;
pub mod http;
pub mod port;
pub mod salesforce;
pub mod settings;
pub mod sink;
pub mod store;
pub mod telemetry;
