//! Folding: what several changes of one record come to, newest value of each field on top.

use std::sync::Arc;

use super::commit::{Folded, FoldedField};
use super::stamps::{self, Decided};
use crate::domain::change::{Change, Op, Origin};
use crate::domain::ids::FieldIdx;
use crate::domain::row::Row;
use crate::domain::stream::Log;

/// What folding an entry came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// The entry, or some of its fields, counts.
    Yes,
    /// Newer versions left nothing of it; it raises no sequence (log-road rule 13).
    Stale,
}

/// Everything of a record that an entry is compared with, oldest first.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// What is settled.
    pub row: &'a Row,
    /// What is in flight.
    pub in_flight: Option<&'a Folded>,
    /// Whether what is in flight comes too late: the record was deleted meanwhile.
    pub late: bool,
}

/// The sequence that the next accepted entry of a record gets (design 5, log-road rule 11).
pub fn next_seq(last: u64, change: &Change) -> u64 {
    last.saturating_add(1).max(change.entry.id.packed())
}

/// Folds one raw log entry over what is pending. `pending` is changed only when something is accepted.
pub fn accept(pending: &mut Option<Folded>, before: Before<'_>, change: &Change) -> Accepted {
    let gone = is_gone(pending.as_ref(), before);
    let flying = before.in_flight.filter(|_| !before.late);
    let wanted = [pending.as_ref(), flying].into_iter().flatten().any(|f| f.upsert);
    let overtaken = if change.op == Op::Upsert { gone } else { wanted };
    if change.origin == Origin::Engine && overtaken {
        return Accepted::Stale;
    }
    let kept = surviving(pending.as_ref(), before, change);
    let accepted = match change.op {
        Op::Delete => kept.is_some(),
        Op::Upsert => kept.as_ref().is_some_and(|fields| !fields.is_empty()) || is_bare_upsert(change, kept.is_some()),
        Op::Link | Op::Refuse => false,
    };
    let (true, Some(kept)) = (accepted, kept) else {
        return Accepted::Stale;
    };
    let last = pending
        .as_ref()
        .map_or(0, |p| p.seq)
        .max(before.row.last_seq)
        .max(before.in_flight.map_or(0, |f| f.seq));
    let fold = pending.get_or_insert_with(|| Folded {
        oldest: change.at,
        newest: change.at,
        ..Folded::default()
    });
    fold.seq = next_seq(last, change);
    fold.oldest = fold.oldest.min(change.at);
    fold.newest = fold.newest.max(change.at);
    fold.entries = fold.entries.saturating_add(1);
    fold.seen_revision = fold.seen_revision.max(change.seen_revision);
    let packed = interactive_packed(change);
    fold.packed = fold.packed.max(packed);
    let version = change.version.unwrap_or(0);
    if change.op == Op::Delete {
        fold.delete = true;
        fold.upsert = false;
        fold.delete_version = fold.delete_version.max(version);
        fold.fields.clear();
    } else {
        fold.upsert = true;
        for idx in kept {
            let Some((_, value)) = change.fields.iter().find(|(i, _)| *i == idx) else {
                continue;
            };
            let engine = change.origin == Origin::Engine;
            put(
                &mut fold.fields,
                FoldedField {
                    idx,
                    value: value.clone(),
                    version,
                    packed,
                    engine,
                },
            );
        }
    }
    remember(fold, change);
    Accepted::Yes
}

/// A write-back never brings a record back that was deleted meanwhile (C4), nor does the engine delete what the product
/// has made anew.
fn is_gone(pending: Option<&Folded>, before: Before<'_>) -> bool {
    let deletes = |fold: &Folded| fold.delete && !fold.upsert;
    match (pending, before.in_flight.filter(|_| !before.late)) {
        (Some(fold), _) | (None, Some(fold)) => deletes(fold),
        (None, None) => before.row.tombstone.is_some(),
    }
}

/// An upsert that names no fields still creates the record; it is accepted unless a newer delete is known.
fn is_bare_upsert(change: &Change, alive: bool) -> bool {
    alive && change.fields.is_empty()
}

/// The fields of the entry that no newer version has touched; `None` when the whole entry is older than a delete.
fn surviving(pending: Option<&Folded>, before: Before<'_>, change: &Change) -> Option<Vec<FieldIdx>> {
    let deletes = [pending, before.in_flight].into_iter().flatten().filter(|f| f.delete);
    if let Some(version) = change.version
        && deletes.clone().any(|f| f.delete_version > version)
    {
        return None;
    }
    if change.op == Op::Delete {
        let high = [pending, before.in_flight]
            .into_iter()
            .flatten()
            .flat_map(|f| f.fields.iter().map(|v| v.version))
            .chain([stamps::highest(before.row).version])
            .max()
            .unwrap_or(0);
        return match change.version {
            Some(version) if version < high => None,
            _ if is_older_backfill(change, record_packed(pending, before)) => None,
            _ => Some(Vec::new()),
        };
    }
    let all_dead =
        before.row.tombstone.is_some() && change.version.is_some_and(|v| v < stamps::highest(before.row).version);
    if all_dead {
        return None;
    }
    let mut kept = Vec::with_capacity(change.fields.len());
    for (idx, _) in &change.fields {
        let known = field_decided(pending, before, *idx);
        let older = change.version.is_some_and(|v| v < known.version)
            || (change.version.is_none() && is_older_backfill(change, known.packed));
        if !older {
            kept.push(*idx);
        }
    }
    Some(kept)
}

/// Between the two logs an entry without a version counts as older when its packed id is below the newest interactive
/// entry of that field (design 5).
fn is_older_backfill(change: &Change, newest_interactive: u64) -> bool {
    change.entry.log == Log::Backfill && change.entry.id.packed() < newest_interactive
}

fn record_packed(pending: Option<&Folded>, before: Before<'_>) -> u64 {
    let folds = [pending, before.in_flight].into_iter().flatten().map(|f| f.packed);
    folds.chain([stamps::highest(before.row).packed]).max().unwrap_or(0)
}

fn field_decided(pending: Option<&Folded>, before: Before<'_>, idx: FieldIdx) -> Decided {
    let mut known = stamps::decided(before.row, idx);
    for fold in [before.in_flight, pending].into_iter().flatten() {
        if fold.delete {
            known = known.max(Decided {
                version: fold.delete_version,
                packed: fold.packed,
            });
        }
        if let Some(field) = fold.fields.iter().find(|f| f.idx == idx) {
            known = known.max(Decided {
                version: field.version,
                packed: field.packed,
            });
        }
    }
    known
}

fn interactive_packed(change: &Change) -> u64 {
    match (change.entry.log, change.origin) {
        (Log::Changes, Origin::Product) => change.entry.id.packed(),
        _ => 0,
    }
}

fn put(fields: &mut Vec<FoldedField>, field: FoldedField) {
    match fields.binary_search_by_key(&field.idx, |f| f.idx) {
        Ok(at) => fields[at] = field,
        Err(at) => fields.insert(at, field),
    }
}

fn remember(fold: &mut Folded, change: &Change) {
    if change.origin == Origin::Product {
        if fold.receipts.len() < Folded::RECEIPTS_MAX {
            fold.receipts.push(change.entry.id);
        }
        if let Some(text) = &change.idempotency_text
            && fold.idempotency_texts.len() < Folded::KEYS_MAX
        {
            fold.idempotency_texts.push(Arc::clone(text));
        }
    }
    if let Some(trace) = &change.traceparent {
        if fold.traces.len() >= Folded::TRACES_MAX {
            fold.traces.remove(0);
        }
        fold.traces.push(Arc::clone(trace));
    }
}

/// Puts `older` beneath `newer`: a retry under newer changes, compacted or dead content under raw entries.
/// No version is compared (log-road rule 14): what is newer in the log stays on top.
pub fn under(newer: Folded, older: Folded) -> Folded {
    let mut fold = newer;
    fold.seq = fold.seq.max(older.seq);
    fold.packed = fold.packed.max(older.packed);
    fold.oldest = fold.oldest.min(older.oldest);
    fold.newest = fold.newest.max(older.newest);
    fold.entries = fold.entries.saturating_add(older.entries);
    fold.seen_revision = fold.seen_revision.max(older.seen_revision);
    fold.delete_version = fold.delete_version.max(older.delete_version);
    if !fold.delete {
        fold.delete = older.delete;
        fold.upsert |= older.upsert;
        let mut fields = older.fields;
        for field in fold.fields {
            put(&mut fields, field);
        }
        fold.fields = fields;
    }
    fold.idempotency_texts = joined(older.idempotency_texts, fold.idempotency_texts, Folded::KEYS_MAX);
    fold.receipts = joined(older.receipts, fold.receipts, Folded::RECEIPTS_MAX);
    let traces = joined(older.traces, fold.traces, usize::MAX);
    let skip = traces.len().saturating_sub(Folded::TRACES_MAX);
    fold.traces = traces.into_iter().skip(skip).collect();
    fold
}

fn joined<T>(mut first: Vec<T>, second: Vec<T>, most: usize) -> Vec<T> {
    first.extend(second);
    first.truncate(most);
    first
}
