//! From an object file to the plan that the engine works by, with every rule that needs no org.

use std::collections::BTreeMap;
use std::sync::Arc;

use tandem_core::domain::ids::FieldIdx;
use tandem_core::domain::plan::{Direction, FieldPlan, Kind, MatchPlan, ObjectPlan};

use super::field::{FieldFile, KINDS, Overrides};
use super::file::{API_NAME_FORM, Group, ObjectFile};
use crate::settings::model::Fence;
use crate::settings::problem::Problem;

/// Fields that Salesforce alone writes.
const READ_ONLY: [&str; 6] = [
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
    "SystemModstamp",
    "IsDeleted",
];

/// Whether a text can be a Salesforce API name (namespaces and `__c` included).
pub(super) fn is_api_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && text.len() <= 80
}

/// Compiles one object; wrong fields are left out of the plan and told.
pub(super) fn object(file: &ObjectFile, overrides: &Overrides, fence: Fence) -> (ObjectPlan, Vec<Problem>) {
    let mut rules = Rules {
        file,
        problems: Vec::new(),
        fed: BTreeMap::new(),
    };
    let mut fields: Vec<FieldPlan> = Vec::new();
    for (name, written) in &file.fields {
        let written = written.with(overrides.of(&file.object, name));
        if let Some(field) = rules.field(name, &written, fields.len()) {
            fields.push(field);
        }
    }
    if fields.is_empty() && rules.problems.is_empty() {
        rules
            .problems
            .push(Problem::name(&file.place, "fields", "must name one field or more"));
    }
    let groups = rules.groups(&mut fields);
    let matching = rules.matching(&fields);
    let plan = ObjectPlan {
        object: file.object.as_str().into(),
        sobject: file.sobject.as_str().into(),
        external_id: file.external_id.as_str().into(),
        sequence: (fence == Fence::Strict).then(|| Arc::from(file.sequence.as_str())),
        direction: file.direction,
        version: version(&fields),
        fields,
        groups,
        matching,
        rank: 0,
    };
    (plan, rules.problems)
}

struct Rules<'a> {
    file: &'a ObjectFile,
    problems: Vec<Problem>,
    /// Salesforce fields that are written, and by which field.
    fed: BTreeMap<String, String>,
}

impl Rules<'_> {
    fn wrong(&mut self, field: &FieldFile, key: &str, value: &str, why: impl Into<String>) {
        self.problems.push(Problem::value(
            &field.place,
            &format!("{}{key}", field.name),
            value,
            why,
        ));
    }

    /// One field; nothing where its rules are broken.
    fn field(&mut self, name: &str, written: &FieldFile, at: usize) -> Option<FieldPlan> {
        let before = self.problems.len();
        let Some(api) = written.salesforce.as_deref() else {
            let why = "is missing: the Salesforce field's API name";
            self.problems.push(Problem::name(
                &written.place,
                &format!("{}.salesforce", written.name),
                why,
            ));
            return None;
        };
        let direction = self.direction(written);
        self.target(name, written, api, direction);
        let kind = self.kind(written);
        let required = written.required.unwrap_or(false);
        if required && !direction.writes_salesforce() {
            self.wrong(
                written,
                ".required",
                "true",
                "a field that only comes from Salesforce cannot be required there",
            );
        }
        if self.problems.len() > before {
            return None;
        }
        Some(FieldPlan {
            idx: FieldIdx(u16::try_from(at).ok()?),
            name: name.into(),
            salesforce: api.into(),
            kind,
            direction,
            on_conflict: written.on_conflict.unwrap_or(self.file.on_conflict),
            personal: written.personal.unwrap_or(false),
            required,
            references: written.references.as_deref().map(Arc::from),
            values: written.values.clone().unwrap_or_default(),
            scale: None,
            group: None,
        })
    }

    /// A field's direction is never wider than its object's.
    fn direction(&mut self, written: &FieldFile) -> Direction {
        let (object, wanted) = (self.file.direction, written.direction.unwrap_or(self.file.direction));
        let wider = (wanted.writes_salesforce() && !object.writes_salesforce())
            || (wanted.tells_product() && !object.tells_product());
        if wider {
            let shown = super::field::DIRECTIONS
                .iter()
                .find(|(_, d)| *d == wanted)
                .map_or("", |(word, _)| word);
            let why = "is wider than the object's direction: widen that, or take this out";
            self.wrong(written, ".direction", &format!("{shown:?}"), why);
        }
        wanted
    }

    /// What may be fed, and by one field only.
    fn target(&mut self, name: &str, written: &FieldFile, api: &str, direction: Direction) {
        let shown = format!("{api:?}");
        let is = |other: &str| other.eq_ignore_ascii_case(api);
        if !is_api_name(api) {
            self.wrong(written, ".salesforce", &shown, API_NAME_FORM);
        } else if is("Id") {
            self.wrong(
                written,
                ".salesforce",
                &shown,
                "the id needs no mapping: events carry it as salesforce_id",
            );
        } else if is(&self.file.external_id) || is(&self.file.sequence) {
            self.wrong(
                written,
                ".salesforce",
                &shown,
                "this field is Tandem's own: it holds the key or the sequence",
            );
        } else if direction.writes_salesforce() {
            if READ_ONLY.iter().any(|field| is(field)) {
                self.wrong(
                    written,
                    ".salesforce",
                    &shown,
                    "only Salesforce writes this field: direction = \"to_product\"",
                );
            }
            if let Some(other) = self.fed.insert(api.to_ascii_lowercase(), name.to_owned()) {
                let why =
                    format!("'{other}' writes this field already: give one of the two direction = \"to_product\"");
                self.wrong(written, ".salesforce", &shown, why);
            }
        }
    }

    /// The kind as written, or as `references` and `values` imply it.
    fn kind(&mut self, written: &FieldFile) -> Kind {
        let values = written.values.as_ref();
        if written.references.is_some() && values.is_some() {
            self.wrong(
                written,
                ".values",
                "{…}",
                "a reference has no list of values: keep one of the two",
            );
        }
        let implied = match (&written.references, values) {
            (Some(_), _) => Kind::Reference,
            (None, Some(_)) => Kind::Picklist,
            (None, None) => Kind::Text,
        };
        let kind = written.kind.unwrap_or(implied);
        let word = KINDS.iter().find(|(_, k)| *k == kind).map_or("", |(word, _)| word);
        let shown = format!("{word:?}");
        if written.references.is_some() && kind != Kind::Reference {
            self.wrong(written, ".kind", &shown, "with references the kind is \"reference\"");
        } else if kind == Kind::Reference && written.references.is_none() {
            self.wrong(
                written,
                ".kind",
                &shown,
                "a reference must say to which object: references = \"company\"",
            );
        } else if values.is_some() && !matches!(kind, Kind::Picklist | Kind::Multipicklist | Kind::Reference) {
            self.wrong(
                written,
                ".kind",
                &shown,
                "with values the kind is \"picklist\" or \"multipicklist\"",
            );
        }
        self.values_are_reversible(written);
        kind
    }

    /// A Salesforce value must lead back to one product value.
    fn values_are_reversible(&mut self, written: &FieldFile) {
        let mut back: BTreeMap<&str, &str> = BTreeMap::new();
        for (product, salesforce) in written.values.iter().flatten() {
            if let Some(other) = back.insert(salesforce, product) {
                let why =
                    format!("'{other}' and '{product}' both become this value, so there is no way back: keep one");
                self.wrong(written, ".values", &format!("{salesforce:?}"), why);
            }
        }
    }

    /// Numbers the groups and puts their numbers into the fields.
    fn groups(&mut self, fields: &mut [FieldPlan]) -> Vec<Vec<FieldIdx>> {
        let file = self.file;
        let mut groups = Vec::new();
        for group in &file.groups {
            if let Some(members) = self.group(group, fields) {
                let number = u16::try_from(groups.len()).unwrap_or(u16::MAX);
                for member in &members {
                    if let Some(field) = fields.get_mut(usize::from(member.0)) {
                        field.group = Some(number);
                    }
                }
                groups.push(members);
            }
        }
        groups
    }

    fn group(&mut self, group: &Group, fields: &[FieldPlan]) -> Option<Vec<FieldIdx>> {
        let wrong = |value: &str, why: String| Problem::value(&group.place, "group.fields", value, why);
        let before = self.problems.len();
        let mut members: Vec<&FieldPlan> = Vec::new();
        for name in &group.fields {
            let shown = format!("{name:?}");
            match fields.iter().find(|field| field.name.as_ref() == name) {
                None if self.file.fields.contains_key(name) => return None, // its own problem was told
                None => self
                    .problems
                    .push(wrong(&shown, "is no field of this object".to_owned())),
                Some(field) if field.group.is_some() || members.iter().any(|m| m.idx == field.idx) => {
                    self.problems.push(wrong(
                        &shown,
                        "is in a group already: a field has one group at most".to_owned(),
                    ));
                }
                Some(field) => members.push(field),
            }
        }
        if group.fields.len() < 2 {
            let shown = format!("{:?}", group.fields);
            self.problems
                .push(wrong(&shown, "a group has two fields or more".to_owned()));
        }
        if let Some((first, rest)) = members.split_first() {
            for field in rest {
                if field.direction != first.direction || field.on_conflict != first.on_conflict {
                    let why = format!(
                        "'{}' has another direction or on_conflict: fields that travel together have the same",
                        first.name
                    );
                    self.problems.push(wrong(&format!("{:?}", field.name), why));
                }
            }
        }
        let mut positions: Vec<FieldIdx> = members.iter().map(|field| field.idx).collect();
        positions.sort_unstable();
        (self.problems.len() == before).then_some(positions)
    }

    /// How unlinked records meet; nothing where the rules for it are broken.
    fn matching(&mut self, fields: &[FieldPlan]) -> Option<MatchPlan> {
        let written = self.file.matching.as_ref()?;
        let before = self.problems.len();
        let mut wrong = |value: &str, why: String| {
            self.problems
                .push(Problem::value(&written.place, "match.fields", value, why));
        };
        if written.fields.len() > MatchPlan::FIELDS_MAX {
            let why = format!("are too many fields: allowed are {}", MatchPlan::FIELDS_MAX);
            wrong(&format!("{:?}", written.fields), why);
        }
        let columns: usize = fields.iter().map(|field| field.salesforce.len() + 1).sum();
        if columns > MATCH_COLUMNS_BYTES_MAX {
            let why = format!(
                "cannot be looked for: the names of all mapped fields together are {columns} bytes long, and a query \
                 has room for {MATCH_COLUMNS_BYTES_MAX}"
            );
            wrong(&format!("{:?}", written.fields), why);
        }
        let mut found = Vec::new();
        for name in &written.fields {
            // A name that is no field, or whose own rules are broken, was told where it stands.
            let Some(field) = fields.iter().find(|field| field.name.as_ref() == name) else {
                continue;
            };
            let shown = format!("{name:?}");
            if !field.direction.writes_salesforce() {
                wrong(
                    &shown,
                    "never comes from the product, so it says nothing of its records".to_owned(),
                );
            } else if !MATCHED_KINDS.contains(&field.kind) {
                let kinds = KINDS.iter().filter(|(_, kind)| MATCHED_KINDS.contains(kind));
                let kinds = kinds.map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
                wrong(
                    &shown,
                    format!("cannot be looked for in Salesforce: allowed are fields of kind {kinds}"),
                );
            } else if found.contains(&field.idx) {
                wrong(&shown, "is named twice".to_owned());
            } else {
                found.push(field.idx);
            }
        }
        let right = self.problems.len() == before && !found.is_empty();
        right.then_some(MatchPlan {
            fields: found,
            one: written.one,
            none: written.none,
        })
    }
}

/// Kinds of fields that a partner can be looked for by.
const MATCHED_KINDS: [Kind; 6] = [
    Kind::Text,
    Kind::Email,
    Kind::Phone,
    Kind::Url,
    Kind::Integer,
    Kind::Picklist,
];
/// Names of mapped fields in a look-up, in bytes: a URI takes 16,384 (contract.md 5), and the values need room too.
const MATCH_COLUMNS_BYTES_MAX: usize = 6_000;

/// Names, kinds and order: rows whose bases were kept by another layout are read anew.
fn version(fields: &[FieldPlan]) -> u32 {
    let mut hash = blake3::Hasher::new();
    for field in fields {
        let kind = KINDS
            .iter()
            .find(|(_, kind)| *kind == field.kind)
            .map_or("", |(word, _)| word);
        // NUL ends each part: no name can hold it.
        for part in [field.name.as_ref(), kind] {
            hash.update(part.as_bytes());
            hash.update(&[0]);
        }
    }
    let bytes = hash.finalize();
    let [a, b, c, d, ..] = *bytes.as_bytes();
    u32::from_le_bytes([a, b, c, d])
}
