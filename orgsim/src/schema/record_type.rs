//! Record types: kinds of rows of one object, each with its own picklist values.
//!
//! ```toml
//! [[record_type]]
//! object = "Account"
//! name = "Partner"
//! default = true
//! picklists = { Industry = ["Banking", "Media"] }
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use arcstr::ArcStr;
use serde::Deserialize;

use super::field::{Field, FieldType};
use super::file::SchemaProblem;
use super::sobject::Sobject;

/// Name of the reference that rows of an object with record types have.
pub(crate) const RECORD_TYPE_ID: &str = "RecordTypeId";
/// Most record types of one object [from memory: 200].
const MAX_RECORD_TYPES: usize = 200;

/// One record type of an object.
#[derive(Debug, Clone)]
pub struct RecordType {
    /// What people see.
    pub label: Arc<str>,
    /// API name.
    pub developer_name: Arc<str>,
    /// Whether rows may get it.
    pub active: bool,
    /// Whether new rows get it when the caller names none.
    pub default: bool,
    /// Values that it leaves of picklists, by the places of the fields.
    pub picklists: Vec<(usize, Vec<Arc<str>>)>,
    /// 18-character id; None until an org has given it one.
    pub id: Option<ArcStr>,
}

/// One record type of a schema file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordTypeSpec {
    /// API name of its object.
    pub object: String,
    /// API name.
    pub name: String,
    /// What people see; the name when missing.
    pub label: Option<String>,
    /// Whether rows may get it.
    #[serde(default = "yes")]
    pub active: bool,
    /// Whether new rows get it when the caller names none.
    #[serde(default)]
    pub default: bool,
    /// Values that it leaves of picklists; all of those that are not named.
    #[serde(default)]
    pub picklists: BTreeMap<String, Vec<String>>,
}

fn yes() -> bool {
    true
}

impl RecordTypeSpec {
    pub(super) fn add_to(&self, sobjects: &mut [Sobject]) -> Result<(), SchemaProblem> {
        let wrong = |problem: String| SchemaProblem {
            place: format!("record_type {}.{}", self.object, self.name),
            problem,
        };
        let place = sobjects.iter().position(|s| s.name.eq_ignore_ascii_case(&self.object));
        let place = place.ok_or_else(|| wrong("there is no such object".to_owned()))?;
        let known = &sobjects[place].record_types;
        if known.len() >= MAX_RECORD_TYPES {
            return Err(wrong(format!("an object has at most {MAX_RECORD_TYPES} record types")));
        }
        if known.iter().any(|t| t.developer_name.eq_ignore_ascii_case(&self.name)) {
            return Err(wrong("the object has a record type of this name already".to_owned()));
        }
        if sobjects[place].field(RECORD_TYPE_ID).is_none() {
            sobjects[place] = sobjects[place].with(Field::lookup(
                RECORD_TYPE_ID,
                "Record Type ID",
                "RecordType",
                "RecordType",
            ));
        }
        let object = &sobjects[place];
        let subset = |(name, values): (&String, &Vec<String>)| {
            let field = object.field(name).filter(|field| {
                matches!(
                    object.fields[*field].kind,
                    FieldType::Picklist | FieldType::MultiPicklist
                )
            });
            let field = field.ok_or_else(|| wrong(format!("{name} is no picklist of the object")))?;
            let known = &object.fields[field].values;
            if let Some(unknown) = values.iter().find(|value| !known.iter().any(|k| **k == ***value)) {
                return Err(wrong(format!("{name} has no value {unknown}")));
            }
            Ok((field, values.iter().map(|value| Arc::from(value.as_str())).collect()))
        };
        let record_type = RecordType {
            label: self.label.as_deref().unwrap_or(&self.name).into(),
            developer_name: self.name.as_str().into(),
            active: self.active,
            default: self.default,
            picklists: self.picklists.iter().map(subset).collect::<Result<_, _>>()?,
            id: None,
        };
        sobjects[place].record_types.push(record_type);
        Ok(())
    }
}

impl Sobject {
    /// The record type with this 18-character id.
    #[must_use]
    pub fn record_type(&self, id: &str) -> Option<&RecordType> {
        self.record_types.iter().find(|t| t.id.as_deref() == Some(id))
    }
}
