//! From a request's JSON to a stored value, with the platform's refusals (contract 7.3).

use super::cell::Cell;
use super::error::{RowError, code};
use super::id::normalise;
use super::input::Json;
use super::instant::{parse_date, parse_instant};
use super::organisation::Org;
use crate::schema::{Field, FieldType};

/// Digits of a whole number field.
const INT_DIGITS: i32 = 8;

impl Org {
    /// The stored form of one value of one field.
    pub(super) fn coerce(&self, field: &Field, value: &Json<'_>) -> Result<Cell, RowError> {
        match value {
            Json::Null => Ok(if field.kind == FieldType::Boolean {
                Cell::Bool(false)
            } else {
                Cell::Null
            }),
            Json::Array(_) => Err(unreadable(field, "START_ARRAY", "[")),
            Json::Object(_) => Err(unreadable(field, "START_OBJECT", "{")),
            Json::Text(text) => self.coerce_text(field, text),
            Json::Bool(b) => match field.kind {
                FieldType::Boolean => Ok(Cell::Bool(*b)),
                kind if kind.is_text() => Ok(Cell::text(if *b { "true" } else { "false" })),
                _ => Err(unreadable(
                    field,
                    if *b { "VALUE_TRUE" } else { "VALUE_FALSE" },
                    &b.to_string(),
                )),
            },
            Json::Number(n) => match field.kind {
                kind if kind.is_number() => number(field, *n),
                kind if kind.is_text() => self.coerce_text(field, &n.to_string()),
                _ => Err(unreadable(field, "VALUE_NUMBER", &n.to_string())),
            },
        }
    }

    fn coerce_text(&self, field: &Field, text: &str) -> Result<Cell, RowError> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Ok(if field.kind == FieldType::Boolean {
                Cell::Bool(false)
            } else {
                Cell::Null
            });
        }
        match field.kind {
            FieldType::Boolean => match trimmed {
                "true" => Ok(Cell::Bool(true)),
                "false" => Ok(Cell::Bool(false)),
                _ => Err(unreadable(field, "VALUE_STRING", text)),
            },
            FieldType::Double | FieldType::Currency | FieldType::Percent | FieldType::Int => {
                match trimmed.parse::<f64>() {
                    Ok(n) if n.is_finite() => number(field, n),
                    _ => Err(unreadable(field, "VALUE_STRING", text)),
                }
            }
            FieldType::Date => {
                let day = trimmed
                    .get(..10)
                    .filter(|_| parse_instant(trimmed).is_some())
                    .unwrap_or(trimmed);
                parse_date(day)
                    .map(Cell::Date)
                    .ok_or_else(|| unreadable(field, "VALUE_STRING", text))
            }
            FieldType::DateTime => parse_instant(trimmed)
                .or_else(|| parse_instant(&format!("{trimmed}T00:00:00Z")))
                .map(Cell::Instant)
                .ok_or_else(|| unreadable(field, "VALUE_STRING", text)),
            FieldType::Reference | FieldType::Id => self.reference(field, trimmed),
            FieldType::Address => Err(unreadable(field, "VALUE_STRING", text)),
            FieldType::MultiPicklist => {
                within_length(field, trimmed)?;
                selected(field, trimmed)
            }
            _ => within_length(field, trimmed).map(|()| Cell::text(trimmed)),
        }
    }

    fn reference(&self, field: &Field, id: &str) -> Result<Cell, RowError> {
        let malformed = || {
            RowError::new(
                code::MALFORMED_ID,
                format!("{}: id value of incorrect type: {id}", field.label),
            )
            .at(&field.name)
        };
        let full = normalise(id).ok_or_else(malformed)?;
        let target = full
            .get(..3)
            .and_then(|p| self.schema.by_prefix(p))
            .ok_or_else(malformed)?;
        if !field
            .reference_to
            .iter()
            .any(|t| **t == *self.schema.sobjects[target].name)
        {
            return Err(malformed());
        }
        let row = self.locate(&full).and_then(|r| self.row(r));
        match row {
            None => Err(RowError::cross_reference().at(&field.name)),
            Some(row) if row.is_deleted() => {
                let text = "insufficient access rights on cross-reference id";
                Err(RowError::new(code::CROSS_REFERENCE_ACCESS, text).at(&field.name))
            }
            // The words are from memory.
            Some(row) if &*field.name == "OwnerId" && self.is_inactive(target, row) => {
                let text = format!("operation performed with inactive user [{full}]");
                Err(RowError::new("INACTIVE_OWNER_OR_USER", text).at(&field.name))
            }
            Some(row) => Ok(row.cells[crate::schema::column::ID].clone()),
        }
    }
}

/// Most values of a multi-select picklist [V:D-CODES].
const MAX_SELECTED: usize = 100;

/// The values of a multi-select picklist in the order of its definition, each once; unknown ones come last [from memory].
fn selected(field: &Field, text: &str) -> Result<Cell, RowError> {
    let place = |value: &str| {
        field
            .values
            .iter()
            .position(|known| **known == *value)
            .unwrap_or(usize::MAX)
    };
    let mut values: Vec<&str> = text
        .split(';')
        .map(str::trim)
        .filter(|value| !value.is_empty())
        .collect();
    values.sort_by_key(|value| place(value));
    values.dedup();
    if values.len() > MAX_SELECTED {
        let message = format!("{}: too many values selected: {}", field.label, values.len());
        return Err(RowError::new("TOO_MANY_ENUM_VALUE", message).at(&field.name));
    }
    Ok(Cell::text(&values.join(";")))
}

fn within_length(field: &Field, text: &str) -> Result<(), RowError> {
    let limit = usize::try_from(field.length).unwrap_or(usize::MAX);
    if text.len() > limit && text.chars().count() > limit {
        let message = format!("{}: data value too large: {text} (max length={limit})", field.label);
        return Err(RowError::new(code::TOO_LONG, message).at(&field.name));
    }
    let known = |value: &str| field.values.iter().any(|known| **known == *value);
    let unknown = match field.kind {
        FieldType::MultiPicklist => text.split(';').map(str::trim).find(|value| !known(value)),
        _ => Some(text).filter(|value| !known(value)),
    };
    if let Some(text) = unknown.filter(|_| field.restricted) {
        let message = format!("{}: bad value for restricted picklist field: {text}", field.label);
        return Err(RowError::new(code::PICKLIST, message).at(&field.name));
    }
    if field.kind == FieldType::Email && !is_email(text) {
        let message = format!("{}: invalid email address: {text}", field.label);
        return Err(RowError::new(code::EMAIL, message).at(&field.name));
    }
    Ok(())
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let labels = domain
        .split('.')
        .all(|l| !l.is_empty() && l.chars().all(|c| c.is_alphanumeric() || c == '-'));
    let plain = !text.contains(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '"'));
    !local.is_empty() && !local.contains('@') && domain.contains('.') && labels && plain
}

fn number(field: &Field, n: f64) -> Result<Cell, RowError> {
    if field.kind == FieldType::Int && n.fract() != 0.0 {
        return Err(unreadable(field, "VALUE_NUMBER_FLOAT", &n.to_string()));
    }
    let digits = match field.kind {
        FieldType::Int => INT_DIGITS,
        _ => i32::from(field.precision) - i32::from(field.scale),
    };
    if n.abs() >= 10f64.powi(digits) {
        let message = format!("{}: value outside of valid range on numeric field: {n}", field.label);
        return Err(RowError::new(code::NUMBER_RANGE, message).at(&field.name));
    }
    Ok(Cell::Number(n))
}

/// A value that the JSON reader of the platform cannot take [from memory].
fn unreadable(field: &Field, token: &str, value: &str) -> RowError {
    let kind = match field.kind.name() {
        "boolean" | "double" | "int" | "date" | "datetime" => field.kind.name(),
        "currency" | "percent" => "double",
        _ => "string",
    };
    let message = format!(
        "Cannot deserialize instance of {kind} from {token} value {value} or request may be missing a required field at [line:1, column:1]"
    );
    RowError::new(code::JSON, message)
}
