//! Why a login failed, and what a person has to do about it (contract.md 1.7).

use std::fmt;

use oauth2::basic::BasicErrorResponse;
use tandem_core::engine::classify::Class;

use crate::salesforce::client::{NoReply, Reply};
use crate::salesforce::fault;
use crate::salesforce::hosts::HostRefused;

/// A login that gave no usable token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoginFailure {
    /// Salesforce said no.
    #[error("{0}")]
    Refused(Refusal),
    /// The answer names a host that must not be called.
    #[error("the login answered with an instance that is not used: {0}")]
    InstanceRefused(HostRefused),
    /// No answer, or one that says to come again.
    #[error("the login got no answer (HTTP {status} {code}): {detail}")]
    Unreachable {
        /// HTTP status; 0 when there was none.
        status: u16,
        /// Tandem's code.
        code: &'static str,
        /// The HTTP client's words.
        detail: String,
    },
    /// The answer is not what a token endpoint answers.
    #[error("the login's answer was not understood: {detail}; is login_url the org's login host?")]
    NotUnderstood {
        /// What is wrong with it.
        detail: String,
    },
}

impl LoginFailure {
    /// What it means for the engine.
    pub fn class(&self) -> Class {
        match self {
            Self::Refused(refusal) => refusal.class,
            Self::InstanceRefused(_) | Self::NotUnderstood { .. } => Class::Configuration,
            Self::Unreachable { .. } => Class::Retry,
        }
    }

    /// A code for logs and status pages.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused(refusal) => &refusal.code,
            Self::InstanceRefused(_) => "HOST_REFUSED",
            Self::Unreachable { code, .. } => code,
            Self::NotUnderstood { .. } => "LOGIN_ANSWER",
        }
    }

    /// HTTP status; 0 where it does not matter.
    pub fn status(&self) -> u16 {
        match self {
            Self::Unreachable { status, .. } => *status,
            Self::Refused(_) => 400,
            Self::InstanceRefused(_) | Self::NotUnderstood { .. } => 0,
        }
    }
}

/// Salesforce's refusal, in words for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What it means for the engine.
    pub class: Class,
    /// Salesforce's `error`.
    pub code: String,
    /// What is the matter.
    pub reason: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "login refused ({}): {}; {}", self.code, self.reason, self.remedy)
    }
}

/// Error, beginning of its description ("" for any), class, reason, remedy. The first row that fits counts.
type Row = (&'static str, &'static str, Class, &'static str, &'static str);

const CATALOGUE: &[Row] = {
    use Class::{Configuration as K, Reauthorise as A, Retry as T, SlowDown as Q};
    &[
        (
            "invalid_grant",
            "user hasn't approved this consumer",
            K,
            "the user is not approved for the app",
            "pre-authorise the user's profile or permission set in the app's policies",
        ),
        (
            "invalid_grant",
            "audience is invalid",
            K,
            "the assertion's audience is wrong",
            "set audience to https://login.salesforce.com, or https://test.salesforce.com for a sandbox",
        ),
        (
            "invalid_grant",
            "invalid assertion",
            K,
            "the assertion's signature or content is wrong",
            "check that private_key_file belongs to the certificate in the app, and that this machine's clock is right",
        ),
        (
            "invalid_grant",
            "expired assertion",
            K,
            "the assertion had already expired when it arrived",
            "set this machine's clock",
        ),
        (
            "invalid_grant",
            "expired access/refresh token",
            A,
            "the grant is dead",
            "connect the org again",
        ),
        (
            "invalid_grant",
            "expired authorization code",
            T,
            "another login was under way at the same time",
            "nothing: it is tried again",
        ),
        (
            "invalid_grant",
            "inactive user",
            A,
            "the integration user is inactive",
            "activate the user or connect the org with another one",
        ),
        (
            "invalid_grant",
            "ip restricted",
            K,
            "the user may not log in from this address or at this hour",
            "allow this machine's address and the hours in the user's profile",
        ),
        (
            "invalid_grant",
            "authentication failure",
            K,
            "user name, password or key is wrong",
            "check the credentials; repeated tries can lock the user",
        ),
        (
            "invalid_grant",
            "request not supported on this domain",
            K,
            "the flow is not offered at this host",
            "set login_url to the org's own my.salesforce.com host",
        ),
        (
            "invalid_grant",
            "no client credentials user enabled",
            K,
            "the app has no run-as user for this flow",
            "enable client credentials in the app and name a run-as user",
        ),
        (
            "invalid_grant",
            "",
            K,
            "Salesforce refused the grant",
            "read the org's login history for the reason",
        ),
        (
            "invalid_app_access",
            "",
            K,
            "the user is not admitted to the app",
            "assign the app's permission set or profile to the user",
        ),
        (
            "invalid_client_id",
            "",
            K,
            "the client id is unknown",
            "check client_id; a new app needs up to ten minutes until it is known everywhere",
        ),
        (
            "invalid_client",
            "",
            K,
            "the client id or secret is wrong",
            "check client_id and the secret; a new app needs up to ten minutes until it is known everywhere",
        ),
        (
            "app_not_found",
            "",
            K,
            "the app is not installed in this org",
            "install the app in the org",
        ),
        (
            "OAUTH_APP_BLOCKED",
            "",
            K,
            "an administrator blocked the app",
            "have the org's administrator unblock the app",
        ),
        (
            "OAUTH_EC_APP_NOT_FOUND",
            "",
            K,
            "the app is not installed in this org",
            "install the app in the org",
        ),
        (
            "OAUTH_APPROVAL_ERROR_GENERIC",
            "",
            K,
            "the org does not let users approve this app",
            "have the org's administrator install or allow the app",
        ),
        (
            "inactive_user",
            "",
            A,
            "the integration user is inactive",
            "activate the user or connect the org with another one",
        ),
        (
            "inactive_org",
            "",
            A,
            "the org is locked, closed or suspended",
            "clear it with Salesforce, then connect the org again",
        ),
        (
            "rate_limit_exceeded",
            "",
            Q,
            "the user logged in too often",
            "nothing: it is tried again later; check that no other program logs in as this user",
        ),
        (
            "unsupported_grant_type",
            "",
            K,
            "the org does not offer this flow",
            "enable the flow in the app's settings",
        ),
        (
            "invalid_request",
            "",
            K,
            "the login request was refused",
            "check client_id, username and flow",
        ),
        (
            "invalid_scope",
            "",
            K,
            "the app lacks a scope",
            "give the app the scopes api and refresh_token",
        ),
        (
            "unauthorized_client",
            "",
            K,
            "the app may not use this flow",
            "enable the flow in the app's settings",
        ),
        (
            "access_denied",
            "",
            K,
            "the login was denied",
            "approve the app in the org",
        ),
        (
            "temporarily_unavailable",
            "",
            T,
            "the login service is busy",
            "nothing: it is tried again",
        ),
        (
            "server_error",
            "",
            T,
            "the login service failed",
            "nothing: it is tried again",
        ),
    ]
};

impl Refusal {
    /// The refusal for an `error` and its `error_description`.
    pub fn of(error: &str, description: &str) -> Self {
        let description = description.trim().to_ascii_lowercase();
        let row = CATALOGUE
            .iter()
            .find(|(code, words, ..)| code.eq_ignore_ascii_case(error) && description.starts_with(words));
        let code = fault::code(error).unwrap_or("NO_CODE").to_owned();
        match row {
            Some(&(_, _, class, reason, remedy)) => Self {
                class,
                code,
                reason,
                remedy,
            },
            None => Self {
                class: Class::Configuration,
                code,
                reason: "Salesforce refused the login for a reason that is not known here",
                remedy: "look the code up, and read the org's login history",
            },
        }
    }

    pub(super) fn wrong_org() -> Self {
        Self {
            class: Class::Configuration,
            code: "WRONG_ORG".to_owned(),
            reason: "the login succeeded, but at another org than org_id names",
            remedy: "check login_url and client_id; a tenant is never moved to another org silently",
        }
    }
}

/// The token endpoint's own words.
pub(super) fn from_words(words: &BasicErrorResponse) -> LoginFailure {
    let description = words.error_description().map_or("", String::as_str);
    LoginFailure::Refused(Refusal::of(words.error().as_ref(), description))
}

pub(super) fn from_no_reply(end: &NoReply) -> LoginFailure {
    LoginFailure::Unreachable {
        status: end.status,
        code: end.code,
        detail: end.detail.clone(),
    }
}

/// Lets through what the token endpoint itself can have said: 200 and JSON objects with 400, 401 or 403.
pub(super) fn check_status(reply: &Reply) -> Result<(), LoginFailure> {
    let object = reply.body.trim_ascii_start().first() == Some(&b'{');
    let unreachable = |code, detail: &str| {
        Err(LoginFailure::Unreachable {
            status: reply.status,
            code,
            detail: detail.to_owned(),
        })
    };
    match reply.status {
        200 | 400 | 401 | 403 if object => Ok(()),
        429 => unreachable("LOGIN_BUSY", "too many logins"),
        406 | 420 | 500.. => unreachable("LOGIN_UNAVAILABLE", "the login host is not available"),
        300..=399 => Err(LoginFailure::NotUnderstood {
            detail: format!("HTTP {} redirects elsewhere", reply.status),
        }),
        status => Err(LoginFailure::NotUnderstood {
            detail: format!("HTTP {status} without a JSON object"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_endpoint_says_is_told_only_where_it_is_a_code() {
        let known = Refusal::of("invalid_client", "the secret 3MVG9x was wrong").to_string();
        assert!(known.contains("invalid_client") && !known.contains("3MVG9x"), "{known}");
        let echoed = Refusal::of("3f786850e387550fdab836ed7e6dc881", "").to_string();
        assert!(echoed.contains("NO_CODE") && !echoed.contains("3f78"), "{echoed}");
    }
}
