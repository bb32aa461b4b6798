//! Rows as groups: what they have in common, and what is counted and computed of them.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::ast::Function;
use super::filter::{evaluate, meets, value};
use super::plan::{BoundExpr, BoundPath, Grouping, Plan};
use super::run::sort_by;
use crate::org::{Cell, Org, Row};

/// Values that are shown of one group, in the order of the columns.
pub(crate) type GroupRow = Vec<Cell>;

/// Groups in order, after HAVING; without keys all rows are one group, also when there are none.
pub(crate) fn groups(org: &Org, plan: &Plan, grouping: &Grouping, rows: &[Arc<Row>]) -> Vec<GroupRow> {
    let mut places: HashMap<Vec<String>, usize> = HashMap::new();
    let mut members: Vec<Vec<&Row>> = Vec::new();
    if grouping.keys.is_empty() {
        members.push(rows.iter().map(|row| &**row).collect());
    } else {
        for row in rows {
            let key = grouping
                .keys
                .iter()
                .map(|key| identity(&evaluate(org, row, key)))
                .collect();
            let place = *places.entry(key).or_insert(members.len());
            if place == members.len() {
                members.push(Vec::new());
            }
            members[place].push(row);
        }
    }
    let of = |group: &[&Row], expr: &BoundExpr| match expr {
        BoundExpr::Aggregate(function, path) => reduce(org, *function, path.as_ref(), group),
        _ => group
            .first()
            .map_or(Cell::Null, |row| evaluate(org, row, expr).into_owned()),
    };
    members.retain(|group| {
        let value = |expr: &BoundExpr| std::borrow::Cow::Owned(of(group, expr));
        grouping.having.as_ref().is_none_or(|having| meets(&value, having))
    });
    sort_by(&mut members, &plan.order, |group, expr| of(group, expr));
    let limit = plan.limit.unwrap_or(usize::MAX);
    let kept = members.iter().skip(plan.offset).take(limit);
    kept.map(|group| grouping.columns.iter().map(|(_, expr)| of(group, expr)).collect())
        .collect()
}

/// What makes two values one group: text has no case.
fn identity(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => format!("t{}", text.to_lowercase()),
        other => format!("{other:?}"),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the platform's numbers are doubles (contract 7.3)"
)]
fn reduce(org: &Org, function: Function, path: Option<&BoundPath>, rows: &[&Row]) -> Cell {
    let Some(path) = path else {
        return Cell::Number(rows.len() as f64);
    };
    let values = rows
        .iter()
        .map(|row| value(org, row, path))
        .filter(|cell| !cell.is_null());
    let best = |want: Ordering| {
        let best = values
            .clone()
            .reduce(|best, cell| if cell.compare(&best) == Some(want) { cell } else { best });
        best.map(std::borrow::Cow::into_owned).unwrap_or_default()
    };
    match function {
        Function::Count => Cell::Number(values.count() as f64),
        Function::CountDistinct => {
            let distinct: std::collections::HashSet<String> = values.map(|cell| identity(&cell)).collect();
            Cell::Number(distinct.len() as f64)
        }
        Function::Min => best(Ordering::Less),
        Function::Max => best(Ordering::Greater),
        Function::Sum | Function::Avg => {
            let numbers: Vec<f64> = values.filter_map(|cell| cell.as_number()).collect();
            if numbers.is_empty() {
                return Cell::Null;
            }
            let sum: f64 = numbers.iter().sum();
            Cell::Number(if function == Function::Sum {
                sum
            } else {
                sum / numbers.len() as f64
            })
        }
    }
}
