//! The client-credentials flow, through the `oauth2` crate (contract.md 1.6).

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::Method;
use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{
    AsyncHttpClient, AuthType, Client, ClientId, ClientSecret, HttpRequest, HttpResponse, RequestTokenError,
    StandardRevocableToken, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};

use super::TOKEN_PATH;
use super::grant::TokenAnswer;
use super::refusal::{self, LoginFailure};
use crate::salesforce::client::{Ask, Http};
use crate::salesforce::hosts::Origin;

type SalesforceClient = Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

/// Sends the crate's requests through the process's HTTP client.
struct Through(Arc<Http>);

impl<'c> AsyncHttpClient<'c> for Through {
    type Error = Carried;
    type Future = BoxFuture<'c, Result<HttpResponse, Carried>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        forward(Arc::clone(&self.0), request).boxed()
    }
}

/// The HTTP side's failure, carried through the crate.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Carried(LoginFailure);

/// Owns all it needs and is boxed: the crate's borrowed HTTP client would keep callers' futures from being `Send`.
pub(super) fn ask(
    http: Arc<Http>,
    login_url: &Origin,
    client_id: &str,
    client_secret: &SecretString,
) -> BoxFuture<'static, Result<TokenAnswer, LoginFailure>> {
    let token_url = format!("{login_url}{TOKEN_PATH}");
    let client_id = ClientId::new(client_id.to_owned());
    let client_secret = ClientSecret::new(client_secret.expose_secret().to_owned());
    exchange(http, token_url, client_id, client_secret).boxed()
}

async fn exchange(
    http: Arc<Http>,
    token_url: String,
    client_id: ClientId,
    client_secret: ClientSecret,
) -> Result<TokenAnswer, LoginFailure> {
    let token_url = TokenUrl::new(token_url).map_err(|e| LoginFailure::NotUnderstood { detail: e.to_string() })?;
    let client = SalesforceClient::new(client_id)
        .set_client_secret(client_secret)
        .set_token_uri(token_url)
        // In the form: a Basic header would need both sides to agree on how the secret is escaped.
        .set_auth_type(AuthType::RequestBody);

    let through = Through(http);
    client
        .exchange_client_credentials()
        .request_async(&through)
        .await
        .map_err(|error| match error {
            RequestTokenError::ServerResponse(words) => refusal::from_words(&words),
            RequestTokenError::Request(Carried(failure)) => failure,
            // The crate's error holds the body, which can hold a token: only where it broke is told.
            RequestTokenError::Parse(at, _) => LoginFailure::NotUnderstood {
                detail: format!("the token answer does not parse at '{}'", at.path()),
            },
            RequestTokenError::Other(_) => LoginFailure::NotUnderstood {
                detail: "the token answer is no JSON".to_owned(),
            },
        })
}

async fn forward(http: Arc<Http>, request: HttpRequest) -> Result<HttpResponse, Carried> {
    let (parts, body) = request.into_parts();
    debug_assert_eq!(parts.method, Method::POST);
    let ask = Ask {
        method: parts.method,
        url: parts.uri.to_string(),
        headers: parts.headers,
        body: Some(body.into()),
    };
    let reply = http.send(ask).await.map_err(|e| Carried(refusal::from_no_reply(&e)))?;
    refusal::check_status(&reply).map_err(Carried)?;
    http::Response::builder()
        .status(reply.status)
        .body(reply.body.to_vec())
        .map_err(|e| Carried(LoginFailure::NotUnderstood { detail: e.to_string() }))
}
