//! The login side of one org, and what ends with what.

use std::collections::HashMap;
use std::sync::Arc;

use super::account::Account;
use super::app::{App, TokenFormat};
use super::code::Codes;
use super::family::{Families, FamilyId};
use super::refusal::Refusal;
use super::scope::Scopes;
use super::session::{Session, Sessions};
use super::switch::Switches;
use crate::org::{OrgIdentity, Stream, UserIdentity};

/// Life of an unused token in milliseconds: the default session timeout of an org [from memory].
const TIMEOUT_MS: i64 = 2 * 60 * 60 * 1_000;
/// Logins of a user in an hour [from memory].
const LOGINS_PER_HOUR: usize = 3_600;

/// A login that was let through: what the token answer is made of.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    /// Whose.
    pub(crate) user: UserIdentity,
    /// The app; none for SOAP logins.
    pub(crate) client_id: Option<Arc<str>>,
    /// What it opens.
    pub(crate) scopes: Scopes,
    /// The refresh token it hangs on.
    pub(crate) family: Option<FamilyId>,
    /// The refresh token to send along.
    pub(crate) refresh_token: Option<String>,
    /// For the id token.
    pub(crate) nonce: Option<String>,
}

/// What the hosts answer that an org moved away from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// 420: the edge has no route.
    NoRoute,
    /// 401 `INVALID_SESSION_ID`.
    InvalidSession,
}

/// The login side of one org.
pub(crate) struct Access {
    /// Its apps; the first is the one of the ready line.
    pub(crate) apps: Vec<App>,
    /// Its users; the first two are the integration user and the human.
    pub(crate) accounts: Vec<Account>,
    /// Live access tokens.
    pub(crate) sessions: Sessions,
    /// Authorization codes.
    pub(crate) codes: Codes,
    /// Refresh tokens.
    pub(crate) families: Families,
    /// Refusals on purpose.
    pub(crate) switches: Switches,
    /// Whether the org is locked, closed or suspended.
    pub(crate) locked: bool,
    /// Logins of a user in an hour.
    pub(crate) logins_per_hour: usize,
    /// HTTP status of `rate_limit_exceeded`: 400, or 429 [V:I-supaglue-622].
    pub(crate) rate_limit_status: u16,
    /// Life of an unused access token in milliseconds, where the app sets none.
    pub(crate) timeout_ms: i64,
    /// URL of its instance, once it moved away from the login host.
    pub(crate) instance_url: Option<String>,
    /// Hosts (with port) that it moved away from, and what they answer.
    pub(crate) moved_from: Vec<(String, Moved)>,
    /// What users agreed to, by user and app: they are not asked again.
    pub(crate) approvals: HashMap<(Arc<str>, Arc<str>), Scopes>,
    /// For secrets and keys of apps and users that come later.
    pub(crate) secrets: Stream,
}

impl Access {
    /// The login side of a new org: its app (client credentials and assertions as the integration user), the command-line
    /// client, and its two users with one password.
    #[must_use]
    pub(crate) fn new(identity: &OrgIdentity, seed: u64, client_id: &str, client_secret: &str, password: &str) -> Self {
        let stream = |purpose: &str| Stream::new(seed, &format!("{purpose} {}", identity.name));
        let mut secrets = stream("oauth");
        let users = [&identity.integration, &identity.human];
        let first = App {
            pre_authorized: users.iter().map(|u| Arc::clone(&u.id)).collect(),
            client_credentials: true,
            run_as: Some(Arc::clone(&identity.integration.id)),
            ..App::new(client_id, client_secret.to_owned(), "orgsim")
        };
        let cli = App::platform_cli(secrets.text(64));
        let accounts = users
            .iter()
            .map(|u| Account::new((*u).clone(), password.to_owned(), secrets.text(24)))
            .collect();
        Self {
            apps: vec![first, cli],
            accounts,
            sessions: Sessions::new(&identity.org_id, stream("tokens")),
            codes: Codes::new(stream("codes")),
            families: Families::new(stream("refresh tokens")),
            switches: Switches::new(stream("oauth faults")),
            locked: false,
            logins_per_hour: LOGINS_PER_HOUR,
            rate_limit_status: 400,
            timeout_ms: TIMEOUT_MS,
            instance_url: None,
            moved_from: Vec::new(),
            approvals: HashMap::new(),
            secrets,
        }
    }

    /// The app with this key.
    #[must_use]
    pub(crate) fn app(&self, client_id: &str) -> Option<&App> {
        self.apps.iter().find(|a| *a.client_id == *client_id)
    }

    /// The user with this login name, in any case.
    #[must_use]
    pub(crate) fn account(&self, username: &str) -> Option<&Account> {
        self.accounts
            .iter()
            .find(|a| a.identity.username.eq_ignore_ascii_case(username))
    }

    /// The user with this login name, to change.
    pub(crate) fn account_mut(&mut self, username: &str) -> Option<&mut Account> {
        self.accounts
            .iter_mut()
            .find(|a| a.identity.username.eq_ignore_ascii_case(username))
    }

    /// The user with this id.
    #[must_use]
    pub(crate) fn by_id(&self, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|a| *a.identity.id == *id)
    }

    /// User name and password of a login; counted when right.
    ///
    /// # Errors
    /// As [`Account::check_password`] and [`Account::log_in`]; `inactive_org`.
    pub(crate) fn log_in(&mut self, username: &str, password: &str, now_ms: i64) -> Result<UserIdentity, Refusal> {
        let (locked, per_hour) = (self.locked, self.logins_per_hour);
        let account = self.account_mut(username).ok_or(Refusal::AuthenticationFailure)?;
        account.check_password(password, now_ms)?;
        if locked {
            return Err(Refusal::InactiveOrg);
        }
        account.log_in(now_ms, per_hour)?;
        Ok(account.identity.clone())
    }

    /// The session of a login, not yet under a token.
    #[must_use]
    pub(crate) fn session(&self, login: &Login, now_ms: i64) -> Session {
        let app = login.client_id.as_deref().and_then(|id| self.app(id));
        Session {
            user: login.user.clone(),
            client_id: login.client_id.clone(),
            scopes: login.scopes.clone(),
            family: login.family,
            timeout_ms: app.and_then(App::timeout_ms).unwrap_or(self.timeout_ms),
            issued_ms: now_ms,
            used_ms: now_ms,
            prolonged: app.is_none_or(|a| a.token_format == TokenFormat::Opaque),
        }
    }

    /// An opaque token with all scopes, as the SOAP login and the ready line give it out.
    pub(crate) fn plain_token(&mut self, user: &UserIdentity, client_id: Option<Arc<str>>, now_ms: i64) -> String {
        let login = Login {
            user: user.clone(),
            client_id,
            scopes: Scopes::full(),
            family: None,
            refresh_token: None,
            nonce: None,
        };
        let session = Session {
            prolonged: true,
            ..self.session(&login, now_ms)
        };
        self.sessions.issue(session)
    }

    /// Ends a token of either kind; a refresh token takes its access tokens along [V:D-REVOKE]. Whether there was one.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        if let Some(family) = self.families.find(token) {
            self.end_family(family);
            return true;
        }
        self.sessions.revoke(token)
    }

    /// Ends an authorization and its access tokens.
    pub(crate) fn end_family(&mut self, family: FamilyId) {
        self.families.end(family);
        self.sessions.end_where(|s| s.family == Some(family));
    }

    /// Ends the access tokens of a user: after a password change or deactivation [from memory].
    pub(crate) fn end_user_sessions(&mut self, user: &str) {
        self.sessions.end_where(|s| *s.user.id == *user);
    }

    /// Ends the access tokens of an app: after it is blocked [from memory].
    pub(crate) fn end_app_sessions(&mut self, client_id: &str) {
        self.sessions.end_where(|s| s.client_id.as_deref() == Some(client_id));
    }

    /// Ends all that a user, an app, or a user of an app was given: access tokens, refresh tokens and approvals.
    pub(crate) fn revoke_all(&mut self, user: Option<&str>, client_id: Option<&str>) {
        let meant = |u: &str, c: Option<&str>| user.is_none_or(|x| x == u) && client_id.is_none_or(|x| Some(x) == c);
        self.families.end_where(|f| meant(&f.user, Some(&*f.client_id)));
        self.sessions.end_where(|s| meant(&s.user.id, s.client_id.as_deref()));
        self.approvals.retain(|(u, c), _| !meant(u, Some(&**c)));
    }
}
