//! The JWT bearer flow (contract.md 1.3). The `oauth2` crate has no assertion grant: the form is posted here, the
//! answer is read with the crate's types.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use oauth2::basic::BasicErrorResponse;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::grant::TokenAnswer;
use super::refusal::{self, LoginFailure};
use super::{TOKEN_PATH, now_s};
use crate::salesforce::client::{Ask, Http};
use crate::salesforce::hosts::Origin;

/// How long an assertion is good for, in seconds (contract.md 1.3: at most about three minutes).
const ASSERTION_S: u64 = 180;

const GRANT_TYPE: &str = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";

/// Signs assertions for one user of one app.
pub(super) struct Signer {
    username: String,
    audience: String,
    key: EncodingKey,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: u64,
}

impl Signer {
    pub(super) fn new(username: &str, audience: &str, pem: &SecretString) -> Result<Self, jsonwebtoken::errors::Error> {
        let key = EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes())?;
        Ok(Self {
            username: username.to_owned(),
            audience: audience.to_owned(),
            key,
        })
    }

    pub(super) fn username(&self) -> &str {
        &self.username
    }

    pub(super) async fn ask(
        &self,
        http: &Http,
        login_url: &Origin,
        client_id: &str,
    ) -> Result<TokenAnswer, LoginFailure> {
        let claims = Claims {
            iss: client_id,
            sub: &self.username,
            aud: &self.audience,
            exp: now_s() + ASSERTION_S,
        };
        let assertion = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &self.key).map_err(|e| {
            LoginFailure::NotUnderstood {
                detail: format!("the assertion could not be signed: {e}"),
            }
        })?;
        // An assertion is base64url and dots: nothing in it needs escaping.
        let body = Bytes::from(format!("grant_type={GRANT_TYPE}&assertion={assertion}"));
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let reply = http
            .send(Ask {
                method: Method::POST,
                url: format!("{login_url}{TOKEN_PATH}"),
                headers: HeaderMap::from_iter([(header::CONTENT_TYPE, form)]),
                body: Some(body),
            })
            .await
            .map_err(|e| refusal::from_no_reply(&e))?;
        refusal::check_status(&reply)?;

        if reply.status != 200 {
            let words: BasicErrorResponse = parse(&reply.body)?;
            return Err(refusal::from_words(&words));
        }
        parse(&reply.body)
    }
}

fn parse<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, LoginFailure> {
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(body)).map_err(|e| {
        LoginFailure::NotUnderstood {
            detail: format!("the token answer does not parse at '{}'", e.path()),
        }
    })
}
