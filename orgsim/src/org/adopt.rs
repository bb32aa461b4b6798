//! A schema that grows while the org lives: rows, ids and places of fields stay.

use std::sync::Arc;

use arcstr::ArcStr;

use super::cell::Cell;
use super::organisation::Org;
use super::table::Table;
use crate::schema::{FieldType, Schema, SchemaFile, SchemaProblem};

impl Org {
    /// Adds what a schema file says; `source` is the file as JSON, for snapshots. `now` in seconds since 1970.
    ///
    /// # Errors
    /// The first entry that makes no sense; nothing is changed then.
    pub fn extend(&mut self, file: &SchemaFile, source: serde_json::Value, now: i64) -> Result<(), SchemaProblem> {
        let schema = file.extend(Schema::clone(&self.schema))?;
        self.added.push(source);
        self.adopt(schema, now);
        Ok(())
    }

    /// Takes a schema that says other things of the same objects and fields: which are captured, say. `now` in seconds since
    /// 1970.
    pub fn set_schema(&mut self, schema: Schema, now: i64) {
        self.adopt(schema, now);
    }

    /// Takes a schema that has all that the present one has, at the same places.
    pub(super) fn adopt(&mut self, mut schema: Schema, now: i64) {
        for (place, sobject) in schema.sobjects.iter().enumerate() {
            match (self.tables.get_mut(place), self.schema.sobjects.get(place)) {
                (Some(table), Some(known)) => {
                    let new = known.fields.len()..sobject.fields.len();
                    // A checkbox is never null.
                    let checkboxes = new.filter(|field| sobject.fields[*field].kind == FieldType::Boolean);
                    table.grow(sobject, &checkboxes.collect::<Vec<_>>());
                }
                _ => self.tables.push(Table::new(sobject)),
            }
        }
        self.name_record_types(&mut schema, now);
        self.schema = Arc::new(schema);
        self.schema_version += 1;
        self.schema_changed = now;
    }

    /// Gives record types without id their row, or the id of the row that they have.
    pub(super) fn name_record_types(&mut self, schema: &mut Schema, now: i64) {
        for sobject in &mut schema.sobjects {
            let object = Arc::clone(&sobject.name);
            for record_type in sobject.record_types.iter_mut().filter(|t| t.id.is_none()) {
                let name = Arc::clone(&record_type.developer_name);
                let id = self.record_type_id(&object, &name).or_else(|| {
                    let record = self.plant(
                        "RecordType",
                        now,
                        &[
                            ("Name", Cell::text(&record_type.label)),
                            ("DeveloperName", Cell::text(&name)),
                            ("SobjectType", Cell::text(&object)),
                            ("IsActive", Cell::Bool(record_type.active)),
                        ],
                    )?;
                    Some(ArcStr::from(self.row(record)?.id()))
                });
                record_type.id = id;
            }
        }
    }

    fn record_type_id(&self, object: &str, developer_name: &str) -> Option<ArcStr> {
        let place = self.schema.place("RecordType")?;
        let types = &self.schema.sobjects[place];
        let (name, of) = (types.field("DeveloperName")?, types.field("SobjectType")?);
        let mut rows = self.tables[place].rows();
        let row = rows
            .find(|row| row.cells[name].as_text() == Some(developer_name) && row.cells[of].as_text() == Some(object))?;
        Some(row.id().into())
    }
}
