//! Settings: read once at the start, checked whole, never changed after.
//!
//! `config/tandem.toml` holds every setting with its unit and default. `TANDEM_SECTION__KEY` variables override single
//! ones. A wrong name or value stops the start; all of them are told at once, each with file, line, name, value and
//! what is allowed. Secrets come from files or the environment and end in types that cannot be printed.

pub mod address;
mod load;
pub mod mapping;
mod model;
mod problem;
mod reader;
mod secret;
mod sections;
mod tenant;
mod tree;
mod units;

pub use load::{known, load, load_with};
pub use model::{
    Changes, Fence, Flow, Http, Log, LogFormat, Node, Org, Redis, Salesforce, Secrets, Settings, Sync, Tenant,
};
pub use problem::{Place, Problem, Problems};
pub use reader::Known;
pub use secret::Reading;
