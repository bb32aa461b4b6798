//! `/services/oauth2/revoke`, by POST or GET.

use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::form::Form;
use super::struck;
use crate::http::reply::Reply;
use crate::http::request::Call;
use crate::oauth::{At, Refusal};
use crate::world::{OrgHandle, World};

/// The org whose access or refresh token this is or was.
pub(super) fn org_of_any_token(world: &World, token: &str) -> Option<Arc<OrgHandle>> {
    let of_access = world.org_of_token(token);
    let org = of_access.or_else(|| world.orgs.iter().find(|o| o.access().families.find(token).is_some()));
    org.map(Arc::clone)
}

/// 200 and nothing; an urlencoded error for a token that is none [V:JSF-OAUTH].
pub(super) fn revoke(world: &World, call: &Call) -> Reply {
    let form = Form::of(call);
    let token = form.text("token");
    if let Some(org) = org_of_any_token(world, token) {
        let mut access = org.access();
        if let Some(rule) = access.switches.strike(At::Revoke, None) {
            return struck(&rule);
        }
        if access.revoke(token) {
            return Reply::empty(200);
        }
    }
    let (error, description) = Refusal::InvalidToken.words();
    let description = utf8_percent_encode(description, NON_ALPHANUMERIC);
    Reply {
        status: 400,
        headers: vec![("content-type".into(), "application/x-www-form-urlencoded".to_owned())],
        body: format!("error={error}&error_description={description}"),
    }
}
