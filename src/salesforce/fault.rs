//! Calls that gave no result: what status, body and the way they ended mean.
//!
//! A write that may have been sent and got no whole, understood answer is `Unknown`: it is found out, never guessed.

use std::borrow::Cow;

use serde::Deserialize;
use tandem_core::engine::classify::{self, CallFault, Class};

use super::client::{NoReply, Reply};

/// Longest text of Salesforce's that is passed on, in characters.
const WORDS_MAX: usize = 200;

/// Messages of these codes name API objects and settings, never record data.
const HARMLESS: [&str; 10] = [
    "INVALID_SESSION_ID",
    "INVALID_AUTH_HEADER",
    "REQUEST_LIMIT_EXCEEDED",
    "API_DISABLED_FOR_ORG",
    "API_CURRENTLY_DISABLED",
    "INVALID_FIELD",
    "INVALID_TYPE",
    "NOT_FOUND",
    "UNSUPPORTED_API_VERSION",
    "INSUFFICIENT_ACCESS",
];

/// Codes that say that the call was rolled back whole, whatever the status says (observed.md: 500 with a lock).
const CERTAINLY_NOT_DONE: [&str; 3] = ["UNABLE_TO_LOCK_ROW", "REQUEST_LIMIT_EXCEEDED", "SERVER_UNAVAILABLE"];

/// The first error that a body tells of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) code: Option<String>,
    pub(super) message: String,
}

#[derive(Deserialize)]
struct RestError<'a> {
    #[serde(borrow, default, rename = "errorCode", alias = "error")]
    code: Cow<'a, str>,
    #[serde(borrow, default, alias = "error_description")]
    message: Cow<'a, str>,
}

/// Reads all shapes of error bodies (contract.md 2.2): arrays, objects, HTML, nothing.
pub(super) fn words(body: &[u8]) -> Words {
    let first = match body.trim_ascii_start().first() {
        Some(b'[') => serde_json::from_slice::<Vec<RestError<'_>>>(body)
            .ok()
            .and_then(|all| all.into_iter().next()),
        Some(b'{') => serde_json::from_slice(body).ok(),
        _ => None,
    };
    let Some(error) = first else { return Words::default() };
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let code = Some(error.code).filter(|c| !c.is_empty() && c.len() <= 100 && c.bytes().all(word));
    Words {
        code: code.map(Cow::into_owned),
        message: error.message.into_owned(),
    }
}

/// 401s that a new token does not cure (contract.md 1.9).
pub(super) fn is_policy(words: &Words) -> bool {
    classify::call(401, words.code.as_deref(), &words.message) != Class::Reauthorise
}

/// The fault of an answer that is no result.
pub(super) fn of_reply(reply: &Reply, words: &Words, writes: bool) -> CallFault {
    let Reply {
        status, retry_after, ..
    } = *reply;
    let code = words.code.as_deref();
    CallFault {
        class: class(status, words, writes),
        status,
        code: code.map_or_else(|| format!("HTTP_{status}"), str::to_owned).into(),
        detail: detail(status, words),
        retry_after,
    }
}

fn class(status: u16, words: &Words, writes: bool) -> Class {
    let code = words.code.as_deref();
    if writes {
        match status {
            // Success that says nothing: it may have happened.
            200..=299 => return Class::Unknown,
            // 503 is overload or maintenance, answered instead of work. All other 5xx: the server ran into something,
            // or a proxy lost it; work may have been done. The refusals before work (420: the edge knows no instance,
            // 429, and the bodyless 406) are below 500 (contract.md 2.1).
            500..=502 | 504.. if !code.is_some_and(|c| CERTAINLY_NOT_DONE.contains(&c)) => return Class::Unknown,
            _ => {}
        }
    }
    match classify::call(status, code, &words.message) {
        // A read changes nothing: it is asked again.
        Class::Unknown if !writes => Class::Retry,
        class => class,
    }
}

fn detail(status: u16, words: &Words) -> String {
    match words.code.as_deref() {
        Some(code) if HARMLESS.contains(&code) || status == 401 || status == 403 => {
            format!("Salesforce answered HTTP {status} {code}: {}", cut(&words.message))
        }
        Some(code) => format!("Salesforce answered HTTP {status} {code} (its words can hold record data)"),
        None => format!("Salesforce answered HTTP {status} without an error body"),
    }
}

/// The fault of a request that got no whole answer.
pub(super) fn of_no_reply(end: &NoReply, writes: bool) -> CallFault {
    CallFault {
        class: if writes && end.maybe_sent {
            Class::Unknown
        } else {
            Class::Retry
        },
        status: end.status,
        code: end.code.into(),
        detail: end.detail.clone(),
        retry_after: None,
    }
}

/// The fault of a call that is not sent at all: asked for in a way that Salesforce would not understand.
pub(super) fn unsendable(code: &str, detail: String) -> CallFault {
    CallFault {
        class: Class::Configuration,
        status: 0,
        code: code.into(),
        detail,
        retry_after: None,
    }
}

/// A text on one line, cut to what a log can take.
pub(super) fn cut(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(WORDS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shapes_of_error_bodies_are_read() {
        let table: [(&[u8], Option<&str>, &str); 9] = [
            (
                br#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#,
                Some("INVALID_SESSION_ID"),
                "Session expired or invalid",
            ),
            (
                br#"[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"},{"errorCode":"B"}]"#,
                Some("NOT_FOUND"),
                "The requested resource does not exist",
            ),
            (
                br#" {"error":"invalid_grant","error_description":"inactive user"}"#,
                Some("invalid_grant"),
                "inactive user",
            ),
            (b"<html><body>We are setting things up</body></html>", None, ""),
            (b"", None, ""),
            (b"[]", None, ""),
            (br#"[{"errorCode":"with blanks and <b>"}]"#, None, ""),
            (br#"[{"errorCode":"CUT","#, None, ""),
            (b"\xff\xfe", None, ""),
        ];
        for (body, code, message) in table {
            let read = words(body);
            assert_eq!((read.code.as_deref(), read.message.as_str()), (code, message));
        }
    }
}
