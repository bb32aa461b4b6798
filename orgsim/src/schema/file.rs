//! Custom objects and fields from a TOML file: what an admin has added to the org.
//!
//! ```toml
//! [[object]]
//! name  = "Invoice__c"
//! label = "Invoice"
//! auto_number = "INV-{0000}"        # else the Name is a text
//!
//! [[field]]
//! object = "Invoice__c"
//! name = "Account__c"
//! type = "reference"
//! reference_to = ["Account"]
//! child_relationship = "Invoices__r"
//!
//! [[field]]
//! object = "Account"
//! name = "Ext_Id__c"
//! type = "string"
//! length = 80
//! external_id = true
//! unique = true
//! ```

use serde::Deserialize;

use super::assignment::AssignmentRuleSpec;
use super::duplicate::DuplicateRuleSpec;
use super::field::{Field, FieldType};
use super::record_type::RecordTypeSpec;
use super::rule::Summary;
use super::rule_file::{AutomationSpec, ValidationRuleSpec};
use super::sobject::{Schema, Sobject};
use crate::org::Cell;

/// First letters of key prefixes of custom objects (`a00`, `a01`, … as recorded [R rfdb]).
const CUSTOM_PREFIX: &str = "a";
const PREFIX_DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Most custom objects of an org: two digits after `a`.
const MAX_OBJECTS: usize = 36 * 36;
/// Longest text, and longest long text [V:KB; from memory].
const MAX_TEXT: u32 = 255;
const MAX_LONG_TEXT: u32 = 131_072;

/// What a schema file holds.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaFile {
    /// New objects.
    #[serde(default)]
    pub object: Vec<ObjectSpec>,
    /// New fields of new and standard objects.
    #[serde(default)]
    pub field: Vec<FieldSpec>,
    /// New record types.
    #[serde(default)]
    pub record_type: Vec<RecordTypeSpec>,
    /// New duplicate rules.
    #[serde(default)]
    pub duplicate_rule: Vec<DuplicateRuleSpec>,
    /// New assignment rules.
    #[serde(default)]
    pub assignment_rule: Vec<AssignmentRuleSpec>,
    /// New validation rules.
    #[serde(default)]
    pub validation_rule: Vec<ValidationRuleSpec>,
    /// New automations.
    #[serde(default)]
    pub automation: Vec<AutomationSpec>,
}

/// One new object.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectSpec {
    /// API name, e.g. `Invoice__c` or `acme__Invoice__c`.
    pub name: String,
    /// Label; the name without its ending when missing.
    pub label: Option<String>,
    /// Label of many.
    pub plural: Option<String>,
    /// How the platform numbers the rows; then `Name` is not writable.
    pub auto_number: Option<String>,
    /// Whether its changes are told on the event bus.
    #[serde(default)]
    pub change_events: bool,
}

/// One new field.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FieldSpec {
    /// API name of its object.
    pub object: String,
    /// API name, e.g. `Ext_Id__c`.
    pub name: String,
    /// `string`, `textarea`, `longtext`, `picklist`, `multipicklist`, `reference`, `masterdetail`, `boolean`, `double`,
    /// `currency`, `percent`, `int`, `date`, `datetime`, `phone`, `email`, `url`, `autonumber`, `formula` or `summary`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Label; the name without its ending when missing.
    pub label: Option<String>,
    /// Most characters of a text.
    pub length: Option<u32>,
    /// Most digits of a number.
    pub precision: Option<u8>,
    /// Decimal places of a number.
    pub scale: Option<u8>,
    /// Whether upserts may name it.
    pub external_id: bool,
    /// Whether two live rows may not share a value.
    pub unique: bool,
    /// Whether a unique value is compared with its case.
    pub case_sensitive: bool,
    /// Whether it may not be empty.
    pub required: bool,
    /// Values of a picklist.
    pub values: Vec<String>,
    /// Whether a picklist takes no other values.
    pub restricted: bool,
    /// A picklist's value of a new row.
    pub default: Option<String>,
    /// Objects that a reference may name.
    pub reference_to: Vec<String>,
    /// Name of the way back, e.g. `Invoices__r`.
    pub child_relationship: Option<String>,
    /// How the platform numbers rows in it.
    pub format: Option<String>,
    /// What a formula field shows.
    pub formula: Option<String>,
    /// The detail object of a roll-up summary.
    pub summarize: Option<String>,
    /// How it makes one value of many.
    pub operation: Option<Summary>,
    /// The detail's field that it looks at.
    pub summarized: Option<String>,
}

/// What is wrong with a schema file; it names the entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct SchemaProblem {
    /// The entry, e.g. `field Account.Ext_Id__c`.
    pub place: String,
    /// What is wrong, and what to do.
    pub problem: String,
}

impl SchemaFile {
    /// Whether a schema has the objects, fields and record types already.
    #[must_use]
    pub fn is_in(&self, schema: &Schema) -> bool {
        let object = |name: &str| schema.place(name).map(|place| &schema.sobjects[place]);
        let has_type = |spec: &RecordTypeSpec| {
            let types = object(&spec.object).map(|object| &object.record_types);
            types.is_some_and(|types| types.iter().any(|t| t.developer_name.eq_ignore_ascii_case(&spec.name)))
        };
        self.object.iter().all(|spec| object(&spec.name).is_some())
            && self
                .field
                .iter()
                .all(|spec| object(&spec.object).is_some_and(|o| o.field(&spec.name).is_some()))
            && self.record_type.iter().all(has_type)
    }

    /// Whether it adds neither objects, fields nor record types.
    #[must_use]
    pub fn only_rules(&self) -> bool {
        self.object.is_empty() && self.field.is_empty() && self.record_type.is_empty()
    }

    /// Adds the objects and fields to a schema.
    ///
    /// # Errors
    /// The first entry that makes no sense.
    pub fn extend(&self, schema: Schema) -> Result<Schema, SchemaProblem> {
        let Schema {
            mut sobjects, rules, ..
        } = schema;
        for spec in &self.object {
            let customs = sobjects.iter().filter(|s| s.is_custom()).count();
            let object = spec.build(customs)?;
            if sobjects.iter().any(|s| s.name.eq_ignore_ascii_case(&object.name)) {
                return Err(spec.wrong("there is an object of this name already"));
            }
            sobjects.push(object);
        }
        let mut added = sobjects
            .iter()
            .flat_map(|s| &s.fields)
            .filter(|f| f.is_custom())
            .count();
        for spec in &self.field {
            let known = |name: &str| sobjects.iter().any(|s| s.name.eq_ignore_ascii_case(name));
            if let Some(unknown) = spec.reference_to.iter().find(|target| !known(target)) {
                return Err(spec.wrong(format!("reference_to names {unknown}, which is no object")));
            }
            let place = sobjects.iter().position(|s| s.name.eq_ignore_ascii_case(&spec.object));
            let place = place.ok_or_else(|| spec.wrong("there is no such object"))?;
            if sobjects[place].field(&spec.name).is_some() {
                return Err(spec.wrong("the object has a field of this name already"));
            }
            let mut field = spec.build()?;
            added += 1;
            field.custom_id = Some(format!("00N000000000{added:03}"));
            sobjects[place] = sobjects[place].with(field);
        }
        for spec in &self.record_type {
            spec.add_to(&mut sobjects)?;
        }
        for spec in &self.duplicate_rule {
            spec.add_to(&mut sobjects)?;
        }
        let mut schema = Schema::new(sobjects);
        schema.keep_rules(rules);
        for spec in &self.field {
            spec.compute(&mut schema)?;
        }
        for spec in &self.validation_rule {
            spec.add_to(&mut schema)?;
        }
        for spec in &self.assignment_rule {
            spec.add_to(&mut schema)?;
        }
        for spec in &self.automation {
            spec.add_to(&mut schema)?;
        }
        Ok(schema)
    }
}

/// `acme__Ext_Id__c` is labelled `Ext Id`.
fn label_of(name: &str) -> String {
    let bare = name.trim_end_matches("__c");
    let bare = bare.split_once("__").map_or(bare, |(_, name)| name);
    bare.replace('_', " ")
}

/// `[namespace__]Name__c`, of letters, digits and single underscores.
fn is_custom_name(name: &str) -> bool {
    let Some(bare) = name.strip_suffix("__c") else {
        return false;
    };
    let parts: Vec<&str> = bare.split("__").collect();
    let fine = |part: &&str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !part.ends_with('_')
    };
    parts.len() <= 2 && parts.iter().all(fine)
}

impl ObjectSpec {
    fn wrong(&self, problem: impl Into<String>) -> SchemaProblem {
        SchemaProblem {
            place: format!("object {}", self.name),
            problem: problem.into(),
        }
    }

    fn build(&self, number: usize) -> Result<Sobject, SchemaProblem> {
        if !is_custom_name(&self.name) {
            return Err(self.wrong("a custom object's name ends with __c, e.g. Invoice__c"));
        }
        if number >= MAX_OBJECTS {
            return Err(self.wrong(format!("an org has at most {MAX_OBJECTS} custom objects")));
        }
        let digit = |n: usize| char::from(PREFIX_DIGITS[n % 36]);
        let prefix = format!("{CUSTOM_PREFIX}{}{}", digit(number / 36), digit(number));
        let label = self.label.clone().unwrap_or_else(|| label_of(&self.name));
        let plural = self.plural.clone().unwrap_or_else(|| format!("{label}s"));
        let name_label = format!("{label} Name");
        let name = match &self.auto_number {
            Some(format) => Field::auto_number("Name", &name_label, format),
            None => Field::text("Name", &name_label, 80),
        };
        let object = Sobject::new(&self.name, &label, &plural, &prefix, true, vec![name.name_field()]);
        Ok(if self.change_events { object.captured() } else { object })
    }
}

impl FieldSpec {
    pub(super) fn wrong(&self, problem: impl Into<String>) -> SchemaProblem {
        SchemaProblem {
            place: format!("field {}.{}", self.object, self.name),
            problem: problem.into(),
        }
    }

    fn build(&self) -> Result<Field, SchemaProblem> {
        if !is_custom_name(&self.name) {
            return Err(self.wrong("a custom field's name ends with __c, e.g. Ext_Id__c"));
        }
        let label = self.label.clone().unwrap_or_else(|| label_of(&self.name));
        let (name, label) = (self.name.as_str(), label.as_str());
        let text = |kind, usual: u32, most: u32| {
            let length = self.length.unwrap_or(usual);
            if (1..=most).contains(&length) {
                Ok(Field::typed(name, label, kind, length))
            } else {
                Err(self.wrong(format!("length must be 1 to {most}")))
            }
        };
        let number = |kind, precision: u8, scale: u8| {
            let (precision, scale) = (self.precision.unwrap_or(precision), self.scale.unwrap_or(scale));
            if (1..=18).contains(&precision) && scale <= precision {
                Ok(Field::number(name, label, kind, precision, scale))
            } else {
                Err(self.wrong("precision must be 1 to 18, and scale not more"))
            }
        };
        let values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        let mut field = match self.kind.as_str() {
            "string" => text(FieldType::Text, MAX_TEXT, MAX_TEXT)?,
            "textarea" => text(FieldType::TextArea, MAX_TEXT, MAX_TEXT)?.extra("plaintextarea"),
            "longtext" => text(FieldType::LongText, 32_768, MAX_LONG_TEXT)?.extra("plaintextarea"),
            "picklist" => Field::picklist(name, label, MAX_TEXT, &values),
            "multipicklist" => Field {
                kind: FieldType::MultiPicklist,
                ..Field::picklist(name, label, 4_099, &values)
            },
            "reference" | "masterdetail" => self.reference(label)?,
            "boolean" => Field::new(name, label, FieldType::Boolean),
            "double" => number(FieldType::Double, 18, 0)?,
            "currency" => number(FieldType::Currency, 18, 2)?,
            "percent" => number(FieldType::Percent, 18, 0)?,
            "int" => number(FieldType::Int, 8, 0)?,
            "date" => Field::new(name, label, FieldType::Date),
            "datetime" => Field::new(name, label, FieldType::DateTime),
            "phone" => Field::typed(name, label, FieldType::Phone, 40),
            "email" => Field::typed(name, label, FieldType::Email, 80),
            "url" => text(FieldType::Url, MAX_TEXT, MAX_TEXT)?,
            "formula" => Field::new(name, label, FieldType::Text).read_only(),
            "summary" => number(FieldType::Double, 18, 2)?.read_only(),
            "autonumber" => Field::auto_number(name, label, self.format.as_deref().unwrap_or("{0}")),
            other => return Err(self.wrong(format!("there is no type {other}"))),
        };
        let keyed = matches!(
            field.kind,
            FieldType::Text | FieldType::Email | FieldType::Double | FieldType::Int
        );
        if (self.external_id || self.unique) && !keyed {
            return Err(self.wrong("only texts, e-mail addresses and numbers may be unique or an external id"));
        }
        field.external_id = self.external_id;
        field.id_lookup |= self.external_id;
        field.unique = self.unique;
        field.case_sensitive = self.case_sensitive;
        field.nillable &= !self.required;
        field.restricted = self.restricted;
        if let Some(default) = &self.default {
            field = field.defaults_to(Cell::text(default));
        }
        Ok(field)
    }

    fn reference(&self, label: &str) -> Result<Field, SchemaProblem> {
        let targets: Vec<&str> = self.reference_to.iter().map(String::as_str).collect();
        if targets.is_empty() {
            return Err(self.wrong("reference_to must name an object"));
        }
        let relationship = self.name.trim_end_matches("__c").to_owned() + "__r";
        let field = Field::polymorphic(&self.name, label, &targets, &relationship);
        let children = self.child_relationship.as_deref().unwrap_or_default();
        Ok(if self.kind == "masterdetail" {
            field.master(children)
        } else {
            field.child(children, false)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::standard_schema;

    fn extended(text: &str) -> Result<Schema, String> {
        let file: SchemaFile = toml::from_str(text).map_err(|e| e.to_string())?;
        file.extend(standard_schema()).map_err(|e| e.to_string())
    }

    #[test]
    fn objects_and_fields_are_added() {
        let schema = extended(
            r#"
            [[object]]
            name = "acme__Invoice__c"
            auto_number = "INV-{0000}"
            [[object]]
            name = "Line__c"
            plural = "Lines"
            [[field]]
            object = "Line__c"
            name = "Invoice__c"
            type = "masterdetail"
            reference_to = ["acme__Invoice__c"]
            child_relationship = "Lines__r"
            [[field]]
            object = "account"
            name = "Ext_Id__c"
            type = "string"
            length = 80
            external_id = true
            unique = true
            "#,
        )
        .expect("a schema");
        let object = |name: &str| &schema.sobjects[schema.place(name).expect(name)];
        assert_eq!(
            (&*object("acme__Invoice__c").prefix, &*object("Line__c").prefix),
            ("a00", "a01")
        );
        assert_eq!(&*object("acme__Invoice__c").label, "Invoice");
        let account = object("Account");
        let field = &account.fields[account.field("Ext_Id__c").expect("added")];
        assert!(field.external_id && field.unique && field.length == 80);
        let children = schema.child("acme__Invoice__c", "lines__r");
        assert_eq!(
            children.map(|(place, _)| &*schema.sobjects[place].name),
            Some("Line__c")
        );
        assert!(object("Line__c").relationship("Invoice__r").is_some());
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (text, problem) in [
            (
                "[[object]]\nname = \"Invoice\"",
                "object Invoice: a custom object's name ends with __c",
            ),
            (
                "[[object]]\nname = \"A__b__d__c\"",
                "object A__b__d__c: a custom object's name ends with __c",
            ),
            (
                "[[field]]\nobject = \"Nothing\"\nname = \"A__c\"\ntype = \"string\"",
                "field Nothing.A__c: there is no such object",
            ),
            (
                "[[field]]\nobject = \"Account\"\nname = \"A\"\ntype = \"string\"",
                "field Account.A: a custom field's name ends with __c",
            ),
            (
                "[[field]]\nobject = \"Account\"\nname = \"A__c\"\ntype = \"blob\"",
                "field Account.A__c: there is no type blob",
            ),
            (
                "[[field]]\nobject = \"Account\"\nname = \"A__c\"\ntype = \"string\"\nlength = 0",
                "length must be 1 to 255",
            ),
            (
                "[[field]]\nobject = \"Account\"\nname = \"A__c\"\ntype = \"boolean\"\nunique = true",
                "may be unique",
            ),
            (
                "[[field]]\nobject = \"Account\"\nname = \"A__c\"\ntype = \"reference\"",
                "reference_to must name an object",
            ),
            (
                "[[field]]\nobject = \"Account\"\nname = \"A__c\"\ntype = \"reference\"\nreference_to = [\"X\"]",
                "names X, which is no object",
            ),
            (
                "[[field]]\nobject = \"Account\"\nname = \"Tandem_Key__c\"\ntype = \"string\"",
                "has a field of this name already",
            ),
            (
                "[[field]]\nobject = \"Account\"\nname = \"A__c\"\ntipe = \"string\"",
                "unknown field `tipe`",
            ),
        ] {
            let said = extended(text).err().unwrap_or_default();
            assert!(said.contains(problem), "{text}: {said}");
        }
    }
}
