//! Settings and mappings as users meet them: what loads, and each error with its line.

mod files;
mod mapping;
mod org;
mod shipped;
mod wrong;
