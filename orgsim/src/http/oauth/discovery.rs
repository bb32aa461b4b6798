//! What OpenID clients read first [V:OIDC].

use serde_json::json;

use crate::http::reply::{self, Reply};
use crate::world::World;

/// `GET /.well-known/openid-configuration`.
pub(super) fn configuration(world: &World) -> Reply {
    let base = world.base_url();
    let oauth = |name: &str| format!("{base}/services/oauth2/{name}");
    let body = json!({
        "issuer": base, "authorization_endpoint": oauth("authorize"), "token_endpoint": oauth("token"),
        "revocation_endpoint": oauth("revoke"), "userinfo_endpoint": oauth("userinfo"),
        "introspection_endpoint": oauth("introspect"), "jwks_uri": format!("{base}/id/keys"),
        "scopes_supported": ["full", "api", "openid", "id", "profile", "email", "address", "phone", "web",
            "offline_access", "refresh_token", "chatter_api", "custom_permissions", "visualforce", "content", "cdp_api"],
        "response_types_supported": ["code"], "grant_types_supported": ["authorization_code", "refresh_token",
            "client_credentials", "password", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
        "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"], "display_values_supported": ["page"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "claims_supported": ["active", "email", "email_verified", "family_name", "given_name", "language", "locale",
            "name", "nickname", "organization_id", "preferred_username", "sub", "updated_at", "urls", "user_id",
            "user_type", "utcOffset", "zoneinfo"],
    });
    Reply::json(200, body.to_string())
}

/// `GET /id/keys`.
pub(super) fn keys(world: &World) -> Reply {
    match world.signing_key() {
        Some(key) => Reply::json(200, key.document().to_string()),
        None => reply::error(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred."),
    }
}
