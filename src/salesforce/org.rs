//! One tenant's org, as the workers use it.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::HeaderValue;
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::engine::call::{FindCall, ReadRow, WriteAnswer, WriteCall};
use tandem_core::engine::classify::CallFault;

use super::client::Http;
use super::pace::Pace;
pub use super::pace::PaceSettings;
pub use super::read::IDS_MAX as READ_IDS_MAX;
use super::request::Caller;
use super::session::SessionKeeper;
use super::{collections, find, read};
use crate::port::Answer;
use crate::port::org::{Org, Session};

/// How one org's data API is called.
#[derive(Debug, Clone)]
pub struct OrgSettings {
    /// Pinned API version, like `67.0`.
    pub api_version: String,
    /// How fast.
    pub pace: PaceSettings,
    /// Sent as `Sforce-Duplicate-Rule-Header` with writes, e.g. `allowSave=true`; nothing is sent without it.
    pub duplicate_rule: Option<String>,
    /// The sequence field of each sObject (API names) whose fence is installed.
    pub sequence_fields: HashMap<Arc<str>, Arc<str>>,
}

/// [`OrgSettings`] that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrgSettingsError {
    /// The version is not of the form that Salesforce uses.
    #[error("salesforce.api_version '{0}' is no API version; it looks like 67.0")]
    ApiVersion(String),
    /// The header's value has characters that a header cannot hold.
    #[error("duplicate_rule '{0}' cannot be sent as a header; it looks like allowSave=true")]
    DuplicateRule(String),
}

/// A tenant's org over REST.
#[derive(Clone)]
pub struct TenantOrg {
    caller: Arc<Caller>,
    sequence_fields: Arc<HashMap<Arc<str>, Arc<str>>>,
}

impl TenantOrg {
    /// Nothing is called until the first request.
    pub fn new(http: Arc<Http>, keeper: Arc<SessionKeeper>, settings: OrgSettings) -> Result<Self, OrgSettingsError> {
        let version = &settings.api_version;
        let number = |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if !version
            .split_once('.')
            .is_some_and(|(major, minor)| number(major) && number(minor))
        {
            return Err(OrgSettingsError::ApiVersion(version.clone()));
        }
        let duplicate_rule = settings
            .duplicate_rule
            .map(|text| HeaderValue::from_str(&text).map_err(|_| OrgSettingsError::DuplicateRule(text)))
            .transpose()?;
        let caller = Caller {
            http,
            keeper,
            pace: Pace::new(settings.pace),
            base: format!("/services/data/v{version}"),
            duplicate_rule,
        };
        Ok(Self {
            caller: Arc::new(caller),
            sequence_fields: Arc::new(settings.sequence_fields),
        })
    }

    /// What the org's other readers call it by: one pace, one session.
    pub(super) fn caller(&self) -> Arc<Caller> {
        Arc::clone(&self.caller)
    }
}

impl Org for TenantOrg {
    fn write(&self, call: WriteCall) -> BoxFuture<'static, WriteAnswer> {
        let this = self.clone();
        async move {
            let request = match collections::request(&call) {
                Ok(request) => request,
                Err(fault) => {
                    return WriteAnswer {
                        outcome: Err(fault),
                        usage: None,
                        took: std::time::Duration::ZERO,
                        requests: 0,
                    };
                }
            };
            let answered = this.caller.call(request).await;
            let sequence = this.sequence_fields.get(&call.sobject).map(AsRef::as_ref);
            WriteAnswer {
                outcome: answered
                    .body
                    .and_then(|body| collections::outcomes(&call, sequence, &body)),
                usage: answered.usage,
                took: answered.took,
                requests: answered.requests,
            }
        }
        .boxed()
    }

    fn read(
        &self,
        sobject: Arc<str>,
        ids: Vec<SalesforceId>,
        fields: Vec<Arc<str>>,
    ) -> Answer<Vec<ReadRow>, CallFault> {
        let this = self.clone();
        async move {
            let body = this.caller.call(read::by_ids(&sobject, &ids, &fields)?).await.body?;
            read::rows(&ids, &body)
        }
        .boxed()
    }

    fn find(&self, call: FindCall) -> Answer<Vec<ReadRow>, CallFault> {
        let this = self.clone();
        async move { find::find(&this.caller, call).await }.boxed()
    }

    fn describe(&self, sobject: Arc<str>) -> Answer<Bytes, CallFault> {
        let this = self.clone();
        async move { this.caller.call(read::describe(&sobject)?).await.body }.boxed()
    }

    fn session(&self) -> Answer<Session, CallFault> {
        let keeper = Arc::clone(&self.caller.keeper);
        async move { keeper.current().await.held.map(|held| held.session()) }.boxed()
    }
}
