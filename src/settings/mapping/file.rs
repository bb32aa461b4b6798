//! One object file as it is written.

use std::collections::BTreeMap;
use std::path::Path;

use tandem_core::domain::plan::{Direction, OnMatch, Policy};

use super::FIELDS_MAX;
use super::compile::is_api_name;
use super::field::{DIRECTIONS, FieldFile, POLICIES};
use crate::settings::problem::{Place, Problem};
use crate::settings::reader::{Report, Section, as_text};
use crate::settings::tree::{self, Node, Value};

/// An object file, its own rules checked; how its parts fit together is checked when it is compiled.
#[derive(Debug, Clone)]
pub struct ObjectFile {
    /// The file's first line.
    pub place: Place,
    /// The product's name.
    pub object: String,
    /// The sObject's API name.
    pub sobject: String,
    /// API name of the external id field.
    pub external_id: String,
    /// API name of the sequence field.
    pub sequence: String,
    /// Which way the object flows.
    pub direction: Direction,
    /// Who wins, unless a field says otherwise.
    pub on_conflict: Policy,
    /// How unlinked records of both sides meet.
    pub matching: Option<Matching>,
    /// The fields by product name.
    pub fields: BTreeMap<String, FieldFile>,
    /// Fields that travel together.
    pub groups: Vec<Group>,
}

/// `[[group]]`
#[derive(Debug, Clone)]
pub struct Group {
    /// Where it stands.
    pub place: Place,
    /// Its fields by product name.
    pub fields: Vec<String>,
}

/// `[match]`: how a record without a partner finds one.
#[derive(Debug, Clone)]
pub struct Matching {
    /// Where it stands.
    pub place: Place,
    /// Fields that must be equal.
    pub fields: Vec<String>,
    /// What one possible partner means.
    pub one: OnMatch,
    /// What none means.
    pub none: OnMatch,
}

/// Whether a text can be a name of the product's: it is part of keys and settings.
pub(super) fn is_product_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && text.len() <= 63
}

/// What [`is_product_name`] takes.
pub(super) const PRODUCT_NAME_FORM: &str =
    "allowed are 1 to 63 characters of a-z, 0-9 and '_', beginning with a letter";
/// What an API name looks like.
pub(super) const API_NAME_FORM: &str =
    "allowed is an API name: letters, digits and '_', beginning with a letter, e.g. \"Status__c\"";

fn product_name(text: &str) -> Result<(), String> {
    if is_product_name(text) {
        Ok(())
    } else {
        Err(PRODUCT_NAME_FORM.to_owned())
    }
}

fn api_name(text: &str) -> Result<(), String> {
    if is_api_name(text) {
        Ok(())
    } else {
        Err(API_NAME_FORM.to_owned())
    }
}

impl ObjectFile {
    /// Reads a file. Nothing where it cannot be read at all; problems beside what could be read.
    pub(super) fn read(path: &Path) -> (Option<Self>, Vec<Problem>) {
        let (root, problems) = tree::read(path);
        if !problems.is_empty() {
            return (None, problems);
        }
        Self::of(&root)
    }

    /// Reads a parsed file.
    pub(super) fn of(root: &Node) -> (Option<Self>, Vec<Problem>) {
        let report = Report::default();
        let mut section = Section::over(&report, "", "", Some(root), &root.place);
        let file = Self {
            place: root.place.clone(),
            object: section.required(
                "object",
                "the product's name of the object, e.g. \"contact\"",
                product_name,
            ),
            sobject: section.required("salesforce", "the sObject's API name, e.g. \"Contact\"", api_name),
            external_id: section.text("external_id", "Tandem_Key__c", api_name),
            sequence: section.text("sequence", "Tandem_Seq__c", api_name),
            direction: section
                .choice("direction", "both", &DIRECTIONS)
                .unwrap_or(Direction::Both),
            on_conflict: section
                .choice("on_conflict", "salesforce", &POLICIES)
                .unwrap_or(Policy::Salesforce),
            fields: fields(&mut section),
            groups: groups(&report, &mut section),
            matching: None,
        };
        let matching = section.has("match");
        let table = section.child("match");
        let file = Self {
            matching: matching.then(|| matching_of(table, &file)),
            ..file
        };
        section.finish();
        let nameless = file.object.is_empty() || file.sobject.is_empty();
        ((!nameless).then_some(file), report.problems.take())
    }

    /// Where a field stands, and its full name.
    pub(super) fn field_place(&self, field: &str) -> (&Place, &str) {
        self.fields
            .get(field)
            .map_or((&self.place, "fields"), |file| (&file.place, file.name.as_str()))
    }
}

fn fields(section: &mut Section<'_>) -> BTreeMap<String, FieldFile> {
    if !section.has("fields") {
        section.missing("fields", "a table of product field = \"SalesforceField\"");
    }
    let mut table = section.child("fields");
    let mut fields = BTreeMap::new();
    for (name, node) in table.chosen() {
        if !is_product_name(name) {
            table.wrong(
                name,
                node,
                format!("this name of a field is not allowed: {PRODUCT_NAME_FORM}"),
            );
        } else if !matches!(node.value, Value::Text(_) | Value::Table(_)) {
            table.wrong(
                name,
                node,
                "allowed is \"SalesforceField\" or { salesforce = \"SalesforceField\", … }",
            );
        } else if fields.len() == FIELDS_MAX {
            table.wrong(name, node, format!("is one field too many: allowed are {FIELDS_MAX}"));
            break;
        } else {
            fields.insert(
                name.to_owned(),
                FieldFile::read(&table.full(name), node, || table.entry(name, node)),
            );
        }
    }
    fields
}

fn groups(report: &Report, section: &mut Section<'_>) -> Vec<Group> {
    let Some(node) = section.node("group", None) else {
        return Vec::new();
    };
    let Value::List(items) = &node.value else {
        section.wrong("group", node, "groups are written as [[group]], with two brackets");
        return Vec::new();
    };
    items
        .iter()
        .map(|item| {
            let mut group = Section::over(report, "group", "group", Some(item), &node.place);
            let place = item.place.clone();
            let listed = group.list("fields", None);
            if listed.is_none() {
                group.missing("fields", "two or more fields that travel together");
            }
            group.finish();
            let fields = listed.unwrap_or_default();
            Group {
                place,
                fields: fields.iter().filter_map(as_text).map(str::to_owned).collect(),
            }
        })
        .collect()
}

fn matching_of(mut section: Section<'_>, file: &ObjectFile) -> Matching {
    let place = section.place.clone();
    let listed = section.list("fields", None).unwrap_or_default();
    if listed.is_empty() {
        section.missing(
            "fields",
            "one or more mapped fields that must be equal, e.g. [\"email\"]",
        );
    }
    for item in &listed {
        let known = as_text(item).is_some_and(|name| file.fields.contains_key(name));
        if !known {
            section.wrong("fields", item, "is no field of this object");
        }
    }
    let matching = Matching {
        place,
        fields: listed.iter().filter_map(as_text).map(str::to_owned).collect(),
        one: section
            .choice("one", "link", &[("link", OnMatch::Act), ("ask", OnMatch::Ask)])
            .unwrap_or(OnMatch::Act),
        none: section
            .choice("none", "create", &[("create", OnMatch::Act), ("ask", OnMatch::Ask)])
            .unwrap_or(OnMatch::Act),
    };
    // Several are always asked about: the key says so where a reader looks for it.
    section.choice("many", "ask", &[("ask", ())]);
    section.finish();
    matching
}
