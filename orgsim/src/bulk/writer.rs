//! Writes CSV as Bulk API 2.0 does: every value in quotes [R cci].

use super::dialect::Dialect;

/// Writes one line.
pub(crate) fn write_values<'v>(out: &mut String, dialect: Dialect, values: impl Iterator<Item = &'v str>) {
    for (i, value) in values.enumerate() {
        if i > 0 {
            out.push(char::from(dialect.delimiter.byte()));
        }
        write_value(out, value);
    }
    out.push_str(dialect.ending.text());
}

/// Writes one value with its quotes.
pub(crate) fn write_value(out: &mut String, value: &str) {
    out.push('"');
    let mut rest = value;
    while let Some(at) = rest.find('"') {
        out.push_str(&rest[..=at]);
        out.push('"');
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}
