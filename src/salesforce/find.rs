//! Looking for records by values: one SOQL query, read to its end within bounds (contract.md 2.3 and 5).

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::value::RawValue;
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::engine::call::{FindCall, Literal, ReadRow};
use tandem_core::engine::classify::{CallFault, Class};

use super::collections::api_name;
use super::request::{Call, Caller};

/// Pages of one answer that are read. Wide rows shrink a page to 200 and less (contract.md 5).
const PAGES_MAX: usize = 40;

/// All that a URL's query may not hold as it is.
pub(super) const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Asks, page by page.
pub(super) async fn find(caller: &Caller, call: FindCall) -> Result<Vec<ReadRow>, CallFault> {
    let mut path = format!("/query?q={}", utf8_percent_encode(&soql(&call)?, ESCAPED));
    let mut found = Vec::new();
    for _ in 0..PAGES_MAX {
        let page = caller
            .call(Call {
                method: Method::GET,
                path: path.clone(),
                body: None,
                writes: false,
            })
            .await;
        let next = read_page(&page.body?, &mut found)?;
        match next {
            Some(next) if found.len() < FindCall::FOUND_MAX => path = format!("/query/{next}"),
            _ => {
                found.truncate(FindCall::FOUND_MAX);
                return Ok(found);
            }
        }
    }
    Err(garbled("the answer has too many pages"))
}

/// The query.
fn soql(call: &FindCall) -> Result<String, CallFault> {
    let mut text = String::from("SELECT Id");
    for field in call.fields.iter().filter(|f| !f.eq_ignore_ascii_case("Id")) {
        // Writing to a string cannot fail, here and below.
        let _infallible = write!(text, ",{}", api_name(field)?);
    }
    let _infallible = write!(text, " FROM {}", api_name(&call.sobject)?);
    for (at, (field, values)) in call.any_of.iter().enumerate() {
        let word = if at == 0 { "WHERE" } else { "AND" };
        let _infallible = write!(text, " {word} {} IN (", api_name(field)?);
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            put_literal(&mut text, value);
        }
        text.push(')');
    }
    let _infallible = write!(text, " LIMIT {}", FindCall::FOUND_MAX);
    Ok(text)
}

/// Quotes, and escapes what SOQL reads as something else (SOQL reference, reserved characters; from memory).
fn put_literal(text: &mut String, value: &Literal) {
    let value = match value {
        Literal::Number(digits) => return text.push_str(digits),
        Literal::Text(value) => value,
    };
    text.push('\'');
    for c in value.chars() {
        match c {
            '\'' => text.push_str("\\'"),
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c => text.push(c),
        }
    }
    text.push('\'');
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    #[serde(borrow)]
    records: Vec<&'a RawValue>,
    done: bool,
    next_records_url: Option<String>,
}

#[derive(Deserialize)]
struct Identified<'a> {
    #[serde(rename = "Id")]
    id: &'a str,
}

/// Takes a page's records; the locator of the next page, if there is one.
fn read_page(body: &Bytes, found: &mut Vec<ReadRow>) -> Result<Option<Arc<str>>, CallFault> {
    let page: Page<'_> = serde_json::from_slice(body).map_err(|_| garbled("the answer is no page of records"))?;
    for row in page.records {
        let id = serde_json::from_str::<Identified<'_>>(row.get())
            .ok()
            .and_then(|row| SalesforceId::parse(row.id).ok())
            .ok_or_else(|| garbled("a record has no id"))?;
        let fields = Some(body.slice_ref(row.get().as_bytes()));
        found.push(ReadRow { id, fields });
    }
    if page.done {
        return Ok(None);
    }
    let url = page.next_records_url.unwrap_or_default();
    let locator = url.rsplit('/').next().unwrap_or_default();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if locator.is_empty() || !locator.bytes().all(plain) {
        return Err(garbled("the answer does not say where its next page is"));
    }
    Ok(Some(locator.into()))
}

/// A query changes nothing, so a garbled answer is asked for again.
fn garbled(detail: &str) -> CallFault {
    CallFault {
        class: Class::Retry,
        status: 200,
        code: "NOT_UNDERSTOOD".into(),
        detail: detail.to_owned(),
        retry_after: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(values: &[&str]) -> FindCall {
        let values = values.iter().map(|v| Literal::Text((*v).to_owned())).collect();
        FindCall {
            sobject: "Contact".into(),
            fields: vec!["Email".into(), "Id".into()],
            any_of: vec![
                ("Email".into(), values),
                ("Level__c".into(), vec![Literal::Number("7".to_owned())]),
            ],
        }
    }

    #[test]
    fn values_are_quoted_so_that_none_ends_the_query() {
        let text = soql(&call(&["o'hara@x.org", "a\\b\n"])).unwrap();
        assert_eq!(
            text,
            "SELECT Id,Email FROM Contact WHERE Email IN ('o\\'hara@x.org','a\\\\b\\n') AND Level__c IN (7) LIMIT 2000"
        );
    }

    #[test]
    fn names_that_are_no_names_are_not_sent() {
        let mut wrong = call(&["x"]);
        wrong.fields.push("Id FROM User".into());
        assert_eq!(soql(&wrong).unwrap_err().class, Class::Configuration);
    }

    /// The machine cuts its look-ups by this estimate: it must never be below what is sent.
    #[test]
    fn the_estimated_length_holds() {
        for values in [
            &["ada@example.org", "o'h\"a\\ra", "žluťoučký kůň", "\t\n\r", ""][..],
            &["x"; 200],
        ] {
            let call = call(values);
            let sent = utf8_percent_encode(&soql(&call).unwrap(), ESCAPED).to_string();
            assert!(
                sent.len() <= call.query_bytes(),
                "{} > {}",
                sent.len(),
                call.query_bytes()
            );
        }
    }

    #[test]
    fn pages_are_read_to_the_end() {
        let mut found = Vec::new();
        let first = Bytes::from_static(
            br#"{"totalSize":2,"done":false,"nextRecordsUrl":"/services/data/v67.0/query/0r8xx0-2000","records":[{"attributes":{"type":"Contact"},"Id":"003000000000001AAA","Email":"a@x.org"}]}"#,
        );
        assert_eq!(read_page(&first, &mut found).unwrap().as_deref(), Some("0r8xx0-2000"));
        let last = Bytes::from_static(br#"{"totalSize":2,"done":true,"records":[{"Id":"003000000000002AAA"}]}"#);
        assert_eq!(read_page(&last, &mut found).unwrap(), None);
        assert_eq!(found.len(), 2);
        let lost = Bytes::from_static(br#"{"done":false,"records":[]}"#);
        assert_eq!(read_page(&lost, &mut found).unwrap_err().class, Class::Retry);
    }
}
