//! One line of an upload as the members of a record (contract 4.2).

use std::borrow::Cow;

use super::header::Column;
use super::reader::Line;
use crate::org::{Json, Member, RowError, code, parse_date, parse_instant};
use crate::schema::{Field, FieldType, Sobject};

/// Most characters of a value and of a record [V:D-BULKLIM].
const VALUE_CHARS: usize = 131_072;
const RECORD_CHARS: usize = 400_000;
/// The value that sets a field to null [V:D-CSV].
const NULL: &str = "#N/A";

/// The members that a line names. Empty values name nothing, `#N/A` is null [V:D-CSV].
///
/// # Errors
/// Why the row cannot be read; the codes are from memory, `INVALID_TYPE_ON_FIELD_IN_RECORD` is in the catalogue.
pub(crate) fn members<'b>(
    object: &Sobject,
    columns: &'b [Column],
    text: &'b str,
    line: &Line,
) -> Result<Vec<Member<'b>>, RowError> {
    if line.spaced {
        let words = "A blank stands before or after a quoted value";
        return Err(RowError::new(INVALID_INPUT, words));
    }
    if line.len() != columns.len() {
        let words = format!("The row has {} values, the header {} fields", line.len(), columns.len());
        return Err(RowError::new(INVALID_INPUT, words));
    }
    if line.end - line.start > RECORD_CHARS
        && text.get(line.start..line.end).unwrap_or_default().chars().count() > RECORD_CHARS
    {
        let words = format!("The record has more than {RECORD_CHARS} characters");
        return Err(RowError::new(code::LIMIT, words));
    }
    let mut members = Vec::with_capacity(columns.len());
    for (column, value) in columns.iter().zip(line.values(text)) {
        if value.is_empty() {
            continue;
        }
        if value.len() > VALUE_CHARS && value.chars().count() > VALUE_CHARS {
            let words = format!("A value has more than {VALUE_CHARS} characters");
            return Err(RowError::new(code::LIMIT, words));
        }
        members.push(match column {
            Column::Field { place, name } => {
                let value = if value == NULL {
                    Json::Null
                } else {
                    typed(&object.fields[*place], value)?
                };
                (Cow::Borrowed(name.as_str()), value)
            }
            Column::Parent {
                relationship,
                object,
                key,
            } => {
                let value = if value == NULL {
                    Json::Null
                } else {
                    let kind = object.as_ref().map(|object| {
                        let kind = ("type".into(), Json::Text(Cow::Borrowed(object.as_str())));
                        ("attributes".into(), Json::Object(vec![kind]))
                    });
                    let key = (Cow::Borrowed(key.as_str()), Json::Text(value));
                    Json::Object(kind.into_iter().chain([key]).collect())
                };
                (Cow::Borrowed(relationship.as_str()), value)
            }
        });
    }
    Ok(members)
}

/// A row that is no row of the file.
const INVALID_INPUT: &str = "INVALID_INPUT";

fn typed<'b>(field: &Field, value: Cow<'b, str>) -> Result<Json<'b>, RowError> {
    let readable = match field.kind {
        FieldType::Boolean => return boolean(&value).map(Json::Bool).ok_or_else(|| wrong_type(field, &value)),
        // Scientific notation too [V:D-CSV]; `inf` and `nan` are no numbers.
        kind if kind.is_number() => {
            let number = value.parse::<f64>().ok().filter(|n| n.is_finite());
            return number.map(Json::Number).ok_or_else(|| wrong_type(field, &value));
        }
        FieldType::Date => parse_date(&value).is_some() || parse_instant(&value).is_some(),
        FieldType::DateTime => parse_instant(&value).is_some() || parse_date(&value).is_some(),
        _ => true,
    };
    if readable {
        Ok(Json::Text(value))
    } else {
        Err(wrong_type(field, &value))
    }
}

/// true/false, 1/0, yes/no in any case [from memory].
fn boolean(value: &str) -> Option<bool> {
    let is = |words: [&str; 3]| words.iter().any(|w| value.eq_ignore_ascii_case(w));
    if is(["true", "1", "yes"]) {
        Some(true)
    } else {
        is(["false", "0", "no"]).then_some(false)
    }
}

/// The words are from memory.
fn wrong_type(field: &Field, value: &str) -> RowError {
    let words = format!("{}: value not of required type: {value}", field.label);
    RowError::new(code::TYPE_ON_FIELD, words).at(&field.name)
}
