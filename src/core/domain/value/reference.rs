//! References: the parent's key here, its Salesforce id there.

use bytes::Bytes;

use super::json::{Json, quoted};
use super::text::text_of;
use super::{Inbound, Normal, Outbound, Told, ValueError};
use crate::domain::ids::RecordKey;
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::salesforce_value::SalesforceValue;

pub(super) fn to_salesforce(json: &Json<'_>) -> Result<Outbound, ValueError> {
    match json {
        Json::Null => Ok(Outbound::null()),
        Json::Text(key) if key.is_empty() => Ok(Outbound::null()),
        Json::Text(key) if RecordKey::is_key(key) => Ok(Outbound::new(Bytes::new(), Normal::key(key))),
        Json::Text(_) => Err(ValueError::BadKey),
        other => Err(other.not("the parent's key as a string, or null")),
    }
}

pub(super) fn to_product(value: &SalesforceValue, parent_key: Option<&str>) -> Result<Inbound, ValueError> {
    let Some(text) = text_of(value)? else {
        return Ok(Inbound::null());
    };
    let id = SalesforceId::parse(text).map_err(|_| ValueError::BadId)?;
    Ok(match parent_key {
        Some(key) => Inbound::new(quoted(key), Normal::key(key)),
        None => Inbound {
            told: Told::ParentWithoutKey(id),
            normal: Normal::id(&id.to_string()),
        },
    })
}
