//! Duplicate rules: rows that say the same in some fields are probably one.
//!
//! ```toml
//! [[duplicate_rule]]
//! object = "Contact"
//! name = "Same_email"
//! fields = ["Email"]
//! on_create = "alert"       # block, alert or allow
//! on_update = "allow"
//! message = "Use one of these records?"
//! ```

use std::sync::Arc;

use serde::Deserialize;

use super::file::SchemaProblem;
use super::sobject::Sobject;

/// Most duplicate rules of one object [from memory: five active ones].
const MAX_RULES: usize = 5;

/// What a rule does with a duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDuplicate {
    /// Refuses it whatever the caller says.
    Block,
    /// Refuses it unless the caller says `allowSave`.
    #[default]
    Alert,
    /// Takes it.
    Allow,
}

/// One duplicate rule; rows match when all of the fields are there and equal, without regard to case.
#[derive(Debug, Clone)]
pub struct DuplicateRule {
    /// Its name.
    pub name: Arc<str>,
    /// Places of the fields; the first is indexed.
    pub fields: Vec<usize>,
    /// For new rows.
    pub on_create: OnDuplicate,
    /// For changed rows.
    pub on_update: OnDuplicate,
    /// What the caller is told.
    pub message: Arc<str>,
}

/// One duplicate rule of a schema file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DuplicateRuleSpec {
    /// API name of its object.
    pub object: String,
    /// Its name.
    pub name: String,
    /// API names of the texts that must be equal.
    pub fields: Vec<String>,
    /// For new rows.
    #[serde(default)]
    pub on_create: OnDuplicate,
    /// For changed rows.
    #[serde(default)]
    pub on_update: OnDuplicate,
    /// What the caller is told.
    #[serde(default = "usual")]
    pub message: String,
}

/// [C]
fn usual() -> String {
    "You're creating a duplicate record. We recommend you use an existing record instead.".to_owned()
}

impl DuplicateRuleSpec {
    pub(super) fn add_to(&self, sobjects: &mut [Sobject]) -> Result<(), SchemaProblem> {
        let wrong = |problem: String| SchemaProblem {
            place: format!("duplicate_rule {}.{}", self.object, self.name),
            problem,
        };
        let object = sobjects.iter_mut().find(|s| s.name.eq_ignore_ascii_case(&self.object));
        let object = object.ok_or_else(|| wrong("there is no such object".to_owned()))?;
        let place = |name: &String| {
            let field = object.field(name).filter(|field| object.fields[*field].kind.is_text());
            field.ok_or_else(|| wrong(format!("the object has no text {name}")))
        };
        let fields = self.fields.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        let first = *fields
            .first()
            .ok_or_else(|| wrong("fields must name at least one".to_owned()))?;
        if object.duplicate_rules.len() >= MAX_RULES {
            return Err(wrong(format!("an object has at most {MAX_RULES} duplicate rules")));
        }
        object.fields[first].matched = true;
        object.duplicate_rules.push(DuplicateRule {
            name: self.name.as_str().into(),
            fields,
            on_create: self.on_create,
            on_update: self.on_update,
            message: self.message.as_str().into(),
        });
        Ok(())
    }
}
