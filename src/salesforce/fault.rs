//! Calls that gave no result: what status, body and the way they ended mean.
//!
//! A write that may have been sent and got no whole, understood answer is `Unknown`: it is found out, never guessed.

use std::borrow::Cow;

use serde::Deserialize;
use tandem_core::engine::classify::{self, CallFault, Class};

use super::client::{NoReply, Reply};

/// Longest text of Salesforce's that is passed on, in characters.
const WORDS_MAX: usize = 200;
/// Longest code, in bytes.
const CODE_BYTES_MAX: usize = 100;

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
    Words {
        code: code(&error.code).map(str::to_owned),
        message: error.message.into_owned(),
    }
}

/// A text of Salesforce's that may be shown as a code: `STRING_TOO_LONG`, `InvalidSessionId`, `invalid_grant`. Codes go
/// where values must not, so what does not look like one is none: an address, a number, a token.
pub(super) fn code(text: &str) -> Option<&str> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let any = |of: fn(&u8) -> bool| text.bytes().any(|b| of(&b));
    let small_with_digits = any(u8::is_ascii_lowercase) && any(u8::is_ascii_digit);
    let is_code = text.len() <= CODE_BYTES_MAX && text.bytes().all(word) && any(u8::is_ascii_alphabetic);
    (is_code && !small_with_digits).then_some(text)
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
        detail: detail(status, code),
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

/// Salesforce's words are left out: those of a query hold the values it looked for, those of a row what was refused.
fn detail(status: u16, code: Option<&str>) -> String {
    match code {
        Some(code) => format!("Salesforce answered HTTP {status} {code}"),
        None => format!("Salesforce answered HTTP {status} without an error code"),
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
        let table: [(&[u8], Option<&str>, &str); 10] = [
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
            (br#"[{"errorCode":"zq4ac9"}]"#, None, ""),
            (br#"[{"errorCode":"CUT","#, None, ""),
            (b"\xff\xfe", None, ""),
        ];
        for (body, code, message) in table {
            let read = words(body);
            assert_eq!((read.code.as_deref(), read.message.as_str()), (code, message));
        }
    }

    #[test]
    fn only_what_looks_like_a_code_is_shown_as_one() {
        for good in ["STRING_TOO_LONG", "API_DISABLED_2", "InvalidSessionId", "invalid_grant"] {
            assert_eq!(code(good), Some(good));
        }
        let long = "X".repeat(CODE_BYTES_MAX + 1);
        for bad in [
            "",
            "ada@example.org",
            "Ada Lovelace",
            "+4412345",
            "4412345",
            "00D1!AQ8",
            "9f86d081884c",
            &long,
        ] {
            assert_eq!(code(bad), None, "{bad}");
        }
    }

    #[test]
    fn salesforces_words_stay_out_of_a_fault() {
        let message = r"WHERE Email IN ('ada@example.org') ^ ERROR at Row:1:Column:12";
        let words = Words {
            code: Some("INVALID_FIELD".to_owned()),
            message: message.to_owned(),
        };
        let reply = Reply {
            status: 400,
            body: bytes::Bytes::new(),
            usage: None,
            retry_after: None,
            took: std::time::Duration::ZERO,
        };
        let fault = of_reply(&reply, &words, false);
        assert_eq!(fault.detail, "Salesforce answered HTTP 400 INVALID_FIELD");
    }
}
