//! What a row's record type decides: its own default, and which picklist values the row may have.

use std::sync::Arc;

use super::cell::Cell;
use super::error::{RowError, code};
use super::row::Cells;
use crate::schema::{RECORD_TYPE_ID, Sobject};

/// Gives a new row its record type where the caller named none, and refuses what the type does not allow. Only values that
/// the change touches are looked at.
pub(super) fn apply_record_type(
    object: &Sobject,
    cells: &mut [Cell],
    before: Option<&Cells>,
    named: &dyn Fn(usize) -> bool,
) -> Result<(), RowError> {
    let Some(place) = object.field(RECORD_TYPE_ID).filter(|_| !object.record_types.is_empty()) else {
        return Ok(());
    };
    if before.is_none() && !named(place) {
        let default = object.record_types.iter().find(|t| t.default && t.active);
        cells[place] = default.and_then(|t| t.id.clone()).map_or(Cell::Null, Cell::Text);
    }
    let moved = before.is_none_or(|before| before[place] != cells[place]);
    let Some(id) = cells[place].as_text() else {
        return Ok(());
    };
    let Some(record_type) = object.record_type(id).filter(|t| t.active || !moved) else {
        // [from memory]
        let message = format!("Record Type ID: this ID value isn't valid for the user: {id}");
        return Err(RowError::new(code::CROSS_REFERENCE, message).at(&object.fields[place].name));
    };
    for (field, allowed) in &record_type.picklists {
        let touched = moved || before.is_none_or(|before| before[*field] != cells[*field]);
        let restricted = &object.fields[*field];
        let Some(text) = cells[*field].as_text().filter(|_| touched && restricted.restricted) else {
            continue;
        };
        if let Some(other) = text
            .split(';')
            .find(|value| !allowed.iter().any(|known| **known == **value))
        {
            let message = format!("{}: bad value for restricted picklist field: {other}", restricted.label);
            return Err(RowError::new(code::PICKLIST, message).at(&Arc::clone(&restricted.name)));
        }
    }
    Ok(())
}
