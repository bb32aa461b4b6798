//! `/services/oauth2/…`, `/id/…` and discovery: getting, showing and ending tokens (contract 1).

mod authorize;
mod client;
mod discovery;
pub(super) mod door;
mod form;
mod granted;
mod identity;
mod introspect;
pub(super) mod page;
mod redirect;
mod revoke;
mod token;

use http::Method;
use serde_json::json;

use super::reply::{self, Reply};
use super::request::Call;
use crate::faults::Spoilt;
use crate::oauth::{Refusal, Rule};
use crate::world::World;

pub(super) fn handle(world: &World, call: &Call, path: &[&str]) -> Reply {
    match path {
        ["services", "oauth2", "authorize"] => authorize::handle(world, call),
        ["services", "oauth2", "userinfo"] => identity::userinfo(world, call),
        ["services", "oauth2", "revoke"] => revoke::revoke(world, call),
        ["services", "oauth2", "token" | "introspect"] if call.method != Method::POST => refused(Refusal::MustPost),
        ["services", "oauth2", "token"] => token::token(world, call).unwrap_or_else(|refusal| refusal),
        ["services", "oauth2", "introspect"] => introspect::introspect(world, call).unwrap_or_else(|refusal| refusal),
        ["id", "keys"] => discovery::keys(world),
        ["id", org, user] => identity::identity(world, call, org, user),
        [".well-known", "openid-configuration"] => discovery::configuration(world),
        _ => reply::html(404, "URL No Longer Exists"),
    }
}

/// A refusal as the token endpoint says it: an object, unlike the refusals of the data API [V:RF-FIX].
fn refused(refusal: Refusal) -> Reply {
    refused_with(400, refusal)
}

fn refused_with(status: u16, refusal: Refusal) -> Reply {
    let (error, description) = refusal.words();
    let body = json!({"error": error, "error_description": description}).to_string();
    uncached(Reply::json(status, body))
}

/// Token answers are not kept by anybody [R rfdb].
fn uncached(reply: Reply) -> Reply {
    reply
        .with("cache-control", "no-cache, no-store")
        .with("pragma", "no-cache")
}

/// What a rule of `oauth-faults` answers.
pub(super) fn struck(rule: &Rule) -> Reply {
    match (rule.refusal, &rule.body) {
        (Some(refusal), None) => refused_with(rule.status.unwrap_or(400), refusal),
        (_, body) => reply::spoilt(&Spoilt {
            status: rule.status.unwrap_or(503),
            body: body.clone(),
            headers: Vec::new(),
        }),
    }
}
