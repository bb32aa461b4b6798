//! Finding rows by external id, and keeping unique fields unique.

use std::ops::Index;

use super::cell::Cell;
use super::error::{RowError, code};
use super::input::Json;
use super::organisation::{Org, RecordRef};
use super::transaction::Transaction;

/// The only ending of a nested parent that names more than its key [from memory].
const ONE_KEY: &str = "More than 1 field provided in an external foreign key reference in entity";

impl Org {
    /// Place of the field that an upsert on this object may name.
    ///
    /// # Errors
    /// `NOT_FOUND` "Provided external ID field does not exist…" [F restforce].
    pub fn external_field(&self, sobject: usize, name: &str) -> Result<usize, RowError> {
        let object = &self.schema.sobjects[sobject];
        let place = object.field(name).filter(|p| object.fields[*p].finds_rows());
        place.ok_or_else(|| RowError::no_external_id(name))
    }

    /// The live rows with this value in an external-id field.
    #[must_use]
    pub fn find(&self, sobject: usize, field: usize, value: &str) -> Vec<RecordRef> {
        if field == crate::schema::column::ID {
            let row = self.locate(value).filter(|r| r.sobject == sobject);
            return row
                .filter(|r| self.row(*r).is_some_and(|row| !row.is_deleted()))
                .into_iter()
                .collect();
        }
        let slots = self.tables[sobject].find(field, value.trim()).unwrap_or_default();
        slots.iter().map(|slot| RecordRef { sobject, slot: *slot }).collect()
    }

    /// The parent that a nested object such as `{"Tandem_Key__c":"42"}` names: the id to store.
    pub(super) fn nested_parent(
        &self,
        target: &str,
        members: &[(std::borrow::Cow<'_, str>, Json<'_>)],
    ) -> Result<Cell, RowError> {
        let Some(sobject) = self.schema.place(target) else {
            return Err(RowError::new(
                code::TYPE,
                format!("sObject type '{target}' is not supported."),
            ));
        };
        if members.iter().skip(1).any(|(name, _)| name == "attributes") {
            return Err(RowError::new(code::JSON, NO_ATTRIBUTES));
        }
        let mut keys = members.iter().filter(|(name, _)| name != "attributes");
        let (Some((name, value)), None) = (keys.next(), keys.next()) else {
            return Err(RowError::new(code::FIELD, format!("{ONE_KEY}: {target}")));
        };
        let object = &self.schema.sobjects[sobject];
        let field = object
            .field(name)
            .ok_or_else(|| RowError::no_column(name, &object.name))?;
        if !object.fields[field].finds_rows() {
            let message = format!("Field name provided, {name} is not an External ID or indexed field for {target}");
            return Err(RowError::new(code::FIELD, message));
        }
        let key = match value {
            Json::Text(text) => text.trim().to_owned(),
            Json::Number(n) => n.to_string(),
            _ => String::new(),
        };
        match self.find(sobject, field, &key).as_slice() {
            [one] => Ok(self
                .row(*one)
                .map_or(Cell::Null, |r| r.cells[crate::schema::column::ID].clone())),
            [] => {
                let message = format!("Foreign key external ID: {key} not found for field {name} in entity {target}");
                Err(RowError::new(code::FIELD, message))
            }
            many => {
                let ids: Vec<&str> = many.iter().filter_map(|r| self.row(*r)).map(|r| r.id()).collect();
                let message = format!(
                    "{name}: more than one record found for external id field: [{}]",
                    ids.join(", ")
                );
                Err(RowError::new(code::DUPLICATE_EXTERNAL_ID, message))
            }
        }
    }
}

/// What the platform says of a record or nested object without leading `attributes` [R nango].
pub(super) const NO_ATTRIBUTES: &str =
    "Nested object for polymorphic foreign key must have an attributes field before any other fields.";

impl Transaction<'_> {
    /// Refuses values that another live row has in a unique field [C go-salesforce#133].
    pub(super) fn check_unique(
        &self,
        record: RecordRef,
        cells: &(impl Index<usize, Output = Cell> + ?Sized),
    ) -> Result<(), RowError> {
        let sobject = &self.org.schema.sobjects[record.sobject];
        for (place, field) in sobject.fields.iter().enumerate().filter(|(_, f)| f.unique) {
            let Some(value) = cells[place].as_text() else { continue };
            let taken = self.org.tables[record.sobject].find(place, value).unwrap_or_default();
            if let Some(other) = taken.iter().find(|slot| **slot != record.slot) {
                let other = self.org.tables[record.sobject].get(*other).map_or("", |r| r.id());
                let message = format!(
                    "duplicate value found: {} duplicates value on record with id: {other}",
                    field.name
                );
                return Err(RowError::new(code::DUPLICATE_VALUE, message));
            }
        }
        Ok(())
    }
}
