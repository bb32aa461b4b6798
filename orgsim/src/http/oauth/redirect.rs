//! Going back to the app: the redirect URI with the outcome behind it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::http::reply::Reply;
use crate::oauth::{Asked, Refusal};

/// All but the characters that need no encoding in a query: `==` arrives as `%3D%3D` (contract 1.4).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Sends the browser to `uri` with these parameters, and with `state` where there is one.
fn back(uri: &str, state: Option<&str>, parameters: &[(&str, &str)]) -> Reply {
    let state = state.map(|s| ("state", s));
    let pairs: Vec<String> = parameters
        .iter()
        .copied()
        .chain(state)
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY)))
        .collect();
    let joint = if uri.contains('?') { '&' } else { '?' };
    Reply::empty(302).with("location", format!("{uri}{joint}{}", pairs.join("&")))
}

/// With a code.
pub(super) fn with_code(asked: &Asked, code: &str) -> Reply {
    back(&asked.redirect_uri, asked.state.as_deref(), &[("code", code)])
}

/// With a refusal (contract 1.4).
pub(super) fn with_refusal(uri: &str, state: Option<&str>, refusal: Refusal) -> Reply {
    let (error, description) = refusal.words();
    back(uri, state, &[("error", error), ("error_description", description)])
}
