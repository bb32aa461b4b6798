//! What a new job is asked to be (contract 4.1, 4.4).

use std::sync::Arc;

use super::Refusal;
use super::dialect::{Delimiter, Dialect, LineEnding};
use super::job::{Ingest, Kind, NewJob, Operation, Query};
use super::query::Selection;
use crate::org::{Caller, Json};
use crate::schema::Schema;

/// An ingest job, for a caller who will write its rows.
///
/// # Errors
/// `INVALIDJOB`, `INVALIDENTITY` or `JSON_PARSER_ERROR`; sources stand at the words.
pub(crate) fn new_ingest(body: &Json<'_>, schema: &Schema, caller: Caller) -> Result<NewJob, Refusal> {
    let name = text(body, "object").unwrap_or_default();
    // [C] for the words.
    let sobject = schema
        .place(name)
        .ok_or_else(|| Refusal::new("INVALIDJOB", format!("InvalidJob : Unable to find object: {name}")))?;
    let object = &schema.sobjects[sobject];
    if !object.writable {
        // [V:AB-RATE] for code and end of the words.
        let words = format!(
            "InvalidEntity : Entity '{}' is not supported by the Bulk API.",
            object.name
        );
        return Err(Refusal::new("INVALIDENTITY", words));
    }
    let asked = text(body, "operation").unwrap_or_default();
    let operation = Operation::named(asked).ok_or_else(|| unreadable("operation", asked))?;
    content_type(body)?;
    let external = match (operation, text(body, "externalIdFieldName").filter(|n| !n.is_empty())) {
        (Operation::Upsert, None) => {
            // [C] for the words.
            let words = format!(
                "InvalidJob : External ID was blank for {}. An External ID must be specified for upsert.",
                object.name
            );
            return Err(Refusal::new("INVALIDJOB", words));
        }
        (Operation::Upsert, Some(name)) => {
            let place = object.field(name).filter(|p| object.fields[*p].finds_rows());
            let place = place.ok_or_else(|| {
                let words = format!(
                    "InvalidJob : Field name provided, {name} does not match an External ID for {}",
                    object.name
                );
                Refusal::new("INVALIDJOB", words)
            })?;
            Some((place, Arc::clone(&object.fields[place].name)))
        }
        _ => None,
    };
    Ok(NewJob {
        object: Arc::clone(&object.name),
        dialect: dialect(body)?,
        kind: Kind::Ingest(Ingest {
            operation,
            sobject,
            external,
            assignment_rule: text(body, "assignmentRuleId").map(str::to_owned),
            caller,
            upload: None,
            done: Vec::new(),
            refused: 0,
            next: None,
        }),
    })
}

/// A query job; `now` in seconds since 1970.
///
/// # Errors
/// As [`new_ingest`], and what the SOQL says or a bulk query may not say.
pub(crate) fn new_query(body: &Json<'_>, schema: &Schema, now: i64) -> Result<NewJob, Refusal> {
    let asked = text(body, "operation").unwrap_or_default();
    let all = match asked {
        "query" => false,
        "queryAll" => true,
        _ => return Err(unreadable("operation", asked)),
    };
    content_type(body)?;
    let text = text(body, "query").unwrap_or_default();
    let selection = Selection::new(text, schema, now)?;
    Ok(NewJob {
        object: Arc::clone(&schema.sobjects[selection.sobject()].name),
        dialect: dialect(body)?,
        kind: Kind::Query(Query {
            all,
            text: text.to_owned(),
            sheet: None,
        }),
    })
}

fn text<'j>(body: &'j Json<'_>, name: &str) -> Option<&'j str> {
    body.get(name).and_then(Json::as_text)
}

fn content_type(body: &Json<'_>) -> Result<(), Refusal> {
    match text(body, "contentType") {
        None | Some("CSV") => Ok(()),
        Some(other) => Err(unreadable("contentType", other)),
    }
}

fn dialect(body: &Json<'_>) -> Result<Dialect, Refusal> {
    let mut dialect = Dialect::default();
    if let Some(name) = text(body, "columnDelimiter") {
        dialect.delimiter = Delimiter::named(name).ok_or_else(|| unreadable("columnDelimiter", name))?;
    }
    if let Some(name) = text(body, "lineEnding") {
        dialect.ending = LineEnding::named(name).ok_or_else(|| unreadable("lineEnding", name))?;
    }
    Ok(dialect)
}

/// A value that is not of a list [from memory].
fn unreadable(member: &str, value: &str) -> Refusal {
    let words =
        format!("Cannot deserialize instance of {member} from VALUE_STRING value {value} at [line:1, column:1]");
    Refusal::new("JSON_PARSER_ERROR", words)
}
