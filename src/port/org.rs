//! A tenant's Salesforce org, as the workers use it. Answers are classified here, once, at the edge.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::engine::classify::{CallFault, RowOutcome};
use tandem_core::engine::commit::Verb;

use super::Answer;

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

/// A tenant's org. Implementations hold the token, refresh it once for all callers and repeat a call once after a 401.
pub trait Org: Send + Sync {
    /// Sends one call. Never fails as a future: every way it can end is in the answer.
    fn write(&self, call: WriteCall) -> futures::future::BoxFuture<'static, WriteAnswer>;

    /// Reads fields of records of one sObject, at most 2,000 ids.
    fn read(
        &self,
        sobject: Arc<str>,
        ids: Vec<SalesforceId>,
        fields: Vec<Arc<str>>,
    ) -> Answer<Vec<ReadRow>, CallFault>;

    /// Describe of one sObject: the answer's body.
    fn describe(&self, sobject: Arc<str>) -> Answer<Bytes, CallFault>;

    /// A live session for the Pub/Sub API: token, instance URL and org id.
    fn session(&self) -> Answer<Session, CallFault>;
}

/// What the Pub/Sub API wants with each call.
#[derive(Clone)]
pub struct Session {
    /// The access token.
    pub token: secrecy::SecretString,
    /// Where the org lives now.
    pub instance_url: String,
    /// 18-character organisation id.
    pub org_id: String,
}
