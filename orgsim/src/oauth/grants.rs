//! The grant types of the token endpoint: from what was presented to a login.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;

use super::access::{Access, Login};
use super::app::{App, Permitted};
use super::code::Agreed;
use super::pkce;
use super::refusal::Refusal;
use super::scope::Scopes;
use crate::org::UserIdentity;

/// What a JWT bearer assertion claims.
#[derive(Debug, Deserialize)]
pub(crate) struct Assertion {
    /// Consumer key.
    iss: String,
    /// Login name.
    #[serde(alias = "prn")]
    sub: String,
    aud: String,
    /// Seconds since 1970.
    exp: i64,
}

impl Access {
    /// The app with this key, when it may be used.
    fn usable(&self, client_id: &str) -> Result<&App, Refusal> {
        let app = self.app(client_id).ok_or(Refusal::ClientId)?;
        app.usable()?;
        Ok(app)
    }

    /// A login in which the app's scopes are not chosen by a user.
    fn unattended(&self, client_id: &str, user: UserIdentity) -> Result<Login, Refusal> {
        let app = self.usable(client_id)?;
        Ok(Login {
            user,
            client_id: Some(Arc::clone(&app.client_id)),
            scopes: app.scopes.unattended(),
            family: None,
            refresh_token: None,
            nonce: None,
        })
    }

    /// `authorization_code`; a refresh token goes with it when its scope was agreed to.
    ///
    /// # Errors
    /// Wrong secret, code, redirect URI or verifier, and a user who has become inactive.
    pub(crate) fn exchange(
        &mut self,
        client_id: &str,
        secret: Option<&str>,
        code: &str,
        redirect_uri: &str,
        verifier: Option<&str>,
        now_ms: i64,
    ) -> Result<Login, Refusal> {
        let app = self.usable(client_id)?;
        app.check_secret(secret, true)?;
        let app_id = Arc::clone(&app.client_id);
        if self.locked {
            return Err(Refusal::InactiveOrg);
        }
        let agreed = self.codes.redeem(code, now_ms, |agreed: &Agreed| {
            if agreed.client_id != app_id {
                return Err(Refusal::InvalidCode);
            }
            if agreed.redirect_uri != redirect_uri {
                return Err(Refusal::RedirectMismatch);
            }
            pkce::verify(agreed.challenge.as_deref(), verifier)
        })?;
        let account = self.by_id(&agreed.user).ok_or(Refusal::InactiveUser)?;
        account.check_active()?;
        let user = account.identity.clone();
        let family = agreed.scopes.offline().then(|| {
            let (family, ended) = self.families.open(&user.id, &app_id, &agreed.scopes, now_ms);
            // The oldest of too many goes with its access tokens [from memory].
            if let Some(ended) = ended {
                self.end_family(ended);
            }
            family
        });
        let refresh_token = family.and_then(|f| self.families.get(f)).map(|f| f.token.clone());
        Ok(Login {
            user,
            client_id: Some(app_id),
            scopes: agreed.scopes,
            family,
            refresh_token,
            nonce: agreed.nonce,
        })
    }

    /// `refresh_token`; with rotation the login has the new refresh token.
    ///
    /// # Errors
    /// Wrong secret, dead token, inactive user, and an admin approval that was taken away.
    pub(crate) fn refresh(
        &mut self,
        client_id: &str,
        secret: Option<&str>,
        token: &str,
        now_ms: i64,
    ) -> Result<Login, Refusal> {
        let app = self.usable(client_id)?;
        app.check_secret(secret, app.secret_for_refresh)?;
        let (rotation, idle_ms) = (app.rotation, app.idle_ms());
        if self.locked {
            return Err(Refusal::InactiveOrg);
        }
        let of = self.families.find(token).and_then(|f| self.families.get(f));
        if let Some(account) = of.and_then(|f| self.by_id(&f.user)) {
            account.check_active()?;
            app.admit(&account.identity)?;
        }
        let id = self.families.refresh(token, client_id, rotation, idle_ms, now_ms)?;
        let family = self.families.get(id).ok_or(Refusal::ExpiredToken)?;
        let user = self.by_id(&family.user).ok_or(Refusal::InactiveUser)?;
        Ok(Login {
            user: user.identity.clone(),
            client_id: Some(Arc::clone(&family.client_id)),
            scopes: family.scopes.clone(),
            family: Some(id),
            refresh_token: rotation.then(|| family.token.clone()),
            nonce: None,
        })
    }

    /// `client_credentials`.
    ///
    /// # Errors
    /// Wrong secret; `no client credentials user enabled` when the flow is off or has no user; a user who may not log in.
    pub(crate) fn client_credentials(
        &mut self,
        client_id: &str,
        secret: Option<&str>,
        now_ms: i64,
    ) -> Result<Login, Refusal> {
        let app = self.usable(client_id)?;
        if app.public {
            return Err(Refusal::Client);
        }
        app.check_secret(secret, true)?;
        let run_as = app.run_as.clone().filter(|_| app.client_credentials);
        let user = run_as.and_then(|id| self.by_id(&id)).ok_or(Refusal::NoRunAsUser)?;
        let user = user.identity.clone();
        self.enter(&user, now_ms)?;
        self.unattended(client_id, user)
    }

    /// `password`.
    ///
    /// # Errors
    /// Wrong secret, user name or password, and a user who may not log in.
    pub(crate) fn password(
        &mut self,
        client_id: &str,
        secret: Option<&str>,
        username: &str,
        password: &str,
        now_ms: i64,
    ) -> Result<Login, Refusal> {
        let app = self.usable(client_id)?;
        if app.public {
            return Err(Refusal::Client);
        }
        app.check_secret(secret, true)?;
        let user = self.log_in(username, password, now_ms)?;
        self.usable(client_id)?.admit(&user)?;
        self.unattended(client_id, user)
    }

    /// JWT bearer. `audience` says which audiences are right. A far `exp` is let through (contract 1.3).
    ///
    /// # Errors
    /// Bad signature, `exp` or audience; a user who is unknown, who did not approve the app before (with the
    /// `refresh_token` scope) and was not approved by the admin, or who may not log in.
    pub(crate) fn assertion(
        &mut self,
        client_id: &str,
        token: &str,
        audience: impl Fn(&str) -> bool,
        now_ms: i64,
    ) -> Result<Login, Refusal> {
        let app = self.app(client_id).ok_or(Refusal::InvalidAssertion)?;
        let mut rules = Validation::new(Algorithm::RS256);
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        let key = app.jwt_key.as_ref().ok_or(Refusal::InvalidAssertion)?;
        let claims = jsonwebtoken::decode::<Assertion>(token, key, &rules)
            .map_err(|_| Refusal::InvalidAssertion)?
            .claims;
        if claims.iss != client_id {
            return Err(Refusal::InvalidAssertion);
        }
        app.usable()?;
        // Salesforce's own client library sends milliseconds (contract 1.3): far in the future, and accepted.
        if claims.exp < now_ms.div_euclid(1_000) {
            return Err(Refusal::ExpiredAssertion);
        }
        if !audience(claims.aud.trim_end_matches('/')) {
            return Err(Refusal::Audience);
        }
        let account = self.account(&claims.sub).ok_or(Refusal::NotApproved)?;
        let user = account.identity.clone();
        app.admit(&user)?;
        let agreed = self
            .approvals
            .get(&(Arc::clone(&user.id), Arc::clone(&app.client_id)))
            .is_some_and(Scopes::offline);
        if app.permitted == Permitted::SelfAuthorize && !app.pre_authorized(&user) && !agreed {
            return Err(Refusal::NotApproved);
        }
        self.enter(&user, now_ms)?;
        self.unattended(client_id, user)
    }

    /// Counts a login of a user who showed no password.
    fn enter(&mut self, user: &UserIdentity, now_ms: i64) -> Result<(), Refusal> {
        if self.locked {
            return Err(Refusal::InactiveOrg);
        }
        let per_hour = self.logins_per_hour;
        let account = self.account_mut(&user.username).ok_or(Refusal::InactiveUser)?;
        account.log_in(now_ms, per_hour)
    }

    /// What a user gets who logged in at the authorize page: the scopes to agree to, and whether to ask.
    ///
    /// # Errors
    /// The app is not in this org, blocked or not for this user; scopes that it does not have.
    pub(crate) fn consent(
        &self,
        client_id: &str,
        user: &UserIdentity,
        asked: Option<&Scopes>,
    ) -> Result<(Scopes, bool), Refusal> {
        let app = self.app(client_id).ok_or(Refusal::EcAppNotFound)?;
        app.usable().map_err(|refusal| match refusal {
            Refusal::AppNotFound => Refusal::EcAppNotFound,
            other => other,
        })?;
        app.admit(user)?;
        let scopes = asked.unwrap_or(&app.scopes);
        if !app.scopes.allow(scopes) {
            return Err(Refusal::InvalidScope);
        }
        let before = self.approvals.get(&(Arc::clone(&user.id), Arc::clone(&app.client_id)));
        let settled = app.permitted == Permitted::AdminApproved || before.is_some_and(|b| b.allow(scopes));
        Ok((scopes.clone(), !settled))
    }

    /// Writes down that a user agreed, and gives the code.
    pub(crate) fn agree(&mut self, agreed: Agreed, now_ms: i64) -> String {
        let key = (Arc::clone(&agreed.user), Arc::clone(&agreed.client_id));
        self.approvals.insert(key, agreed.scopes.clone());
        self.codes.issue(agreed, now_ms)
    }
}
