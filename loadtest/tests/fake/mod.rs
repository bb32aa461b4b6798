//! A tiny org and a naive engine, correct or wrong on purpose: they test the harness, not Tandem.

pub(crate) mod engine;
pub(crate) mod org;
