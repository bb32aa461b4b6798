//! A plan to rows, over an index where one fits.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use super::ast::Operator;
use super::filter::{evaluate, meets, value};
use super::plan::{BoundCondition, BoundExpr, BoundOrder, BoundPath, Plan, Wanted};
use crate::org::{Cell, Org, RecordRef, Row};
use crate::schema::column;

/// The rows of a query in order; with `deleted` also those in the recycle bin. Of a query for groups all rows that go
/// into them.
pub(crate) fn run(org: &Org, plan: &Plan, deleted: bool) -> Vec<Arc<Row>> {
    let resolved = plan.condition.as_ref().map(|c| resolve(org, c));
    let condition = resolved.as_deref();
    let found = condition.and_then(|c| candidates(org, plan.sobject, c, deleted));
    among(org, plan, condition, found, deleted)
}

/// The rows of a plan that name `parent` in `field`.
pub(super) fn children(org: &Org, plan: &Plan, field: usize, parent: &str, deleted: bool) -> Vec<Arc<Row>> {
    let resolved = plan.condition.as_ref().map(|c| resolve(org, c));
    let table = org.table(plan.sobject);
    let indexed = if deleted { None } else { table.find(field, parent) };
    let slots: Vec<u32> = match indexed {
        Some(slots) => slots.to_vec(),
        None => {
            let names = |row: &&Arc<Row>| row.cells[field].as_text() == Some(parent);
            let rows = table.rows().filter(names);
            rows.filter_map(|row| org.locate(row.id())).map(|r| r.slot).collect()
        }
    };
    let mut found: Vec<RecordRef> = slots
        .into_iter()
        .map(|slot| RecordRef {
            sobject: plan.sobject,
            slot,
        })
        .collect();
    found.sort_unstable();
    among(org, plan, resolved.as_deref(), Some(found), deleted)
}

fn among(
    org: &Org,
    plan: &Plan,
    condition: Option<&BoundCondition>,
    found: Option<Vec<RecordRef>>,
    deleted: bool,
) -> Vec<Arc<Row>> {
    let wanted = |row: &&Arc<Row>| {
        (deleted || !row.is_deleted()) && condition.is_none_or(|c| meets(&|expr| evaluate(org, row, expr), c))
    };
    let mut rows: Vec<Arc<Row>> = match found {
        Some(found) => found
            .into_iter()
            .filter_map(|r| org.row(r))
            .filter(wanted)
            .cloned()
            .collect(),
        None => org.table(plan.sobject).rows().filter(wanted).cloned().collect(),
    };
    if plan.grouping.is_some() {
        return rows;
    }
    sort_by(&mut rows, &plan.order, |row, expr| {
        evaluate(org, row, expr).into_owned()
    });
    let limit = plan.limit.unwrap_or(usize::MAX);
    if plan.offset > 0 || rows.len() > limit {
        rows = rows.into_iter().skip(plan.offset).take(limit).collect();
    }
    rows
}

/// Sorts rows or groups.
pub(super) fn sort_by<T>(items: &mut [T], order: &[BoundOrder], of: impl Fn(&T, &BoundExpr) -> Cell) {
    if order.is_empty() {
        return;
    }
    let keys = |item: &T| order.iter().map(|by| of(item, &by.expr)).collect::<Vec<Cell>>();
    items.sort_by_cached_key(|item| {
        let keyed = keys(item).into_iter().zip(order).map(|(cell, by)| Sorted {
            cell,
            descending: by.descending,
            nulls_last: by.nulls_last,
        });
        keyed.collect::<Vec<Sorted>>()
    });
}

/// A value with the way it is sorted.
#[derive(PartialEq)]
struct Sorted {
    cell: Cell,
    descending: bool,
    nulls_last: bool,
}

impl Eq for Sorted {}

impl PartialOrd for Sorted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sorted {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.cell.is_null(), other.cell.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) if self.nulls_last => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, true) if self.nulls_last => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => {
                let by = self.cell.compare(&other.cell).unwrap_or(Ordering::Equal);
                if self.descending { by.reverse() } else { by }
            }
        }
    }
}

/// The condition with its inner queries replaced by what they find.
fn resolve<'c>(org: &Org, condition: &'c BoundCondition) -> Cow<'c, BoundCondition> {
    let all = |parts: &[BoundCondition]| parts.iter().map(|p| resolve(org, p).into_owned()).collect();
    match condition {
        BoundCondition::And(parts) if parts.iter().any(asks) => Cow::Owned(BoundCondition::And(all(parts))),
        BoundCondition::Or(parts) if parts.iter().any(asks) => Cow::Owned(BoundCondition::Or(all(parts))),
        BoundCondition::Not(inner) if asks(inner) => {
            Cow::Owned(BoundCondition::Not(Box::new(resolve(org, inner).into_owned())))
        }
        BoundCondition::InQuery {
            path,
            plan,
            column,
            negated,
        } => {
            let rows = run(org, plan, false);
            let values: Vec<Cell> = rows
                .iter()
                .map(|row| value(org, row, column))
                .filter(|cell| !cell.is_null())
                .map(Cow::into_owned)
                .collect();
            Cow::Owned(BoundCondition::In {
                expr: BoundExpr::Field(path.clone()),
                texts: values.iter().filter_map(Cell::as_text).map(str::to_owned).collect(),
                values,
                negated: *negated,
            })
        }
        _ => Cow::Borrowed(condition),
    }
}

fn asks(condition: &BoundCondition) -> bool {
    match condition {
        BoundCondition::And(parts) | BoundCondition::Or(parts) => parts.iter().any(asks),
        BoundCondition::Not(inner) => asks(inner),
        BoundCondition::InQuery { .. } => true,
        _ => false,
    }
}

/// The few rows that can meet the condition, in the order of their ids, when one of its ANDed parts names them by id or key.
fn candidates(org: &Org, sobject: usize, condition: &BoundCondition, deleted: bool) -> Option<Vec<RecordRef>> {
    let (path, values): (&BoundPath, &[Cell]) = match condition {
        BoundCondition::And(parts) => return parts.iter().find_map(|p| candidates(org, sobject, p, deleted)),
        BoundCondition::Compare {
            expr: BoundExpr::Field(path),
            operator: Operator::Equal,
            value: Wanted::Cell(value),
        } => (path, std::slice::from_ref(value)),
        BoundCondition::In {
            expr: BoundExpr::Field(path),
            values,
            negated: false,
            ..
        } => (path, values),
        _ => return None,
    };
    if !path.hops.is_empty() || path.named.is_some() || !values.iter().all(|v| matches!(v, Cell::Text(_))) {
        return None;
    }
    let texts = values.iter().filter_map(Cell::as_text);
    let mut found: Vec<RecordRef> = if path.field == column::ID {
        texts
            .filter_map(|id| org.locate(id))
            .filter(|r| r.sobject == sobject)
            .collect()
    } else {
        // The indexes know live rows only.
        if deleted {
            return None;
        }
        let mut found = Vec::new();
        for text in texts {
            let slots = org.table(sobject).find(path.field, text)?;
            found.extend(slots.iter().map(|slot| RecordRef { sobject, slot: *slot }));
        }
        found
    };
    found.sort_unstable();
    found.dedup();
    Some(found)
}
