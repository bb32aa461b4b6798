//! The commands as processes: arguments, output, exit codes, and what becomes of children.
#![allow(clippy::unwrap_used, reason = "a test may end by panicking")]

mod check;
mod dev;
mod guard;
mod help;
mod process;
mod stack;
mod status;
