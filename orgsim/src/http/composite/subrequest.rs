//! One call inside another one.

use axum::body::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

use super::super::data::{self, Session};
use super::super::reply::{self, Reply};
use super::super::request::Call;
use super::references::{Answers, Unresolved, fill, write_filled};
use crate::org::{Json, code, write_string};

/// Headers that a subrequest may not set [V:D-COMPREQ-JA].
const FORBIDDEN_HEADERS: [&str; 3] = ["accept", "authorization", "content-type"];
/// Headers of an answer that are told inside of a composite one [R cci; `Location` from memory].
const TOLD_HEADERS: [(&str, &str); 3] = [
    ("location", "Location"),
    ("etag", "ETag"),
    ("last-modified", "Last-Modified"),
];
/// Upper case only [V:D-COMPREQ-JA].
const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PATCH, Method::DELETE, Method::PUT];

/// Why a whole call is refused: code and words.
pub(super) type Malformed = (&'static str, String);

/// A subrequest as it was sent; URL and body may hold references.
#[derive(Debug)]
pub(super) struct Subrequest<'b> {
    pub(super) method: Method,
    pub(super) url: &'b str,
    pub(super) body: Option<&'b Json<'b>>,
    pub(super) headers: HeaderMap,
    /// Empty in a batch.
    pub(super) reference: &'b str,
}

impl<'b> Subrequest<'b> {
    /// Reads one; `body` is the name of its body's member.
    pub(super) fn read(value: &'b Json<'b>, body: &str) -> Result<Self, Malformed> {
        let text = |name: &str| value.get(name).and_then(Json::as_text).unwrap_or_default();
        let (method, url) = (text("method"), text("url"));
        let method = METHODS
            .into_iter()
            .find(|known| known.as_str() == method)
            .ok_or_else(|| (code::JSON, format!("Invalid HTTP method: '{method}'")))?;
        if url.is_empty() {
            return Err((
                code::MISSING_ARGUMENT,
                "The url of a subrequest is required.".to_owned(),
            ));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in value.get("httpHeaders").map(Json::members).unwrap_or_default() {
            if FORBIDDEN_HEADERS.iter().any(|f| name.eq_ignore_ascii_case(f)) {
                let text = format!("The header {name} may not be set in a subrequest.");
                return Err((code::JSON, text));
            }
            let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
            let value = value.as_text().and_then(|v| HeaderValue::from_str(v).ok());
            if let (Some(name), Some(value)) = (parsed, value) {
                headers.insert(name, value);
            }
        }
        Ok(Self {
            method,
            url,
            body: value.get(body).filter(|b| **b != Json::Null),
            headers,
            reference: text("referenceId"),
        })
    }

    /// The resource below the version, e.g. `["sobjects", "Account"]`, without what follows `?`.
    pub(super) fn resource(&self) -> Vec<&'b str> {
        let path = self.url.split('?').next().unwrap_or_default();
        let path = path.trim_start_matches('/');
        let path = path.strip_prefix("services/data/").unwrap_or(path);
        path.split('/').skip(1).filter(|s| !s.is_empty()).collect()
    }

    /// The call that it stands for, its references replaced.
    pub(super) fn call(&self, answers: &Answers) -> Result<Call, Unresolved> {
        let url = fill(self.url, answers)?;
        let mut body = String::new();
        if let Some(sent) = self.body {
            write_filled(&mut body, sent, answers)?;
        }
        Ok(Call::inner(
            self.method.clone(),
            &url,
            self.headers.clone(),
            Bytes::from(body),
        ))
    }

    /// Carries it out; what it refers to and is not there halts it [words from memory].
    pub(super) fn run(&self, outer: &Session<'_>, answers: &Answers) -> Reply {
        match self.call(answers) {
            Ok(call) => data::inner(outer, &call),
            Err(Unresolved(path)) => {
                let reference = path.split(['.', '[']).next().unwrap_or_default();
                halted(&format!(
                    "Invalid reference specified. No value for {path} found in {reference}"
                ))
            }
        }
    }
}

/// Writes an answer as a composite one tells it.
pub(super) fn write_told(out: &mut String, reference: &str, answer: &Reply) {
    out.push_str("{\"body\":");
    write_body(out, answer);
    out.push_str(",\"httpHeaders\":{");
    let told = TOLD_HEADERS.iter().filter_map(|(name, told)| {
        let (_, value) = answer.headers.iter().find(|(n, _)| n == name)?;
        Some((told, value))
    });
    for (i, (name, value)) in told.enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_string(out, name);
        out.push(':');
        write_string(out, value);
    }
    out.push_str(&format!("}},\"httpStatusCode\":{},\"referenceId\":", answer.status));
    write_string(out, reference);
    out.push('}');
}

/// Writes the body of an answer; null without one.
pub(super) fn write_body(out: &mut String, answer: &Reply) {
    if answer.body.starts_with(['{', '[', '"']) {
        out.push_str(&answer.body);
    } else {
        out.push_str("null");
    }
}

/// The body of an answer, for what refers to it.
pub(super) fn parsed(answer: &Reply) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_default()
}

/// A subrequest that was not carried out, or was taken back.
pub(super) fn halted(message: &str) -> Reply {
    reply::error(400, "PROCESSING_HALTED", message)
}
