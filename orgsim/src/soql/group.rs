//! Rows as groups: what they have in common, and what is counted and computed of them.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::ast::{Function, Totals};
use super::filter::{evaluate, meets, value};
use super::plan::{BoundExpr, BoundPath, Grouping, Plan};
use super::run::sort_by;
use crate::org::{Cell, Org, Row};

/// Most keys that subtotals are told apart by: the bits of a number.
const MAX_KEYS: usize = 31;

/// Values that are shown of one group, in the order of the columns.
pub(crate) type GroupRow = Vec<Cell>;

/// Rows with the same values of some keys.
struct Rows<'r> {
    /// Which keys; the group is a subtotal over the others.
    keyed: u32,
    rows: Vec<&'r Row>,
}

/// The combinations of so many keys that groups are made by, as bits.
fn combinations(totals: Totals, keys: usize) -> Vec<u32> {
    let all = (1_u32 << keys) - 1;
    match totals {
        Totals::None => vec![all],
        Totals::Rollup => (0..=keys).rev().map(|n| (1 << n) - 1).collect(),
        Totals::Cube => (0..=all).rev().collect(),
    }
}

/// Groups in order, after HAVING; without keys all rows are one group, also when there are none. Subtotals come after the
/// groups that they are of [from memory].
pub(crate) fn groups(org: &Org, plan: &Plan, grouping: &Grouping, rows: &[Arc<Row>]) -> Vec<GroupRow> {
    let mut members: Vec<Rows<'_>> = Vec::new();
    // More keys than bits never have subtotals: they are one combination.
    let keys = grouping.keys.len().min(MAX_KEYS);
    for keyed in combinations(grouping.totals, keys) {
        let is_keyed = |key: usize| key >= keys || keyed & (1 << key) != 0;
        let mut places: HashMap<Vec<String>, usize> = HashMap::new();
        if grouping.keys.is_empty() || (keyed == 0 && !rows.is_empty()) {
            let rows = rows.iter().map(|row| &**row).collect();
            members.push(Rows { keyed, rows });
            continue;
        }
        for row in rows {
            let keys = grouping.keys.iter().enumerate().filter(|(key, _)| is_keyed(*key));
            let identity = keys.map(|(_, key)| identity(&evaluate(org, row, key))).collect();
            let place = *places.entry(identity).or_insert(members.len());
            if place == members.len() {
                let rows = Vec::new();
                members.push(Rows { keyed, rows });
            }
            members[place].rows.push(row);
        }
    }
    let rolled = |group: &Rows<'_>, key: usize| key < keys && group.keyed & (1 << key) == 0;
    let of = |group: &Rows<'_>, expr: &BoundExpr| match expr {
        BoundExpr::Aggregate(function, path) => reduce(org, *function, path.as_ref(), &group.rows),
        BoundExpr::Grouping(key) => Cell::Number(f64::from(u8::from(rolled(group, *key)))),
        _ if grouping
            .keys
            .iter()
            .position(|key| key == expr)
            .is_some_and(|key| rolled(group, key)) =>
        {
            Cell::Null
        }
        _ => group
            .rows
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
