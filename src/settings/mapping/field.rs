//! One mapped field as it is written, in an object file or as a tenant's override of one.

use std::collections::BTreeMap;

use tandem_core::domain::plan::{Direction, Kind, Policy};

use super::Mapping;
use crate::settings::problem::{Place, Problem};
use crate::settings::reader::{Report, Section, as_text};
use crate::settings::tree::{Node, Value};

/// The words for a direction.
pub(super) const DIRECTIONS: [(&str, Direction); 3] = [
    ("both", Direction::Both),
    ("to_salesforce", Direction::ToSalesforce),
    ("to_product", Direction::ToProduct),
];
/// The words for a policy.
pub(super) const POLICIES: [(&str, Policy); 2] = [("product", Policy::Product), ("salesforce", Policy::Salesforce)];
/// The words for a kind.
pub(super) const KINDS: [(&str, Kind); 12] = [
    ("text", Kind::Text),
    ("email", Kind::Email),
    ("phone", Kind::Phone),
    ("url", Kind::Url),
    ("boolean", Kind::Boolean),
    ("integer", Kind::Integer),
    ("decimal", Kind::Decimal),
    ("date", Kind::Date),
    ("datetime", Kind::Datetime),
    ("picklist", Kind::Picklist),
    ("multipicklist", Kind::Multipicklist),
    ("reference", Kind::Reference),
];

/// A field as written; nothing where a key is absent.
#[derive(Debug, Clone)]
pub struct FieldFile {
    /// Where it stands.
    pub place: Place,
    /// Its full name, for messages.
    pub name: String,
    /// The Salesforce API name.
    pub salesforce: Option<String>,
    pub(super) kind: Option<Kind>,
    pub(super) direction: Option<Direction>,
    pub(super) on_conflict: Option<Policy>,
    pub(super) personal: Option<bool>,
    pub(super) required: Option<bool>,
    pub(super) references: Option<String>,
    pub(super) values: Option<BTreeMap<String, String>>,
}

impl FieldFile {
    /// Reads `name = "ApiName"` or `name = { salesforce = "ApiName", … }`.
    pub(super) fn read<'a>(name: &str, node: &Node, open: impl FnOnce() -> Section<'a>) -> Self {
        if let Value::Text(api) = &node.value {
            // The short form; its name is checked by the long form's rule.
            let mut field = Self::empty(name, &node.place);
            field.salesforce = Some(api.clone());
            return field;
        }
        Self::read_table(name, &node.place, open())
    }

    pub(super) fn read_table(name: &str, place: &Place, mut section: Section<'_>) -> Self {
        let flag = |section: &mut Section<'_>, key: &'static str| {
            section.has(key).then(|| section.boolean(key, false)).or_else(|| {
                section.node(key, None);
                None
            })
        };
        let field = Self {
            place: place.clone(),
            name: name.to_owned(),
            salesforce: section.optional("salesforce", |_| Ok(())),
            kind: section.choice("kind", "", &KINDS),
            direction: section.choice("direction", "", &DIRECTIONS),
            on_conflict: section.choice("on_conflict", "", &POLICIES),
            personal: flag(&mut section, "personal"),
            required: flag(&mut section, "required"),
            references: section.optional("references", |_| Ok(())),
            values: values(&mut section),
        };
        section.finish();
        field
    }

    fn empty(name: &str, place: &Place) -> Self {
        Self {
            place: place.clone(),
            name: name.to_owned(),
            salesforce: None,
            kind: None,
            direction: None,
            on_conflict: None,
            personal: None,
            required: None,
            references: None,
            values: None,
        }
    }

    /// This field with what `over` says put over it.
    pub(super) fn with(&self, over: Option<&Self>) -> Self {
        let Some(over) = over else { return self.clone() };
        Self {
            place: over.place.clone(),
            name: over.name.clone(),
            salesforce: over.salesforce.clone().or_else(|| self.salesforce.clone()),
            kind: over.kind.or(self.kind),
            direction: over.direction.or(self.direction),
            on_conflict: over.on_conflict.or(self.on_conflict),
            personal: over.personal.or(self.personal),
            required: over.required.or(self.required),
            references: over.references.clone().or_else(|| self.references.clone()),
            values: over.values.clone().or_else(|| self.values.clone()),
        }
    }
}

fn values(section: &mut Section<'_>) -> Option<BTreeMap<String, String>> {
    let node = section.node("values", None)?;
    let mut table = section.child("values");
    if !matches!(node.value, Value::Table(_)) {
        return None;
    }
    let mut values = BTreeMap::new();
    for (product, node) in table.chosen() {
        match as_text(node) {
            Some(text) if !text.is_empty() && !text.contains(';') => {
                values.insert(product.to_owned(), text.to_owned());
            }
            _ => table.wrong(product, node, "allowed is a picklist's value in quotes, without ';'"),
        }
    }
    Some(values)
}

/// A tenant's overrides, by object and field.
#[derive(Debug, Default)]
pub(in crate::settings) struct Overrides(BTreeMap<(String, String), FieldFile>);

impl Overrides {
    /// Reads `[tenants.NAME.fields]`.
    pub(in crate::settings) fn read(report: &Report, mut section: Section<'_>, mapping: &Mapping) -> Self {
        let mut overrides = BTreeMap::new();
        for (object, node) in section.chosen() {
            let mut fields = section.entry(object, node);
            for (field, node) in fields.chosen() {
                let name = fields.full(field);
                let over = FieldFile::read(&name, node, || fields.entry(field, node));
                if mapping
                    .objects
                    .get(object)
                    .is_some_and(|file| file.fields.contains_key(field))
                {
                    overrides.insert((object.to_owned(), field.to_owned()), over);
                } else {
                    let why = "overrides a field that no object file has; tenants may change fields, not add them";
                    report.add(Problem::name(&node.place, &name, why));
                }
            }
        }
        Self(overrides)
    }

    pub(super) fn of(&self, object: &str, field: &str) -> Option<&FieldFile> {
        self.0.get(&(object.to_owned(), field.to_owned()))
    }
}
