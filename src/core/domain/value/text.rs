//! Texts (of all kinds: Salesforce keeps e-mail addresses, numbers of telephones and URLs as they were typed) and
//! booleans.

use bytes::Bytes;

use super::json::{Json, quoted};
use super::{Inbound, Normal, Outbound, ValueError};
use crate::domain::salesforce_value::SalesforceValue;

/// Text is trimmed and empty text is null, as Salesforce does on save (contract.md 7.3).
pub(super) fn to_salesforce(raw: &Bytes, json: &Json<'_>) -> Result<Outbound, ValueError> {
    let text = match json {
        Json::Null => return Ok(Outbound::null()),
        Json::Text(text) => text,
        other => return Err(other.not("a string or null")),
    };
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(Outbound::null());
    }
    let as_it_is = trimmed.len() == text.len();
    let json = if as_it_is {
        raw.slice_ref(raw.trim_ascii())
    } else {
        quoted(trimmed).into()
    };
    Ok(Outbound::new(json, Normal::text(trimmed)))
}

pub(super) fn to_product(value: &SalesforceValue) -> Result<Inbound, ValueError> {
    Ok(match text_of(value)? {
        Some(text) => Inbound::new(quoted(text), Normal::text(text)),
        None => Inbound::null(),
    })
}

/// A checkbox is never null: no value is false.
pub(super) fn boolean_to_salesforce(json: &Json<'_>) -> Result<Outbound, ValueError> {
    match json {
        Json::Null => Ok(Outbound::new("false", Normal::boolean(false))),
        Json::Boolean(value) => Ok(Outbound::new(boolean_text(*value), Normal::boolean(*value))),
        other => Err(other.not("true, false or null")),
    }
}

/// Bulk results write checkboxes as text.
pub(super) fn boolean_to_product(value: &SalesforceValue) -> Result<Inbound, ValueError> {
    let value = match value {
        SalesforceValue::Null => false,
        SalesforceValue::Bool(value) => *value,
        SalesforceValue::Text(text) if text.eq_ignore_ascii_case("true") => true,
        SalesforceValue::Text(text) if text.is_empty() || text.eq_ignore_ascii_case("false") => false,
        other => return Err(not(other, "a boolean")),
    };
    Ok(Inbound::new(boolean_text(value), Normal::boolean(value)))
}

fn boolean_text(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// The trimmed text of a Salesforce value; none for null and for nothing but blanks.
pub(super) fn text_of(value: &SalesforceValue) -> Result<Option<&str>, ValueError> {
    match value {
        SalesforceValue::Null => Ok(None),
        SalesforceValue::Text(text) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
        other => Err(not(other, "text")),
    }
}

/// The error that Salesforce gave another type.
pub(super) fn not(value: &SalesforceValue, expected: &'static str) -> ValueError {
    let got = match value {
        SalesforceValue::Null => "null",
        SalesforceValue::Bool(_) => "a boolean",
        SalesforceValue::Int(_) => "a whole number",
        SalesforceValue::Double(_) => "a number",
        SalesforceValue::Text(_) => "text",
    };
    ValueError::WrongType { expected, got }
}
