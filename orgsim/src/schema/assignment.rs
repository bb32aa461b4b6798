//! Assignment rules: who owns new and changed rows when the caller does not say otherwise.
//!
//! ```toml
//! [[assignment_rule]]
//! object = "Lead"
//! owner = "human@acme.example"
//! criteria = "ISPICKVAL(LeadSource, 'Web')"
//! ```

use std::sync::Arc;

use serde::Deserialize;

use super::file::SchemaProblem;
use super::sobject::Schema;
use crate::formula::{Formula, Kind};

/// Objects that have assignment rules [V:D-HEADERS].
const ASSIGNABLE: [&str; 3] = ["Account", "Case", "Lead"];

/// One rule entry: the first whose criteria hold gives the row its owner.
#[derive(Debug, Clone)]
pub struct AssignmentRule {
    /// Login name.
    pub owner: Arc<str>,
    /// When it applies; always without.
    pub criteria: Option<Formula>,
}

/// One assignment rule of a schema file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignmentRuleSpec {
    /// `Account`, `Case` or `Lead`.
    pub object: String,
    /// Login name.
    pub owner: String,
    /// A formula; always without.
    pub criteria: Option<String>,
}

impl AssignmentRuleSpec {
    pub(super) fn add_to(&self, schema: &mut Schema) -> Result<(), SchemaProblem> {
        let wrong = |problem: String| SchemaProblem {
            place: format!("assignment_rule {} to {}", self.object, self.owner),
            problem,
        };
        let place = schema
            .place(&self.object)
            .filter(|_| ASSIGNABLE.iter().any(|a| a.eq_ignore_ascii_case(&self.object)));
        let place = place.ok_or_else(|| wrong(format!("object must be one of {ASSIGNABLE:?}")))?;
        let compile = |text: &String| Formula::compile(text, schema, place).map_err(|e| wrong(e.to_string()));
        let criteria = self.criteria.as_ref().map(compile).transpose()?;
        if criteria.as_ref().is_some_and(|formula| formula.kind != Kind::Boolean) {
            return Err(wrong("criteria must give true or false".to_owned()));
        }
        schema.rules[place].assignments.push(AssignmentRule {
            owner: self.owner.as_str().into(),
            criteria,
        });
        Ok(())
    }
}
