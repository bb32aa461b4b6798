//! The rules that the log road taught, those that the tenant machine keeps, each as a named case.

use std::time::Duration;

use bytes::Bytes;

use super::model_plan::plan;
use super::world::{Faults, World};
use crate::domain::change::{Change, Op, Origin};
use crate::domain::ids::{BatchId, Epoch, Fence, FieldIdx, RecordKey, TenantName};
use crate::domain::payload::RawJson;
use crate::domain::row::{Row, Side, Tombstone};
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::stream::{EntryRef, Log, RawEntry, StreamId};
use crate::domain::time::Timestamp;
use crate::engine::commit::{Folded, Intent, IntentRecord, LogChunk, Verb};
use crate::engine::fold::{Accepted, Before, accept, next_seq, under};
use crate::engine::stamps::{Decided, stamp};
use crate::engine::state::{Attached, CompactedPage, Loaded, LoadedRecord};
use crate::engine::tenant::io::{Effect, Input};
use crate::engine::tenant::place::{Next, next};
use crate::engine::tenant::table::{Doubt, Record};
use crate::engine::tenant::{Machine, Note, TenantSettings};

pub const NOW: u64 = 1_790_000_000_000;

pub fn change(ms: u64, version: u64, fields: &[(u16, &'static str)]) -> Change {
    Change {
        entry: EntryRef {
            log: Log::Changes,
            id: StreamId { ms, seq: 0 },
        },
        record: RecordKey::new("contact", "k"),
        op: Op::Upsert,
        origin: Origin::Product,
        fields: fields
            .iter()
            .map(|(idx, v)| (FieldIdx(*idx), RawJson::from_checked(*v)))
            .collect(),
        version: (version > 0).then_some(version),
        at: Timestamp(ms),
        seen_revision: None,
        caused_by: None,
        answers: None,
        salesforce_id: None,
        reason: None,
        idempotency: None,
        idempotency_text: None,
        traceparent: None,
    }
}

pub fn before(row: &Row) -> Before<'_> {
    Before {
        row,
        in_flight: None,
        late: false,
    }
}

pub fn fold(row: &Row, changes: &[Change]) -> Option<Folded> {
    let mut pending = None;
    for change in changes {
        accept(&mut pending, before(row), change);
    }
    pending
}

fn value(fold: &Folded, idx: u16) -> Option<Bytes> {
    fold.fields
        .iter()
        .find(|f| f.idx == FieldIdx(idx))
        .map(|f| f.value.expose().clone())
}

pub fn entry(ms: u64, key: &str) -> RawEntry {
    let fields = [
        ("object", "contact"),
        ("key", key),
        ("op", "upsert"),
        ("data", "{\"last_name\":\"x\"}"),
    ];
    let fields = fields
        .iter()
        .map(|(n, v)| (Bytes::from((*n).to_owned()), Bytes::from((*v).to_owned())))
        .collect();
    RawEntry {
        at: EntryRef {
            log: Log::Changes,
            id: StreamId { ms, seq: 0 },
        },
        fields,
    }
}

/// A machine that was attached with an intent of an earlier owner, and whose scan found no folds.
pub fn attached(intents: Vec<Intent>) -> Machine {
    attached_with(TenantSettings::new(TenantName::new("acme").unwrap()), intents)
}

pub fn attached_with(settings: TenantSettings, intents: Vec<Intent>) -> Machine {
    let mut machine = Machine::new(settings, plan(), [7; 32]);
    let fence = Fence {
        nonce: "n".into(),
        epoch: Epoch(9),
        step: 0,
    };
    step(&mut machine, NOW, Input::Start);
    step(
        &mut machine,
        NOW,
        Input::Attached(Attached {
            fence,
            intents,
            cursors: Vec::new(),
            redis_ms: NOW,
        }),
    );
    step(
        &mut machine,
        NOW,
        Input::Compacted(CompactedPage {
            records: Vec::new(),
            next: 0,
        }),
    );
    machine
}

pub fn step(machine: &mut Machine, now: u64, input: Input) -> Vec<Effect> {
    let mut out = Vec::new();
    machine.step(Timestamp(now), 7, input, &mut out);
    out
}

pub fn read(machine: &mut Machine, log: Log, entries: Vec<RawEntry>, end: bool) -> Vec<Effect> {
    let mut out = step(machine, NOW, Input::Log(LogChunk { log, entries, end }));
    let load = out.iter().find_map(|e| match e {
        Effect::Load { ticket, records, .. } => Some((*ticket, records.len())),
        _ => None,
    });
    if let Some((ticket, count)) = load {
        let records = vec![LoadedRecord::default(); count];
        out.extend(step(
            machine,
            NOW,
            Input::Loaded {
                ticket,
                loaded: Loaded {
                    records,
                    seen: Vec::new(),
                },
            },
        ));
    }
    out
}

fn wants_worker(effects: &[Effect]) -> bool {
    effects.iter().any(|e| matches!(e, Effect::WantWorker))
}

#[test]
fn rule_04_a_record_of_an_intent_is_not_sent_before_the_log_was_read_to_its_end() {
    let record = IntentRecord {
        record: RecordKey::new("contact", "k"),
        seq: 1,
        verb: Verb::Update,
        crashes: 0,
    };
    let batch = BatchId {
        epoch: Epoch(8),
        number: 1,
    };
    let mut machine = attached(vec![Intent {
        batch,
        begun: Timestamp(NOW),
        records: vec![record],
    }]);
    assert!(!wants_worker(&read(
        &mut machine,
        Log::Changes,
        vec![entry(NOW - 9, "k")],
        false
    )));
    assert!(wants_worker(&read(
        &mut machine,
        Log::Changes,
        vec![entry(NOW - 8, "k")],
        true
    )));
}

/// A world after a rollback of Redis: the org holds numbers that no row knows, and people go on.
fn behind() -> World {
    let mut world = World::new(5, Faults::default());
    (0..600).for_each(|_| world.happen(true));
    world.rest();
    let ids: Vec<SalesforceId> = world.org.live.keys().copied().collect();
    assert!(!ids.is_empty());
    for id in ids {
        let number = serde_json::json!({ "Tandem_Seq__c": 999_000_000_000_000_u64 });
        world.org.update(id, number.as_object().cloned().unwrap(), world.now);
    }
    (0..600).for_each(|_| world.happen(true));
    world.rest();
    world
}

#[test]
fn rule_06_a_rightful_owner_lifts_its_sequence_above_the_orgs() {
    let world = behind();
    assert!(
        world.org.fence_refusals > 0,
        "the fence refused what was sent below its number"
    );
    for (key, row) in &world.product.rows {
        let name = world.org.by_key(key)[0].1.get("LastName").cloned();
        assert_eq!(row.get("last_name").cloned(), name, "{key} got through in the end");
    }
}

#[test]
fn rule_10_an_org_that_is_ahead_is_neither_repaired_nor_imported_but_said_once() {
    let world = behind();
    let said = |line: &&String| line.contains("redis_behind");
    assert_eq!(world.trace.iter().filter(said).count(), 1);
    let imported = |line: &&String| line.contains("999000000000000") && line.contains("write-back");
    assert_eq!(world.trace.iter().filter(imported).count(), 0);
}

#[test]
fn rule_09_a_write_back_goes_beneath_what_the_product_appends_after_it_and_never_revives() {
    let mut back = change(NOW, 0, &[(3, "\"org\"")]);
    back.origin = Origin::Engine;
    let mut later = change(NOW + 1, 2, &[(3, "\"product\"")]);
    later.entry.id.ms = NOW + 1;
    let folded = fold(&Row::default(), &[back.clone(), later]).unwrap();
    assert_eq!(value(&folded, 3).unwrap().as_ref(), b"\"product\"");
    let gone = Row {
        tombstone: Some(Tombstone {
            by: Side::Salesforce,
            revision: 1,
            id: None,
        }),
        ..Row::default()
    };
    assert_eq!(accept(&mut None, before(&gone), &back), Accepted::Stale);
}

#[test]
fn rule_11_a_sequence_grows_even_when_the_clock_of_redis_steps_back() {
    let ahead = change(NOW, 0, &[(0, "1")]);
    let last = StreamId {
        ms: NOW + 5_000,
        seq: 0,
    }
    .packed();
    assert_eq!(next_seq(last, &ahead), last + 1);
    assert_eq!(next_seq(0, &ahead), ahead.entry.id.packed());
    let pinned = StreamId { ms: NOW, seq: 1_500 };
    assert!(pinned.packed() < StreamId { ms: NOW + 1, seq: 0 }.packed());
}

#[test]
fn rule_12_any_cut_of_a_records_entries_gives_the_same_sequence_or_a_higher_one() {
    let changes: Vec<Change> = (0..6)
        .map(|n| change(NOW + n, n + 1, &[((n % 3) as u16, "1")]))
        .collect();
    let whole = fold(&Row::default(), &changes).unwrap();
    for cut in 1..changes.len() {
        let first = fold(&Row::default(), &changes[..cut]).unwrap();
        let mut row = Row {
            last_seq: first.seq,
            ..Row::default()
        };
        for field in &first.fields {
            let by = Decided {
                version: field.version,
                packed: field.packed,
            };
            stamp(&mut row, &[field.idx], by, 5, Timestamp(NOW));
        }
        let rest = fold(&row, &changes[cut..]).unwrap();
        assert!(rest.seq >= whole.seq);
        assert_eq!(
            accept(&mut None, before(&row), &changes[0]),
            match cut {
                1..=3 => Accepted::Yes,
                _ => Accepted::Stale,
            }
        );
    }
}

#[test]
fn rule_14_versions_are_compared_for_raw_entries_only() {
    let older = fold(&Row::default(), &[change(NOW, 5, &[(0, "\"a\"")])]).unwrap();
    let newer = fold(&Row::default(), &[change(NOW + 1, 0, &[(0, "\"b\"")])]).unwrap();
    let both = under(newer, older);
    assert_eq!(
        value(&both, 0).unwrap().as_ref(),
        b"\"b\"",
        "what is newer in the log stays on top"
    );
}

#[test]
fn rule_19_what_was_compacted_and_forgotten_is_sent_in_the_end() {
    let faults = Faults {
        crash: 40,
        lost_answer: 15,
        compact: true,
        ..Faults::default()
    };
    let mut compacted = 0;
    for seed in 1..=12 {
        let mut world = World::new(seed, faults);
        (0..1_500).for_each(|_| world.happen(true));
        world.rest();
        compacted += usize::from(world.trace.iter().any(|line| line.contains("compacted")));
        assert!(world.store.compacted.is_empty() && world.store.log.is_empty());
    }
    assert!(compacted > 0, "some run compacted something");
}

#[test]
fn rule_20_deletes_and_creates_after_them_wait_for_writes_in_doubt() {
    let limit = Duration::from_secs(600);
    let id = SalesforceId::parse("003000000000001").unwrap();
    let doubt = Some(Doubt {
        since: Timestamp(NOW),
        seq: 1,
        verb: Verb::Update,
    });
    let linked = Record {
        row: Row {
            salesforce_id: Some(id),
            ..Row::default()
        },
        doubt,
        ..Record::default()
    };
    let delete = Folded {
        delete: true,
        ..Folded::default()
    };
    let upsert = Folded {
        upsert: true,
        ..Folded::default()
    };
    let until = Timestamp(NOW).after(limit);
    assert_eq!(next(&linked, &delete, true, limit, Timestamp(NOW)), Next::Wait(until));
    assert_eq!(next(&linked, &delete, true, limit, until), Next::Write(Verb::Delete));
    assert_eq!(
        next(&linked, &upsert, true, limit, Timestamp(NOW)),
        Next::Write(Verb::Update)
    );
    assert_eq!(
        next(&linked, &upsert, false, limit, Timestamp(NOW)),
        Next::Wait(until),
        "soft: every write waits"
    );
    let tombstone = Some(Tombstone {
        by: Side::Product,
        revision: 0,
        id: Some(id),
    });
    let gone = Record {
        row: Row {
            tombstone,
            ..Row::default()
        },
        doubt,
        ..Record::default()
    };
    assert_eq!(next(&gone, &upsert, true, limit, Timestamp(NOW)), Next::Wait(until));
}

#[test]
fn rule_22_a_retry_stores_nothing() {
    let mut world = World::new(
        3,
        Faults {
            lost_request: 100,
            ..Faults::default()
        },
    );
    (0..200).for_each(|_| world.happen(true));
    assert!(
        world.notes.iter().any(|note| note.contains("SERVER_UNAVAILABLE")),
        "calls failed"
    );
    assert_eq!(world.store.settled, 0, "nothing was settled");
    assert_eq!(
        world.store.log.len() as i64,
        world.store.added,
        "and the log holds it all"
    );
}

#[test]
fn rule_23_a_newer_change_of_the_product_folds_over_dead_content_and_withdraws_it() {
    let dead = fold(&Row::default(), &[change(NOW, 1, &[(1, "\"bad\""), (3, "\"name\"")])]).unwrap();
    let newer = fold(&Row::default(), &[change(NOW + 1, 2, &[(1, "\"good\"")])]).unwrap();
    let both = under(newer, Folded { entries: 0, ..dead });
    assert_eq!(value(&both, 1).unwrap().as_ref(), b"\"good\"");
    assert_eq!(
        value(&both, 3).unwrap().as_ref(),
        b"\"name\"",
        "a create that lacked a field can heal"
    );
    assert_eq!(both.entries, 1, "dead entries were counted when they died");
}

#[test]
fn rule_26_an_entry_that_waits_too_long_is_folded() {
    let mut machine = attached(Vec::new());
    step(&mut machine, NOW, Input::Pause);
    let mut out = read(&mut machine, Log::Changes, vec![entry(NOW - 700_000, "k")], true);
    out.extend(read(&mut machine, Log::Backfill, Vec::new(), true));
    out.extend(step(&mut machine, NOW + 61_000, Input::Tick));
    let compacted = |e: &Effect| matches!(e, Effect::Note(Note::Compacted { records: 1, .. }));
    assert!(out.iter().any(compacted));
}
