//! Reads: records by id, and describes.

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::engine::call::ReadRow;
use tandem_core::engine::classify::{CallFault, Class};

use super::collections::api_name;
use super::fault;
use super::request::Call;

/// Records that one read takes (contract.md 3.2).
pub const IDS_MAX: usize = 2_000;

/// The HTTP side of a read by ids: `POST`, because 2,000 ids do not fit into a URL.
pub(super) fn by_ids(sobject: &str, ids: &[SalesforceId], fields: &[Arc<str>]) -> Result<Call, CallFault> {
    if ids.is_empty() || ids.len() > IDS_MAX {
        let detail = format!("a read takes 1 to {IDS_MAX} ids, not {}", ids.len());
        return Err(fault::unsendable("ROWS_REFUSED", detail));
    }
    let sobject = api_name(sobject)?;
    let mut body = String::with_capacity(ids.len() * 22 + fields.len() * 20 + 40);
    body.push_str(r#"{"ids":["#);
    for (at, id) in ids.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        // Writing to a string cannot fail.
        let _infallible = write!(body, r#"{comma}"{id}""#);
    }
    body.push_str(r#"],"fields":["Id""#);
    for field in fields.iter().filter(|f| !f.eq_ignore_ascii_case("Id")) {
        let _infallible = write!(body, r#","{}""#, api_name(field)?);
    }
    body.push_str("]}");
    let path = format!("/composite/sobjects/{sobject}");
    Ok(Call {
        method: Method::POST,
        path,
        body: Some(body.into()),
        writes: false,
    })
}

/// The HTTP side of a describe.
pub(super) fn describe(sobject: &str) -> Result<Call, CallFault> {
    let path = format!("/sobjects/{}/describe", api_name(sobject)?);
    Ok(Call {
        method: Method::GET,
        path,
        body: None,
        writes: false,
    })
}

#[derive(Deserialize)]
struct Identified<'a> {
    #[serde(rename = "Id")]
    id: &'a str,
}

/// Reads the answer: one element for each id, `null` for records that are gone or hidden.
pub(super) fn rows(ids: &[SalesforceId], body: &Bytes) -> Result<Vec<ReadRow>, CallFault> {
    let rows: Vec<Option<&RawValue>> = serde_json::from_slice(body).map_err(|e| {
        garbled(
            if e.is_eof() { "TRUNCATED" } else { "NOT_UNDERSTOOD" },
            "the answer is no array of records",
        )
    })?;
    if rows.len() != ids.len() {
        return Err(garbled(
            "TRUNCATED",
            "the answer has another number of records than were asked for",
        ));
    }
    ids.iter()
        .zip(rows)
        .map(|(id, row)| {
            let Some(row) = row else {
                return Ok(ReadRow { id: *id, fields: None });
            };
            let found = serde_json::from_str::<Identified<'_>>(row.get())
                .ok()
                .map(|r| SalesforceId::parse(r.id));
            if found != Some(Ok(*id)) {
                return Err(garbled(
                    "NOT_UNDERSTOOD",
                    "a record was answered in another one's place",
                ));
            }
            Ok(ReadRow {
                id: *id,
                fields: Some(body.slice_ref(row.get().as_bytes())),
            })
        })
        .collect()
}

/// A read changes nothing, so a garbled answer is asked for again.
fn garbled(code: &str, detail: &str) -> CallFault {
    CallFault {
        class: Class::Retry,
        status: 200,
        code: code.into(),
        detail: detail.to_owned(),
        retry_after: None,
    }
}
