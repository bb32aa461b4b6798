//! The rows of one chunk of a bulk job: one transaction, refused rows beside accepted ones (contract 4.1).

use std::collections::HashMap;

use super::collection::{Batch, lock};
use super::error::{RowError, code};
use super::id::IdSpace;
use super::input::{Json, Member};
use super::organisation::{Org, RecordRef};
use super::transaction::Transaction;
use crate::schema::column;

/// What a job does with each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkVerb {
    /// New rows.
    Insert,
    /// Rows named by id.
    Update,
    /// Rows named by the external-id field at this place.
    Upsert(usize),
    /// Rows named by id, to the recycle bin.
    Delete,
    /// Rows named by id, past the recycle bin: they are gone, `getDeleted` still lists them.
    HardDelete,
}

/// A row that was written: its slot, and whether it is new.
pub type Written = (u32, bool);

impl Org {
    /// Writes one chunk of rows of one object. A row that could not be read comes with its error. `all_or_none` of the
    /// batch does not count: a bulk job has no such thing.
    pub fn write_chunk(
        &mut self,
        batch: Batch<'_>,
        sobject: usize,
        verb: ChunkVerb,
        rows: &[Result<Vec<Member<'_>>, RowError>],
    ) -> Vec<Result<Written, RowError>> {
        let repeated = self.repeated_in_chunk(sobject, verb, rows);
        let mut tx = Transaction::begin(self, batch.caller, batch.now);
        let done: Vec<_> = rows
            .iter()
            .zip(repeated)
            .enumerate()
            .map(|(place, (row, repeated))| {
                let members = row.as_ref().map_err(Clone::clone)?;
                match repeated {
                    Some(error) => Err(error),
                    None => attempt(&mut tx, batch, place, sobject, verb, members),
                }
            })
            .collect();
        tx.commit();
        if verb == ChunkVerb::HardDelete {
            for (slot, _) in done.iter().flatten() {
                self.purge(RecordRef { sobject, slot: *slot }, batch.now);
            }
        }
        done
    }

    /// Takes a deleted row and what went with it out of the recycle bin for good; `now` in seconds since 1970.
    pub(super) fn purge(&mut self, record: RecordRef, now: i64) {
        let with = self.went_with.remove(&record).unwrap_or_default();
        for gone in std::iter::once(record).chain(with) {
            self.tables[gone.sobject].purge(gone.slot, now);
        }
    }

    /// Rows that name what another row of the chunk names too: all of them are refused [from memory].
    fn repeated_in_chunk(
        &self,
        sobject: usize,
        verb: ChunkVerb,
        rows: &[Result<Vec<Member<'_>>, RowError>],
    ) -> Vec<Option<RowError>> {
        let field = match verb {
            ChunkVerb::Upsert(field) => field,
            ChunkVerb::Update => column::ID,
            // The second deletion of a row meets a deleted row.
            ChunkVerb::Insert | ChunkVerb::Delete | ChunkVerb::HardDelete => return vec![None; rows.len()],
        };
        let (by_id, field) = (field == column::ID, &self.schema.sobjects[sobject].fields[field]);
        let keys: Vec<Option<String>> = rows
            .iter()
            .map(|row| {
                let text = text_of(member(row.as_ref().ok()?, &field.name)?)?;
                if by_id {
                    super::id::normalise(&text)
                } else if field.case_sensitive {
                    Some(text)
                } else {
                    Some(text.to_lowercase())
                }
            })
            .collect();
        let mut seen: HashMap<&str, usize> = HashMap::with_capacity(keys.len());
        for key in keys.iter().flatten() {
            *seen.entry(key).or_default() += 1;
        }
        keys.iter()
            .map(|key| {
                let key = key.as_ref().filter(|k| seen.get(k.as_str()).is_some_and(|n| *n > 1))?;
                let what = if by_id { "id" } else { "external id" };
                let error = RowError::new(code::DUPLICATE_VALUE, format!("Duplicate {what} specified: {key}"));
                Some(if by_id { error } else { error.at(&field.name) })
            })
            .collect()
    }

    /// How this org numbers its rows.
    #[must_use]
    pub fn id_space(&self) -> IdSpace {
        self.ids.clone()
    }
}

fn member<'r, 'b>(members: &'r [Member<'b>], name: &str) -> Option<&'r Json<'b>> {
    members
        .iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, v)| v)
}

fn text_of(value: &Json<'_>) -> Option<String> {
    match value {
        Json::Text(text) => Some(text.trim().to_owned()).filter(|t| !t.is_empty()),
        Json::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

fn attempt(
    tx: &mut Transaction<'_>,
    batch: Batch<'_>,
    place: usize,
    sobject: usize,
    verb: ChunkVerb,
    members: &[Member<'_>],
) -> Result<Written, RowError> {
    match verb {
        ChunkVerb::Insert => {
            lock(batch, place, tx.org, None)?;
            tx.create(sobject, members).map(|r| (r.slot, true))
        }
        ChunkVerb::Update => {
            let target = target(tx.org, sobject, members, "an update")?;
            lock(batch, place, tx.org, Some(target))?;
            tx.update_but(target, members, Some("Id"))
                .map(|()| (target.slot, false))
        }
        ChunkVerb::Upsert(field) => {
            let name = std::sync::Arc::clone(&tx.org.schema.sobjects[sobject].fields[field].name);
            let key = member(members, &name).cloned().unwrap_or(Json::Null);
            let found = key
                .as_text()
                .and_then(|k| tx.org.find(sobject, field, k).first().copied());
            lock(batch, place, tx.org, found)?;
            let done = tx.upsert(sobject, field, &key, members, false)?;
            Ok((done.record.slot, done.created))
        }
        ChunkVerb::Delete | ChunkVerb::HardDelete => {
            let target = target(tx.org, sobject, members, "a delete")?;
            lock(batch, place, tx.org, Some(target))?;
            tx.delete(target).map(|()| (target.slot, false))
        }
    }
}

/// The row that the member `Id` names.
fn target(org: &Org, sobject: usize, members: &[Member<'_>], call: &str) -> Result<RecordRef, RowError> {
    let id_field = &org.schema.sobjects[sobject].fields[column::ID].name;
    let id = member(members, id_field).and_then(Json::as_text).ok_or_else(|| {
        let words = format!("Id not specified in {call} call");
        RowError::new(code::MISSING_ARGUMENT, words).at(id_field)
    })?;
    org.record(sobject, id.trim())
}
