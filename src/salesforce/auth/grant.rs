//! A token answer, and what must hold before its token is used.

use std::fmt;

use oauth2::basic::BasicTokenType;
use oauth2::{ExtraTokenFields, StandardTokenResponse, TokenResponse};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tandem_core::domain::salesforce_id::SalesforceId;

use super::refusal::{LoginFailure, Refusal};
use super::{Granted, now_s};
use crate::salesforce::hosts::AllowedHosts;

pub(super) type TokenAnswer = StandardTokenResponse<SalesforceFields, BasicTokenType>;

/// Longest token that is taken, in bytes.
const TOKEN_BYTES_MAX: usize = 8_192;

/// What Salesforce adds to a token answer (contract.md 1.2). `expires_in` is never sent.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct SalesforceFields {
    instance_url: Option<String>,
    /// `{login host}/id/{organisation}/{user}`.
    id: Option<String>,
    /// Milliseconds since 1970, as text.
    issued_at: Option<String>,
    /// HMAC over id and issued_at; TLS already says who answered, so it is read and not checked.
    signature: Option<String>,
}

impl fmt::Debug for SalesforceFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SalesforceFields")
            .field("instance_url", &self.instance_url)
            .finish_non_exhaustive()
    }
}

impl ExtraTokenFields for SalesforceFields {}

/// An organisation id.
pub(super) fn organisation(text: &str) -> Option<SalesforceId> {
    SalesforceId::parse(text).ok().filter(|id| id.key_prefix() == "00D")
}

pub(super) fn check(
    answer: &TokenAnswer,
    hosts: &AllowedHosts,
    expected: Option<SalesforceId>,
) -> Result<Granted, LoginFailure> {
    let not_understood = |detail: &str| LoginFailure::NotUnderstood {
        detail: detail.to_owned(),
    };
    let token = answer.access_token().secret();
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(not_understood("the access token is empty, too long or not printable"));
    }
    let fields = answer.extra_fields();
    let instance_url = fields
        .instance_url
        .as_deref()
        .ok_or_else(|| not_understood("instance_url is missing"))?;
    let instance_url = hosts.check(instance_url).map_err(LoginFailure::InstanceRefused)?;

    let by_url = fields.id.as_deref().and_then(organisation_of_identity);
    let by_token = token.split_once('!').and_then(|(head, _)| organisation(head));
    let org_id = match (by_url, by_token) {
        (Some(a), Some(b)) if a != b => return Err(not_understood("id and access token name different organisations")),
        (Some(id), _) | (None, Some(id)) => id,
        (None, None) => return Err(not_understood("neither id nor access token names the organisation")),
    };
    if expected.is_some_and(|wanted| wanted != org_id) {
        return Err(LoginFailure::Refused(Refusal::wrong_org()));
    }
    let issued_ms = fields
        .issued_at
        .as_deref()
        .and_then(|t| t.parse().ok())
        .unwrap_or_else(|| now_s() * 1000);
    Ok(Granted {
        token: SecretString::from(token.as_str()),
        instance_url,
        org_id,
        issued_ms,
    })
}

fn organisation_of_identity(url: &str) -> Option<SalesforceId> {
    let (_, tail) = url.split_once("/id/")?;
    organisation(tail.split('/').next()?)
}
