//! Values as REST answers hold them.

use serde_json::value::RawValue;

use super::ValueError;
use super::json::Json;
use crate::domain::salesforce_value::SalesforceValue;

/// A field's value in a REST answer. Numbers stay text, as written. Objects and arrays (compound fields, blobs) are no
/// values: only their components are mapped.
pub fn from_rest(json: &RawValue) -> Result<SalesforceValue, ValueError> {
    match Json::read(json.get().as_bytes())? {
        Json::Null => Ok(SalesforceValue::Null),
        Json::Boolean(value) => Ok(SalesforceValue::Bool(value)),
        Json::Number(text) => Ok(SalesforceValue::Text(text.into())),
        Json::Text(text) => Ok(SalesforceValue::Text(text.into())),
        other @ (Json::List(_) | Json::Object) => Err(other.not("a single value")),
    }
}
