//! What is remembered of own writes: which of them an event shows, which stand over it, what is still wanted.

use super::merge::Heard;
use super::table::{Pending, Record};
use crate::domain::ids::FieldIdx;
use crate::domain::payload::RawJson;
use crate::domain::plan::ObjectPlan;
use crate::domain::row::{FieldHash, Row, SentWrite};
use crate::engine::commit::DeadLetter;

/// The hash that a write put into a field.
pub(super) fn hash_of(write: &SentWrite, idx: FieldIdx) -> Option<FieldHash> {
    write.fields.iter().find(|(i, _)| *i == idx).map(|(_, h)| *h)
}

/// Whether the product's delete of the record is under way.
pub(super) fn deleting(record: &Record) -> bool {
    record.wishes().any(|p| p.fold.delete && !p.fold.upsert)
}

/// Whether the product wants the record to exist, by what is still under way or in a dead letter.
pub(super) fn wants_alive(record: &Record) -> bool {
    let buried = record.dead.as_ref().is_some_and(DeadLetter::wants_alive);
    record.wishes().next().map_or(buried, |p| p.fold.upsert)
}

/// The highest sequence that this owner, or one before it, can have sent for the record.
pub(super) fn highest_seq(record: &Record) -> u64 {
    let pending = record.pending.as_ref().map_or(0, |p| p.fold.seq);
    let flight = record.flight.as_ref().map_or(0, |f| f.write.seq);
    let doubt = record.doubt.map_or(0, |d| d.seq);
    record.row.last_seq.max(pending).max(flight).max(doubt)
}

/// Whether a field's value in an event of our own is the one that we wrote under that sequence.
pub(super) fn is_ours(record: &Record, plan: &ObjectPlan, seq: u64, heard: &Heard) -> bool {
    let mut writes = known_writes(record);
    match writes.find(|w| w.seq == seq).and_then(|w| hash_of(w, heard.idx)) {
        Some(hash) => hash == heard.hash,
        // Of writes in doubt only the highest sequence is known. A field still to be sent was in one, or goes again.
        None if record.doubt.is_some_and(|d| seq <= d.seq) && wants(record, heard.idx) => true,
        // A create's event names every field; those that nobody set are no news.
        None => {
            let base = record.row.base.get(plan.version, heard.idx);
            base == heard.hash || (!base.is_known() && heard.told.as_ref().is_some_and(RawJson::is_null))
        }
    }
}

/// What is remembered of the write with this sequence.
pub(super) fn written_by(record: &Record, seq: u64) -> Vec<(FieldIdx, FieldHash)> {
    if let Some(write) = known_writes(record).find(|w| w.seq == seq) {
        return write.fields.clone();
    }
    // A write of an earlier owner: what is still wanted may have been in it, so nothing is known of those fields now.
    let fields = record.wishes().flat_map(|p| &p.fold.fields);
    fields.map(|f| (f.idx, FieldHash::UNKNOWN)).collect()
}

/// Own writes whose content is remembered.
fn known_writes(record: &Record) -> impl Iterator<Item = &SentWrite> {
    let flight = record.flying().map(|f| &f.write);
    record.row.unconfirmed.iter().chain(&record.doubted).chain(flight)
}

/// Whether the product's wish for this field is still under way.
pub(super) fn wants(record: &Record, idx: FieldIdx) -> bool {
    // What replaces the record names every field.
    let whole = |p: &Pending| p.fold.delete || (p.fold.upsert && record.row.tombstone.is_some());
    let mut wishes = record.wishes();
    wishes.any(|p| whole(p) || p.fold.fields.iter().any(|f| f.idx == idx))
}

/// Whether a later write of ours is known to stand over this field: the event's value is history.
pub(super) fn stood_over(record: &Record, seq: u64, idx: FieldIdx) -> bool {
    let mut writes = record.row.unconfirmed.iter();
    writes.any(|w| w.seq > seq && hash_of(w, idx).is_some())
}

/// Whether a write of ours whose event is to come stands over what a person put into this field before it.
pub(super) fn stands_over(record: &Record, idx: FieldIdx) -> bool {
    record.row.unconfirmed.iter().any(|w| hash_of(w, idx).is_some())
}

/// Whether a look that found this sequence shows a write whose event is awaited.
pub(super) fn awaits(record: &Record, seq: u64) -> bool {
    seq > record.row.last_seq || known_writes(record).any(|w| w.seq == seq)
}

/// Whether a field may have been written by us after a look that found this sequence: the look says nothing of it.
pub(super) fn written_since(record: &Record, seq: u64, idx: FieldIdx) -> bool {
    // The oldest of as many as are remembered stands for those that were joined into it, too.
    let writes = &record.row.unconfirmed;
    let joined = writes.first().filter(|_| writes.len() >= Row::UNCONFIRMED_MAX);
    let newer = |w: &SentWrite| w.seq > seq || (joined == Some(w) && writes.last().is_some_and(|last| last.seq > seq));
    known_writes(record).any(|w| newer(w) && hash_of(w, idx).is_some())
        || record.doubt.is_some_and(|d| d.seq > seq && wants(record, idx))
}

/// Whether a later write of ours is on its way to this field: it will be history, unless the write fails.
pub(super) fn soon_stood_over(record: &Record, seq: u64, idx: FieldIdx) -> bool {
    let flight = record.flying().map(|f| &f.write);
    flight.is_some_and(|w| w.seq > seq && hash_of(w, idx).is_some())
}
