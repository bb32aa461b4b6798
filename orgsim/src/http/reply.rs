//! Answers and their error bodies (contract 2.2).

use std::borrow::Cow;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use serde_json::{Value, json};

use crate::faults::Spoilt;
use crate::org::{Duplicates, RowError, code, write_string};

/// Smaller bodies are not worth packing.
const GZIP_FROM_BYTES: usize = 1_024;
/// Media type of every JSON answer [V:CCI-CASS].
pub(super) const JSON: &str = "application/json;charset=UTF-8";

/// One answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(Cow<'static, str>, String)>,
    pub(super) body: String,
}

impl Reply {
    /// JSON text.
    pub(super) fn json(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), JSON.to_owned())],
            body: body.into(),
        }
    }

    /// No body.
    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// The same with one more header.
    pub(super) fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// An error of no field: `[{"message":…,"errorCode":…}]`.
pub(super) fn error(status: u16, code: &str, message: &str) -> Reply {
    let mut body = String::from("[{\"message\":");
    write_string(&mut body, message);
    body.push_str(",\"errorCode\":");
    write_string(&mut body, code);
    body.push_str("}]");
    Reply::json(status, body)
}

/// A refused row as the answer of a call on a single row.
pub(super) fn row_error(error: &RowError) -> Reply {
    let status = match error.code {
        code::NOT_FOUND | code::DELETED => 404,
        code::CROSS_REFERENCE if error.fields.is_empty() => 404,
        _ => 400,
    };
    match error.code {
        // A path that names no row: the code first, no fields [R cci].
        code::NOT_FOUND => not_found(&error.message),
        code::CROSS_REFERENCE if error.fields.is_empty() => not_found(&RowError::not_found().message),
        _ => {
            let mut body = String::from("[");
            write_errors(&mut body, "errorCode", error);
            body.push(']');
            Reply::json(status, body)
        }
    }
}

fn not_found(message: &str) -> Reply {
    let mut body = String::from("[{\"errorCode\":\"NOT_FOUND\",\"message\":");
    write_string(&mut body, message);
    body.push_str("}]");
    Reply::json(404, body)
}

/// Writes an error and what else is wrong with its row, with commas between; `code_key` as for one of them.
pub(super) fn write_errors(out: &mut String, code_key: &str, error: &RowError) {
    write_error(out, code_key, error);
    for more in &error.also {
        out.push(',');
        write_error(out, code_key, more);
    }
}

/// Writes `{"message":…,"errorCode":…,"fields":[…]}`; `code_key` is `statusCode` inside of row results.
fn write_error(out: &mut String, code_key: &str, error: &RowError) {
    let code = |out: &mut String| {
        write_string(out, code_key);
        out.push(':');
        write_string(out, error.code);
    };
    out.push('{');
    // Rows of collections do not tell which rows are there already [V:D-ALLORNONE].
    if let Some(duplicates) = error.duplicates.as_ref().filter(|_| code_key == "errorCode") {
        out.push_str("\"duplicateResult\":");
        out.push_str(&duplicate_result(duplicates, &error.message).to_string());
        out.push(',');
    }
    if code_key == "statusCode" {
        code(out);
        out.push_str(",\"message\":");
        write_string(out, &error.message);
    } else {
        out.push_str("\"message\":");
        write_string(out, &error.message);
        out.push(',');
        code(out);
    }
    out.push_str(",\"fields\":[");
    for (i, field) in error.fields.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_string(out, field);
    }
    out.push_str("]}");
}

/// [V:WSDL and PY-DUP for the members, C for their values]
fn duplicate_result(duplicates: &Duplicates, message: &str) -> Value {
    let records: Vec<Value> = duplicates
        .ids
        .iter()
        .map(|id| {
            let url = format!("/services/data/v67.0/sobjects/{}/{id}", duplicates.object);
            json!({"additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100.0,
                "record": {"attributes": {"type": duplicates.object, "url": url}, "Id": id}})
        })
        .collect();
    json!({"allowSave": duplicates.allow_save, "duplicateRule": duplicates.rule, "duplicateRuleEntityType": duplicates.object,
        "errorMessage": message, "matchResults": [{"entityType": duplicates.object, "errors": [], "matchEngine": "ExactMatchEngine",
            "matchRecords": records, "rule": duplicates.rule, "size": duplicates.ids.len(), "success": true}]})
}

/// The page that the edge of the platform answers with.
pub(super) fn html(status: u16, title: &str) -> Reply {
    let body = format!("<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n");
    Reply {
        status,
        headers: vec![("content-type".into(), "text/html;charset=UTF-8".to_owned())],
        body,
    }
}

/// What stands in the way of a call: a given body, JSON where it begins like JSON, or a page.
pub(super) fn spoilt(spoilt: &Spoilt) -> Reply {
    let status = spoilt.status;
    let mut reply = match spoilt.body.as_deref() {
        None => html(status, "We are down for maintenance."),
        Some(body) if body.starts_with(['{', '[']) => Reply::json(status, body),
        Some(body) => Reply {
            body: body.to_owned(),
            ..html(status, "")
        },
    };
    for (name, value) in &spoilt.headers {
        reply = reply.with(name.to_lowercase(), value.clone());
    }
    reply
}

/// Whether the client takes packed answers.
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers
        .get("accept-encoding")
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.contains("gzip"))
}

/// The packed body, when that is worth it.
pub(super) fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    if body.len() < GZIP_FROM_BYTES {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}
