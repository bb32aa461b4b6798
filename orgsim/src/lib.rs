//! A Salesforce org in a process, for tests: REST data API, OAuth, and the change events of what was committed.

pub mod commit;
pub mod directory;
pub mod org;
pub mod schema;
