//! What a bulk query may say, and its rows as CSV (contract 4.4).

use std::sync::Arc;

use super::Refusal;
use super::dialect::Dialect;
use super::writer::{write_value, write_values};
use crate::org::{Cell, Org, Row, format_date, format_instant, write_value as write_json};
use crate::schema::{FieldType, Schema};
use crate::soql::{self, BoundPath, Expr, Item, Path, Plan, QueryError};

/// One column: the way to its value over parents.
#[derive(Debug, Clone, PartialEq)]
struct Column {
    /// `Account.Name`.
    name: String,
    path: BoundPath,
    kind: FieldType,
}

/// A query that a bulk job can run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selection {
    plan: Plan,
    columns: Vec<Column>,
}

impl Selection {
    /// Reads and checks a query; `now` in seconds since 1970, for words such as TODAY.
    ///
    /// # Errors
    /// What is wrong with the SOQL, and what a bulk query may not say.
    pub(crate) fn new(text: &str, schema: &Schema, now: i64) -> Result<Self, Refusal> {
        if text.trim().is_empty() {
            return Err(Refusal::new("MALFORMED_QUERY", "A query string has to be specified"));
        }
        allowed(text)?;
        let query = soql::parse(text).map_err(refused)?;
        let plan = soql::bind(text, &query, schema, now).map_err(refused)?;
        let column = |path: &Path| {
            let (path, name, kind) = soql::bind_path(text, &query, schema, &plan, path).map_err(refused)?;
            Ok::<_, Refusal>(Column { name, path, kind })
        };
        let mut columns: Vec<Column> = Vec::new();
        for item in &query.items {
            match item {
                Item::Value {
                    expr: Expr::Field(path),
                    ..
                } => columns.push(column(path)?),
                Item::Fields(_) => {
                    // Which fields these are, the plan knows: they are asked for by name.
                    let object = &schema.sobjects[plan.sobject];
                    for place in soql::shown_fields(&plan) {
                        let field = &object.fields[place];
                        let names = vec![field.name.to_string()];
                        let shown = columns.iter().any(|column| column.name == names[0]);
                        if field.kind != FieldType::Address && !shown {
                            columns.push(column(&Path { names, place: 0 })?);
                        }
                    }
                }
                _ => return Err(implementation("aggregate functions")),
            }
        }
        if columns.is_empty() {
            return Err(implementation("count()"));
        }
        if columns.iter().any(|c| c.kind == FieldType::Address) {
            // [V:AB-RATE] for the words, [C force#531] for the code.
            let words = "Selecting compound data not supported in Bulk Query";
            return Err(Refusal::new("FUNCTIONALITY_NOT_ENABLED", words));
        }
        Ok(Self { plan, columns })
    }

    /// Place of the object.
    #[must_use]
    pub(crate) fn sobject(&self) -> usize {
        self.plan.sobject
    }

    /// The rows, in order; with `all` those in the recycle bin too.
    #[must_use]
    pub(crate) fn rows(&self, org: &Org, all: bool) -> Vec<Arc<Row>> {
        soql::run(org, &self.plan, all)
    }

    /// The header line: the columns in the order of the SELECT list [V:D-BQRES].
    #[must_use]
    pub(crate) fn header(&self, dialect: Dialect) -> String {
        let mut out = String::new();
        write_values(&mut out, dialect, self.columns.iter().map(|c| c.name.as_str()));
        out
    }

    /// Writes one row. Null and the empty text are the same empty value [from memory].
    pub(crate) fn write_row(&self, out: &mut String, org: &Org, row: &Arc<Row>, dialect: Dialect) {
        for (i, column) in self.columns.iter().enumerate() {
            if i > 0 {
                out.push(char::from(dialect.delimiter.byte()));
            }
            write_cell(out, &soql::value(org, row, &column.path), column.kind);
        }
        out.push_str(dialect.ending.text());
    }
}

fn write_cell(out: &mut String, cell: &Cell, kind: FieldType) {
    match cell {
        Cell::Text(text) => write_value(out, text),
        Cell::Null => out.push_str("\"\""),
        Cell::Bool(b) => out.push_str(if *b { "\"true\"" } else { "\"false\"" }),
        Cell::Date(date) => write_value(out, &format_date(*date)),
        // Otherwise than in REST: `Z` instead of `+0000` (contract 7.2).
        Cell::Instant(at) => write_value(out, &format_instant(*at).replace("+0000", "Z")),
        Cell::Number(n) => {
            out.push('"');
            write_json(out, cell);
            // Whole doubles have a decimal place here [V:TAP-CHG].
            if n.fract() == 0.0 && kind != FieldType::Int && !out.ends_with(".0") {
                out.push_str(".0");
            }
            out.push('"');
        }
    }
}

fn refused(error: QueryError) -> Refusal {
    Refusal::new(error.code, error.message)
}

/// [V:AB-RATE] for code and beginning, the rest from memory.
fn implementation(what: &str) -> Refusal {
    let words = format!("Implementation restriction: {what} not supported in Bulk V2 Query");
    Refusal::new("API_ERROR", words)
}

/// A word in small letters or a bracket of a query, with the brackets that are open around it.
fn tokens(text: &str) -> Vec<(String, usize)> {
    let (mut out, mut depth, mut quoted, mut escaped) = (Vec::new(), 0_usize, false, false);
    let mut word = String::new();
    for c in text.chars().chain([' ']) {
        if quoted {
            quoted = escaped || c != '\'';
            escaped = c == '\\' && !escaped;
            continue;
        }
        if c.is_alphanumeric() || c == '_' || c == '.' {
            word.extend(c.to_lowercase());
            continue;
        }
        if !word.is_empty() {
            out.push((std::mem::take(&mut word), depth));
        }
        match c {
            '\'' => quoted = true,
            '(' => {
                out.push(("(".to_owned(), depth));
                depth += 1;
            }
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    out
}

/// Refuses what SOQL can say and a bulk query cannot, whether or not the simulator's SOQL can. It looks at words only:
/// what is wrong otherwise, the parser says.
fn allowed(text: &str) -> Result<(), Refusal> {
    let tokens = tokens(text);
    let from = tokens
        .iter()
        .position(|(word, depth)| word == "from" && *depth == 0)
        .unwrap_or(tokens.len());
    let (selected, rest) = tokens.split_at(from);
    let followed = |list: &[(String, usize)], first: &[&str], second: &str| {
        list.windows(2)
            .any(|pair| first.contains(&pair[0].0.as_str()) && pair[1].0 == second)
    };
    if followed(selected, &["("], "select") {
        // [C OpenFn#395]
        let words = "Aggregate Relationships not supported in Bulk V2 Query with CSV content type";
        return Err(Refusal::new("API_ERROR", words));
    }
    if selected.iter().any(|(word, _)| word == "typeof") {
        return Err(implementation("TYPEOF"));
    }
    let functions = ["count", "count_distinct", "min", "max", "sum", "avg", "grouping"];
    if followed(selected, &functions, "(") {
        return Err(implementation("aggregate functions"));
    }
    let outer: Vec<_> = rest.iter().filter(|(_, depth)| *depth == 0).cloned().collect();
    for (first, second) in [("group", "by"), ("having", ""), ("offset", "")] {
        let at = outer.iter().position(|(word, _)| word == first);
        if at.is_some_and(|at| second.is_empty() || outer.get(at + 1).is_some_and(|(word, _)| word == second)) {
            return Err(implementation(
                format!("{first} {second}").trim().to_uppercase().as_str(),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::standard_schema;

    #[test]
    fn what_a_bulk_query_may_say() {
        let schema = standard_schema();
        for (text, code) in [
            (
                "SELECT Id, Account.Name FROM Contact WHERE LastName = 'group by (select offset'",
                "",
            ),
            (
                "SELECT Id FROM Contact WHERE LastName = 'it\\'s' ORDER BY LastName LIMIT 5",
                "",
            ),
            ("SELECT FIELDS(STANDARD) FROM Account", ""),
            ("SELECT a.Name FROM Account a", ""),
            (
                "SELECT Id FROM Contact WHERE AccountId IN (SELECT Id FROM Account) AND CreatedDate = LAST_N_DAYS:2",
                "",
            ),
            ("SELECT CALENDAR_YEAR(CreatedDate) FROM Contact", "MALFORMED_QUERY"),
            ("SELECT MailingAddress FROM Contact", "FUNCTIONALITY_NOT_ENABLED"),
            (
                "SELECT Account.BillingAddress FROM Contact",
                "FUNCTIONALITY_NOT_ENABLED",
            ),
            ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "API_ERROR"),
            ("SELECT LastName, COUNT(Id) FROM Contact GROUP BY LastName", "API_ERROR"),
            ("SELECT LastName FROM Contact GROUP BY LastName", "API_ERROR"),
            ("SELECT Id FROM Contact LIMIT 1 OFFSET 2", "API_ERROR"),
            (
                "SELECT TYPEOF What WHEN Account THEN Name END FROM Contact",
                "API_ERROR",
            ),
            ("SELECT count() FROM Contact", "API_ERROR"),
            ("SELECT MAX(CreatedDate) FROM Contact", "API_ERROR"),
            ("SELECT Nope FROM Contact", "INVALID_FIELD"),
            ("SELECT Id FROM Nope", "INVALID_TYPE"),
            ("SELECT Id", "MALFORMED_QUERY"),
            (" ", "MALFORMED_QUERY"),
        ] {
            let found = Selection::new(text, &schema, 0).err().map_or("", |r| r.code);
            assert_eq!(found, code, "{text}");
        }
    }

    #[test]
    fn columns_are_in_the_order_of_the_select_list() {
        let schema = standard_schema();
        let text = "SELECT account.name, Contact.Id, lastname, Account.Owner.Username FROM Contact";
        let header = Selection::new(text, &schema, 0).unwrap().header(Dialect::default());
        assert_eq!(
            header,
            "\"Account.Name\",\"Id\",\"LastName\",\"Account.Owner.Username\"\n"
        );
    }
}
