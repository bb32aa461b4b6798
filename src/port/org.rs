//! A tenant's Salesforce org, as the workers use it. Answers are classified here, once, at the edge.

use std::sync::Arc;

use bytes::Bytes;
use tandem_core::domain::salesforce_id::SalesforceId;
pub use tandem_core::engine::call::{ApiUsage, FindCall, ReadRow, WriteAnswer, WriteCall, WriteRow};
use tandem_core::engine::classify::CallFault;

use super::Answer;

/// A tenant's org. Implementations hold the token, refresh it once for all callers and repeat a call once after a 401.
pub trait Org: Send + Sync {
    /// Sends one call. Never fails as a future: every way it can end is in the answer.
    fn write(&self, call: WriteCall) -> futures::future::BoxFuture<'static, WriteAnswer>;

    /// Reads fields of records of one sObject, at most 2,000 ids.
    fn read(&self, sobject: Arc<str>, ids: Vec<SalesforceId>, fields: Vec<Arc<str>>)
    -> Answer<Vec<ReadRow>, CallFault>;

    /// Looks for records by values: those found, at most `FindCall::FOUND_MAX`, each once, in no order.
    fn find(&self, call: FindCall) -> Answer<Vec<ReadRow>, CallFault>;

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
