//! A [`Commit`] as one script call: the lists of `lua/include/commit.lua`, in its order.

use std::collections::BTreeMap;

use tandem_core::domain::ids::{Fence, TenantName};
use tandem_core::domain::stream::Log;
use tandem_core::domain::{fold_codec, intent_codec, row_codec};
use tandem_core::engine::commit::{Commit, Counters, DeadKey, EngineEntry, Script};
use tandem_core::engine::place;

use super::script::{Call, ScriptName};
use super::{dead, keys, outbox};
use crate::port::seal::{SealError, Sealer};

/// Ids that one XDEL names: `unpack` of Lua has a small stack.
const DELETES_IN_ONE: usize = 500;

/// Idempotency keys remembered a day (design 5); above, versions serve.
const SEEN_MAX: u32 = 1_000_000;

/// Seconds that a day's idempotency keys stay: the day itself, the next one, and an hour for clocks that differ.
const SEEN_KEPT_S: u32 = 2 * 86_400 + 3_600;

/// Keys of the call that come before those of buckets.
const FIXED_KEYS: usize = 11;

/// What a call needs to know beside the commit.
pub(super) struct Around<'a> {
    pub(super) tenant: &'a TenantName,
    pub(super) buckets: u32,
    /// Days since 1970: which set remembers idempotency keys.
    pub(super) day: u64,
    pub(super) sealer: &'a dyn Sealer,
}

/// Items by the bucket they live in.
type Bucketed<T> = BTreeMap<u32, Vec<T>>;

fn bucketed<T>(items: impl Iterator<Item = (Vec<u8>, T)>, buckets: u32) -> Bucketed<(Vec<u8>, T)> {
    let mut by = Bucketed::new();
    for (field, item) in items {
        by.entry(place::bucket(&field, buckets))
            .or_insert_with(Vec::new)
            .push((field, item));
    }
    by
}

fn engine_fields(entry: &EngineEntry) -> Vec<(&'static str, &[u8])> {
    let op: &[u8] = if entry.data.is_some() { b"upsert" } else { b"delete" };
    let mut fields: Vec<(&'static str, &[u8])> = vec![
        ("object", entry.record.object.as_bytes()),
        ("key", entry.record.key.as_bytes()),
        ("op", op),
    ];
    fields.extend(entry.data.as_ref().map(|data| ("data", data.expose().as_ref())));
    fields.push(("origin", b"engine"));
    fields.extend(
        entry
            .traceparent
            .as_ref()
            .map(|trace| ("traceparent", trace.as_bytes())),
    );
    fields
}

fn counters(c: &Counters) -> Vec<(&'static str, i64)> {
    let Counters {
        settled,
        duplicate,
        stale,
        refused,
        dead,
        compacted,
        trimmed,
        conflicts,
        echoes,
        unlinked,
        events,
    } = *c;
    let all = [
        ("settled", settled),
        ("duplicate", duplicate),
        ("stale", stale),
        ("refused", refused),
        ("dead", dead),
        ("compacted", compacted),
        ("trimmed", trimmed),
        ("conflicts", conflicts),
        ("echoes", echoes),
        ("unlinked", unlinked),
        ("events", events),
    ];
    all.into_iter().filter(|(_, delta)| *delta != 0).collect()
}

fn dead_field(key: &DeadKey) -> Vec<u8> {
    match key {
        DeadKey::Record(record) => keys::record_field(record),
        DeadKey::Entry(entry) => keys::entry_field(entry),
    }
}

fn put_deletes(call: &mut Call, commit: &Commit, log: Log) {
    let ids: Vec<String> = commit
        .delete
        .iter()
        .filter(|e| e.log == log)
        .map(|e| e.id.to_string())
        .collect();
    let texts = ids.chunks(DELETES_IN_ONE);
    call.arg(texts.len());
    for text in texts {
        call.arg(text.join(" "));
    }
}

fn put_entry<'a>(call: &mut Call, fields: impl ExactSizeIterator<Item = (&'static str, &'a [u8])>) {
    call.arg(fields.len());
    for (name, value) in fields {
        call.arg(name).arg(value);
    }
}

/// The whole call.
pub(super) fn call(around: &Around<'_>, fence: &Fence, script: Script, commit: &Commit) -> Result<Call, SealError> {
    let t = around.tenant;
    let rows = bucketed(
        commit.rows.iter().map(|(r, row)| (keys::record_field(r), row)),
        around.buckets,
    );
    let rows_remove = bucketed(
        commit.rows_remove.iter().map(|r| (keys::record_field(r), ())),
        around.buckets,
    );
    let unlinks = bucketed(
        commit.unlinks.iter().map(|id| (id.to_packed().to_vec(), ())),
        around.buckets,
    );
    let links = bucketed(
        commit.links.iter().map(|(id, r)| (id.to_packed().to_vec(), r)),
        around.buckets,
    );

    let mut all = vec![
        keys::owner(t),
        keys::batches(t),
        keys::changes(t),
        keys::backfill(t),
        keys::compacted(t),
        keys::dead(t),
        keys::seen(t, around.day),
        keys::outbox(t),
        keys::cursors(t),
        keys::counters(t),
        keys::questions(t),
    ];
    all.extend(rows.keys().map(|bucket| keys::records(t, *bucket)));
    all.extend(rows_remove.keys().map(|bucket| keys::records(t, *bucket)));
    all.extend(unlinks.keys().map(|bucket| keys::ids(t, *bucket)));
    all.extend(links.keys().map(|bucket| keys::ids(t, *bucket)));

    let name = match script {
        Script::Settle => ScriptName::Settle,
        Script::Compact => ScriptName::Compact,
        Script::Emit => ScriptName::Emit,
    };
    let mut call = Call::new(name, &all);
    call.arg(fence.nonce.as_ref()).arg(fence.epoch.0).arg(fence.step);
    call.arg(commit.batch.map(|b| b.to_string()).unwrap_or_default());

    call.arg(commit.append.len());
    for entry in &commit.append {
        put_entry(&mut call, engine_fields(entry).into_iter());
    }
    call.arg(commit.outbox.len());
    for event in &commit.outbox {
        let fields = outbox::outbox_fields(event);
        put_entry(&mut call, fields.iter().map(|(name, value)| (*name, value.as_ref())));
    }

    call.arg(commit.intents_done.len() + usize::from(commit.batch.is_some()));
    for batch in commit.batch.iter().chain(&commit.intents_done) {
        call.arg(batch.to_string());
    }
    call.arg(usize::from(commit.intent_left.is_some()));
    if let Some(intent) = &commit.intent_left {
        call.arg(intent.batch.to_string()).arg(intent_codec::encode(intent));
    }

    put_deletes(&mut call, commit, Log::Changes);
    put_deletes(&mut call, commit, Log::Backfill);

    let mut key = FIXED_KEYS;
    let mut next_key = || {
        key += 1;
        key
    };
    call.arg(rows.len());
    for bucket in rows.values() {
        call.arg(next_key()).arg(bucket.len());
        for (field, row) in bucket {
            call.arg(field).arg(row_codec::encode(row));
        }
    }
    call.arg(rows_remove.len() + unlinks.len());
    for bucket in rows_remove.values().chain(unlinks.values()) {
        call.arg(next_key()).arg(bucket.len());
        for (field, ()) in bucket {
            call.arg(field);
        }
    }
    call.arg(links.len());
    for bucket in links.values() {
        call.arg(next_key()).arg(bucket.len());
        for (id, record) in bucket {
            call.arg(id).arg(keys::record_field(record));
        }
    }

    call.arg(commit.compacted_remove.len());
    for record in &commit.compacted_remove {
        call.arg(keys::record_field(record));
    }
    call.arg(commit.compacted_put.len());
    for (record, folded) in &commit.compacted_put {
        call.arg(keys::record_field(record)).arg(fold_codec::encode(folded));
    }
    call.arg(commit.dead_remove.len());
    for key in &commit.dead_remove {
        call.arg(dead_field(key));
    }
    call.arg(commit.dead_put.len());
    for (key, letter) in &commit.dead_put {
        call.arg(dead_field(key)).arg(dead::seal(around.sealer, t, letter)?);
    }

    call.arg(commit.seen.len());
    for key in &commit.seen {
        call.arg(key.key.as_slice()).arg(key.content.as_slice());
    }
    if !commit.seen.is_empty() {
        call.arg(SEEN_KEPT_S).arg(SEEN_MAX);
    }
    call.arg(commit.cursors.len());
    for (topic, place) in &commit.cursors {
        call.arg(topic.as_ref()).arg(place.0.as_ref());
    }
    call.arg(commit.questions_remove.len());
    for record in &commit.questions_remove {
        call.arg(keys::record_field(record));
    }
    call.arg(commit.questions.len());
    for (record, due) in &commit.questions {
        call.arg(due.0).arg(keys::record_field(record));
    }
    let deltas = counters(&commit.counters);
    call.arg(deltas.len());
    for (name, delta) in deltas {
        call.arg(name).arg(delta);
    }
    Ok(call)
}
