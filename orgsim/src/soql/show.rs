//! Rows of a query as JSON.

use super::filter::named;
use super::group::GroupRow;
use super::plan::{Grouping, Plan, Shown};
use super::run::children;
use crate::org::{Org, Row, write_attributes, write_field, write_string, write_value};

/// Writes one row with its parents. `base` is `/services/data/v67.0`.
pub(crate) fn write_row(out: &mut String, org: &Org, plan: &Plan, row: &Row, base: &str) {
    write_shown(out, org, plan.sobject, row, &plan.shown, base);
}

/// Places of the object's own fields that a plan shows, in order.
pub(crate) fn shown_fields(plan: &Plan) -> impl Iterator<Item = usize> {
    plan.shown.iter().filter_map(|shown| match shown {
        Shown::Field(field) => Some(*field),
        Shown::Parent { .. } | Shown::Named { .. } | Shown::TypeOf { .. } | Shown::Children { .. } => None,
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
                write_field(out, org, sobject, row, *field);
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
            Shown::Named { field, names } => {
                write_string(out, object.fields[*field].relationship.as_deref().unwrap_or_default());
                out.push(':');
                write_named(out, org, row.cells[*field].as_text(), names, base);
            }
            Shown::TypeOf {
                field,
                cases,
                otherwise,
            } => {
                write_string(out, object.fields[*field].relationship.as_deref().unwrap_or_default());
                out.push(':');
                let id = row.cells[*field].as_text();
                let parent = id.and_then(|id| org.locate(id)).and_then(|r| Some((r, org.row(r)?)));
                let case = parent.and_then(|(r, row)| Some((cases.iter().find(|c| c.0 == r.sobject)?, row)));
                match case {
                    Some(((sobject, shown), row)) => write_shown(out, org, *sobject, row, shown, base),
                    None if otherwise.is_empty() => out.push_str("null"),
                    None => write_named(out, org, id, otherwise, base),
                }
            }
            Shown::Children { name, field, plan } => {
                write_string(out, name);
                out.push(':');
                write_children(out, org, plan, *field, row, base);
            }
        }
    }
    out.push('}');
}

/// A parent of one of several objects: its attributes call it `Name`, its URL has the object [from memory].
fn write_named(out: &mut String, org: &Org, id: Option<&str>, names: &[std::sync::Arc<str>], base: &str) {
    let parent = id.and_then(|id| org.locate(id)).and_then(|r| Some((r, org.row(r)?)));
    let Some((record, row)) = parent else {
        return out.push_str("null");
    };
    let object = &org.schema.sobjects[record.sobject].name;
    let url = format!("{base}/sobjects/{object}/{}", row.id());
    out.push_str("{\"attributes\":{\"type\":\"Name\",\"url\":");
    write_string(out, &url);
    out.push('}');
    for name in names {
        out.push(',');
        write_string(out, name);
        out.push(':');
        write_value(out, &named(org, row, name));
    }
    out.push('}');
}

/// A whole result inside of a row; null without children [null from memory].
fn write_children(out: &mut String, org: &Org, plan: &Plan, field: usize, row: &Row, base: &str) {
    let rows = children(org, plan, field, row.id(), row.is_deleted());
    if rows.is_empty() {
        return out.push_str("null");
    }
    out.push_str(&format!("{{\"totalSize\":{},\"done\":true,\"records\":[", rows.len()));
    for (i, child) in rows.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_row(out, org, plan, child, base);
    }
    out.push_str("]}");
}

/// Writes one group.
pub(crate) fn write_group(out: &mut String, grouping: &Grouping, group: &GroupRow) {
    out.push_str("{\"attributes\":{\"type\":\"AggregateResult\"}");
    for ((name, _), cell) in grouping.columns.iter().zip(group) {
        out.push(',');
        write_string(out, name);
        out.push(':');
        write_value(out, cell);
    }
    out.push('}');
}
