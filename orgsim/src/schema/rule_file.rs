//! Validation rules, automations and computed fields of a schema file.
//!
//! ```toml
//! [[validation_rule]]
//! object = "Contact"
//! name = "Former_needs_reason"
//! formula = "AND(ISPICKVAL(Status__c, 'Former'), ISBLANK(Description))"
//! message = "Say why."
//! field = "Description"
//!
//! [[automation]]
//! object = "Contact"
//! name = "Normalise"
//! when = "before"
//! on = ["insert", "update"]
//! set = { Department = "UPPER(Department)" }
//! update_parent = { field = "AccountId", set = { Rating = "'Hot'" } }
//!
//! [[field]]
//! object = "Invoice__c"
//! name = "Total__c"
//! type = "summary"
//! summarize = "Line__c"
//! operation = "sum"
//! summarized = "Amount__c"
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;

use super::field::FieldType;
use super::file::{FieldSpec, SchemaProblem};
use super::rule::{Automation, Occasion, RollUp, Summary, ValidationRule, fits};
use super::sobject::Schema;
use crate::formula::{Formula, Kind};

/// Most rules of each kind of one object.
const MAX_RULES: usize = 500;

/// One validation rule.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationRuleSpec {
    /// API name of its object.
    pub object: String,
    /// Its name.
    pub name: String,
    /// A row for which it is true is refused.
    pub formula: String,
    /// What the caller is told.
    pub message: String,
    /// The field that the error is shown at.
    pub field: Option<String>,
    /// Whether it is at work.
    #[serde(default = "yes")]
    pub active: bool,
}

fn yes() -> bool {
    true
}

/// When an automation works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// Before the validation rules.
    Before,
    /// After them.
    After,
}

/// One automation: a flow or trigger.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutomationSpec {
    /// API name of its object.
    pub object: String,
    /// As errors name it.
    pub name: String,
    /// Before or after the validation rules.
    pub when: When,
    /// What calls it.
    pub on: Vec<Occasion>,
    /// A formula; always without one.
    pub condition: Option<String>,
    /// Fields of the row and formulas of their new values.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// The same of a row that it names.
    pub update_parent: Option<ParentSpec>,
    /// Refuses the row with these words.
    pub throw: Option<String>,
}

/// What an automation does to a parent.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParentSpec {
    /// The row's reference.
    pub field: String,
    /// Fields of the parent and formulas of the row.
    pub set: BTreeMap<String, String>,
}

impl ValidationRuleSpec {
    pub(super) fn add_to(&self, schema: &mut Schema) -> Result<(), SchemaProblem> {
        let wrong = |problem: String| SchemaProblem {
            place: format!("validation_rule {}.{}", self.object, self.name),
            problem,
        };
        let place = schema
            .place(&self.object)
            .ok_or_else(|| wrong("there is no such object".to_owned()))?;
        let formula = Formula::compile(&self.formula, schema, place).map_err(|e| wrong(e.to_string()))?;
        if formula.kind != Kind::Boolean {
            return Err(wrong("the formula must give true or false".to_owned()));
        }
        let field = self.field.as_ref().map(|name| {
            let field = schema.sobjects[place].field(name);
            field.ok_or_else(|| wrong(format!("there is no field {name}")))
        });
        let rule = ValidationRule {
            formula,
            message: self.message.as_str().into(),
            field: field.transpose()?,
            fence: false,
        };
        let rules = &mut schema.rules[place].validation;
        if rules.len() >= MAX_RULES {
            return Err(wrong(format!("an object has at most {MAX_RULES} validation rules")));
        }
        if self.active {
            rules.push(rule);
        }
        Ok(())
    }
}

impl AutomationSpec {
    pub(super) fn add_to(&self, schema: &mut Schema) -> Result<(), SchemaProblem> {
        let wrong = |problem: String| SchemaProblem {
            place: format!("automation {}.{}", self.object, self.name),
            problem,
        };
        let place = schema
            .place(&self.object)
            .ok_or_else(|| wrong("there is no such object".to_owned()))?;
        let compile = |text: &String| Formula::compile(text, schema, place).map_err(|e| wrong(e.to_string()));
        // The formulas are the row's; the fields are of `of`.
        let assigned = |of: usize, set: &BTreeMap<String, String>| {
            set.iter()
                .map(|(name, text)| {
                    let field = schema.sobjects[of].field(name);
                    let field = field.ok_or_else(|| wrong(format!("there is no field {name}")))?;
                    let formula = compile(text)?;
                    if !fits(&schema.sobjects[of].fields[field], formula.kind) {
                        return Err(wrong(format!("{name} cannot hold {:?}", formula.kind)));
                    }
                    Ok((field, formula))
                })
                .collect::<Result<Vec<_>, SchemaProblem>>()
        };
        let condition = self.condition.as_ref().map(compile).transpose()?;
        if condition.as_ref().is_some_and(|formula| formula.kind != Kind::Boolean) {
            return Err(wrong("the condition must give true or false".to_owned()));
        }
        let parent = match &self.update_parent {
            None => None,
            Some(spec) => {
                let object = &schema.sobjects[place];
                let reference = object.field(&spec.field);
                let target = reference.and_then(|field| object.fields[field].reference_to.first());
                let target = target.and_then(|name| schema.place(name));
                let both = reference.zip(target);
                let (reference, target) = both.ok_or_else(|| wrong(format!("{} is no reference", spec.field)))?;
                Some((reference, assigned(target, &spec.set)?))
            }
        };
        let automation = Automation {
            name: self.name.as_str().into(),
            after: self.when == When::After,
            on: self.on.clone(),
            condition,
            set: assigned(place, &self.set)?,
            parent,
            throw: self.throw.as_deref().map(Into::into),
        };
        let automations = &mut schema.rules[place].automations;
        if automations.len() >= MAX_RULES {
            return Err(wrong(format!("an object has at most {MAX_RULES} automations")));
        }
        automations.push(automation);
        Ok(())
    }
}

impl FieldSpec {
    /// What a field of type `formula` or `summary` is made of; the field itself is there already.
    pub(super) fn compute(&self, schema: &mut Schema) -> Result<(), SchemaProblem> {
        let both = schema
            .place(&self.object)
            .and_then(|place| Some((place, schema.sobjects[place].field(&self.name)?)));
        let Some((place, field)) = both else { return Ok(()) };
        match self.kind.as_str() {
            "formula" => {
                let text = self
                    .formula
                    .as_deref()
                    .ok_or_else(|| self.wrong("formula is missing"))?;
                let formula = Formula::compile(text, schema, place).map_err(|e| self.wrong(e.to_string()))?;
                let field = &mut schema.sobjects[place].fields[field];
                (field.kind, field.length) = match formula.kind {
                    Kind::Number => (FieldType::Double, 0),
                    Kind::Boolean => (FieldType::Boolean, 0),
                    Kind::Date => (FieldType::Date, 0),
                    Kind::DateTime => (FieldType::DateTime, 0),
                    // [from memory]
                    Kind::Text | Kind::Null => (FieldType::Text, 1_300),
                    Kind::Picklist | Kind::MultiPicklist => {
                        return Err(self.wrong("a formula gives no picklist; TEXT(…) makes a text of one"));
                    }
                };
                field.formula = Some(formula);
            }
            "summary" => {
                let detail = self.summarize.as_deref().unwrap_or_default();
                let child = schema
                    .place(detail)
                    .ok_or_else(|| self.wrong("summarize must name the detail object"))?;
                let object = &schema.sobjects[child];
                let named = |f: &super::field::Field| {
                    f.master && f.reference_to.iter().any(|to| to.eq_ignore_ascii_case(&self.object))
                };
                let reference = object.fields.iter().position(named);
                let reference =
                    reference.ok_or_else(|| self.wrong(format!("{detail} is no detail of {}", self.object)))?;
                let summary = self
                    .operation
                    .ok_or_else(|| self.wrong("operation must be count, sum, min or max"))?;
                let of = self.summarized.as_ref().map(|name| {
                    let found = object.field(name).filter(|of| object.fields[*of].kind.is_number());
                    found.ok_or_else(|| self.wrong(format!("{detail} has no number {name}")))
                });
                let of = of.transpose()?;
                if of.is_none() && summary != Summary::Count {
                    return Err(self.wrong("summarized must name the detail's field"));
                }
                schema.sobjects[place].fields[field].summary = true;
                schema.rules[child].roll_ups.push(RollUp {
                    reference,
                    master: place,
                    field,
                    summary,
                    of,
                });
            }
            _ => {}
        }
        Ok(())
    }
}
