//! Who may use the data API with a token (contract 1.9).

use std::sync::Arc;

use crate::http::reply::{self, Reply};
use crate::http::request::Call;
use crate::oauth::{JwtError, Moved, jwt_header};
use crate::org::UserIdentity;
use crate::world::{OrgHandle, World};

fn invalid_session() -> Reply {
    reply::error(401, "INVALID_SESSION_ID", "Session expired or invalid").with("www-authenticate", "Token")
}

/// Org and user of a live token with a scope for the REST API.
///
/// # Errors
/// 401 with `INVALID_SESSION_ID`, for a broken token in JWT format with `INVALID_JWT_FORMAT` (words from memory); 401 with
/// the words that no refresh cures for a token without such a scope [V:JSF-HTTP]; 420 at a host that the org moved away from.
pub(in crate::http) fn enter(world: &World, call: &Call, token: &str) -> Result<(Arc<OrgHandle>, UserIdentity), Reply> {
    if !token.contains('!') && token.split('.').count() == 3 {
        check_jwt(world, token)?;
    }
    let org = world.org_of_token(token).ok_or_else(invalid_session)?;
    let mut access = org.access();
    let host = call.header("host").unwrap_or_default();
    if let Some((_, moved)) = access.moved_from.iter().find(|(h, _)| h == host) {
        return Err(match moved {
            Moved::NoRoute => reply::html(420, "We are setting things up"),
            Moved::InvalidSession => invalid_session(),
        });
    }
    let session = access
        .sessions
        .enter(token, world.clock.now_ms())
        .ok_or_else(invalid_session)?;
    if !session.scopes.api() {
        let text = "This session is not valid for use with the REST API";
        return Err(reply::error(401, "INVALID_SESSION_ID", text).with("www-authenticate", "Token"));
    }
    let user = session.user.clone();
    drop(access);
    Ok((Arc::clone(org), user))
}

fn check_jwt(world: &World, token: &str) -> Result<(), Reply> {
    let format =
        || reply::error(401, "INVALID_JWT_FORMAT", "Invalid JWT token format").with("www-authenticate", "Token");
    // Before the first token in JWT format there is no key, and nothing that it signed.
    let known = jwt_header(token).is_some();
    match world.signing_key().filter(|_| known).map(|key| key.check(token)) {
        Some(Ok(())) => Ok(()),
        Some(Err(JwtError::Forged | JwtError::Garbled)) | None => Err(format()),
    }
}
