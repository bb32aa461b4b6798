//! The simulator over real HTTP. Each fact names its source in the contract: a letter (R recorded, C quoted, F fixture,
//! V verified in the documentation, M from memory) and a key.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod admin;
mod admin_openapi;
mod bounds;
mod bulk;
mod bulk_csv;
mod bulk_ingest;
mod bulk_limits;
mod bulk_query;
mod bulk_work;
mod collections;
mod cometd;
mod command;
mod commits;
mod composite;
mod describes;
mod faults;
mod fence;
mod fidelity;
mod late;
mod limits;
mod load;
mod merges;
mod oauth;
mod oauth_errors;
mod oauth_flow;
mod oauth_refresh;
mod oauth_sessions;
mod queries;
mod rows;
mod rules;
mod schemas;
mod server;
mod snapshot;
mod soap;
mod soql;
mod stream;
mod wire;
