//! Picklists: one of a list, or some of it. The map's right side is Salesforce's API names; what it does not list passes
//! as it is.

use std::collections::{BTreeMap, BTreeSet};

use super::json::{Json, quoted, strings};
use super::text::text_of;
use super::{Inbound, Normal, Outbound, ValueError};
use crate::domain::salesforce_value::SalesforceValue;

type Map = BTreeMap<String, String>;

/// Values that a multi-picklist holds at most (`TOO_MANY_ENUM_VALUE`, contract.md 6 no. 52).
const CHOICES_MAX: usize = 100;

pub(super) fn one_to_salesforce(map: &Map, json: &Json<'_>) -> Result<Outbound, ValueError> {
    match json {
        Json::Null => Ok(Outbound::null()),
        Json::Text(text) => Ok(match text.trim() {
            "" => Outbound::null(),
            chosen => {
                let chosen = there(map, chosen);
                Outbound::new(quoted(chosen), Normal::text(chosen))
            }
        }),
        other => Err(other.not("a string or null")),
    }
}

pub(super) fn one_to_product(map: &Map, value: &SalesforceValue) -> Result<Inbound, ValueError> {
    Ok(match text_of(value)? {
        Some(chosen) => Inbound::new(quoted(here(map, chosen)), Normal::text(chosen)),
        None => Inbound::null(),
    })
}

pub(super) fn some_to_salesforce(map: &Map, json: &Json<'_>) -> Result<Outbound, ValueError> {
    let list = match json {
        Json::Null => return Ok(Outbound::null()),
        Json::List(list) => strings(list)?,
        other => return Err(other.not("an array of strings or null")),
    };
    let chosen: BTreeSet<&str> = list
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty())
        .map(|text| there(map, text))
        .collect();
    if chosen.iter().any(|text| text.contains(';')) {
        return Err(ValueError::SemicolonInChoice);
    }
    if chosen.len() > CHOICES_MAX {
        return Err(ValueError::TooManyChoices);
    }
    if chosen.is_empty() {
        return Ok(Outbound::null());
    }
    let joined = joined(&chosen);
    Ok(Outbound::new(quoted(&joined), Normal::choices(&joined)))
}

pub(super) fn some_to_product(map: &Map, value: &SalesforceValue) -> Result<Inbound, ValueError> {
    let text = text_of(value)?.unwrap_or_default();
    let chosen: BTreeSet<&str> = text.split(';').map(str::trim).filter(|text| !text.is_empty()).collect();
    if chosen.is_empty() {
        return Ok(Inbound::null());
    }
    let told: BTreeSet<&str> = chosen.iter().map(|text| here(map, text)).collect();
    let told: Vec<Vec<u8>> = told.into_iter().map(quoted).collect();
    let json = [b"[".as_slice(), &told.join(&b','), b"]"].concat();
    Ok(Inbound::new(json, Normal::choices(&joined(&chosen))))
}

fn joined(chosen: &BTreeSet<&str>) -> String {
    chosen.iter().copied().collect::<Vec<_>>().join(";")
}

/// What Salesforce calls a product's value. Trimmed, because Salesforce trims.
fn there<'a>(map: &'a Map, chosen: &'a str) -> &'a str {
    map.get(chosen).map_or(chosen, |value| value.trim())
}

/// What the product calls a Salesforce value; the first by name where several are mapped to it.
fn here<'a>(map: &'a Map, chosen: &'a str) -> &'a str {
    map.iter()
        .find(|(_, value)| value.trim() == chosen)
        .map_or(chosen, |(name, _)| name)
}
