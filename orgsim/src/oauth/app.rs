//! Apps: who may ask for tokens, and on what terms.

use std::sync::Arc;

use jsonwebtoken::DecodingKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::refusal::Refusal;
use super::scope::Scopes;
use crate::org::UserIdentity;

/// Idle life of refresh tokens in days where the app sets none [V:SKILL-ECA, secondary].
const IDLE_DAYS: u32 = 30;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const MINUTE_MS: i64 = 60 * 1_000;

/// Form of an app's access tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TokenFormat {
    /// `00D…!…`
    Opaque,
    /// Three parts, signed with RS256.
    Jwt,
}

/// Who may use an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Permitted {
    /// Everybody, after saying yes at the consent page.
    SelfAuthorize,
    /// Only the pre-authorised users, who are not asked.
    AdminApproved,
}

/// One app in one org.
#[derive(Clone)]
pub(crate) struct App {
    /// Consumer key.
    pub(crate) client_id: Arc<str>,
    /// Consumer secret; public apps have one too, which nobody may send.
    pub(crate) client_secret: String,
    /// Name at the consent page.
    pub(crate) label: String,
    /// The redirect URIs it registered, compared as they are.
    pub(crate) redirect_uris: Vec<String>,
    /// Whether a code needs a challenge.
    pub(crate) pkce_required: bool,
    /// Whether each refresh replaces the refresh token.
    pub(crate) rotation: bool,
    /// Whether it cannot keep a secret.
    pub(crate) public: bool,
    /// Whether a confidential app needs its secret for a refresh.
    pub(crate) secret_for_refresh: bool,
    /// What it may give out.
    pub(crate) scopes: Scopes,
    /// Whether the admin blocked it.
    pub(crate) blocked: bool,
    /// Whether it is in the org.
    pub(crate) installed: bool,
    /// Who may use it.
    pub(crate) permitted: Permitted,
    /// Ids of the users that the admin approved.
    pub(crate) pre_authorized: Vec<Arc<str>>,
    /// Whether the client credentials flow is on.
    pub(crate) client_credentials: bool,
    /// Id of the user of that flow.
    pub(crate) run_as: Option<Arc<str>>,
    /// Form of its access tokens.
    pub(crate) token_format: TokenFormat,
    /// Life of its unused access tokens in minutes; the org's where it sets none.
    pub(crate) session_timeout_minutes: Option<u32>,
    /// Idle life of its refresh tokens in days; 0 is for ever.
    pub(crate) refresh_idle_days: u32,
    /// The key that assertions are checked with.
    pub(crate) jwt_key: Option<DecodingKey>,
}

impl App {
    /// An app as a new external client app is: confidential, PKCE, no rotation, all scopes of an integration.
    #[must_use]
    pub(crate) fn new(client_id: &str, client_secret: String, label: &str) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret,
            label: label.to_owned(),
            redirect_uris: Vec::new(),
            pkce_required: true,
            rotation: false,
            public: false,
            secret_for_refresh: true,
            scopes: Scopes::parse("api refresh_token openid id").unwrap_or_default(),
            blocked: false,
            installed: true,
            permitted: Permitted::SelfAuthorize,
            pre_authorized: Vec::new(),
            client_credentials: false,
            run_as: None,
            token_format: TokenFormat::Opaque,
            session_timeout_minutes: None,
            refresh_idle_days: IDLE_DAYS,
            jwt_key: None,
        }
    }

    /// The command-line client that every org knows: public, with the redirect URI of `sf org login web` [V:SFAUTH].
    #[must_use]
    pub(crate) fn platform_cli(secret: String) -> Self {
        Self {
            redirect_uris: vec!["http://localhost:1717/OauthRedirect".to_owned()],
            pkce_required: false,
            public: true,
            scopes: Scopes::parse("refresh_token api web id openid").unwrap_or_default(),
            ..Self::new("PlatformCLI", secret, "Salesforce CLI")
        }
    }

    /// Whether it is there and not blocked.
    ///
    /// # Errors
    /// `app_not_found`, `OAUTH_APP_BLOCKED`.
    pub(crate) fn usable(&self) -> Result<(), Refusal> {
        match (self.installed, self.blocked) {
            (false, _) => Err(Refusal::AppNotFound),
            (true, true) => Err(Refusal::AppBlocked),
            (true, false) => Ok(()),
        }
    }

    /// Checks a secret, given or not, for a flow that needs it (`needed`) or may do without.
    ///
    /// # Errors
    /// `invalid_client`: wrong, missing, or sent for a public app [V:D-ECA for the rule].
    pub(crate) fn check_secret(&self, given: Option<&str>, needed: bool) -> Result<(), Refusal> {
        match given {
            Some(given) if !self.public && given == self.client_secret => Ok(()),
            None if self.public || !needed => Ok(()),
            _ => Err(Refusal::Client),
        }
    }

    /// Whether the admin named the user.
    #[must_use]
    pub(crate) fn pre_authorized(&self, user: &UserIdentity) -> bool {
        self.pre_authorized.contains(&user.id)
    }

    /// Whether the user may use it at all.
    ///
    /// # Errors
    /// `invalid_app_access`.
    pub(crate) fn admit(&self, user: &UserIdentity) -> Result<(), Refusal> {
        if self.permitted == Permitted::AdminApproved && !self.pre_authorized(user) {
            return Err(Refusal::NotAdminApproved);
        }
        Ok(())
    }

    /// Idle life of its refresh tokens in milliseconds; none is for ever.
    #[must_use]
    pub(crate) fn idle_ms(&self) -> Option<i64> {
        (self.refresh_idle_days > 0).then(|| i64::from(self.refresh_idle_days) * DAY_MS)
    }

    /// Life of its access tokens in milliseconds, where it sets one.
    #[must_use]
    pub(crate) fn timeout_ms(&self) -> Option<i64> {
        self.session_timeout_minutes.map(|m| i64::from(m) * MINUTE_MS)
    }
}
