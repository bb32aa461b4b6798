//! `/services/oauth2/authorize`: login, consent, and back to the app (contract 1.4).

use std::sync::Arc;

use http::Method;

use super::form::Form;
use super::{page, redirect, struck};
use crate::http::reply::{self, Reply};
use crate::http::request::Call;
use crate::oauth::{Agreed, App, Asked, At, Page, Refusal, Scopes, challenge};
use crate::org::UserIdentity;
use crate::usage::Call as Kind;
use crate::world::{OrgHandle, World};

/// The words that `prompt` may have [V:OIDC for the parameter, M for the list].
const PROMPTS: [&str; 4] = ["login", "consent", "select_account", "none"];

/// The first request, or the form of one of the pages: that has `step`.
pub(super) fn handle(world: &World, call: &Call) -> Reply {
    let posted = call.method == Method::POST;
    if !posted && call.method != Method::GET {
        return reply::html(405, "Method Not Allowed").with("allow", "GET, POST");
    }
    let form = Form::of(call);
    let now_ms = world.clock.now_ms();
    // A password in an address would be in every log on the way: the pages' forms come by POST only.
    let outcome = match form.get("step").filter(|_| posted) {
        None => begin(world, &form),
        Some(step) => {
            // The page is closed before anything else is done with it: of two posts of one form, one finds it.
            let page = world.pending().take(step, now_ms);
            match page {
                None => Ok(page::stale()),
                Some(Page::Login(asked)) => log_in(world, &form, asked),
                Some(Page::Consent { asked, org_id, user }) => decide(world, &form, &asked, &org_id, &user),
            }
        }
    };
    outcome.unwrap_or_else(|refusal| refusal)
}

/// The app with this key in any org: before the login nobody knows which.
fn app(world: &World, client_id: &str) -> Option<App> {
    world.orgs.iter().find_map(|o| o.access().app(client_id).cloned())
}

/// Checks the request and shows the login page. What is wrong before the redirect URI is known to be the app's stays here.
fn begin(world: &World, form: &Form) -> Result<Reply, Reply> {
    let client_id = form.text("client_id");
    let app = app(world, client_id).ok_or_else(|| page::error(Refusal::ClientId))?;
    let uri = form
        .filled("redirect_uri")
        .ok_or_else(|| page::error(Refusal::RedirectMissing))?;
    if !app.redirect_uris.iter().any(|registered| registered == uri) {
        return Err(page::error(Refusal::RedirectMismatch));
    }
    let state = form.get("state");
    let refuse = |refusal| redirect::with_refusal(uri, state, refusal);
    if form.text("response_type") != "code" {
        return Err(refuse(Refusal::UnsupportedResponseType));
    }
    let scopes = form.filled("scope").map(Scopes::parse).transpose().map_err(refuse)?;
    let challenge = challenge(
        form.filled("code_challenge"),
        form.filled("code_challenge_method"),
        app.pkce_required,
    )
    .map_err(refuse)?;
    let prompts: Vec<&str> = form.text("prompt").split_whitespace().collect();
    if prompts.iter().any(|p| !PROMPTS.contains(p)) {
        return Err(refuse(Refusal::InvalidPrompt));
    }
    if prompts.contains(&"none") {
        return Err(refuse(Refusal::ImmediateUnsuccessful));
    }
    let asked = Asked {
        client_id: client_id.to_owned(),
        redirect_uri: uri.to_owned(),
        scopes,
        state: state.map(str::to_owned),
        challenge,
        nonce: form.filled("nonce").map(str::to_owned),
        ask_again: prompts.contains(&"consent"),
        login_hint: form.text("login_hint").to_owned(),
    };
    Ok(show_login(world, asked, None))
}

fn show_login(world: &World, asked: Asked, complaint: Option<&str>) -> Reply {
    let username = asked.login_hint.clone();
    let step = world.pending().open(Page::Login(asked), world.clock.now_ms());
    page::login(&step, &username, complaint)
}

/// User name and password: the user's org is the one the app gets access to.
fn log_in(world: &World, form: &Form, mut asked: Asked) -> Result<Reply, Reply> {
    let now_ms = world.clock.now_ms();
    let (username, password) = (form.text("username"), form.text("password"));
    let org = world.orgs.iter().find(|o| o.access().account(username).is_some());
    let outcome = match org {
        None => Err(Refusal::AuthenticationFailure),
        Some(org) => org.access().log_in(username, password, now_ms).map(|user| (org, user)),
    };
    let (org, user) = match outcome {
        Ok(found) => found,
        Err(refusal) => {
            asked.login_hint = username.to_owned();
            return Ok(show_login(world, asked, Some(page::complaint(refusal))));
        }
    };
    let refuse = |refusal| redirect::with_refusal(&asked.redirect_uri, asked.state.as_deref(), refusal);
    let consent = org.access().consent(&asked.client_id, &user, asked.scopes.as_ref());
    let (scopes, ask) = consent.map_err(refuse)?;
    if !ask && !asked.ask_again {
        return finish(world, org, &user, &asked, scopes);
    }
    let label = org.access().app(&asked.client_id).map(|a| a.label.clone());
    let page = Page::Consent {
        asked,
        org_id: org.identity.org_id.clone(),
        user: Arc::clone(&user.id),
    };
    let step = world.pending().open(page, now_ms);
    let (label, scopes) = (label.unwrap_or_default(), scopes.to_string());
    Ok(page::consent(
        &step,
        &label,
        &org.identity.name,
        &user.username,
        &scopes,
    ))
}

/// Allow or Deny.
fn decide(world: &World, form: &Form, asked: &Asked, org_id: &str, user: &str) -> Result<Reply, Reply> {
    let refuse = |refusal| redirect::with_refusal(&asked.redirect_uri, asked.state.as_deref(), refusal);
    if form.text("decision") != "allow" {
        return Err(refuse(Refusal::AccessDenied));
    }
    let org = world.by_id(org_id).ok_or_else(page::stale)?;
    let account = org.access().by_id(user).cloned().ok_or_else(page::stale)?;
    // The admin may have changed something since the page was shown.
    account.check_active().map_err(refuse)?;
    let consent = org
        .access()
        .consent(&asked.client_id, &account.identity, asked.scopes.as_ref());
    let (scopes, _) = consent.map_err(refuse)?;
    finish(world, org, &account.identity, asked, scopes)
}

/// Back to the app with a code.
fn finish(world: &World, org: &OrgHandle, user: &UserIdentity, asked: &Asked, scopes: Scopes) -> Result<Reply, Reply> {
    let now_ms = world.clock.now_ms();
    let mut access = org.access();
    if let Some(rule) = access.switches.strike(At::Authorize, None) {
        return Err(match rule.refusal {
            Some(refusal) => redirect::with_refusal(&asked.redirect_uri, asked.state.as_deref(), refusal),
            None => struck(&rule),
        });
    }
    let agreed = Agreed {
        user: Arc::clone(&user.id),
        client_id: asked.client_id.as_str().into(),
        redirect_uri: asked.redirect_uri.clone(),
        scopes,
        challenge: asked.challenge.clone(),
        nonce: asked.nonce.clone(),
    };
    let code = access.agree(agreed, now_ms);
    drop(access);
    org.usage().count(Kind::Token, now_ms);
    Ok(redirect::with_code(asked, &code))
}
