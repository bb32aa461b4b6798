//! A plan to rows, over an index where one fits.

use std::cmp::Ordering;
use std::sync::Arc;

use super::ast::Operator;
use super::bind::{BoundCondition, BoundPath, Plan};
use super::filter::{meets, value};
use crate::org::{Cell, Org, RecordRef, Row};
use crate::schema::column;

/// The rows of a query in order; with `deleted` also those in the recycle bin.
pub(crate) fn run(org: &Org, plan: &Plan, deleted: bool) -> Vec<Arc<Row>> {
    let wanted =
        |row: &&Arc<Row>| (deleted || !row.is_deleted()) && plan.condition.as_ref().is_none_or(|c| meets(org, row, c));
    let mut rows: Vec<Arc<Row>> = match plan
        .condition
        .as_ref()
        .and_then(|c| candidates(org, plan.sobject, c, deleted))
    {
        Some(found) => found
            .into_iter()
            .filter_map(|r| org.row(r))
            .filter(wanted)
            .cloned()
            .collect(),
        None => org.table(plan.sobject).rows().filter(wanted).cloned().collect(),
    };
    if !plan.order.is_empty() {
        rows.sort_by(|a, b| order(org, plan, a, b));
    }
    let limit = plan.limit.unwrap_or(usize::MAX);
    if plan.offset > 0 || rows.len() > limit {
        rows = rows.into_iter().skip(plan.offset).take(limit).collect();
    }
    rows
}

fn order(org: &Org, plan: &Plan, a: &Row, b: &Row) -> Ordering {
    for (path, descending, nulls_last) in &plan.order {
        let (x, y) = (value(org, a, path), value(org, b, path));
        let by = match (x.is_null(), y.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) if *nulls_last => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, true) if *nulls_last => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => {
                let by = x.compare(y).unwrap_or(Ordering::Equal);
                if *descending { by.reverse() } else { by }
            }
        };
        if by != Ordering::Equal {
            return by;
        }
    }
    Ordering::Equal
}

/// The few rows that can meet the condition, in the order of their ids, when one of its ANDed parts names them by id or key.
fn candidates(org: &Org, sobject: usize, condition: &BoundCondition, deleted: bool) -> Option<Vec<RecordRef>> {
    let (path, values): (&BoundPath, &[Cell]) = match condition {
        BoundCondition::And(parts) => return parts.iter().find_map(|p| candidates(org, sobject, p, deleted)),
        BoundCondition::Compare {
            path,
            operator: Operator::Equal,
            value,
        } => (path, std::slice::from_ref(value)),
        BoundCondition::In {
            path,
            values,
            negated: false,
            ..
        } => (path, values),
        _ => return None,
    };
    if !path.hops.is_empty() || !values.iter().all(|v| matches!(v, Cell::Text(_))) {
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
