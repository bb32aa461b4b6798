//! What an admin has made an org do with rows by itself: validation rules, automations and roll-up summaries.

use std::sync::Arc;

use crate::formula::{Formula, Kind};
use crate::schema::{AssignmentRule, Field, FieldType, Schema};

/// A rule that refuses rows for which its formula is true.
#[derive(Debug, Clone)]
pub struct ValidationRule {
    /// When it strikes.
    pub formula: Formula,
    /// What the caller is told.
    pub message: Arc<str>,
    /// The field that the error is shown at.
    pub field: Option<usize>,
    /// Whether it is one of Tandem's two.
    pub fence: bool,
}

/// What calls an automation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// A new row.
    Insert,
    /// A changed row.
    Update,
    /// A row that goes to the recycle bin.
    Delete,
}

/// A flow or trigger.
#[derive(Debug, Clone)]
pub struct Automation {
    /// As errors name it.
    pub name: Arc<str>,
    /// Whether it works after the validation rules, as after-triggers and workflow rules do.
    pub after: bool,
    /// What calls it.
    pub on: Vec<Occasion>,
    /// When it works; always without one.
    pub condition: Option<Formula>,
    /// Fields of the row and their new values.
    pub set: Vec<(usize, Formula)>,
    /// A reference, and fields of the row that it names with their new values.
    pub parent: Option<(usize, Vec<(usize, Formula)>)>,
    /// Refuses the row with these words.
    pub throw: Option<Arc<str>>,
}

/// How a roll-up makes one value of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Summary {
    /// How many children there are.
    Count,
    /// Their sum.
    Sum,
    /// The smallest.
    Min,
    /// The largest.
    Max,
}

/// A roll-up summary field, as its detail object sees it.
#[derive(Debug, Clone)]
pub struct RollUp {
    /// The detail's reference to its master.
    pub reference: usize,
    /// The master object and its field.
    pub master: usize,
    /// Place of the summary field.
    pub field: usize,
    /// How.
    pub summary: Summary,
    /// The detail's field; None for a count.
    pub of: Option<usize>,
}

/// All rules of one object.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// In the order in which they were made.
    pub validation: Vec<ValidationRule>,
    /// In the order in which they were made.
    pub automations: Vec<Automation>,
    /// In the order in which they are asked.
    pub assignments: Vec<AssignmentRule>,
    /// Summaries of this object's rows.
    pub roll_ups: Vec<RollUp>,
}

/// Tandem's two rules (design 6): the number never falls or empties, the key is written once.
const FENCE: [(&str, &str, &str); 2] = [
    (
        "Tandem_Seq__c",
        "AND(NOT(ISNEW()), NOT(ISBLANK(PRIORVALUE(Tandem_Seq__c))), OR(ISBLANK(Tandem_Seq__c), \
         Tandem_Seq__c < PRIORVALUE(Tandem_Seq__c)), NOT($Permission.Tandem_Fence_Bypass))",
        "Tandem: a newer change of this record was already written.",
    ),
    (
        "Tandem_Key__c",
        "AND(NOT(ISNEW()), NOT(ISBLANK(PRIORVALUE(Tandem_Key__c))), ISCHANGED(Tandem_Key__c), \
         NOT($Permission.Tandem_Fence_Bypass))",
        "Tandem: the key of a record is written once.",
    ),
];

/// The fence of an object, when it has the two fields.
pub(super) fn fence(schema: &Schema, sobject: usize) -> Vec<ValidationRule> {
    if schema.sobjects[sobject].fence.is_none() {
        return Vec::new();
    }
    FENCE
        .iter()
        .filter_map(|(field, formula, message)| {
            Some(ValidationRule {
                formula: Formula::compile(formula, schema, sobject).ok()?,
                message: (*message).into(),
                field: schema.sobjects[sobject].field(field),
                fence: true,
            })
        })
        .collect()
}

/// Whether a field may be set to what a formula gives.
pub(super) fn fits(field: &Field, kind: Kind) -> bool {
    match kind {
        Kind::Null => field.nillable,
        Kind::Boolean => field.kind == FieldType::Boolean,
        Kind::Number => field.kind.is_number(),
        Kind::Date => field.kind == FieldType::Date,
        Kind::DateTime => field.kind == FieldType::DateTime,
        Kind::Text | Kind::Picklist | Kind::MultiPicklist => field.kind.is_text() || field.kind == FieldType::Reference,
    }
}
