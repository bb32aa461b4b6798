//! Bulk API 2.0 without any I/O: jobs, their CSV, their work and their results (contract 4).
//!
//! An ingest job keeps its upload and, for each row that was worked on, where it starts and what became of it; result files
//! are made of these when they are asked for. A query job keeps its result as text. `src/http/bulk*.rs` is the way in.

mod create;
mod dialect;
mod header;
mod ingest;
mod job;
mod jobs;
mod query;
mod quota;
mod reader;
mod results;
mod sheet;
mod values;
mod writer;

#[cfg(test)]
mod fuzz_test;

pub(crate) use create::{new_ingest, new_query};
pub(crate) use ingest::{BATCH_ROWS, CHUNK_ROWS, Work};
pub(crate) use job::{Job, State};
pub(crate) use jobs::{Jobs, NO_BATCHES, SharedJob, hold};
pub(crate) use query::Selection;
pub(crate) use results::{refused, unprocessed, written};
pub(crate) use sheet::{Mark, PAGE_ROWS, Sheet};

/// Largest upload in bytes: 150 MB once it is base64 [V:D-CSV].
pub(crate) const MAX_UPLOAD_BYTES: usize = 100 * 1024 * 1024;

/// What an org allows of its bulk jobs in a rolling day (contract 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkLimits {
    /// Batches of 10,000 rows.
    pub batches: u64,
    /// Query jobs.
    pub query_jobs: u64,
    /// Megabytes of query results.
    pub result_mb: u64,
}

impl Default for BulkLimits {
    fn default() -> Self {
        Self {
            batches: 15_000,
            query_jobs: 10_000,
            result_mb: 976_562,
        }
    }
}

/// Why a call was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// HTTP status.
    pub(crate) status: u16,
    /// `errorCode`.
    pub(crate) code: &'static str,
    /// `message`.
    pub(crate) message: String,
}

impl Refusal {
    /// A refusal with status 400.
    #[must_use]
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
        }
    }
}
