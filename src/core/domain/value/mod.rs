//! Values between the two worlds, and the normal form in which both can be compared.
//!
//! Whatever way a value came (the product's JSON, REST or Bulk text, a change event), the same value gives the same
//! [`Normal`]. Salesforce does not keep every value as it was sent (contract.md 7.3): it trims text, makes `""` null,
//! drops milliseconds, keeps 15 digits. Normal forms leave out exactly that, so an echo is known for an echo.

mod choice;
mod error;
#[cfg(test)]
mod golden_test;
mod json;
mod moment;
mod normal;
mod number;
#[cfg(test)]
mod property_test;
mod reference;
mod rest;
mod text;
#[cfg(test)]
mod wrong_test;

use bytes::Bytes;

pub use error::ValueError;
pub use moment::parse_instant_ms;
pub use normal::Normal;
pub use rest::from_rest;

use super::payload::RawJson;
use super::plan::{FieldPlan, Kind};
use super::salesforce_id::SalesforceId;
use crate::domain::salesforce_value::SalesforceValue;
use json::Json;

/// A product's value on its way to Salesforce.
#[derive(Clone, PartialEq, Eq)]
pub struct Outbound {
    /// The JSON value to send. Empty for a reference to a parent: the caller writes its Salesforce id or external id.
    pub json: Bytes,
    /// What to hash; for references the parent's key.
    pub normal: Normal,
}

/// A Salesforce value on its way to the product.
#[derive(Clone, PartialEq, Eq)]
pub struct Inbound {
    /// What the event says.
    pub told: Told,
    /// What to hash.
    pub normal: Normal,
}

/// What an event can say of a value.
#[derive(Clone, PartialEq, Eq)]
pub enum Told {
    /// The value in product terms.
    Value(RawJson),
    /// A reference to a parent that has no key (yet): leave the field out of the event. The normal form is the id's,
    /// so a base with it differs from every key, and the field is told once the parent has one.
    ParentWithoutKey(SalesforceId),
}

/// What to send for a product's value of this field.
///
/// Decimals are rounded half away from zero to the field's scale where it is known and are byte-exact otherwise;
/// picklists go through the map; multi-picklists are joined with `;` in sorted order; datetimes become UTC, whole
/// seconds; text is trimmed and `""` becomes null; a null boolean becomes false.
pub fn to_salesforce(field: &FieldPlan, raw: &RawJson) -> Result<Outbound, ValueError> {
    let json = Json::read(raw.expose())?;
    match field.kind {
        Kind::Text | Kind::Email | Kind::Phone | Kind::Url => text::to_salesforce(raw.expose(), &json),
        Kind::Boolean => text::boolean_to_salesforce(&json),
        Kind::Integer => number::integer_to_salesforce(&json),
        Kind::Decimal => number::decimal_to_salesforce(raw.expose(), &json, field.scale),
        Kind::Date => moment::date_to_salesforce(&json),
        Kind::Datetime => moment::datetime_to_salesforce(&json),
        Kind::Picklist => choice::one_to_salesforce(&field.values, &json),
        Kind::Multipicklist => choice::some_to_salesforce(&field.values, &json),
        Kind::Reference => reference::to_salesforce(&json),
    }
}

/// What to tell the product of a Salesforce value of this field. `parent_key` is the key of the record that a
/// reference names, where it has one.
pub fn to_product(field: &FieldPlan, value: &SalesforceValue, parent_key: Option<&str>) -> Result<Inbound, ValueError> {
    match field.kind {
        Kind::Text | Kind::Email | Kind::Phone | Kind::Url => text::to_product(value),
        Kind::Boolean => text::boolean_to_product(value),
        Kind::Integer => number::integer_to_product(value),
        Kind::Decimal => number::decimal_to_product(value, field.scale),
        Kind::Date => moment::date_to_product(value),
        Kind::Datetime => moment::datetime_to_product(value),
        Kind::Picklist => choice::one_to_product(&field.values, value),
        Kind::Multipicklist => choice::some_to_product(&field.values, value),
        Kind::Reference => reference::to_product(value, parent_key),
    }
}

impl Outbound {
    fn null() -> Self {
        Self {
            json: Bytes::from_static(b"null"),
            normal: Normal::null(),
        }
    }

    fn new(json: impl Into<Bytes>, normal: Normal) -> Self {
        Self {
            json: json.into(),
            normal,
        }
    }
}

impl Inbound {
    fn null() -> Self {
        Self {
            told: Told::Value(RawJson::null()),
            normal: Normal::null(),
        }
    }

    fn new(json: impl Into<Bytes>, normal: Normal) -> Self {
        Self {
            told: Told::Value(RawJson::from_checked(json)),
            normal,
        }
    }
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outbound({} bytes)", self.json.len())
    }
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.told {
            Told::Value(json) => write!(f, "Inbound({} bytes)", json.expose().len()),
            Told::ParentWithoutKey(_) => f.write_str("Inbound(parent without key)"),
        }
    }
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(json) => write!(f, "Value({} bytes)", json.expose().len()),
            Self::ParentWithoutKey(id) => write!(f, "ParentWithoutKey({id})"),
        }
    }
}
