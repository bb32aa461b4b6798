//! Rows as JSON.

use serde_json::{Number, Value};

use super::cell::Cell;
use super::instant::{format_date, format_instant};
use super::organisation::Org;
use super::row::Row;
use crate::schema::{ADDRESS_PARTS, Sobject};

/// Writes a JSON string with its quotes.
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut plain = 0;
    for (i, b) in text.bytes().enumerate() {
        if b >= 0x20 && b != b'"' && b != b'\\' {
            continue;
        }
        out.push_str(&text[plain..i]);
        match b {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => out.push_str(&format!("\\u{b:04x}")),
        }
        plain = i + 1;
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

/// Largest whole double that is written as an integer.
const WHOLE: f64 = 1e15;

/// Writes one value; whole doubles as integers (observed 2026).
pub(crate) fn write_value(out: &mut String, cell: &Cell) {
    match cell {
        Cell::Null => out.push_str("null"),
        Cell::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Cell::Number(n) => out.push_str(&number(*n).to_string()),
        Cell::Text(t) => write_string(out, t),
        Cell::Date(d) => write_string(out, &format_date(*d)),
        Cell::Instant(s) => write_string(out, &format_instant(*s)),
    }
}

fn number(n: f64) -> Number {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
    let whole = n as i64;
    if n.fract() == 0.0 && n.abs() < WHOLE {
        whole.into()
    } else {
        Number::from_f64(n).unwrap_or_else(|| 0.into())
    }
}

/// One value as a JSON value.
pub(crate) fn value_of(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Bool(b) => Value::Bool(*b),
        Cell::Number(n) => Value::Number(number(*n)),
        Cell::Text(t) => Value::String(t.to_string()),
        Cell::Date(d) => Value::String(format_date(*d)),
        Cell::Instant(s) => Value::String(format_instant(*s)),
    }
}

/// One value as a formula's `TEXT` writes it; a moment as `2026-05-24 07:25:37Z`.
pub(crate) fn text_of(cell: &Cell) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Bool(b) => b.to_string(),
        Cell::Number(n) => number(*n).to_string(),
        Cell::Text(t) => t.to_string(),
        Cell::Date(d) => format_date(*d),
        Cell::Instant(s) => format_instant(*s).replace('T', " ").replace(".000+0000", "Z"),
    }
}

/// Writes the field at a place, compounds and formulas too.
pub(crate) fn write_field(out: &mut String, org: &Org, sobject: usize, row: &Row, field: usize) {
    let object = &org.schema.sobjects[sobject];
    if object.fields[field].formula.is_some() {
        return write_value(out, &org.value(sobject, row, field));
    }
    write_kept(out, object, row, field);
}

/// The same of a field that is no formula.
fn write_kept(out: &mut String, sobject: &Sobject, row: &Row, field: usize) {
    let Some((_, parts)) = sobject.addresses.iter().find(|(place, _)| *place == field) else {
        return write_value(out, &row.cells[field]);
    };
    if address_is_empty(row, parts) {
        return out.push_str("null");
    }
    for (i, ((name, _), part)) in ADDRESS_PARTS.iter().zip(parts).enumerate() {
        out.push(if i == 0 { '{' } else { ',' });
        write_string(out, name);
        out.push(':');
        write_value(out, part.map_or(&Cell::Null, |p| &row.cells[p]));
    }
    out.push('}');
}

fn address_is_empty(row: &Row, parts: &[Option<usize>; 8]) -> bool {
    parts.iter().flatten().all(|p| row.cells[*p].is_null())
}

/// Writes `{"attributes":{…},…}` with the named fields in that order.
pub(crate) fn write_record(out: &mut String, org: &Org, sobject: usize, row: &Row, base: &str, fields: &[usize]) {
    let object = &org.schema.sobjects[sobject];
    write_attributes(out, object, row, base);
    for field in fields {
        out.push(',');
        write_string(out, &object.fields[*field].name);
        out.push(':');
        write_field(out, org, sobject, row, *field);
    }
    out.push('}');
}

/// The same without the org: formulas are null.
pub(crate) fn write_stored(out: &mut String, sobject: &Sobject, row: &Row, base: &str, fields: &[usize]) {
    write_attributes(out, sobject, row, base);
    for field in fields {
        out.push(',');
        write_string(out, &sobject.fields[*field].name);
        out.push(':');
        write_kept(out, sobject, row, *field);
    }
    out.push('}');
}

/// Writes `{"attributes":{"type":…,"url":…}` and leaves the object open. `base` is `/services/data/v67.0`.
pub(crate) fn write_attributes(out: &mut String, sobject: &Sobject, row: &Row, base: &str) {
    out.push_str("{\"attributes\":{\"type\":\"");
    out.push_str(&sobject.name);
    out.push_str("\",\"url\":\"");
    out.push_str(base);
    out.push_str("/sobjects/");
    out.push_str(&sobject.name);
    out.push('/');
    out.push_str(row.id());
    out.push_str("\"}");
}
