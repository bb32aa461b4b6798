//! Rows of a query as JSON.

use std::cmp::Ordering;

use super::ast::Function;
use super::bind::{Aggregate, Plan, Shown};
use super::filter::value;
use crate::org::{Cell, Org, Row, write_attributes, write_field, write_string, write_value};

/// Writes one row with its parents. `base` is `/services/data/v67.0`.
pub(crate) fn write_row(out: &mut String, org: &Org, plan: &Plan, row: &Row, base: &str) {
    write_shown(out, org, plan.sobject, row, &plan.shown, base);
}

/// Places of the object's own fields that a plan shows, in order.
pub(crate) fn shown_fields(plan: &Plan) -> impl Iterator<Item = usize> {
    plan.shown.iter().filter_map(|shown| match shown {
        Shown::Field(field) => Some(*field),
        Shown::Parent { .. } => None,
    })
}

fn write_shown(out: &mut String, org: &Org, sobject: usize, row: &Row, shown: &[Shown], base: &str) {
    let object = &org.schema.sobjects[sobject];
    write_attributes(out, object, row, base);
    for item in shown {
        out.push(',');
        match item {
            Shown::Field(field) => {
                write_string(out, &object.fields[*field].name);
                out.push(':');
                write_field(out, object, row, *field);
            }
            Shown::Parent { field, sobject, shown } => {
                write_string(out, object.fields[*field].relationship.as_deref().unwrap_or_default());
                out.push(':');
                let parent = row.cells[*field]
                    .as_text()
                    .and_then(|id| org.locate(id))
                    .and_then(|r| org.row(r));
                match parent {
                    Some(parent) => write_shown(out, org, *sobject, parent, shown, base),
                    None => out.push_str("null"),
                }
            }
        }
    }
    out.push('}');
}

/// Writes the one row of a query with aggregates.
pub(crate) fn write_aggregates(out: &mut String, org: &Org, plan: &Plan, rows: &[std::sync::Arc<Row>]) {
    out.push_str("{\"attributes\":{\"type\":\"AggregateResult\"}");
    for aggregate in &plan.aggregates {
        out.push(',');
        write_string(out, &aggregate.name);
        out.push(':');
        write_value(out, &reduce(org, aggregate, rows));
    }
    out.push('}');
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the platform's numbers are doubles (contract 7.3)"
)]
fn reduce(org: &Org, aggregate: &Aggregate, rows: &[std::sync::Arc<Row>]) -> Cell {
    let values = rows
        .iter()
        .map(|row| value(org, row, &aggregate.path))
        .filter(|cell| !cell.is_null());
    let best = |want: Ordering| {
        let best = values
            .clone()
            .reduce(|best, cell| if cell.compare(best) == Some(want) { cell } else { best });
        best.cloned().unwrap_or_default()
    };
    match aggregate.function {
        Function::Count => Cell::Number(values.count() as f64),
        Function::Min => best(Ordering::Less),
        Function::Max => best(Ordering::Greater),
        Function::Sum | Function::Avg => {
            let numbers: Vec<f64> = values.filter_map(Cell::as_number).collect();
            if numbers.is_empty() {
                return Cell::Null;
            }
            let sum: f64 = numbers.iter().sum();
            Cell::Number(if aggregate.function == Function::Sum {
                sum
            } else {
                sum / numbers.len() as f64
            })
        }
    }
}
