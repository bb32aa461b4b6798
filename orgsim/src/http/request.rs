//! One request, read whole: path segments decoded, body unpacked.

use std::io::Read;

use axum::body::{Body, Bytes};
use flate2::read::GzDecoder;
use http::request::Parts;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

use super::reply::{self, Reply};
use crate::bulk::MAX_UPLOAD_BYTES;
use crate::org::Json;

/// Largest body, packed or not: 50 MB (contract 5); of an upload [`MAX_UPLOAD_BYTES`].
const MAX_BODY_BYTES: usize = 50 * 1024 * 1024;
/// The path of every upload of a bulk job contains this; these may be larger.
const UPLOADS: &str = "/jobs/ingest";
/// Longest URI, and URI with headers (contract 5).
const MAX_URI_BYTES: usize = 16_384;

/// One request.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// Path as sent.
    pub(super) raw_path: String,
    /// Decoded path segments, without the empty ones at the end.
    pub(super) path: Vec<String>,
    /// Decoded query parameters in order.
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    /// A call inside another one; `url` with or without `/services/data/`.
    pub(super) fn inner(method: Method, url: &str, headers: HeaderMap, body: Bytes) -> Self {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let path = path.trim_start_matches('/');
        let whole = if path.starts_with("services/") {
            format!("/{path}")
        } else {
            format!("/services/data/{path}")
        };
        Self {
            method,
            path: segments(&whole),
            raw_path: whole,
            query: decode_form(query),
            headers,
            body,
        }
    }

    /// The first query parameter with this name.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The bearer token; `OAuth` is the older word for `Bearer`.
    pub(super) fn token(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("oauth")).then(|| token.trim())
    }

    /// The JSON body.
    pub(super) fn json(&self) -> Result<Json<'_>, Reply> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let text = format!(
                "Unexpected character or end-of-input at [line:{}, column:{}]",
                error.line(),
                error.column()
            );
            reply::error(400, "JSON_PARSER_ERROR", &text)
        })
    }

    /// The members of a JSON object body.
    pub(super) fn record(&self) -> Result<Vec<crate::org::Member<'_>>, Reply> {
        match self.json()? {
            Json::Object(members) => Ok(members),
            _ => Err(reply::error(
                400,
                "JSON_PARSER_ERROR",
                "Cannot deserialize instance of entity: a JSON object is needed at [line:1, column:1]",
            )),
        }
    }
}

/// Decoded segments of a path, without the empty ones at its end.
fn segments(path: &str) -> Vec<String> {
    let mut segments: Vec<String> = path
        .trim_start_matches('/')
        .split('/')
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect();
    while segments.last().is_some_and(String::is_empty) {
        segments.pop();
    }
    segments
}

/// Decodes `a=b&c=d`; `+` is a blank.
pub(super) fn decode_form(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| {
        percent_decode_str(&part.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// Reads a request whole.
pub(super) async fn read(parts: Parts, body: Body) -> Result<Call, Reply> {
    let uri = parts.uri.path_and_query().map_or(0, |p| p.as_str().len());
    if uri > MAX_URI_BYTES {
        return Err(reply::html(414, "Bad Message 414"));
    }
    let headers: usize = parts.headers.iter().map(|(n, v)| n.as_str().len() + v.len()).sum();
    if uri + headers > MAX_URI_BYTES {
        return Err(reply::html(431, "Bad Message 431"));
    }
    let too_large = || {
        reply::error(
            413,
            "EXCEEDED_MAX_SIZE_REQUEST",
            "The request is larger than the maximum size.",
        )
    };
    let most = if parts.uri.path().contains(UPLOADS) {
        MAX_UPLOAD_BYTES
    } else {
        MAX_BODY_BYTES
    };
    let body = axum::body::to_bytes(body, most).await.map_err(|_| too_large())?;
    let packed = parts
        .headers
        .get("content-encoding")
        .is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"gzip"));
    let body = if packed {
        unpack(&body, most).ok_or_else(too_large)?
    } else {
        body
    };
    let raw_path = parts.uri.path().to_owned();
    let path = segments(&raw_path);
    let query = decode_form(parts.uri.query().unwrap_or_default());
    // Clients that lack PATCH send POST with the method as a parameter [from memory].
    let method = query
        .iter()
        .find(|(name, _)| name == "_HttpMethod")
        .filter(|_| parts.method == Method::POST)
        .and_then(|(_, method)| Method::from_bytes(method.as_bytes()).ok())
        .unwrap_or(parts.method);
    Ok(Call {
        method,
        raw_path,
        path,
        query,
        headers: parts.headers,
        body,
    })
}

fn unpack(body: &[u8], most: usize) -> Option<Bytes> {
    let mut out = Vec::new();
    let limit = u64::try_from(most).ok()?;
    GzDecoder::new(body).take(limit + 1).read_to_end(&mut out).ok()?;
    (out.len() <= most).then(|| out.into())
}
