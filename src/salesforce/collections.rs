//! sObject Collections: up to 200 rows of one sObject in one call (contract.md 3.2).
//!
//! Bodies are spliced from the rows' members as they came. Answers are read strictly: unless every row's outcome is
//! there and fits the row, the outcome of the whole batch is unknown.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use http::Method;
use serde::Deserialize;
use tandem_core::domain::payload::PersonalText;
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::engine::call::{WriteCall, WriteRow};
use tandem_core::engine::classify::{self, CallFault, Class, RowFault, RowOutcome};
use tandem_core::engine::commit::Verb;

use super::fault;
use super::request::Call;

/// Longest API name of an object or field, in bytes (namespace, name and suffix).
const API_NAME_BYTES_MAX: usize = 80;
/// Errors of one row that are looked at.
const ERRORS_MAX: usize = 20;
/// Longest message that is kept of a row's error, in characters.
const MESSAGE_CHARS_MAX: usize = 1_000;

/// Checks a name that becomes part of a URL.
pub(super) fn api_name(name: &str) -> Result<&str, CallFault> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if plain && !name.is_empty() && name.len() <= API_NAME_BYTES_MAX {
        return Ok(name);
    }
    Err(fault::unsendable(
        "NAME_REFUSED",
        format!("'{}' is no API name of Salesforce", fault::cut(name)),
    ))
}

/// The HTTP side of a write.
pub(super) fn request(call: &WriteCall) -> Result<Call, CallFault> {
    if call.rows.is_empty() || call.rows.len() > WriteCall::ROWS_MAX {
        let detail = format!(
            "a call takes 1 to {} rows, not {}",
            WriteCall::ROWS_MAX,
            call.rows.len()
        );
        return Err(fault::unsendable("ROWS_REFUSED", detail));
    }
    let sobject = api_name(&call.sobject)?;
    let (method, path, body) = match call.verb {
        Verb::Update => (
            Method::PATCH,
            "/composite/sobjects".to_owned(),
            Some(records(sobject, &call.rows, true)?),
        ),
        Verb::Create => {
            let path = format!("/composite/sobjects/{sobject}/{}", api_name(&call.external_id)?);
            (Method::PATCH, path, Some(records(sobject, &call.rows, false)?))
        }
        Verb::Delete => {
            let ids = call
                .rows
                .iter()
                .map(|row| id_of(row).map(|id| id.to_string()))
                .collect::<Result<Vec<_>, _>>()?;
            (
                Method::DELETE,
                format!("/composite/sobjects?ids={}&allOrNone=false", ids.join(",")),
                None,
            )
        }
    };
    Ok(Call {
        method,
        path,
        body,
        writes: true,
    })
}

fn id_of(row: &WriteRow) -> Result<SalesforceId, CallFault> {
    row.id
        .ok_or_else(|| fault::unsendable("ROW_WITHOUT_ID", "a row to update or delete has no id".to_owned()))
}

fn records(sobject: &str, rows: &[WriteRow], with_id: bool) -> Result<Bytes, CallFault> {
    const ROW_OVERHEAD: usize = 80;
    let size = rows
        .iter()
        .map(|r| r.members.len() + sobject.len() + ROW_OVERHEAD)
        .sum::<usize>();
    let mut body = BytesMut::with_capacity(size + ROW_OVERHEAD);
    body.put_slice(br#"{"allOrNone":false,"records":["#);
    for (at, row) in rows.iter().enumerate() {
        if at > 0 {
            body.put_u8(b',');
        }
        // attributes come first: Salesforce refuses rows that name them later (observed.md).
        body.put_slice(br#"{"attributes":{"type":""#);
        body.put_slice(sobject.as_bytes());
        body.put_slice(br#""}"#);
        if with_id {
            body.put_slice(br#","id":""#);
            body.put_slice(id_of(row)?.to_string().as_bytes());
            body.put_u8(b'"');
        }
        if !row.members.is_empty() {
            body.put_u8(b',');
            body.put_slice(&row.members);
        }
        body.put_u8(b'}');
    }
    body.put_slice(b"]}");
    Ok(body.freeze())
}

/// Text that borrows from the body where nothing in it is escaped.
#[derive(Deserialize, Default)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct RowAnswer<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    success: bool,
    #[serde(default)]
    created: Option<bool>,
    #[serde(borrow, default)]
    errors: Vec<RowError<'a>>,
}

#[derive(Deserialize)]
struct RowError<'a> {
    #[serde(borrow, default, rename = "statusCode")]
    code: Text<'a>,
    #[serde(borrow, default)]
    message: Text<'a>,
    #[serde(borrow, default)]
    fields: Option<Vec<Text<'a>>>,
}

/// Reads the answer to `call`. `sequence` is the object's sequence field, where its fence is installed.
pub(super) fn outcomes(call: &WriteCall, sequence: Option<&str>, body: &[u8]) -> Result<Vec<RowOutcome>, CallFault> {
    let rows: Vec<RowAnswer<'_>> = serde_json::from_slice(body).map_err(|e| {
        let code = if e.is_eof() { "TRUNCATED" } else { "NOT_UNDERSTOOD" };
        unknown(
            code,
            format!("the answer of {} bytes breaks at byte {}", body.len(), e.column()),
        )
    })?;
    if rows.len() != call.rows.len() {
        let detail = format!("{} rows were sent and {} answered", call.rows.len(), rows.len());
        return Err(unknown("TRUNCATED", detail));
    }
    rows.iter()
        .zip(&call.rows)
        .map(|(answer, sent)| outcome(call, sequence, answer, sent))
        .collect()
}

fn outcome(
    call: &WriteCall,
    sequence: Option<&str>,
    answer: &RowAnswer<'_>,
    sent: &WriteRow,
) -> Result<RowOutcome, CallFault> {
    let named = answer
        .id
        .as_ref()
        .filter(|id| !id.0.is_empty())
        .map(|id| SalesforceId::parse(&id.0))
        .transpose();
    let named = named.map_err(|_| {
        unknown(
            "NOT_UNDERSTOOD",
            "a row was answered with an id that is none".to_owned(),
        )
    })?;
    if let (Some(named), Some(sent)) = (named, sent.id)
        && named != sent
    {
        return Err(unknown(
            "NOT_UNDERSTOOD",
            "rows were answered in another order than they were sent".to_owned(),
        ));
    }
    if !answer.success {
        return Ok(RowOutcome::Failed(fault_of(call, sequence, answer)));
    }
    // An id that the answer leaves out is known where the row was sent by id.
    let id = named
        .or(sent.id)
        .ok_or_else(|| unknown("NOT_UNDERSTOOD", "a created row has no id".to_owned()))?;
    let created = call.verb == Verb::Create && answer.created.unwrap_or(false);
    Ok(RowOutcome::Done { id, created })
}

fn fault_of(call: &WriteCall, sequence: Option<&str>, answer: &RowAnswer<'_>) -> RowFault {
    answer
        .errors
        .iter()
        .take(ERRORS_MAX)
        .map(|error| {
            let fields: Vec<Arc<str>> = error.fields.iter().flatten().map(|f| Arc::from(f.0.as_ref())).collect();
            let class = classify::row(&error.code.0, &fields, &error.message.0, sequence, &call.external_id);
            let message = PersonalText::new(error.message.0.chars().take(MESSAGE_CHARS_MAX).collect::<String>());
            RowFault {
                class,
                code: fault::code(&error.code.0).unwrap_or("NO_CODE").into(),
                fields,
                message,
            }
        })
        // The first of the weightiest: `max_by_key` would take the last.
        .reduce(|best, next| {
            if weight(next.class) > weight(best.class) {
                next
            } else {
                best
            }
        })
        .unwrap_or_else(|| RowFault {
            class: Class::Reject,
            code: "NO_ERROR_GIVEN".into(),
            fields: Vec::new(),
            message: PersonalText::new("Salesforce refused the row and named no error"),
        })
}

/// A row can have several errors: the one that decides. A stale write is stale whatever else is wrong with it; what
/// will not pass by waiting goes before what will.
fn weight(class: Class) -> u8 {
    match class {
        Class::Fence => 9,
        Class::Gone => 8,
        Class::Configuration => 7,
        Class::Reject => 6,
        Class::Conflict => 5,
        Class::Reauthorise => 4,
        Class::SlowDown => 3,
        Class::Concurrency => 2,
        Class::Unknown => 1,
        Class::Retry => 0,
    }
}

fn unknown(code: &str, detail: String) -> CallFault {
    CallFault {
        class: Class::Unknown,
        status: 200,
        code: code.into(),
        detail,
        retry_after: None,
    }
}
