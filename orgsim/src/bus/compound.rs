//! Compound fields: names, addresses and locations travel as one record each.
//!
//! A describe lists the parts as fields of their own (`MailingStreet`); the event's schema has one record field
//! (`MailingAddress`) with children (`Street`). Child names and order are those of the live schemas (see `kind`).

use std::collections::HashMap;

use super::kind::Kind;
use crate::directory::{EntityField, EntitySchema};

/// A family of compound fields: one Avro record type a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    PersonName,
    /// Account's name: a string, or a record for a person account.
    SwitchableName,
    Address,
    Location,
}

/// A possible child: name, form, and whether it is there only when the object has such a part.
type Part = (&'static str, Kind, bool);

const NAME_PARTS: [Part; 6] = [
    ("Salutation", Kind::Text, false),
    ("FirstName", Kind::Text, false),
    ("LastName", Kind::Text, false),
    ("MiddleName", Kind::Text, true),
    ("InformalName", Kind::Text, true),
    ("Suffix", Kind::Text, true),
];
const ADDRESS_PARTS: [Part; 10] = [
    ("Street", Kind::Text, false),
    ("City", Kind::Text, false),
    ("State", Kind::Text, false),
    ("PostalCode", Kind::Text, false),
    ("Country", Kind::Text, false),
    // There when the org has state and country picklists on.
    ("StateCode", Kind::Text, true),
    ("CountryCode", Kind::Text, true),
    ("Latitude", Kind::Double, false),
    ("Longitude", Kind::Double, false),
    ("GeocodeAccuracy", Kind::Text, false),
];
const LOCATION_PARTS: [Part; 2] = [("Latitude", Kind::Double, false), ("Longitude", Kind::Double, false)];

impl Family {
    /// Name of the Avro record type.
    pub(crate) fn record(self) -> &'static str {
        match self {
            Self::PersonName => "PersonName",
            Self::SwitchableName => "Switchable_PersonName",
            Self::Address => "Address",
            Self::Location => "Location",
        }
    }

    fn parts(self) -> &'static [Part] {
        match self {
            Self::PersonName | Self::SwitchableName => &NAME_PARTS,
            Self::Address => &ADDRESS_PARTS,
            Self::Location => &LOCATION_PARTS,
        }
    }
}

/// One child of a compound field.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Where rows have the value; None when the object has no such part.
    pub(crate) source: Option<usize>,
}

/// A compound field of an object.
#[derive(Debug, Clone)]
pub(crate) struct Compound {
    pub(crate) family: Family,
    pub(crate) children: Vec<Child>,
}

/// All compound fields of `entity`, by the compound field's name.
pub(crate) fn compounds(entity: &EntitySchema) -> HashMap<&str, Compound> {
    let mut parts: HashMap<&str, HashMap<&'static str, usize>> = HashMap::new();
    let mut families: HashMap<&str, Family> = HashMap::new();
    for field in &entity.fields {
        let compound = field.compound.as_deref().unwrap_or(&field.name);
        let Some(family) = family(entity, compound) else {
            continue;
        };
        families.insert(compound, family);
        if let Some(part) = part_of(field, family) {
            parts.entry(compound).or_default().insert(part, field.place);
        }
    }
    // An address type is shared by all addresses of the schema: a part that one of them has, all have.
    let present = |family: Family, part: &str| {
        families
            .iter()
            .any(|(name, other)| *other == family && parts.get(name).is_some_and(|sources| sources.contains_key(part)))
    };
    families
        .iter()
        .map(|(name, family)| {
            let source = |part: &str| parts.get(name).and_then(|sources| sources.get(part)).copied();
            let children = family
                .parts()
                .iter()
                .filter(|(part, _, optional)| !optional || present(*family, part))
                .map(|(part, kind, _)| Child {
                    name: part,
                    kind: *kind,
                    source: source(part),
                })
                .collect();
            (
                *name,
                Compound {
                    family: *family,
                    children,
                },
            )
        })
        .collect()
}

/// Which child of its compound field `field` is, if any.
pub(crate) fn part_of(field: &EntityField, family: Family) -> Option<&'static str> {
    let compound = field.compound.as_deref()?;
    // Custom parts are `Site__Street__s` of `Site__c`; standard ones `MailingStreet` of `MailingAddress`.
    let bare = match compound.strip_suffix("__c") {
        Some(stem) => field.name.strip_prefix(stem)?.strip_prefix("__")?.strip_suffix("__s")?,
        None if matches!(family, Family::Address) => field.name.strip_prefix(compound.strip_suffix("Address")?)?,
        None => &field.name,
    };
    family.parts().iter().map(|(part, ..)| *part).find(|part| *part == bare)
}

/// The family of the field called `name`; None when it is no compound field.
pub(crate) fn family(entity: &EntitySchema, name: &str) -> Option<Family> {
    let declared = entity
        .fields
        .iter()
        .find(|field| field.name == name)
        .map(|field| field.sf_type.as_str());
    let has_parts = |part: &str| {
        entity
            .fields
            .iter()
            .any(|field| field.compound.as_deref() == Some(name) && field.name.contains(part))
    };
    match (declared, name) {
        (_, "Name") if entity.name == "Account" => Some(Family::SwitchableName),
        (_, "Name") if has_parts("LastName") => Some(Family::PersonName),
        (Some("address"), _) => Some(Family::Address),
        (Some("location"), _) => Some(Family::Location),
        (None, _) if has_parts("Street") => Some(Family::Address),
        (None, _) if has_parts("Latitude") => Some(Family::Location),
        _ => None,
    }
}
