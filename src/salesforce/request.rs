//! The one way to an org's data API: pace, token, request, renewal after a 401, classification.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use secrecy::ExposeSecret;
use tandem_core::engine::call::ApiUsage;
use tandem_core::engine::classify::{CallFault, Class};

use super::client::{Ask, Http, NoReply, Reply};
use super::fault::{self, Words};
use super::pace::Pace;
use super::session::{Held, SessionKeeper};

const CALL_OPTIONS: HeaderName = HeaderName::from_static("sforce-call-options");
const AUTO_ASSIGN: HeaderName = HeaderName::from_static("sforce-auto-assign");
const DUPLICATE_RULE: HeaderName = HeaderName::from_static("sforce-duplicate-rule-header");

/// What all calls to one org share.
pub(super) struct Caller {
    pub(super) http: Arc<Http>,
    pub(super) keeper: Arc<SessionKeeper>,
    pub(super) pace: Pace,
    /// `/services/data/v67.0`.
    pub(super) base: String,
    pub(super) duplicate_rule: Option<HeaderValue>,
}

/// One call.
pub(super) struct Call {
    pub(super) method: Method,
    /// Below the version: `/composite/sobjects`.
    pub(super) path: String,
    pub(super) body: Option<Bytes>,
    /// Whether it changes records.
    pub(super) writes: bool,
}

/// How a call ended: the body of a 200, or why there is none.
pub(super) struct Answered {
    pub(super) body: Result<Bytes, CallFault>,
    pub(super) usage: Option<ApiUsage>,
    /// Of the last request.
    pub(super) took: Duration,
    pub(super) requests: u32,
}

impl Caller {
    pub(super) async fn call(&self, call: Call) -> Answered {
        let mut answered = Answered {
            body: Ok(Bytes::new()),
            usage: None,
            took: Duration::ZERO,
            requests: 0,
        };
        answered.body = self.run(&call, &mut answered).await;
        answered
    }

    async fn run(&self, call: &Call, so_far: &mut Answered) -> Result<Bytes, CallFault> {
        let _place = self.pace.pass(self.http.call_timeout()).await?;
        let asked = self.keeper.current().await;
        so_far.requests += asked.requests;
        let mut held = asked.held?;

        for repeated in [false, true] {
            let reply = self
                .send(call, &held, so_far)
                .await
                .map_err(|end| fault::of_no_reply(&end, call.writes))?;
            if reply.status == 200 {
                self.keeper.proved(&held).await;
                return Ok(reply.body);
            }
            let words = fault::words(&reply.body);
            let stale = is_stale(&reply, &words);
            if !stale {
                self.keeper.proved(&held).await;
            }
            if repeated || !stale {
                return Err(fault::of_reply(&reply, &words, call.writes));
            }
            // A refused session did nothing, so the same call is sent once more with a new one. The instance can have
            // moved with it (contract.md 1.5): the URL is built anew.
            let asked = self.keeper.renew(&held).await;
            so_far.requests += asked.requests;
            held = asked.held?;
        }
        Err(CallFault {
            class: Class::Reauthorise,
            status: 401,
            code: "INVALID_SESSION_ID".into(),
            detail: "the session was refused twice".to_owned(),
            retry_after: None,
        })
    }

    async fn send(&self, call: &Call, held: &Held, so_far: &mut Answered) -> Result<Reply, NoReply> {
        let ask = Ask {
            method: call.method.clone(),
            url: format!("{}{}{}", held.instance_url, self.base, call.path),
            headers: self.headers(call, held),
            body: call.body.clone(),
        };
        so_far.requests += 1;
        let reply = self.http.send(ask).await;
        let (usage, took) = match &reply {
            Ok(reply) => (reply.usage, reply.took),
            Err(end) => (end.usage, end.took),
        };
        so_far.usage = usage.or(so_far.usage);
        so_far.took = took;
        reply
    }

    fn headers(&self, call: &Call, held: &Held) -> HeaderMap {
        let mut headers = HeaderMap::new();
        // Tokens are checked to be printable when they are granted, so this always holds.
        if let Ok(mut bearer) = HeaderValue::from_str(&format!("Bearer {}", held.token.expose_secret())) {
            bearer.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, bearer);
        }
        headers.insert(CALL_OPTIONS, self.http.call_options());
        if call.body.is_some() {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json; charset=UTF-8"),
            );
        }
        if call.writes {
            // Without it active assignment rules run and owners change (contract.md 2.4).
            headers.insert(AUTO_ASSIGN, HeaderValue::from_static("FALSE"));
            if let Some(rule) = &self.duplicate_rule {
                headers.insert(DUPLICATE_RULE, rule.clone());
            }
        }
        headers
    }
}

/// Whether a new session may help: a 401 that is no policy, or a redirect of an org that moved.
fn is_stale(reply: &Reply, words: &Words) -> bool {
    match reply.status {
        401 => !fault::is_policy(words),
        301 | 302 | 307 | 308 => true,
        _ => false,
    }
}
