//! `POST /services/oauth2/token`.

use super::client::{self, Client};
use super::form::Form;
use super::{granted, refused, refused_with, struck};
use crate::http::reply::Reply;
use crate::http::request::Call;
use crate::oauth::{At, Refusal, unchecked_claims};
use crate::usage::Call as Kind;
use crate::world::World;

/// Hosts that an assertion's audience may name besides the simulator's own [V:SIMPLE-LOGIN].
const AUDIENCES: [&str; 2] = ["https://login.salesforce.com", "https://test.salesforce.com"];
const JWT_GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

pub(super) fn token(world: &World, call: &Call) -> Result<Reply, Reply> {
    let form = Form::of(call);
    let grant = form.text("grant_type");
    let presented = Client::of(call, &form);
    let secret = presented.secret.as_deref();
    let now_ms = world.clock.now_ms();
    let (code, refresh_token) = (form.text("code"), form.text("refresh_token"));
    let (username, assertion) = (form.text("username"), form.text("assertion"));
    let claims = unchecked_claims(assertion).unwrap_or_default();
    let claim = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
    let (issuer, subject) = (claim("iss"), [claim("sub"), claim("prn")].concat());
    let org = match grant {
        "authorization_code" => client::org(world, call, &presented.id, |a| a.codes.knows(code)),
        "refresh_token" => client::org(world, call, &presented.id, |a| a.families.knows(refresh_token)),
        "password" => client::org(world, call, &presented.id, |a| a.account(username).is_some()),
        "client_credentials" => client::org(world, call, &presented.id, |_| true),
        // An issuer that is no app is not told so [from memory].
        JWT_GRANT => {
            client::org(world, call, &issuer, |a| a.account(&subject).is_some()).map_err(|_| Refusal::InvalidAssertion)
        }
        _ => Err(Refusal::UnsupportedGrantType),
    };
    let org = org.map_err(refused)?;
    let mut access = org.access();
    if let Some(rule) = access.switches.strike(At::Token, Some(grant)) {
        return Err(struck(&rule));
    }
    let login = match grant {
        "authorization_code" => {
            let verifier = form.filled("code_verifier");
            access.exchange(&presented.id, secret, code, form.text("redirect_uri"), verifier, now_ms)
        }
        "refresh_token" if form.filled("scope").is_some() => Err(Refusal::ScopeOnRefresh),
        "refresh_token" => access.refresh(&presented.id, secret, refresh_token, now_ms),
        "client_credentials" => access.client_credentials(&presented.id, secret, now_ms),
        "password" => access.password(&presented.id, secret, username, form.text("password"), now_ms),
        _ => {
            let right = |audience: &str| AUDIENCES.contains(&audience) || audience == world.base_url();
            access.assertion(&issuer, assertion, right, now_ms)
        }
    };
    let login = login.map_err(|refusal| match refusal {
        Refusal::RateLimit => refused_with(access.rate_limit_status, refusal),
        other => refused(other),
    })?;
    // JWT bearer answers have no `issued_at` and `signature` [V:NPM-JWT].
    let answer = granted::answer(world, &org, &mut access, &login, grant != JWT_GRANT);
    drop(access);
    org.usage().count(Kind::Token, now_ms);
    Ok(granted::written(call, &form, &answer))
}
