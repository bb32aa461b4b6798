//! A plan held against an org's describe: what the mapping asks for must be there, and be what it is taken for.

use std::sync::Arc;

use serde::Deserialize;
use tandem_core::domain::plan::{FieldPlan, Kind, ObjectPlan};

/// Length that an external id field must have to hold any key.
const KEY_LENGTH: u32 = 255;
/// Digits that a sequence number needs.
const SEQUENCE_DIGITS: u32 = 15;

/// One thing in an org that does not fit the mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The product's object.
    pub object: String,
    /// The product's field, where one is concerned.
    pub field: Option<String>,
    /// The name in Salesforce: `Contact` or `Contact.Email`.
    pub salesforce: String,
    /// What is wrong and what to do.
    pub what: String,
}

/// The answer to describe was not understood.
#[derive(Debug, thiserror::Error)]
#[error("the describe of {sobject} is not as expected at {path}: {why}")]
pub struct DescribeError {
    sobject: String,
    path: String,
    why: String,
}

/// The parts of a describe that matter here (contract.md 4.2).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Describe {
    name: String,
    #[serde(default)]
    createable: bool,
    #[serde(default)]
    updateable: bool,
    #[serde(default)]
    queryable: bool,
    #[serde(default)]
    deletable: bool,
    fields: Vec<Field>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Field {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    length: u32,
    #[serde(default)]
    precision: u32,
    #[serde(default)]
    scale: u8,
    #[serde(default)]
    nillable: bool,
    #[serde(default)]
    createable: bool,
    #[serde(default)]
    updateable: bool,
    #[serde(default)]
    defaulted_on_create: bool,
    #[serde(default)]
    external_id: bool,
    #[serde(default)]
    unique: bool,
    #[serde(default)]
    case_sensitive: bool,
    #[serde(default)]
    reference_to: Vec<String>,
    #[serde(default)]
    picklist_values: Vec<PicklistValue>,
}

#[derive(Debug, Deserialize)]
struct PicklistValue {
    value: String,
    #[serde(default)]
    active: bool,
}

impl Describe {
    /// Reads the body of a describe of `sobject`.
    pub fn parse(sobject: &str, body: &[u8]) -> Result<Self, DescribeError> {
        let mut json = serde_json::Deserializer::from_slice(body);
        serde_path_to_error::deserialize(&mut json).map_err(|error| DescribeError {
            sobject: sobject.to_owned(),
            path: error.path().to_string(),
            why: error.inner().to_string(),
        })
    }

    fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }
}

/// Everything in the org that does not fit. `parent` tells the sObject of a product's object.
pub fn check_describe<'a>(
    plan: &ObjectPlan,
    describe: &Describe,
    parent: impl Fn(&str) -> Option<&'a str>,
) -> Vec<Mismatch> {
    let mut check = Check {
        plan,
        describe,
        found: Vec::new(),
    };
    check.object();
    check.key();
    check.sequence();
    for field in &plan.fields {
        check.field(field, &parent);
    }
    check.demanded();
    check.found
}

/// The plan with what only the org knows: how many digits after the point its decimals have.
pub fn apply_describe(plan: &ObjectPlan, describe: &Describe) -> ObjectPlan {
    let mut plan = plan.clone();
    for field in plan.fields.iter_mut().filter(|field| field.kind == Kind::Decimal) {
        field.scale = describe.field(&field.salesforce).map(|found| found.scale);
    }
    plan
}

/// The Salesforce types that a kind can be kept in, and what else to say.
fn types_of(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Text => &[
            "string",
            "textarea",
            "encryptedstring",
            "combobox",
            "email",
            "phone",
            "url",
            "id",
        ],
        Kind::Email => &["email", "string"],
        Kind::Phone => &["phone", "string"],
        Kind::Url => &["url", "string", "textarea"],
        Kind::Boolean => &["boolean"],
        Kind::Integer => &["int", "long", "double"],
        Kind::Decimal => &["double", "currency", "percent", "int"],
        Kind::Date => &["date"],
        Kind::Datetime => &["datetime"],
        Kind::Picklist => &["picklist", "combobox"],
        Kind::Multipicklist => &["multipicklist"],
        Kind::Reference => &["reference"],
    }
}

/// The kind that suits a Salesforce type, for advice.
fn advice(found: &Field) -> String {
    match found.kind.as_str() {
        "int" | "long" => "use kind = \"integer\"".to_owned(),
        "double" | "currency" | "percent" => "use kind = \"decimal\"".to_owned(),
        "boolean" | "date" | "datetime" | "picklist" | "multipicklist" => format!("use kind = {:?}", found.kind),
        "reference" => format!(
            "use references = \"…\" with the object mapped to {}",
            found.reference_to.join(" or ")
        ),
        "address" | "location" => "map its parts (street, city, …) one by one".to_owned(),
        _ => "map a field of another type".to_owned(),
    }
}

struct Check<'a> {
    plan: &'a ObjectPlan,
    describe: &'a Describe,
    found: Vec<Mismatch>,
}

impl Check<'_> {
    fn tell(&mut self, field: Option<&FieldPlan>, salesforce: Option<&str>, what: impl Into<String>) {
        let sobject = &self.describe.name;
        self.found.push(Mismatch {
            object: self.plan.object.to_string(),
            field: field.map(|field| field.name.to_string()),
            salesforce: salesforce.map_or_else(|| sobject.clone(), |name| format!("{sobject}.{name}")),
            what: what.into(),
        });
    }

    fn object(&mut self) {
        let describe = self.describe;
        let writes = self.plan.direction.writes_salesforce();
        let wanted = [
            ("queryable", describe.queryable, true),
            ("createable", describe.createable, writes),
            ("updateable", describe.updateable, writes),
            ("deletable", describe.deletable, writes),
        ];
        let missing: Vec<&str> = wanted
            .iter()
            .filter(|(_, has, need)| *need && !has)
            .map(|(name, ..)| *name)
            .collect();
        if !missing.is_empty() {
            let what = format!(
                "is not {} for this user: give it the object permissions",
                missing.join(", ")
            );
            self.tell(None, None, what);
        }
    }

    fn key(&mut self) {
        let name = self.plan.external_id.clone();
        let Some(key) = self.describe.field(&name) else {
            self.tell(
                None,
                Some(&name),
                "is missing, or field-level security hides it: deploy Tandem's package and assign its permission set",
            );
            return;
        };
        let wanted = [
            (key.kind == "string", "be of type Text"),
            (key.length >= KEY_LENGTH, "be 255 long"),
            (key.external_id, "be an external id"),
            (key.unique, "be unique"),
            (key.case_sensitive, "treat \"ABC\" and \"abc\" as different values"),
            (key.createable && key.updateable, "be editable for this user"),
        ];
        let missing: Vec<&str> = wanted.iter().filter(|(has, _)| !has).map(|(_, what)| *what).collect();
        if !missing.is_empty() {
            self.tell(
                None,
                Some(&name),
                format!("holds the product's key and must {}", missing.join(", ")),
            );
        }
    }

    fn sequence(&mut self) {
        let Some(name) = self.plan.sequence.clone() else { return };
        if !self.plan.direction.writes_salesforce() {
            return;
        }
        let Some(field) = self.describe.field(&name) else {
            self.tell(
                None,
                Some(&name),
                "is missing, or field-level security hides it: deploy Tandem's package, or set fence = \"soft\"",
            );
            return;
        };
        let is_number = field.kind == "double" && field.scale == 0 && field.precision == SEQUENCE_DIGITS;
        if !is_number {
            self.tell(None, Some(&name), "must be a Number(15, 0): it fences out late writes");
        }
        if !(field.createable && field.updateable) {
            self.tell(None, Some(&name), "must be editable for this user");
        }
    }

    fn field<'a>(&mut self, plan: &FieldPlan, parent: &impl Fn(&str) -> Option<&'a str>) {
        let name = plan.salesforce.as_ref();
        let Some(found) = self.describe.field(name) else {
            self.tell(
                Some(plan),
                Some(name),
                "is missing, or field-level security hides it from this user",
            );
            return;
        };
        if !types_of(plan.kind).contains(&found.kind.as_str()) {
            let kind = format!("{:?}", plan.kind).to_lowercase();
            self.tell(
                Some(plan),
                Some(name),
                format!("is a {} there and {kind} here: {}", found.kind, advice(found)),
            );
            return;
        }
        if plan.kind == Kind::Integer && found.scale != 0 {
            let what = format!("has {} digits after the point: use kind = \"decimal\"", found.scale);
            self.tell(Some(plan), Some(name), what);
        }
        if plan.direction.writes_salesforce() {
            self.writable(plan, found);
        }
        if let Some(parent) = plan.references.as_deref().and_then(parent) {
            let fits = found
                .reference_to
                .iter()
                .any(|target| target.eq_ignore_ascii_case(parent));
            if !fits {
                let what = format!("points to {}, not to {parent}", found.reference_to.join(", "));
                self.tell(Some(plan), Some(name), what);
            }
        }
        self.picklist(plan, found);
    }

    fn writable(&mut self, plan: &FieldPlan, found: &Field) {
        let what = match (found.createable, found.updateable) {
            (true, true) => None,
            (true, false) => Some("can be set on create only"),
            (false, true) => Some("cannot be set on create"),
            (false, false) => Some("cannot be written by this user"),
        };
        if let Some(what) = what {
            let what = format!("{what}: give edit permission, or use direction = \"to_product\"");
            self.tell(Some(plan), Some(&plan.salesforce), what);
        }
        if is_demanded(found) && !plan.required {
            self.tell(
                Some(plan),
                Some(&plan.salesforce),
                "is demanded on create: set required = true",
            );
        }
    }

    fn picklist(&mut self, plan: &FieldPlan, found: &Field) {
        let active = || {
            found
                .picklist_values
                .iter()
                .filter(|value| value.active)
                .map(|value| value.value.as_str())
        };
        for value in plan.values.values() {
            if !active().any(|known| known == value) {
                let what = format!(
                    "has no active value {value:?}; it has: {}",
                    active().collect::<Vec<_>>().join(", ")
                );
                self.tell(Some(plan), Some(&plan.salesforce), what);
            }
        }
    }

    /// Fields that every create must have and no mapped field fills.
    fn demanded(&mut self) {
        if !self.plan.direction.writes_salesforce() {
            return;
        }
        let describe = self.describe;
        for field in describe.fields.iter().filter(|field| is_demanded(field)) {
            let filled =
                self.plan.fields.iter().any(|plan| {
                    plan.direction.writes_salesforce() && plan.salesforce.eq_ignore_ascii_case(&field.name)
                });
            if !filled {
                self.tell(
                    None,
                    Some(&field.name),
                    "is demanded on create and no mapped field fills it: map one to it",
                );
            }
        }
    }
}

/// Whether a create without the field is refused.
fn is_demanded(field: &Field) -> bool {
    field.createable && !field.nillable && !field.defaulted_on_create && field.kind != "boolean"
}

/// A tenant's plan with every object's describe applied; objects without one stay as they are.
pub fn apply_all(
    plan: &tandem_core::domain::plan::TenantPlan,
    describes: &std::collections::BTreeMap<String, Describe>,
) -> tandem_core::domain::plan::TenantPlan {
    let objects = plan
        .objects
        .iter()
        .map(|object| match describes.get(object.sobject.as_ref()) {
            Some(describe) => Arc::new(apply_describe(object, describe)),
            None => object.clone(),
        })
        .collect();
    tandem_core::domain::plan::TenantPlan { objects }
}
