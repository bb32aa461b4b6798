//! Change detection for orgs without change events: each sObject is looked at every so often.

pub mod feed;

mod place;
mod query;
