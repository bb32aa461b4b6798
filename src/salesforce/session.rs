//! A tenant's session: one token for all its workers, renewed once for all of them, stored before it is used.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tandem_core::domain::ids::TenantName;
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::engine::classify::{CallFault, Class};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::auth::{Granted, Login, LoginFailure};
use super::client::Http;
use super::hosts::Origin;
use crate::port::org::Session;
use crate::port::token::{TokenError, TokenStore};

/// How long a refused login is not repeated: repeated tries can lock the user (contract.md 1.7).
pub const REFUSED_FOR: Duration = Duration::from_secs(15 * 60);
/// Logins in a row whose tokens were refused at first use; then the login counts as refused.
const UNPROVEN_LOGINS_MAX: u32 = 3;
/// Tries to store a new token while other nodes store theirs.
const STORE_TRIES: usize = 3;

/// Holds one tenant's token. Shared by everything that calls the tenant's org.
pub struct SessionKeeper {
    tenant: TenantName,
    login: Login,
    http: Arc<Http>,
    store: Arc<dyn TokenStore>,
    state: Mutex<State>,
}

/// A token in use. Callers keep it for one request only.
pub(super) struct Held {
    pub(super) token: SecretString,
    pub(super) instance_url: Origin,
    pub(super) org_id: SalesforceId,
    /// Tells tokens of one keeper apart.
    serial: u64,
    issued_ms: u64,
}

/// What asking for a token came to.
pub(super) struct Asked {
    pub(super) held: Result<Arc<Held>, CallFault>,
    /// HTTP requests it took.
    pub(super) requests: u32,
}

#[derive(Default)]
struct State {
    held: Option<Arc<Held>>,
    /// Version of the newest token that was stored or loaded; 0 before the first.
    version: u64,
    serial: u64,
    /// Granted, but not stored yet because the store failed: not asked for again.
    unstored: Option<Granted>,
    /// Logins since a token last worked.
    unproven: u32,
    refused: Option<(CallFault, Instant)>,
    failed: Option<(CallFault, Instant)>,
}

/// What is stored, as JSON.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    identity: std::borrow::Cow<'a, str>,
    token: std::borrow::Cow<'a, str>,
    instance_url: std::borrow::Cow<'a, str>,
    org_id: std::borrow::Cow<'a, str>,
    issued_ms: u64,
}

impl SessionKeeper {
    /// Nothing is called or loaded until the first request.
    pub fn new(tenant: TenantName, login: Login, http: Arc<Http>, store: Arc<dyn TokenStore>) -> Self {
        Self {
            tenant,
            login,
            http,
            store,
            state: Mutex::default(),
        }
    }

    /// Whose session it is.
    pub fn tenant(&self) -> &TenantName {
        &self.tenant
    }

    /// Forgets a refused login: the next request tries again. For an operator who repaired the cause.
    pub async fn try_again(&self) {
        let mut state = self.state.lock().await;
        state.refused = None;
        state.failed = None;
        state.unproven = 0;
    }

    /// The token in use; found in the store or granted by a login if there is none yet.
    pub(super) async fn current(&self) -> Asked {
        self.other_than(None).await
    }

    /// A token that is not `stale`: a newer one of this or another node, or a new login. Callers that come with the
    /// same stale token get the same new one.
    pub(super) async fn renew(&self, stale: &Held) -> Asked {
        self.other_than(Some(stale)).await
    }

    /// A call with this token was answered with something else than 'session refused'.
    pub(super) async fn proved(&self, held: &Held) {
        let mut state = self.state.lock().await;
        if held.serial == state.serial {
            state.unproven = 0;
        }
    }

    async fn other_than(&self, stale: Option<&Held>) -> Asked {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        let mut requests = 0;
        let held = match self.at_hand(&mut state, stale, asked) {
            Some(known) => known,
            None => {
                let held = self.obtain(&mut state, stale, &mut requests).await;
                state.failed = held.as_ref().err().map(|fault| (fault.clone(), Instant::now()));
                held
            }
        };
        Asked { held, requests }
    }

    /// What can be answered without asking anybody.
    fn at_hand(
        &self,
        state: &mut MutexGuard<'_, State>,
        stale: Option<&Held>,
        asked: Instant,
    ) -> Option<Result<Arc<Held>, CallFault>> {
        if let Some(held) = state
            .held
            .as_ref()
            .filter(|h| stale.is_none_or(|s| s.serial != h.serial))
        {
            return Some(Ok(Arc::clone(held)));
        }
        match &state.refused {
            Some((fault, at)) if at.elapsed() < REFUSED_FOR => return Some(Err(fault.clone())),
            Some(_) => {
                state.refused = None;
                state.unproven = 0;
            }
            None => {}
        }
        // Whoever waited here while the same attempt failed shares its answer.
        match &state.failed {
            Some((fault, at)) if *at >= asked => Some(Err(fault.clone())),
            _ => None,
        }
    }

    async fn obtain(
        &self,
        state: &mut MutexGuard<'_, State>,
        stale: Option<&Held>,
        requests: &mut u32,
    ) -> Result<Arc<Held>, CallFault> {
        if state.unstored.is_none() {
            if let Some(held) = self.newer_in_store(state, stale).await? {
                return Ok(held);
            }
            if state.unproven >= UNPROVEN_LOGINS_MAX {
                let fault = refused(
                    "SESSION_REFUSED",
                    "logins succeed, but the org refuses their sessions".to_owned(),
                );
                return Err(self.hold(state, fault));
            }
            *requests += 1;
            let granted = self
                .login
                .log_in(&self.http)
                .await
                .map_err(|failure| self.failed(state, &failure))?;
            tracing::info!(tenant = %self.tenant, instance = %granted.instance_url, "logged in");
            state.unproven += 1;
            state.unstored = Some(granted);
        }
        self.keep(state, stale).await
    }

    /// Takes over a newer token that another node (or an earlier life of this one) stored.
    async fn newer_in_store(
        &self,
        state: &mut MutexGuard<'_, State>,
        stale: Option<&Held>,
    ) -> Result<Option<Arc<Held>>, CallFault> {
        let Some(stored) = self.store.get(&self.tenant).await.map_err(|e| store_fault(&e))? else {
            return Ok(None);
        };
        let known = stored.version <= state.version;
        state.version = stored.version;
        if known {
            return Ok(None);
        }
        Ok(self
            .usable(&stored.secret)
            .filter(|granted| stale.is_none_or(|s| s.token.expose_secret() != granted.token.expose_secret()))
            .map(|granted| self.adopt(state, granted)))
    }

    /// Stores the granted token, then puts it to use.
    async fn keep(&self, state: &mut MutexGuard<'_, State>, stale: Option<&Held>) -> Result<Arc<Held>, CallFault> {
        for _ in 0..STORE_TRIES {
            let Some(granted) = &state.unstored else { break };
            let secret = self.stored_form(granted)?;
            let version = state.version;
            let stored = match self.store.put(&self.tenant, version, secret).await {
                Ok(version) => Some(version),
                Err(TokenError::MovedOn { .. }) => None,
                Err(error) => return Err(store_fault(&error)),
            };
            if let Some(version) = stored {
                state.version = version;
                let granted = state.unstored.take();
                return granted
                    .map(|g| self.adopt(state, g))
                    .ok_or_else(|| contended(&self.tenant));
            }
            if let Some(held) = self.newer_in_store(state, stale).await? {
                state.unstored = None;
                return Ok(held);
            }
        }
        Err(contended(&self.tenant))
    }

    fn adopt(&self, state: &mut MutexGuard<'_, State>, granted: Granted) -> Arc<Held> {
        state.serial += 1;
        let held = Arc::new(Held {
            token: granted.token,
            instance_url: granted.instance_url,
            org_id: granted.org_id,
            serial: state.serial,
            issued_ms: granted.issued_ms,
        });
        state.held = Some(Arc::clone(&held));
        held
    }

    fn failed(&self, state: &mut MutexGuard<'_, State>, failure: &LoginFailure) -> CallFault {
        let class = failure.class();
        let fault = CallFault {
            class: if class == Class::Configuration {
                Class::Reauthorise
            } else {
                class
            },
            status: failure.status(),
            code: failure.code().into(),
            detail: failure.to_string(),
            retry_after: None,
        };
        match class {
            Class::Retry => {
                tracing::warn!(tenant = %self.tenant, code = %fault.code, "login failed: {failure}");
                fault
            }
            _ => self.hold(state, fault),
        }
    }

    fn hold(&self, state: &mut MutexGuard<'_, State>, mut fault: CallFault) -> CallFault {
        tracing::error!(tenant = %self.tenant, code = %fault.code, "login refused: {}", fault.detail);
        fault.retry_after = Some(REFUSED_FOR);
        state.refused = Some((fault.clone(), Instant::now()));
        fault
    }

    fn stored_form(&self, granted: &Granted) -> Result<SecretString, CallFault> {
        let stored = Stored {
            identity: self.login.identity().into(),
            token: granted.token.expose_secret().into(),
            instance_url: granted.instance_url.as_str().into(),
            org_id: granted.org_id.to_string().into(),
            issued_ms: granted.issued_ms,
        };
        serde_json::to_string(&stored)
            .map(SecretString::from)
            .map_err(|_| contended(&self.tenant))
    }

    /// A stored token counts only for the same app and user, an allowed host and the right org.
    fn usable(&self, secret: &SecretString) -> Option<Granted> {
        let stored: Stored<'_> = serde_json::from_str(secret.expose_secret()).ok()?;
        let org_id = SalesforceId::parse(&stored.org_id).ok()?;
        let same = stored.identity == self.login.identity() && self.login.org_id.is_none_or(|wanted| wanted == org_id);
        let instance_url = self.http.hosts().check(&stored.instance_url).ok()?;
        same.then(|| Granted {
            token: SecretString::from(stored.token.into_owned()),
            instance_url,
            org_id,
            issued_ms: stored.issued_ms,
        })
    }
}

impl Held {
    /// For the Pub/Sub API.
    pub(super) fn session(&self) -> Session {
        Session {
            token: self.token.clone(),
            instance_url: self.instance_url.to_string(),
            org_id: self.org_id.to_string(),
        }
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Held({} at {}, issued {})",
            self.org_id, self.instance_url, self.issued_ms
        )
    }
}

fn refused(code: &str, detail: String) -> CallFault {
    CallFault {
        class: Class::Reauthorise,
        status: 401,
        code: code.into(),
        detail,
        retry_after: None,
    }
}

fn store_fault(error: &TokenError) -> CallFault {
    CallFault {
        class: Class::Retry,
        status: 0,
        code: "TOKEN_STORE".into(),
        detail: format!("the session's token could not be stored or loaded: {error}"),
        retry_after: None,
    }
}

fn contended(tenant: &TenantName) -> CallFault {
    CallFault {
        class: Class::Retry,
        status: 0,
        code: "TOKEN_STORE".into(),
        detail: format!("tenant {tenant}: other nodes kept storing tokens at the same time; it is tried again"),
        retry_after: None,
    }
}
