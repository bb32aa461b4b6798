//! The simulated org's admin port, as people in the org and as the oracle use it.

mod admin;
mod collect;

pub use admin::{Admin, Answer, Calls, OrgInfo};
pub use collect::{clean_commits, collect};
