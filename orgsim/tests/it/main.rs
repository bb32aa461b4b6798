//! The simulator over real HTTP. Each fact names its source in the contract: a letter (R recorded, C quoted, F fixture,
//! V verified in the documentation, M from memory) and a key.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod admin;
mod bounds;
mod bulk;
mod bulk_csv;
mod bulk_ingest;
mod bulk_limits;
mod bulk_query;
mod bulk_work;
mod collections;
mod commits;
mod describes;
mod faults;
mod fence;
mod load;
mod oauth;
mod queries;
mod rows;
mod server;
mod stream;
mod wire;
