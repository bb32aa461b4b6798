//! Many rows in one call (contract 3.2): order kept, failures beside successes, or all together.

use std::collections::HashMap;

use super::error::{RowError, code};
use super::input::Json;
use super::key::NO_ATTRIBUTES;
use super::organisation::{Caller, Org, RecordRef};
use super::transaction::Transaction;
use crate::schema::column;

/// Most rows of one call.
pub const MAX_ROWS: usize = 200;
/// Most runs of rows of one type in one call.
pub const MAX_CHUNKS: usize = 10;

/// What became of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowOutcome {
    /// 18-character id; None when a create failed.
    pub id: Option<String>,
    /// Whether an upsert created it; None outside of upserts.
    pub created: Option<bool>,
    /// Why it was refused.
    pub error: Option<RowError>,
}

/// What became of a call: one outcome a row, in request order.
pub type BatchOutcome = Vec<RowOutcome>;

/// What to do with each row.
#[derive(Debug, Clone, Copy)]
enum Verb {
    Create,
    Update,
    Upsert { sobject: usize, field: usize },
}

/// How a call is to be run.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// On whose behalf.
    pub caller: &'a Caller,
    /// Seconds since 1970.
    pub now: i64,
    /// Whether one refused row undoes all.
    pub all_or_none: bool,
    /// Rows that are refused whatever they say, by place; missing ones are free.
    pub refused: &'a [Option<RowError>],
}

impl Org {
    /// `POST /composite/sobjects`.
    ///
    /// # Errors
    /// A refusal of the whole call: too many rows or runs of types.
    pub fn create_many(&mut self, batch: Batch<'_>, records: &[Json<'_>]) -> Result<BatchOutcome, RowError> {
        self.write_many(batch, records, Verb::Create)
    }

    /// `PATCH /composite/sobjects`.
    ///
    /// # Errors
    /// As [`Self::create_many`].
    pub fn update_many(&mut self, batch: Batch<'_>, records: &[Json<'_>]) -> Result<BatchOutcome, RowError> {
        self.write_many(batch, records, Verb::Update)
    }

    /// `PATCH /composite/sobjects/{type}/{external id field}`.
    ///
    /// # Errors
    /// As [`Self::create_many`].
    pub fn upsert_many(
        &mut self,
        batch: Batch<'_>,
        sobject: usize,
        field: usize,
        records: &[Json<'_>],
    ) -> Result<BatchOutcome, RowError> {
        self.write_many(batch, records, Verb::Upsert { sobject, field })
    }

    /// `DELETE /composite/sobjects?ids=…`: mixed types, each id once.
    ///
    /// # Errors
    /// As [`Self::create_many`].
    pub fn delete_many(&mut self, batch: Batch<'_>, ids: &[&str]) -> Result<BatchOutcome, RowError> {
        too_many(ids.len())?;
        let mut tx = Transaction::begin(self, batch.caller, batch.now);
        let mut outcomes: BatchOutcome = ids
            .iter()
            .enumerate()
            .map(|(place, id)| {
                let record = locate(tx.org, id);
                let outcome = record.and_then(|r| lock(batch, place, tx.org, Some(r)).and_then(|()| tx.delete(r)));
                let error = outcome.err();
                let id = super::id::normalise(id).filter(|_| error.is_none());
                RowOutcome {
                    id,
                    created: None,
                    error,
                }
            })
            .collect();
        if settle(batch.all_or_none, &mut outcomes) {
            tx.commit();
        }
        Ok(outcomes)
    }

    fn write_many(&mut self, batch: Batch<'_>, records: &[Json<'_>], verb: Verb) -> Result<BatchOutcome, RowError> {
        too_many(records.len())?;
        let chunks = chunks(records);
        if chunks.len() > MAX_CHUNKS {
            let text =
                "Cannot have more than 10 chunks in a single operation. Please rearrange the data to reduce chunking.";
            return Err(RowError::new(code::LIMIT, text));
        }
        let repeated = repeated(self, records, verb);
        // All or none is one transaction; otherwise each run of one type commits by itself.
        let spans = if batch.all_or_none {
            std::iter::once(0..records.len()).collect()
        } else {
            chunks
        };
        let mut outcomes = Vec::with_capacity(records.len());
        for span in spans {
            let mut tx = Transaction::begin(self, batch.caller, batch.now);
            let mut part: BatchOutcome = span
                .map(|place| match &repeated[place] {
                    Some(error) => refused(verb, error.clone()),
                    None => write_one(&mut tx, batch, place, &records[place], verb),
                })
                .collect();
            if settle(batch.all_or_none, &mut part) {
                tx.commit();
            }
            outcomes.extend(part);
        }
        Ok(outcomes)
    }
}

/// The words are from memory.
fn too_many(rows: usize) -> Result<(), RowError> {
    if rows <= MAX_ROWS {
        return Ok(());
    }
    let text = "record limit reached. cannot submit more than 200 records into this call";
    Err(RowError::new(code::EXCEEDED_ID_LIMIT, text))
}

/// Runs of records of one type.
fn chunks(records: &[Json<'_>]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for place in 0..records.len() {
        match runs.last_mut() {
            Some(run) if records[run.start].type_name() == records[place].type_name() => run.end = place + 1,
            _ => runs.push(place..place + 1),
        }
    }
    runs
}

fn member<'r, 'b>(record: &'r Json<'b>, name: &str) -> Option<&'r Json<'b>> {
    record
        .members()
        .iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, v)| v)
}

/// Rows that name a key which another row of the call names too: all of them are refused [from memory].
fn repeated(org: &Org, records: &[Json<'_>], verb: Verb) -> Vec<Option<RowError>> {
    let key_of = |record: &Json<'_>| -> Option<String> {
        match verb {
            Verb::Create => None,
            Verb::Update => member(record, "Id")?.as_text().and_then(super::id::normalise),
            Verb::Upsert { sobject, field } => {
                let f = &org.schema.sobjects[sobject].fields[field];
                let text = match member(record, &f.name)? {
                    Json::Text(text) => text.trim().to_owned(),
                    Json::Number(n) => n.to_string(),
                    _ => return None,
                };
                Some(if f.case_sensitive || field == column::ID {
                    text
                } else {
                    text.to_lowercase()
                })
            }
        }
    };
    let keys: Vec<Option<String>> = records.iter().map(key_of).collect();
    let mut seen: HashMap<&str, usize> = HashMap::with_capacity(keys.len());
    for key in keys.iter().flatten() {
        *seen.entry(key).or_default() += 1;
    }
    keys.iter()
        .map(|key| {
            let key = key.as_ref().filter(|k| seen.get(k.as_str()).is_some_and(|n| *n > 1))?;
            Some(match verb {
                Verb::Upsert { sobject, field } if field != column::ID => {
                    RowError::new(code::DUPLICATE_VALUE, format!("Duplicate external id specified: {key}")).at(&org
                        .schema
                        .sobjects[sobject]
                        .fields[field]
                        .name)
                }
                _ => RowError::new(code::DUPLICATE_VALUE, format!("Duplicate id specified: {key}")),
            })
        })
        .collect()
}

/// A refused row has no id (observed 2026); one of an upsert says that nothing was created.
fn refused(verb: Verb, error: RowError) -> RowOutcome {
    RowOutcome {
        id: None,
        created: matches!(verb, Verb::Upsert { .. }).then_some(false),
        error: Some(error),
    }
}

fn write_one(tx: &mut Transaction<'_>, batch: Batch<'_>, place: usize, record: &Json<'_>, verb: Verb) -> RowOutcome {
    match attempt(tx, batch, place, record, verb) {
        Ok((record, created)) => RowOutcome {
            id: tx.org.row(record).map(|r| r.id().to_owned()),
            created: matches!(verb, Verb::Upsert { .. }).then_some(created),
            error: None,
        },
        Err(error) => refused(verb, error),
    }
}

fn attempt(
    tx: &mut Transaction<'_>,
    batch: Batch<'_>,
    place: usize,
    record: &Json<'_>,
    verb: Verb,
) -> Result<(RecordRef, bool), RowError> {
    let Some(type_name) = record.type_name() else {
        return Err(RowError::new(code::JSON, NO_ATTRIBUTES));
    };
    if record.members().first().is_none_or(|(name, _)| name != "attributes") && has_nested(record) {
        return Err(RowError::new(code::JSON, NO_ATTRIBUTES));
    }
    let sobject = tx.org.schema.place(type_name).ok_or_else(|| {
        let text = format!("sObject type '{type_name}' is not supported.");
        RowError::new(code::TYPE, text)
    })?;
    match verb {
        Verb::Create => {
            lock(batch, place, tx.org, None)?;
            tx.create(sobject, record.members()).map(|r| (r, true))
        }
        Verb::Update => {
            let id = member(record, "Id").and_then(Json::as_text).filter(|id| !id.is_empty());
            let id_field = &tx.org.schema.sobjects[sobject].fields[column::ID].name;
            let id = id.ok_or_else(|| {
                RowError::new(code::MISSING_ARGUMENT, "Id not specified in an update call").at(id_field)
            })?;
            let target = tx.org.record(sobject, id)?;
            lock(batch, place, tx.org, Some(target))?;
            tx.update_but(target, record.members(), Some("Id"))
                .map(|()| (target, false))
        }
        Verb::Upsert {
            sobject: expected,
            field,
        } => {
            if sobject != expected {
                let text = "The record type does not match the type of the request.";
                return Err(RowError::new(code::TYPE, text));
            }
            let name = std::sync::Arc::clone(&tx.org.schema.sobjects[sobject].fields[field].name);
            let key = member(record, &name).cloned().unwrap_or(Json::Null);
            let found = key
                .as_text()
                .and_then(|k| tx.org.find(sobject, field, k).first().copied());
            lock(batch, place, tx.org, found)?;
            let done = tx.upsert(sobject, field, &key, record.members(), false)?;
            Ok((done.record, done.created))
        }
    }
}

/// Whether a record carries a nested parent: only then does the place of `attributes` count.
fn has_nested(record: &Json<'_>) -> bool {
    record
        .members()
        .iter()
        .any(|(name, value)| name != "attributes" && matches!(value, Json::Object(_)))
}

/// Where an id of any object points, as a deletion names it.
fn locate(org: &Org, id: &str) -> Result<RecordRef, RowError> {
    if super::id::normalise(id).is_none() {
        return Err(RowError::new(code::MALFORMED_ID, format!("malformed id {id}")));
    }
    org.locate(id).ok_or_else(RowError::cross_reference)
}

/// Refuses a row that is refused whatever it says: one that somebody else has locked, say.
pub(super) fn lock(batch: Batch<'_>, place: usize, org: &Org, target: Option<RecordRef>) -> Result<(), RowError> {
    let Some(Some(error)) = batch.refused.get(place) else {
        return Ok(());
    };
    let mut error = error.clone();
    if error.code == code::LOCK {
        let id = target.and_then(|r| org.row(r)).map_or("", |r| r.id());
        error.message = format!("{}: {id}", error.message);
    }
    Err(error)
}

/// Whether the rows may be committed. With all-or-none and a refused row the others say so.
fn settle(all_or_none: bool, outcomes: &mut [RowOutcome]) -> bool {
    if !all_or_none || outcomes.iter().all(|o| o.error.is_none()) {
        return true;
    }
    let text = "Record rolled back because not all records were valid and the request was using AllOrNone header";
    for outcome in outcomes.iter_mut().filter(|o| o.error.is_none()) {
        outcome.id = None;
        outcome.error = Some(RowError::new(code::ALL_OR_NONE, text));
    }
    false
}
