//! Creating and updating one row inside a transaction.

use super::cell::Cell;
use super::derive::derive;
use super::error::{RowError, code};
use super::input::{Json, Member};
use super::merge::converted;
use super::organisation::RecordRef;
use super::record_type::apply_record_type;
use super::row::Row;
use super::transaction::Transaction;
use crate::commit::ChangeKind;
use crate::schema::{Initial, Sobject, column};

/// What an upsert did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upserted {
    /// The row.
    pub record: RecordRef,
    /// Whether it is new.
    pub created: bool,
}

/// Key prefix of leads: they can be converted.
const LEAD: &str = "00Q";

/// Fields that a request names, with their stored values.
type Assigned = Vec<(usize, Cell)>;

impl Transaction<'_> {
    /// Creates a row.
    ///
    /// # Errors
    /// The platform's refusal of the row; nothing is written then.
    pub fn create(&mut self, sobject: usize, members: &[Member<'_>]) -> Result<RecordRef, RowError> {
        let schema = std::sync::Arc::clone(&self.org.schema);
        let object = &schema.sobjects[sobject];
        writable(object)?;
        allowed(!object.denied.create)?;
        let assigned = self.assign(object, members, true, None)?;
        let missing: Vec<_> = object
            .fields
            .iter()
            .enumerate()
            .filter(|(_, f)| !f.nillable && f.createable && f.initial == Initial::Nothing)
            .filter(|(place, _)| !assigned.iter().any(|(p, cell)| p == place && !cell.is_null()))
            .map(|(_, f)| std::sync::Arc::clone(&f.name))
            .collect();
        if !missing.is_empty() {
            return Err(required(missing));
        }
        if self.org.storage_mb.is_some_and(|most| self.org.stored_mb() >= most) {
            return Err(RowError::new("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded"));
        }
        let slot = self.org.tables[sobject]
            .reserve()
            .ok_or_else(|| RowError::new(code::LIMIT, "storage limit exceeded"))?;
        let record = RecordRef { sobject, slot };
        let mut cells = self.org.blank(record, self.now, &self.caller.user);
        let named = |place: usize| assigned.iter().any(|(p, _)| *p == place);
        for (place, cell) in &assigned {
            if !(*place == column::OWNER && cell.is_null()) {
                cells[*place] = cell.clone();
            }
        }
        for (place, field) in object.fields.iter().enumerate() {
            if let Some(format) = &field.auto_number {
                cells[place] = Cell::Text(numbered(format, u64::from(slot) + 1).into());
            } else if let Some(default) = field.default.as_ref().filter(|_| !named(place)) {
                cells[place] = default.clone();
            }
        }
        derive(object, &mut cells, None, &named);
        apply_record_type(object, &mut cells, None, &named)?;
        self.assign_owner(&schema, sobject, None, &mut cells);
        let parents = self.run_rules(&schema, sobject, None, &mut cells)?;
        self.check_duplicates(object, record, None, &cells)?;
        self.check_locks(&schema, record, &*cells)?;
        self.check_open_values(&schema, sobject, &cells)?;
        self.check_unique(record, &*cells)?;
        self.put(record, ChangeKind::Create, Row::of(&cells));
        self.update_parents(&schema, parents);
        Ok(record)
    }

    /// Changes a row. Stamps move even when no value changes [from memory].
    ///
    /// # Errors
    /// The platform's refusal of the row, the fence's too; nothing is written then.
    pub fn update(&mut self, record: RecordRef, members: &[Member<'_>]) -> Result<(), RowError> {
        self.update_but(record, members, None)
    }

    /// As [`Self::update`], without the member that names the row.
    pub(super) fn update_but(
        &mut self,
        record: RecordRef,
        members: &[Member<'_>],
        skip: Option<&str>,
    ) -> Result<(), RowError> {
        let schema = std::sync::Arc::clone(&self.org.schema);
        let object = &schema.sobjects[record.sobject];
        writable(object)?;
        allowed(!object.denied.edit)?;
        let before = self.org.row(record).cloned().ok_or_else(RowError::cross_reference)?;
        if before.is_deleted() {
            return Err(RowError::deleted());
        }
        if &*object.prefix == LEAD
            && object
                .field("IsConverted")
                .is_some_and(|f| before.cells[f] == Cell::Bool(true))
        {
            return Err(converted());
        }
        let assigned = self.assign(object, members, false, skip)?;
        let emptied: Vec<_> = assigned
            .iter()
            .filter(|(place, cell)| cell.is_null() && !object.fields[*place].nillable)
            .map(|(place, _)| std::sync::Arc::clone(&object.fields[*place].name))
            .collect();
        if !emptied.is_empty() {
            return Err(required(emptied));
        }
        let mut cells = before.cells.unpack(object.fields.len());
        for (place, cell) in &assigned {
            cells[*place] = cell.clone();
        }
        derive(object, &mut cells, Some(&before.cells), &|place| {
            assigned.iter().any(|(p, _)| *p == place)
        });
        apply_record_type(object, &mut cells, Some(&before.cells), &|_| true)?;
        self.assign_owner(&schema, record.sobject, Some(&before.cells), &mut cells);
        let parents = self.run_rules(&schema, record.sobject, Some(&before.cells), &mut cells)?;
        self.check_duplicates(object, record, Some(&before.cells), &cells)?;
        self.check_locks(&schema, record, &*cells)?;
        self.check_open_values(&schema, record.sobject, &cells)?;
        self.check_unique(record, &*cells)?;
        self.stamp(&mut cells);
        self.put(record, ChangeKind::Update, Row::of(&cells));
        self.update_parents(&schema, parents);
        Ok(())
    }

    /// Updates the live row with this value in the external-id field, or creates one. With `update_only` nothing is created.
    ///
    /// # Errors
    /// As [`Self::create`] and [`Self::update`]; `DUPLICATE_EXTERNAL_ID` when several rows match.
    pub fn upsert(
        &mut self,
        sobject: usize,
        field: usize,
        key: &Json<'_>,
        members: &[Member<'_>],
        update_only: bool,
    ) -> Result<Upserted, RowError> {
        let name = std::sync::Arc::clone(&self.org.schema.sobjects[sobject].fields[field].name);
        let text = match key {
            Json::Text(text) => text.trim().to_owned(),
            Json::Number(n) => n.to_string(),
            _ => String::new(),
        };
        if text.is_empty() && field != column::ID {
            return Err(RowError::new(code::MISSING_ARGUMENT, format!("{name} not specified")));
        }
        if field == column::ID && !text.is_empty() {
            let record = self.org.record(sobject, &text)?;
            return self
                .update_but(record, members, Some(&name))
                .map(|()| Upserted { record, created: false });
        }
        match self.org.find(sobject, field, &text).as_slice() {
            [] if update_only => Err(RowError::not_found()),
            [] => {
                let named = members.iter().any(|(n, _)| n.eq_ignore_ascii_case(&name));
                let mut all = Vec::new();
                if field != column::ID && !named {
                    all.extend(members.iter().cloned());
                    all.push((name.to_string().into(), key.clone()));
                }
                self.create(sobject, if all.is_empty() { members } else { &all })
                    .map(|record| Upserted { record, created: true })
            }
            [one] => {
                let record = *one;
                self.update_but(record, members, Some(&name))
                    .map(|()| Upserted { record, created: false })
            }
            many => {
                let ids: Vec<&str> = many.iter().filter_map(|r| self.org.row(*r)).map(|r| r.id()).collect();
                let message = format!(
                    "{name}: more than one record found for external id field: [{}]",
                    ids.join(", ")
                );
                Err(RowError::new(code::DUPLICATE_EXTERNAL_ID, message))
            }
        }
    }

    /// The stored values of what a request names; a later member of the same field wins.
    fn assign(
        &self,
        object: &Sobject,
        members: &[Member<'_>],
        creating: bool,
        skip: Option<&str>,
    ) -> Result<Assigned, RowError> {
        let mut assigned: Assigned = Vec::with_capacity(members.len());
        let mut refused = Vec::new();
        for (name, value) in members {
            if name == "attributes" || skip.is_some_and(|s| name.eq_ignore_ascii_case(s)) {
                continue;
            }
            let (place, cell) = match (object.field(name), value) {
                (Some(place), _) => {
                    let field = &object.fields[place];
                    if !(if creating { field.createable } else { field.updateable }) {
                        if !(place == column::ID && *value == Json::Null) {
                            refused.push(std::sync::Arc::clone(&field.name));
                        }
                        continue;
                    }
                    (place, self.org.coerce(field, value)?)
                }
                (None, Json::Object(nested)) => {
                    let place = object
                        .relationship(name)
                        .ok_or_else(|| RowError::no_column(name, &object.name))?;
                    let targets = &object.fields[place].reference_to;
                    // A reference to several objects needs the parent's type (observed 2026).
                    let named = value.type_name();
                    let target = targets
                        .iter()
                        .find(|t| named.is_some_and(|n| n.eq_ignore_ascii_case(t)));
                    let target = target.or(targets.first()).map_or("", |target| &**target);
                    (place, self.org.nested_parent(target, nested)?)
                }
                (None, Json::Null) if object.relationship(name).is_some() => {
                    (object.relationship(name).unwrap_or_default(), Cell::Null)
                }
                (None, _) => return Err(RowError::no_column(name, &object.name)),
            };
            assigned.retain(|(p, _)| *p != place);
            assigned.push((place, cell));
        }
        if refused.is_empty() {
            return Ok(assigned);
        }
        let names: Vec<&str> = refused.iter().map(AsRef::as_ref).collect();
        let message = format!(
            "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.",
            names.join(", ")
        );
        Err(RowError {
            code: code::FIELD_FOR_WRITE,
            message,
            fields: refused,
            duplicates: None,
            also: Vec::new(),
        })
    }
}

/// `C-{0000}` and 7 are `C-0007`.
fn numbered(format: &str, number: u64) -> String {
    let (before, rest) = format.split_once('{').unwrap_or((format, ""));
    let (zeros, after) = rest.split_once('}').unwrap_or((rest, ""));
    format!("{before}{number:0width$}{after}", width = zeros.len())
}

/// What a user without the permission is told [from memory].
pub(super) fn allowed(may: bool) -> Result<(), RowError> {
    let words = "insufficient access rights on object id";
    may.then_some(())
        .ok_or_else(|| RowError::new("INSUFFICIENT_ACCESS_OR_READONLY", words))
}

fn writable(object: &Sobject) -> Result<(), RowError> {
    if object.writable {
        return Ok(());
    }
    Err(RowError::new(
        "INSUFFICIENT_ACCESS_OR_READONLY",
        format!("entity type {} does not support this", object.name),
    ))
}

/// [JSF-B2TEST] for the words.
fn required(fields: Vec<std::sync::Arc<str>>) -> RowError {
    let names: Vec<&str> = fields.iter().map(AsRef::as_ref).collect();
    RowError {
        code: code::REQUIRED,
        message: format!("Required fields are missing: [{}]", names.join(", ")),
        fields,
        duplicates: None,
        also: Vec::new(),
    }
}
