//! A tree to a plan: names looked up in the schema, values brought to the fields' types.

use std::collections::HashSet;

use super::QueryError;
use super::ast::{Condition, Function, Group, Item, Literal, Operator, Path, Query};
use crate::org::{Cell, code, normalise};
use crate::schema::{Field, FieldType, Schema, Sobject};

/// Longest path in names: five parents and a field (contract 5).
const MAX_NAMES: usize = 6;
/// Largest LIMIT of a query with FIELDS(ALL) or FIELDS(CUSTOM) (contract 5).
const MAX_FIELDS_LIMIT: usize = 200;

/// A field, reached over parents.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BoundPath {
    /// Reference fields on the way, each of the object before.
    pub(super) hops: Vec<usize>,
    pub(super) field: usize,
    /// Whether text is compared with its case.
    pub(super) exact: bool,
}

/// What is shown of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shown {
    Field(usize),
    Parent {
        field: usize,
        sobject: usize,
        shown: Vec<Shown>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum BoundCondition {
    And(Vec<BoundCondition>),
    Or(Vec<BoundCondition>),
    Not(Box<BoundCondition>),
    Compare {
        path: BoundPath,
        operator: Operator,
        value: Cell,
    },
    In {
        path: BoundPath,
        values: Vec<Cell>,
        texts: HashSet<String>,
        negated: bool,
    },
}

/// One value of an aggregate result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Aggregate {
    pub(super) function: Function,
    pub(super) path: BoundPath,
    pub(super) name: String,
}

/// A query that can be run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// Place of the object.
    pub(crate) sobject: usize,
    pub(super) shown: Vec<Shown>,
    /// Whether only the number of rows is asked for.
    pub(crate) count_only: bool,
    /// Values over all rows; then no row is shown.
    pub(crate) aggregates: Vec<Aggregate>,
    /// Whether a long text is selected: pages are smaller then (observed 2026).
    pub(crate) long_text: bool,
    pub(super) condition: Option<BoundCondition>,
    pub(super) order: Vec<(BoundPath, bool, bool)>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
}

struct Binder<'s> {
    text: &'s str,
    schema: &'s Schema,
    sobject: usize,
}

/// Looks everything up.
pub(crate) fn bind(text: &str, query: &Query, schema: &Schema) -> Result<Plan, QueryError> {
    let sobject = schema.place(&query.from).ok_or_else(|| {
        let words = format!(
            "sObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
            query.from
        );
        QueryError::at(code::TYPE, text, query.from_place, &words)
    })?;
    let binder = Binder { text, schema, sobject };
    let mut plan = Plan {
        sobject,
        shown: Vec::new(),
        count_only: query.items.is_empty(),
        aggregates: Vec::new(),
        long_text: false,
        condition: query.condition.as_ref().map(|c| binder.condition(c)).transpose()?,
        order: Vec::new(),
        limit: query.limit,
        offset: query.offset,
    };
    for item in &query.items {
        binder.item(item, query, &mut plan)?;
    }
    if !plan.aggregates.is_empty() && !plan.shown.is_empty() {
        let words = "a field that is not in an aggregate function needs GROUP BY, which the simulator does not have";
        return Err(QueryError::new(code::MALFORMED_QUERY, words));
    }
    for order in &query.order {
        let (path, field) = binder.path(&order.path)?;
        if matches!(field.kind, FieldType::LongText | FieldType::Address) {
            let words = format!("field '{}' can not be sorted in a query call", field.name);
            return Err(QueryError::at(code::FIELD, text, order.path.place, &words));
        }
        plan.order.push((path, order.descending, order.nulls_last));
    }
    Ok(plan)
}

impl<'s> Binder<'s> {
    fn object(&self) -> &'s Sobject {
        &self.schema.sobjects[self.sobject]
    }

    fn item(&self, item: &Item, query: &Query, plan: &mut Plan) -> Result<(), QueryError> {
        match item {
            Item::Field(path) => {
                let (bound, field) = self.path(path)?;
                plan.long_text |= field.kind == FieldType::LongText;
                self.show(&mut plan.shown, self.sobject, &bound.hops, bound.field);
            }
            Item::Fields(group) => {
                if *group != Group::Standard && query.limit.is_none_or(|l| l > MAX_FIELDS_LIMIT) {
                    let words = "The SOQL FIELDS function must have a LIMIT of at most 200";
                    return Err(QueryError::new(code::MALFORMED_QUERY, words));
                }
                let object = self.object();
                for place in &object.describe_order {
                    let custom = object.fields[*place].is_custom();
                    if *group == Group::All || custom == (*group == Group::Custom) {
                        plan.long_text |= object.fields[*place].kind == FieldType::LongText;
                        self.show(&mut plan.shown, self.sobject, &[], *place);
                    }
                }
            }
            Item::Aggregate { function, path, alias } => {
                let (bound, field) = self.path(path)?;
                let summing = matches!(function, Function::Sum | Function::Avg);
                if (summing && !field.kind.is_number())
                    || matches!(field.kind, FieldType::LongText | FieldType::Address)
                {
                    let words = format!("field {} does not support aggregate operator {function:?}", field.name);
                    return Err(QueryError::at(code::MALFORMED_QUERY, self.text, path.place, &words));
                }
                let name = alias
                    .clone()
                    .unwrap_or_else(|| format!("expr{}", plan.aggregates.len()));
                plan.aggregates.push(Aggregate {
                    function: *function,
                    path: bound,
                    name,
                });
            }
        }
        Ok(())
    }

    /// Adds a field to what is shown; one parent is shown once, with all its fields.
    fn show(&self, shown: &mut Vec<Shown>, sobject: usize, hops: &[usize], field: usize) {
        let Some((hop, rest)) = hops.split_first() else {
            if !shown.contains(&Shown::Field(field)) {
                shown.push(Shown::Field(field));
            }
            return;
        };
        let target = self.target(sobject, *hop).unwrap_or(sobject);
        let existing = shown.iter_mut().find_map(|s| match s {
            Shown::Parent { field, shown, .. } if field == hop => Some(shown),
            _ => None,
        });
        match existing {
            Some(inner) => self.show(inner, target, rest, field),
            None => {
                let mut inner = Vec::new();
                self.show(&mut inner, target, rest, field);
                shown.push(Shown::Parent {
                    field: *hop,
                    sobject: target,
                    shown: inner,
                });
            }
        }
    }

    fn target(&self, sobject: usize, reference: usize) -> Option<usize> {
        let name = self.schema.sobjects[sobject].fields[reference].reference_to.first()?;
        self.schema.place(name)
    }

    fn path(&self, path: &Path) -> Result<(BoundPath, &'s Field), QueryError> {
        let mut names = path.names.as_slice();
        let mut sobject = self.sobject;
        // The object's own name may lead the path.
        if names.len() > 1
            && names[0].eq_ignore_ascii_case(&self.object().name)
            && self.object().relationship(&names[0]).is_none()
        {
            names = &names[1..];
        }
        if names.len() > MAX_NAMES {
            let words = "a path may name at most five parents";
            return Err(QueryError::at(code::MALFORMED_QUERY, self.text, path.place, words));
        }
        let mut hops = Vec::new();
        while let [parent, _, ..] = names {
            let object = &self.schema.sobjects[sobject];
            let hop = object.relationship(parent).ok_or_else(|| {
                let words = format!(
                    "Didn't understand relationship '{parent}' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."
                );
                QueryError::at(code::FIELD, self.text, path.place, &words)
            })?;
            sobject = self.target(sobject, hop).unwrap_or(sobject);
            hops.push(hop);
            names = &names[1..];
        }
        let object = &self.schema.sobjects[sobject];
        let name = names.first().map_or("", String::as_str);
        let field = object.field(name).ok_or_else(|| {
            let words = format!(
                "No such column '{name}' on entity '{}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.",
                object.name
            );
            QueryError::at(code::FIELD, self.text, path.place, &words)
        })?;
        let exact = object.fields[field].case_sensitive
            || matches!(object.fields[field].kind, FieldType::Id | FieldType::Reference);
        Ok((BoundPath { hops, field, exact }, &object.fields[field]))
    }

    fn condition(&self, condition: &Condition) -> Result<BoundCondition, QueryError> {
        let all = |parts: &[Condition]| parts.iter().map(|p| self.condition(p)).collect::<Result<Vec<_>, _>>();
        Ok(match condition {
            Condition::And(parts) => BoundCondition::And(all(parts)?),
            Condition::Or(parts) => BoundCondition::Or(all(parts)?),
            Condition::Not(inner) => BoundCondition::Not(Box::new(self.condition(inner)?)),
            Condition::Compare { path, operator, value } => {
                let (bound, field) = self.filterable(path)?;
                if *operator == Operator::Like && !field.kind.is_text() {
                    let words = format!("invalid operator on {} field", field.kind.name());
                    return Err(QueryError::at(
                        "INVALID_QUERY_FILTER_OPERATOR",
                        self.text,
                        path.place,
                        &words,
                    ));
                }
                let value = self.value(path, field, value)?;
                BoundCondition::Compare {
                    path: bound,
                    operator: *operator,
                    value,
                }
            }
            Condition::In { path, values, negated } => {
                let (bound, field) = self.filterable(path)?;
                let values = values
                    .iter()
                    .map(|v| self.value(path, field, v))
                    .collect::<Result<Vec<_>, _>>()?;
                let texts = values
                    .iter()
                    .filter_map(Cell::as_text)
                    .map(|t| if bound.exact { t.to_owned() } else { t.to_lowercase() })
                    .collect();
                BoundCondition::In {
                    path: bound,
                    values,
                    texts,
                    negated: *negated,
                }
            }
        })
    }

    fn filterable(&self, path: &Path) -> Result<(BoundPath, &'s Field), QueryError> {
        let (bound, field) = self.path(path)?;
        if matches!(field.kind, FieldType::LongText | FieldType::Address) {
            let words = format!("field '{}' can not be filtered in a query call", field.name);
            return Err(QueryError::at(code::FIELD, self.text, path.place, &words));
        }
        Ok((bound, field))
    }

    fn value(&self, path: &Path, field: &Field, literal: &Literal) -> Result<Cell, QueryError> {
        let kind = field.kind;
        let cell = match literal {
            Literal::Null => Some(Cell::Null),
            Literal::Bool(b) => (kind == FieldType::Boolean).then_some(Cell::Bool(*b)),
            Literal::Number(n) => kind.is_number().then_some(Cell::Number(*n)),
            Literal::Date(d) => (kind == FieldType::Date).then_some(Cell::Date(*d)),
            Literal::Instant(s) => (kind == FieldType::DateTime).then_some(Cell::Instant(*s)),
            Literal::Text(t) if matches!(kind, FieldType::Id | FieldType::Reference) => {
                let id = normalise(t).ok_or_else(|| {
                    let words = format!("invalid ID field: {t}");
                    QueryError::at("INVALID_QUERY_FILTER_OPERATOR", self.text, path.place, &words)
                })?;
                Some(Cell::Text(id.into()))
            }
            Literal::Text(t) if kind.is_text() => Some(if t.is_empty() { Cell::Null } else { Cell::text(t) }),
            Literal::Text(_) => None,
        };
        cell.ok_or_else(|| {
            let quotes = if kind.is_text() {
                "should be enclosed in quotes"
            } else {
                "should not be enclosed in quotes"
            };
            let words = format!(
                "value of filter criterion for field '{}' must be of type {} and {quotes}",
                field.name,
                kind.name()
            );
            QueryError::at(code::FIELD, self.text, path.place, &words)
        })
    }
}
