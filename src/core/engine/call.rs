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

/// A record's number and fields, read by id. `Debug` shows how many bytes they are.
#[derive(Clone)]
pub struct ReadRow {
    /// The record.
    pub id: SalesforceId,
    /// JSON object as the API returned it; `None` when the record is gone or hidden. May hold personal data.
    pub fields: Option<Bytes>,
}

impl std::fmt::Debug for ReadRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.fields.as_ref().map(Bytes::len);
        f.debug_struct("ReadRow")
            .field("id", &self.id)
            .field("bytes", &bytes)
            .finish()
    }
}

/// A look for records by values of theirs, at most [`FindCall::ROWS_MAX`] wanted at once.
#[derive(Debug, Clone)]
pub struct FindCall {
    /// sObject API name.
    pub sobject: Arc<str>,
    /// Fields to read of what is found.
    pub fields: Vec<Arc<str>>,
    /// Per field that is looked at: its API name, and the values of which one must be equal.
    pub any_of: Vec<(Arc<str>, Vec<Literal>)>,
}

impl FindCall {
    /// Values of one field in one call.
    pub const ROWS_MAX: usize = 200;
    /// Records that one call finds at most; with just so many there may be more.
    pub const FOUND_MAX: usize = 2_000;
    /// Bytes that the query may take in a URL. A URI has 16,384, the path and the address included (contract.md 5).
    pub const QUERY_BYTES_MAX: usize = 14_000;

    /// The query's length in a URL, percent-encoded; never less than it is.
    pub fn query_bytes(&self) -> usize {
        let names = self.fields.iter().map(|field| field.len() + 1);
        let looked_at = self.any_of.iter().map(|(field, values)| {
            let values: usize = values.iter().map(Literal::encoded_bytes).sum();
            field.len() + 20 + values
        });
        names.chain(looked_at).sum::<usize>() + self.sobject.len() + 60
    }
}

/// A value that is looked for. May be personal data: `Debug` shows the length only.
#[derive(Clone, PartialEq, Eq)]
pub enum Literal {
    /// Compared as text.
    Text(String),
    /// A whole number, in digits.
    Number(String),
}

impl Literal {
    /// Bytes in a URL: quotes, comma, and three for each byte that is no letter or digit; a backslash before what SOQL
    /// wants escaped counts as one more such byte.
    pub fn encoded_bytes(&self) -> usize {
        let (Self::Text(text) | Self::Number(text)) = self;
        let byte = |b: u8| match b {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => 1,
            b'\'' | b'\\' | b'\n' | b'\r' | b'\t' | b'"' => 6,
            _ => 3,
        };
        text.bytes().map(byte).sum::<usize>() + 9
    }
}

impl std::fmt::Debug for Literal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Text(text) | Self::Number(text)) = self;
        write!(f, "Literal({} bytes)", text.len())
    }
}
