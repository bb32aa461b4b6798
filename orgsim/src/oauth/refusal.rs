//! Why a login or token request is refused: the error catalogue (contract 1.7) with its words.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One row of the catalogue; admin switches name it in snake case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refusal {
    /// JWT bearer without a prior approval [V:SE-207685].
    NotApproved,
    /// An assertion for another audience [V:SE-184363].
    Audience,
    /// An assertion that does not parse, or is signed with another key [from memory].
    InvalidAssertion,
    /// An assertion whose `exp` has passed [from memory].
    ExpiredAssertion,
    /// A refresh token that is no longer alive [V:RF-FIX].
    ExpiredToken,
    /// A code used twice or too old; for refresh tokens: another refresh was quicker [V:SEGMENT].
    ExpiredCode,
    /// A code that never was [from memory].
    InvalidCode,
    /// A verifier that does not hash to the challenge [from memory].
    InvalidVerifier,
    /// No verifier for a code that has a challenge [from memory].
    MissingVerifier,
    /// The user is deactivated or frozen [V:I-restforce-303; frozen from memory].
    InactiveUser,
    /// Outside of the user's login hours or IP ranges [V:OAUTH-LIST].
    LoginRestricted,
    /// User or password wrong, or user locked [V:RF-FIX].
    AuthenticationFailure,
    /// As the former, in other words seen [V:I-wso2-3919]; by switch only.
    InvalidPassword,
    /// Only users that the admin named may use the app [V:JWT-JA].
    NotAdminApproved,
    /// An unknown consumer key [V:JWT-JA].
    ClientId,
    /// A wrong, missing or unwanted consumer secret [V:OAUTH-LIST].
    Client,
    /// The app was taken out of the org [V:I-dust-26727].
    AppNotFound,
    /// The admin blocked the app [V:I-n8n-21589; the words from memory].
    AppBlocked,
    /// The app is not in the org of the user who logged in [V:I-pipedream-21557; the words from memory].
    EcAppNotFound,
    /// Something at the approval page [V:I-cli-3368]; by switch only.
    ApprovalError,
    /// The user is inactive, in the words of the other list [V:OAUTH-LIST]; by switch only.
    InactiveUserCode,
    /// The org is locked, closed or suspended [V:OAUTH-LIST].
    InactiveOrg,
    /// Too many logins of the user in an hour [V:OAUTH-LIST].
    RateLimit,
    /// A grant type that is none [V:OAUTH-LIST].
    UnsupportedGrantType,
    /// Not `response_type=code` [V:OAUTH-LIST].
    UnsupportedResponseType,
    /// The token endpoint takes POST only [from memory].
    MustPost,
    /// A refresh with `scope` [C LibreChat#13412].
    ScopeOnRefresh,
    /// The app demands PKCE [C: many guides].
    MissingChallenge,
    /// `code_challenge_method` other than S256, or a challenge of another form [words from memory].
    InvalidChallenge,
    /// `prompt` with an unknown word [from memory].
    InvalidPrompt,
    /// `prompt=none`, and the user would have to be asked [from memory].
    ImmediateUnsuccessful,
    /// A scope that is none or that the app does not have [C forcedotcom/mcp-hosted#47].
    InvalidScope,
    /// A redirect URI that the app does not have [V:OAUTH-LIST; words from memory].
    RedirectMismatch,
    /// No redirect URI [V:OAUTH-LIST; words from memory].
    RedirectMissing,
    /// The user said no [V:OAUTH-LIST; words from memory].
    AccessDenied,
    /// The client credentials flow is off or has no user to run as [C: several clients' tests].
    NoRunAsUser,
    /// A My Domain host of an org without the app [from memory].
    WrongDomain,
    /// Revoking what is no token [V:JSF-OAUTH for the form; words from memory].
    InvalidToken,
}

impl Refusal {
    /// `error` and `error_description`.
    #[must_use]
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        const GRANT: &str = "invalid_grant";
        const REQUEST: &str = "invalid_request";
        match self {
            Self::NotApproved => (GRANT, "user hasn't approved this consumer"),
            Self::Audience => (GRANT, "audience is invalid"),
            Self::InvalidAssertion => (GRANT, "invalid assertion"),
            Self::ExpiredAssertion => (GRANT, "expired assertion"),
            Self::ExpiredToken => (GRANT, "expired access/refresh token"),
            Self::ExpiredCode => (GRANT, "expired authorization code"),
            Self::InvalidCode => (GRANT, "invalid authorization code"),
            Self::InvalidVerifier => (GRANT, "invalid code verifier"),
            Self::MissingVerifier => (REQUEST, "missing required code verifier"),
            Self::InactiveUser => (GRANT, "inactive user"),
            Self::LoginRestricted => (GRANT, "ip restricted or invalid login hours"),
            Self::AuthenticationFailure => (GRANT, "authentication failure"),
            Self::InvalidPassword => (GRANT, "authentication failure - Invalid Password"),
            Self::NotAdminApproved => ("invalid_app_access", "user is not admin approved to access this app"),
            Self::ClientId => ("invalid_client_id", "client identifier invalid"),
            Self::Client => ("invalid_client", "invalid client credentials"),
            Self::AppNotFound => ("app_not_found", "External client app is not installed in this org"),
            Self::AppBlocked => ("OAUTH_APP_BLOCKED", "this app is blocked by admin"),
            Self::EcAppNotFound => (
                "OAUTH_EC_APP_NOT_FOUND",
                "External client app is not installed in this org",
            ),
            Self::ApprovalError => (
                "OAUTH_APPROVAL_ERROR_GENERIC",
                "An unexpected error has occurred during authentication. Please try again.",
            ),
            Self::InactiveUserCode => ("inactive_user", "user is inactive"),
            Self::InactiveOrg => ("inactive_org", "organization is locked, closed, or suspended"),
            Self::RateLimit => ("rate_limit_exceeded", "number of logins exceeded"),
            Self::UnsupportedGrantType => ("unsupported_grant_type", "grant type not supported"),
            Self::UnsupportedResponseType => ("unsupported_response_type", "response type not supported"),
            Self::MustPost => (REQUEST, "must use HTTP POST"),
            Self::ScopeOnRefresh => (REQUEST, "scope parameter not supported"),
            Self::MissingChallenge => (REQUEST, "missing required code challenge"),
            Self::InvalidChallenge => (REQUEST, "invalid code challenge"),
            Self::InvalidPrompt => (REQUEST, "invalid prompt"),
            Self::ImmediateUnsuccessful => ("immediate_unsuccessful", "user is not logged in"),
            Self::InvalidScope => ("invalid_scope", "the requested scope is not allowed"),
            Self::RedirectMismatch => ("redirect_uri_mismatch", "redirect_uri must match configuration"),
            Self::RedirectMissing => ("redirect_uri_missing", "redirect_uri not provided"),
            Self::AccessDenied => ("access_denied", "end-user denied authorization"),
            Self::NoRunAsUser => (GRANT, "no client credentials user enabled"),
            Self::WrongDomain => (GRANT, "request not supported on this domain"),
            Self::InvalidToken => ("unsupported_token_type", "invalid token"),
        }
    }

    /// Exception code and message of the SOAP login [F several clients' tests for `INVALID_LOGIN`; the others from memory].
    #[must_use]
    pub(crate) fn exception(self) -> (&'static str, &'static str) {
        match self {
            Self::LoginRestricted => (
                "LOGIN_DURING_RESTRICTED_TIME",
                "Your profile's login hours or IP ranges do not allow this login",
            ),
            Self::RateLimit => ("LOGIN_RATE_EXCEEDED", "number of logins exceeded"),
            Self::InactiveOrg => ("ORG_LOCKED", "organization is locked, closed, or suspended"),
            _ => (
                "INVALID_LOGIN",
                "Invalid username, password, security token; or user locked out.",
            ),
        }
    }
}
