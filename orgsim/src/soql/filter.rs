//! Whether a row meets a condition.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::ast::Operator;
use super::plan::{BoundCondition, BoundExpr, BoundPath, Wanted};
use crate::org::{Cell, Org, Row};

static NULL: Cell = Cell::Null;

/// The value at a path; null when a parent is missing.
pub(crate) fn value<'o>(org: &'o Org, row: &'o Row, path: &BoundPath) -> Cow<'o, Cell> {
    let mut row = row;
    for hop in &path.hops {
        let parent = row.cells[*hop]
            .as_text()
            .and_then(|id| org.locate(id))
            .and_then(|r| org.row(r));
        match parent {
            Some(parent) => row = parent,
            None => return Cow::Borrowed(&NULL),
        }
    }
    match (&path.named, path.computed) {
        (None, None) => Cow::Borrowed(&row.cells[path.field]),
        (None, Some(sobject)) => org.value(sobject, row, path.field),
        (Some(name), _) => named(org, row, name),
    }
}

/// A value that rows of several objects have under one name; `Type` is the name of the row's object.
pub(super) fn named<'o>(org: &'o Org, row: &'o Row, name: &str) -> Cow<'o, Cell> {
    let Some(record) = org.locate(row.id()) else {
        return Cow::Borrowed(&NULL);
    };
    let object = &org.schema.sobjects[record.sobject];
    if name == "Type" {
        return Cow::Owned(Cell::text(&object.name));
    }
    let name_field = || {
        object
            .fields
            .iter()
            .position(|field| field.name_field && name == "Name")
    };
    let place = object.field(name).or_else(name_field);
    place.map_or(Cow::Borrowed(&NULL), |place| org.value(record.sobject, row, place))
}

/// The value of an expression for one row; an aggregate has none.
pub(super) fn evaluate<'o>(org: &'o Org, row: &'o Row, expr: &BoundExpr) -> Cow<'o, Cell> {
    match expr {
        BoundExpr::Field(path) => value(org, row, path),
        BoundExpr::Part(function, path) => Cow::Owned(function.of(&value(org, row, path))),
        BoundExpr::Aggregate(..) | BoundExpr::Grouping(_) => Cow::Borrowed(&NULL),
    }
}

/// Whether what `of` says of expressions meets the condition.
pub(super) fn meets<'o>(of: &dyn Fn(&BoundExpr) -> Cow<'o, Cell>, condition: &BoundCondition) -> bool {
    match condition {
        BoundCondition::And(parts) => parts.iter().all(|p| meets(of, p)),
        BoundCondition::Or(parts) => parts.iter().any(|p| meets(of, p)),
        BoundCondition::Not(inner) => !meets(of, inner),
        BoundCondition::Compare {
            expr,
            operator,
            value: Wanted::Cell(wanted),
        } => compare(&of(expr), *operator, wanted, expr.exact()),
        BoundCondition::Compare {
            expr,
            operator,
            value: Wanted::Span(from, until),
        } => within(&of(expr), *operator, from, until),
        BoundCondition::In {
            expr,
            values,
            texts,
            negated,
        } => {
            let cell = of(expr);
            let found = match &*cell {
                Cell::Text(t) if expr.exact() => texts.contains(&**t),
                Cell::Text(t) => texts.contains(&t.to_lowercase()),
                Cell::Null => values.iter().any(Cell::is_null),
                cell => values.contains(cell),
            };
            found != *negated
        }
        BoundCondition::Includes { path, lists, negated } => {
            let cell = of(&BoundExpr::Field(path.clone()));
            let has: Vec<String> = cell
                .as_text()
                .map(|text| text.split(';').map(str::to_lowercase).collect())
                .unwrap_or_default();
            let found = lists.iter().any(|list| list.iter().all(|value| has.contains(value)));
            found != *negated
        }
        // Resolved before a row is looked at.
        BoundCondition::InQuery { .. } => false,
    }
}

/// A date literal: before it, after it, or in it.
fn within(cell: &Cell, operator: Operator, from: &Cell, until: &Cell) -> bool {
    let (begun, over) = (
        cell.compare(from).is_some_and(Ordering::is_ge),
        cell.compare(until).is_some_and(Ordering::is_ge),
    );
    let known = !cell.is_null();
    match operator {
        Operator::Equal => begun && !over,
        Operator::NotEqual => !begun || over,
        Operator::Less => known && !begun,
        Operator::LessOrEqual => known && !over,
        Operator::Greater => over,
        Operator::GreaterOrEqual => begun,
        Operator::Like => false,
    }
}

fn compare(cell: &Cell, operator: Operator, wanted: &Cell, exact: bool) -> bool {
    let equal = || match (cell, wanted) {
        (Cell::Text(a), Cell::Text(b)) if exact => a == b,
        (Cell::Null, Cell::Null) => true,
        _ => cell.compare(wanted) == Some(Ordering::Equal),
    };
    let order = || cell.compare(wanted);
    match operator {
        Operator::Equal => equal(),
        Operator::NotEqual => !equal(),
        Operator::Less => order() == Some(Ordering::Less),
        Operator::LessOrEqual => matches!(order(), Some(Ordering::Less | Ordering::Equal)),
        Operator::Greater => order() == Some(Ordering::Greater),
        Operator::GreaterOrEqual => matches!(order(), Some(Ordering::Greater | Ordering::Equal)),
        Operator::Like => match (cell.as_text(), wanted.as_text()) {
            (Some(text), Some(pattern)) => like(&text.to_lowercase(), &pattern.to_lowercase()),
            _ => false,
        },
    }
}

/// `%` stands for any text, `_` for one character, `\%` and `\_` for themselves.
pub(super) fn like(text: &str, pattern: &str) -> bool {
    #[derive(PartialEq)]
    enum Part {
        Any,
        One,
        Just(char),
    }
    let mut parts = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '%' => Part::Any,
            '_' => Part::One,
            '\\' => Part::Just(chars.next().unwrap_or('\\')),
            c => Part::Just(c),
        });
    }
    let text: Vec<char> = text.chars().collect();
    // The last `%` may always take one character more: no other choice has to be undone.
    let (mut t, mut p) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match parts.get(p) {
            Some(Part::Any) => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(Part::One) => (t, p) = (t + 1, p + 1),
            Some(Part::Just(c)) if *c == text[t] => (t, p) = (t + 1, p + 1),
            _ => {
                let Some((after, taken)) = retry else { return false };
                retry = Some((after, taken + 1));
                (t, p) = (taken + 1, after);
            }
        }
    }
    parts[p..].iter().all(|part| *part == Part::Any)
}
