//! The Avro schema of an object's change events, and where each row field goes in it.

use std::hash::{DefaultHasher, Hash, Hasher};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::compound::{self, Compound, Family};
use super::kind::Kind;
use super::schema_json;
use crate::directory::{EntityField, EntitySchema};

/// The field that the enriched channel adds to updates and deletes.
pub(crate) const KEY_FIELD: &str = "Tandem_Key__c";

/// Fields of a describe that live change-event schemas do not have.
///
/// `Id` is in the header; the others are missing from the live AccountChangeEvent and ContactChangeEvent schemas.
const ABSENT: [&str; 9] = [
    "Id",
    "IsDeleted",
    "SystemModstamp",
    "MasterRecordId",
    "LastActivityDate",
    "LastViewedDate",
    "LastReferencedDate",
    "PhotoUrl",
    "IsEmailBounced",
];

/// Bytes of a schema id before base64 (22 characters after it).
const ID_BYTES: usize = 16;

/// The change-event schema of one object as it was at one time.
#[derive(Debug)]
pub(crate) struct EventSchema {
    /// 22 characters; another one as soon as the object's fields change.
    pub(crate) id: String,
    /// Compact JSON.
    pub(crate) json: String,
    /// sObject API name.
    pub(crate) entity: String,
    /// Body fields; the position of field `i` in the schema is `i + 1`, because the header is first.
    pub(crate) fields: Vec<Field>,
    /// Where rows have the key, and whether they are persons.
    pub(crate) key: Option<usize>,
    pub(crate) person: Option<usize>,
    /// Where leads say that they are converted.
    pub(crate) converted: Option<usize>,
}

/// One body field.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) shape: Shape,
    /// Where rows have the value of a plain field.
    pub(crate) place: usize,
}

/// What a body field holds.
#[derive(Debug)]
pub(crate) enum Shape {
    Plain(Kind),
    Compound(Compound),
}

impl EventSchema {
    /// The schema of `entity` in the org `org_id`.
    pub(crate) fn new(org_id: &str, entity: &EntitySchema) -> Self {
        let fields = body(entity);
        let name = event_name(&entity.name);
        let anonymous = schema_json::text(&name, &fields, None);
        let sum = digest(&SHA256, format!("{org_id} {anonymous}").as_bytes());
        let id = URL_SAFE_NO_PAD.encode(sum.as_ref().get(..ID_BYTES).unwrap_or_default());
        Self {
            json: schema_json::text(&name, &fields, Some(&id)),
            id,
            entity: entity.name.clone(),
            fields,
            key: place(entity, KEY_FIELD),
            person: place(entity, "IsPersonAccount"),
            converted: place(entity, "IsConverted"),
        }
    }
}

fn place(entity: &EntitySchema, name: &str) -> Option<usize> {
    entity
        .fields
        .iter()
        .find(|field| field.name == name)
        .map(|field| field.place)
}

/// `Account` → `AccountChangeEvent`, `Visit__c` → `Visit__ChangeEvent`.
pub(crate) fn event_name(entity: &str) -> String {
    match entity.strip_suffix("__c") {
        Some(stem) => format!("{stem}__ChangeEvent"),
        None => format!("{entity}ChangeEvent"),
    }
}

/// A number that differs when anything differs that the schema depends on.
pub(crate) fn fingerprint(entity: &EntitySchema) -> u64 {
    let mut hasher = DefaultHasher::new();
    entity.name.hash(&mut hasher);
    for field in &entity.fields {
        field.hash(&mut hasher);
    }
    hasher.finish()
}

fn body(entity: &EntitySchema) -> Vec<Field> {
    let mut compounds = compound::compounds(entity);
    let mut fields = Vec::with_capacity(entity.fields.len());
    for field in entity
        .fields
        .iter()
        .filter(|field| !ABSENT.contains(&field.name.as_str()))
    {
        let whole = field.compound.as_deref().unwrap_or(&field.name);
        let family = compound::family(entity, whole);
        let belongs = family.is_some_and(|family| whole == field.name || compound::part_of(field, family).is_some());
        if !belongs {
            fields.push(plain(field));
        } else if let Some(compound) = compounds.remove(whole) {
            // The compound field stands where its first part or itself stood in the describe.
            let declared = entity.fields.iter().find(|other| other.name == whole);
            let custom = declared.and_then(|other| other.custom_field_id.as_deref());
            fields.push(Field {
                name: whole.to_owned(),
                doc: with_id(&format!("Data:{}", compound.family.record()), custom),
                shape: Shape::Compound(compound),
                // A business account has its name where the field itself is.
                place: declared.map_or(field.place, |declared| declared.place),
            });
        }
    }
    fields
}

fn plain(field: &EntityField) -> Field {
    let (kind, doc) = Kind::of(&field.sf_type);
    let doc = if field.name == "CreatedDate" {
        "CreatedDate:DateTime"
    } else {
        doc
    };
    Field {
        name: field.name.clone(),
        doc: with_id(doc, field.custom_field_id.as_deref()),
        shape: Shape::Plain(kind),
        place: field.place,
    }
}

fn with_id(doc: &str, custom_field_id: Option<&str>) -> String {
    match custom_field_id {
        Some(id) => format!("{doc}:{}", id.get(..15).unwrap_or(id)),
        None => doc.to_owned(),
    }
}

impl Compound {
    /// Whether the field may also be a plain string.
    pub(crate) fn switchable(&self) -> bool {
        self.family == Family::SwitchableName
    }
}
