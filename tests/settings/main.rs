//! Settings and mappings as users meet them: what loads, and each error with its line.

#![allow(clippy::unwrap_used, reason = "a test may end by panicking")]

mod files;
mod mapping;
mod org;
mod shipped;
mod wrong;
