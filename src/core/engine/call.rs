//! Calls to Salesforce and their answers, as values.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::classify::{CallFault, RowOutcome};
use super::commit::Verb;
use crate::domain::salesforce_id::SalesforceId;

/// One sObject Collections call (contract.md 3.2): at most `WriteCall::ROWS_MAX` rows of one sObject and one verb.
#[derive(Debug, Clone)]
pub struct WriteCall {
    /// sObject API name.
    pub sobject: Arc<str>,
    /// What is done.
    pub verb: Verb,
    /// API name of the external id, for creates.
    pub external_id: Arc<str>,
    /// The rows, in the order of the answer.
    pub rows: Vec<WriteRow>,
}

impl WriteCall {
    /// Rows that one call takes.
    pub const ROWS_MAX: usize = 200;
}

/// One row of a call.
#[derive(Clone)]
pub struct WriteRow {
    /// The record, for updates and deletes.
    pub id: Option<SalesforceId>,
    /// JSON members without braces (`"Email":"…","Tandem_Seq__c":1`), ready to be spliced. May hold personal data.
    pub members: Bytes,
}

impl std::fmt::Debug for WriteRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WriteRow({:?}, {} bytes)", self.id, self.members.len())
    }
}

/// How a call ended.
#[derive(Debug, Clone)]
pub struct WriteAnswer {
    /// Each row's outcome in order, or why there are none.
    pub outcome: Result<Vec<RowOutcome>, CallFault>,
    /// `Sforce-Limit-Info`, when the answer carried it.
    pub usage: Option<ApiUsage>,
    /// From first byte sent to last byte read.
    pub took: Duration,
    /// HTTP requests that this call came to (a token refresh and its repeat count).
    pub requests: u32,
}

/// Calls that the whole org made in the last 24 h, and how many it may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiUsage {
    /// Used by everybody.
    pub used: u64,
    /// Allowed.
    pub limit: u64,
}

/// A record's number and fields, read by id.
#[derive(Debug, Clone)]
pub struct ReadRow {
    /// The record.
    pub id: SalesforceId,
    /// JSON object as the API returned it; `None` when the record is gone or hidden. May hold personal data.
    pub fields: Option<Bytes>,
}
