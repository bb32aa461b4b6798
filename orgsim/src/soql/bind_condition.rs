//! Conditions of a query, bound: fields that may be filtered, values of the fields' types.

use super::QueryError;
use super::ast::{Condition, Expr, Item, Literal, Operator, Path, Query};
use super::bind::Binder;
use super::dates::{DateFunction, seconds_of};
use super::plan::{BoundCondition, BoundExpr, BoundPath, Grouping, Wanted};
use crate::org::{Cell, code, normalise};
use crate::schema::{Field, FieldType};

/// Type and name of what is compared; nothing for a number that is counted or computed.
type Operand<'s> = Option<(FieldType, &'s str)>;

/// The code of an operator or value that does not go with a field's type.
const OPERATOR: &str = "INVALID_QUERY_FILTER_OPERATOR";

impl<'s> Binder<'s> {
    /// `groups` are those that the condition is about, where it is not about rows.
    pub(super) fn condition(
        &self,
        condition: &Condition,
        groups: Option<&Grouping>,
    ) -> Result<BoundCondition, QueryError> {
        let all = |parts: &[Condition]| {
            let bound = parts.iter().map(|p| self.condition(p, groups));
            bound.collect::<Result<Vec<_>, _>>()
        };
        Ok(match condition {
            Condition::And(parts) => BoundCondition::And(all(parts)?),
            Condition::Or(parts) => BoundCondition::Or(all(parts)?),
            Condition::Not(inner) => BoundCondition::Not(Box::new(self.condition(inner, groups)?)),
            Condition::Compare { expr, operator, value } => {
                let (bound, kind) = self.operand(expr, groups)?;
                if *operator == Operator::Like && !kind.is_some_and(|(kind, _)| kind.is_text()) {
                    let words = format!("invalid operator on {} field", kind_name(kind));
                    return Err(QueryError::at(OPERATOR, self.text, expr.place(), &words));
                }
                BoundCondition::Compare {
                    value: self.wanted(expr, kind, value)?,
                    expr: bound,
                    operator: *operator,
                }
            }
            Condition::In { expr, values, negated } => {
                let (bound, kind) = self.operand(expr, groups)?;
                let mut cells = Vec::with_capacity(values.len());
                for value in values {
                    match self.wanted(expr, kind, value)? {
                        Wanted::Cell(cell) => cells.push(cell),
                        Wanted::Span(..) => {
                            let words = "a date literal does not go into a list";
                            return Err(QueryError::at(OPERATOR, self.text, expr.place(), words));
                        }
                    }
                }
                let texts = cells.iter().filter_map(Cell::as_text);
                let texts = texts.map(|t| if bound.exact() { t.to_owned() } else { t.to_lowercase() });
                BoundCondition::In {
                    texts: texts.collect(),
                    expr: bound,
                    values: cells,
                    negated: *negated,
                }
            }
            Condition::InQuery { path, query, negated } => self.in_query(path, query, *negated)?,
            Condition::Includes { path, values, negated } => {
                let (bound, field) = self.filterable(path)?;
                if field.kind != FieldType::MultiPicklist {
                    let words = format!("invalid operator on {} field", field.kind.name());
                    return Err(QueryError::at(OPERATOR, self.text, path.place, &words));
                }
                let list = |value: &Literal| match value {
                    Literal::Text(text) => Ok(text.split(';').map(|v| v.trim().to_lowercase()).collect()),
                    _ => Err(self.wrong_type(path.place, &field.name, field.kind)),
                };
                BoundCondition::Includes {
                    path: bound,
                    lists: values.iter().map(list).collect::<Result<_, _>>()?,
                    negated: *negated,
                }
            }
        })
    }

    /// The left side of a comparison.
    fn operand(&self, expr: &Expr, groups: Option<&Grouping>) -> Result<(BoundExpr, Operand<'s>), QueryError> {
        match expr {
            Expr::Field(path) => {
                let (bound, field) = self.filterable(path)?;
                Ok((BoundExpr::Field(bound), Some((field.kind, &field.name))))
            }
            Expr::Part(DateFunction::DayOnly, path) => {
                let name = &self.path(path)?.1.name;
                Ok((self.expr(expr, "filtered", groups)?, Some((FieldType::Date, name))))
            }
            Expr::Part(..) => Ok((self.expr(expr, "filtered", groups)?, None)),
            Expr::Aggregate(..) | Expr::Grouping(_) if groups.is_none() => {
                let words = "an aggregate function belongs into HAVING";
                Err(QueryError::at(code::MALFORMED_QUERY, self.text, expr.place(), words))
            }
            Expr::Grouping(_) => Ok((self.expr(expr, "filtered", groups)?, None)),
            Expr::Aggregate(_, path, _) => {
                let bound = self.expr(expr, "filtered", groups)?;
                let compares = matches!(
                    bound,
                    BoundExpr::Aggregate(super::ast::Function::Min | super::ast::Function::Max, _)
                );
                let kind = match path.as_ref().filter(|_| compares) {
                    Some(path) => {
                        let field = self.path(path)?.1;
                        Some((field.kind, &*field.name))
                    }
                    None => None,
                };
                Ok((bound, kind))
            }
        }
    }

    fn in_query(&self, path: &Path, query: &Query, negated: bool) -> Result<BoundCondition, QueryError> {
        let refuse = |place: usize, words: &str| Err(QueryError::at(code::MALFORMED_QUERY, self.text, place, words));
        let (bound, field) = self.filterable(path)?;
        if !matches!(field.kind, FieldType::Id | FieldType::Reference) {
            return refuse(
                path.place,
                "semi join sub-selects are only allowed on ids and references",
            );
        }
        let sobject = self.schema.place(&query.from).ok_or_else(|| {
            let words = format!("sObject type '{}' is not supported.", query.from);
            QueryError::at(code::TYPE, self.text, query.from_place, &words)
        })?;
        let inner = Binder {
            sobject,
            alias: query.alias.as_deref(),
            ..*self
        };
        let [
            Item::Value {
                expr: Expr::Field(column),
                alias: None,
            },
        ] = query.items.as_slice()
        else {
            return refuse(query.from_place, "semi join sub-selects can only query one field");
        };
        let (column, found) = inner.path(column)?;
        if !matches!(found.kind, FieldType::Id | FieldType::Reference) {
            return refuse(
                query.from_place,
                "semi join sub-selects must query an id or a reference",
            );
        }
        Ok(BoundCondition::InQuery {
            path: bound,
            plan: Box::new(inner.query(query, false)?),
            column,
            negated,
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

    fn wanted(&self, expr: &Expr, kind: Operand<'_>, literal: &Literal) -> Result<Wanted, QueryError> {
        let Some((kind, name)) = kind else {
            return match literal {
                Literal::Number(n) => Ok(Wanted::Cell(Cell::Number(*n))),
                Literal::Null => Ok(Wanted::Cell(Cell::Null)),
                _ => Err(self.wrong_type(expr.place(), "expr", FieldType::Double)),
            };
        };
        let cell = match literal {
            Literal::Null => Some(Cell::Null),
            Literal::Bool(b) => (kind == FieldType::Boolean).then_some(Cell::Bool(*b)),
            Literal::Number(n) => kind.is_number().then_some(Cell::Number(*n)),
            Literal::Date(d) => (kind == FieldType::Date).then_some(Cell::Date(*d)),
            Literal::Instant(s) => (kind == FieldType::DateTime).then_some(Cell::Instant(*s)),
            Literal::Days(days) => {
                let (from, until) = days
                    .days(self.today)
                    .ok_or_else(|| QueryError::at(OPERATOR, self.text, expr.place(), "the date is out of range"))?;
                match kind {
                    FieldType::Date => return Ok(Wanted::Span(Cell::Date(from), Cell::Date(until))),
                    FieldType::DateTime => {
                        let instants = (Cell::Instant(seconds_of(from)), Cell::Instant(seconds_of(until)));
                        return Ok(Wanted::Span(instants.0, instants.1));
                    }
                    _ => None,
                }
            }
            Literal::Text(t) if matches!(kind, FieldType::Id | FieldType::Reference) => {
                let id = normalise(t).ok_or_else(|| {
                    let words = format!("invalid ID field: {t}");
                    QueryError::at(OPERATOR, self.text, expr.place(), &words)
                })?;
                Some(Cell::Text(id.into()))
            }
            Literal::Text(t) if kind.is_text() => Some(if t.is_empty() { Cell::Null } else { Cell::text(t) }),
            Literal::Text(_) => None,
        };
        let cell = cell.ok_or_else(|| self.wrong_type(expr.place(), name, kind))?;
        Ok(Wanted::Cell(cell))
    }

    fn wrong_type(&self, place: usize, name: &str, kind: FieldType) -> QueryError {
        let quotes = if kind.is_text() {
            "should be enclosed in quotes"
        } else {
            "should not be enclosed in quotes"
        };
        let words = format!(
            "value of filter criterion for field '{name}' must be of type {} and {quotes}",
            kind.name()
        );
        QueryError::at(code::FIELD, self.text, place, &words)
    }
}

fn kind_name(kind: Operand<'_>) -> &'static str {
    kind.map_or("int", |(kind, _)| kind.name())
}
