//! Deletes, undeletes and recreates, with writes on their way: each case once made a simulated run diverge.

use super::model_plan::plan;
use super::rules::{NOW, attached, before, change, entry, read, step};
use crate::domain::change::{Op, Origin};
use crate::domain::event::EventType;
use crate::domain::ids::{FieldIdx, RecordKey, ReplayId};
use crate::domain::payload::RawJson;
use crate::domain::row::{FieldHash, Row, SentWrite, Side, Told, Tombstone};
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::stream::Log;
use crate::domain::time::Timestamp;
use crate::domain::value;
use crate::engine::classify::Class;
use crate::engine::commit::{Commit, Folded, FoldedField, Script, Verb};
use crate::engine::fold::{Accepted, Before, accept};
use crate::engine::inbound::{ChangeEvent, ChangeKind, EventBatch, SalesforceValue};
use crate::engine::tenant::Machine;
use crate::engine::tenant::io::{Effect, Input};
use crate::engine::tenant::rows::{name_all, replaces};
use crate::engine::tenant::table::{Doubt, Flight, Pending, Record, await_event};

pub const EMAIL: FieldIdx = FieldIdx(1);
pub const FIRST_NAME: FieldIdx = FieldIdx(2);
pub const LAST_NAME: FieldIdx = FieldIdx(3);

pub fn key() -> RecordKey {
    RecordKey::new("contact", "k")
}

pub fn id(number: u64) -> SalesforceId {
    SalesforceId::parse(&format!("003{number:012}")).unwrap()
}

/// A live machine that holds one record and has read its log to the end.
pub fn live(record: Record) -> Machine {
    let mut machine = attached(Vec::new());
    read(&mut machine, Log::Changes, Vec::new(), true);
    read(&mut machine, Log::Backfill, Vec::new(), true);
    if let Some(pending) = &record.pending {
        machine.table.count_entries(&pending.entries, true);
        machine.table.pending_records += 1;
    }
    machine.table.records.insert(key(), Box::new(record));
    machine.table.index(&key());
    machine
}

pub fn record(machine: &Machine) -> &Record {
    &machine.table.records[&key()]
}

pub fn linked(last_seq: u64) -> Row {
    Row {
        salesforce_id: Some(id(1)),
        last_seq,
        ..Row::default()
    }
}

/// A product's wish, from one log entry.
pub fn wish(seq: u64, delete: bool, fields: Option<&[(FieldIdx, &'static str)]>) -> Pending {
    let field = |(idx, value): &(FieldIdx, &'static str)| FoldedField {
        idx: *idx,
        value: RawJson::from_checked(*value),
        version: 0,
        packed: 0,
        engine: false,
    };
    Pending {
        fold: Folded {
            plan: 77,
            seq,
            delete,
            upsert: fields.is_some(),
            fields: fields.unwrap_or_default().iter().map(field).collect(),
            entries: 1,
            ..Folded::default()
        },
        entries: vec![entry(NOW + seq, "k").at],
        lane: Some(Log::Changes),
        ..Pending::default()
    }
}

/// That wish on its way.
fn flight(machine: &Machine, verb: Verb, pending: Pending) -> Flight {
    let fields = &pending.fold.fields;
    let write = SentWrite {
        seq: pending.fold.seq,
        fields: fields.iter().map(|f| (f.idx, hash(machine, f.idx, &f.value))).collect(),
    };
    Flight {
        verb,
        pending,
        write,
        deleted: false,
    }
}

pub fn hash(machine: &Machine, idx: FieldIdx, raw: &RawJson) -> FieldHash {
    let plan = plan();
    let field = plan.objects[0].at(idx).unwrap();
    let normal = value::to_salesforce(field, raw).unwrap().normal;
    machine.digest.field("contact", &field.name, normal.as_bytes())
}

pub fn send(machine: &mut Machine, verb: Verb, pending: Pending) {
    let flight = flight(machine, verb, pending);
    machine.table.records.get_mut(&key()).unwrap().flight = Some(flight);
}

pub fn event(kind: ChangeKind, id: SalesforceId, seq: Option<u64>, fields: &[(&str, &str)]) -> ChangeEvent {
    let text = |(name, value): &(&str, &str)| ((*name).into(), SalesforceValue::Text((*value).into()));
    let mut fields: Vec<_> = fields.iter().map(text).collect();
    fields.push(("Tandem_Key__c".into(), SalesforceValue::Text("k".into())));
    fields.extend(seq.map(|n| ("Tandem_Seq__c".into(), SalesforceValue::Double(n as f64))));
    ChangeEvent {
        replay_id: ReplayId(vec![1].into()),
        sobject: "Contact".into(),
        ids: vec![id],
        kind,
        committed: Timestamp(NOW),
        commit_number: 1,
        transaction_key: "t".into(),
        sequence: 1,
        commit_user: "005".into(),
        origin: "".into(),
        fields,
        unread: Vec::new(),
    }
}

/// What the machine makes of a batch of events.
pub fn hear(machine: &mut Machine, events: Vec<ChangeEvent>) -> Commit {
    let latest = ReplayId(vec![9].into());
    let ids = events.iter().flat_map(|e| e.ids.clone()).collect::<Vec<_>>();
    let mut out = step(machine, NOW, Input::Events(EventBatch { events, latest }));
    let asked = out.iter().find_map(|e| match e {
        Effect::Resolve { ticket, .. } => Some(*ticket),
        _ => None,
    });
    if let Some(ticket) = asked {
        let keys = vec![None; ids.len()];
        out.extend(step(machine, NOW, Input::Resolved { ticket, keys }));
    }
    emitted(out)
}

/// The step that tells the product.
pub fn emitted(out: Vec<Effect>) -> Commit {
    let emitted = out.into_iter().find_map(|e| match e {
        Effect::Commit {
            commit,
            script: Script::Emit,
            ..
        } => Some(*commit),
        _ => None,
    });
    emitted.unwrap()
}

pub fn kinds(commit: &Commit) -> Vec<EventType> {
    commit.outbox.iter().map(|e| e.kind).collect()
}

pub fn told(commit: &Commit, kind: EventType) -> String {
    let event = commit.outbox.iter().find(|e| e.kind == kind).unwrap();
    String::from_utf8(event.data.as_ref().unwrap().expose().to_vec()).unwrap()
}

pub fn gone(by: Side) -> Option<Tombstone> {
    Some(Tombstone {
        by,
        revision: 0,
        id: None,
    })
}

#[test]
fn own_writes_beyond_the_bound_join_under_the_lower_sequence_and_a_field_stands_in_the_newest() {
    let mut row = Row::default();
    let write = |seq, idx: u16| SentWrite {
        seq,
        fields: vec![(FieldIdx(idx), FieldHash([1; 6]))],
    };
    (0..5).for_each(|n| await_event(&mut row, write(u64::from(n), n)));
    let seqs: Vec<u64> = row.unconfirmed.iter().map(|w| w.seq).collect();
    assert_eq!(seqs, [0, 2, 3, 4], "an edit between 0 and 1 is not taken for history");
    assert_eq!(row.unconfirmed[0].fields.len(), 2);
    await_event(&mut row, write(5, 4));
    let naming = row
        .unconfirmed
        .iter()
        .filter(|w| w.fields.iter().any(|f| f.0 == FieldIdx(4)));
    assert_eq!(naming.map(|w| w.seq).collect::<Vec<_>>(), [5]);
}

#[test]
fn an_engines_delete_is_not_overtaken_by_a_create_that_comes_too_late() {
    let row = Row::default();
    let flying = wish(1, false, Some(&[])).fold;
    let mut delete = change(NOW, 0, &[]);
    (delete.op, delete.origin) = (Op::Delete, Origin::Engine);
    let late = |late| Before {
        in_flight: Some(&flying),
        late,
        ..before(&row)
    };
    assert_eq!(accept(&mut None, late(false), &delete), Accepted::Stale);
    assert_eq!(accept(&mut None, late(true), &delete), Accepted::Yes);
}

#[test]
fn what_came_since_a_delete_is_kept_when_the_write_that_came_too_late_lands() {
    let mut machine = live(Record {
        pending: Some(wish(9, false, Some(&[(EMAIL, "\"new\"")]))),
        ..Record::default()
    });
    let mut flight = flight(&machine, Verb::Create, wish(5, false, Some(&[(EMAIL, "\"old\"")])));
    flight.deleted = true;
    machine.send_again(&key(), flight, Class::Unknown, None);
    let pending = record(&machine).pending.as_ref().unwrap();
    assert_eq!((pending.fold.seq, pending.entries.len()), (9, 1));
}

#[test]
fn a_write_that_replaces_the_record_names_every_field_also_when_it_is_repeated() {
    let mut fold = wish(1, false, Some(&[(EMAIL, "\"e\"")])).fold;
    let alive = Record::default();
    let dead = Record {
        row: Row {
            tombstone: gone(Side::Product),
            ..Row::default()
        },
        ..Record::default()
    };
    assert!(!replaces(&alive, &fold, Verb::Create) && replaces(&dead, &fold, Verb::Create));
    name_all(&plan().objects[0], &mut fold);
    let cleared = fold.fields.iter().filter(|f| f.engine && f.value.is_null());
    assert_eq!((fold.fields.len(), cleared.count()), (5, 4));
}

#[test]
fn the_event_of_a_delete_settles_it_and_an_undelete_after_it_is_told() {
    let mut machine = live(Record {
        row: linked(1),
        ..Record::default()
    });
    send(&mut machine, Verb::Delete, wish(5, true, None));
    let delete = event(ChangeKind::Delete, id(1), None, &[]);
    let undelete = event(ChangeKind::Undelete, id(1), Some(1), &[("Email", "e")]);
    let commit = hear(&mut machine, vec![delete, undelete]);
    assert_eq!(commit.delete.len(), 1, "no new owner deletes once more");
    assert_eq!(kinds(&commit), [EventType::Undeleted]);
    assert_eq!(record(&machine).row.salesforce_id, Some(id(1)));
}

#[test]
fn an_undelete_is_not_told_while_the_products_delete_is_under_way() {
    let mut machine = live(Record {
        row: Row {
            tombstone: Some(Tombstone {
                id: Some(id(1)),
                ..gone(Side::Salesforce).unwrap()
            }),
            ..Row::default()
        },
        pending: Some(wish(5, true, None)),
        ..Record::default()
    });
    let undelete = event(ChangeKind::Undelete, id(1), Some(1), &[("Email", "e")]);
    let commit = hear(&mut machine, vec![undelete]);
    assert!(!kinds(&commit).contains(&EventType::Undeleted));
    assert_eq!(
        record(&machine).row.salesforce_id,
        Some(id(1)),
        "and the delete finds it"
    );
}

#[test]
fn an_undelete_is_news_whoever_wrote_its_values_once() {
    let doubt = Doubt {
        since: Timestamp(NOW),
        seq: 9,
        verb: Verb::Create,
    };
    let mut pending = wish(9, false, Some(&[(EMAIL, "\"e\"")]));
    name_all(&plan().objects[0], &mut pending.fold);
    let mut machine = live(Record {
        row: Row {
            last_seq: 5,
            tombstone: gone(Side::Product),
            ..Row::default()
        },
        doubt: Some(doubt),
        pending: Some(pending),
        ..Record::default()
    });
    let undelete = event(ChangeKind::Undelete, id(1), Some(5), &[("FirstName", "f")]);
    let commit = hear(&mut machine, vec![undelete]);
    assert!(told(&commit, EventType::Undeleted).contains("first_name"));
    assert_eq!(commit.append.len(), 1, "and written back over what the create clears");
}

#[test]
fn a_write_that_lands_on_a_record_that_came_back_is_news() {
    let mut machine = live(Record {
        row: linked(1),
        ..Record::default()
    });
    send(
        &mut machine,
        Verb::Update,
        wish(5, false, Some(&[(EMAIL, "\"e@x.org\"")])),
    );
    let delete = event(ChangeKind::Delete, id(1), None, &[]);
    let undelete = event(ChangeKind::Undelete, id(1), Some(1), &[]);
    let write = event(ChangeKind::Update, id(1), Some(5), &[("Email", "e@x.org")]);
    let commit = hear(&mut machine, vec![delete, undelete, write]);
    let expected = [EventType::Deleted, EventType::Undeleted, EventType::Changed];
    assert_eq!(kinds(&commit), expected, "the product lost it with the record");
    assert!(told(&commit, EventType::Changed).contains("e@x.org"));
}

#[test]
fn a_delete_after_a_recreate_that_is_in_place_is_told() {
    let mut machine = live(Record {
        row: linked(1),
        ..Record::default()
    });
    send(&mut machine, Verb::Update, wish(5, true, Some(&[(EMAIL, "\"e\"")])));
    let write = event(ChangeKind::Update, id(1), Some(5), &[("Email", "e")]);
    let delete = event(ChangeKind::Delete, id(1), None, &[]);
    let commit = hear(&mut machine, vec![write, delete]);
    assert_eq!(kinds(&commit), [EventType::Deleted]);
}

#[test]
fn every_sequence_before_a_delete_is_of_the_record_that_is_gone() {
    let mut machine = live(Record {
        row: linked(1),
        doubt: Some(Doubt {
            since: Timestamp(NOW),
            seq: 50,
            verb: Verb::Create,
        }),
        ..Record::default()
    });
    hear(&mut machine, vec![event(ChangeKind::Delete, id(1), None, &[])]);
    assert_eq!(record(&machine).row.last_seq, 50);
}

#[test]
fn a_late_create_that_the_product_wants_again_is_the_record_to_delete_later() {
    let mut machine = live(Record {
        row: Row {
            last_seq: 9,
            tombstone: gone(Side::Product),
            ..Row::default()
        },
        pending: Some(wish(12, false, Some(&[(EMAIL, "\"e\"")]))),
        ..Record::default()
    });
    let commit = hear(&mut machine, vec![event(ChangeKind::Create, id(2), Some(5), &[])]);
    assert!(commit.append.is_empty());
    assert_eq!(commit.links, [(id(2), key())]);
    assert!(
        record(&machine).row.tombstone.is_some(),
        "it is still written over whole"
    );
    send(&mut machine, Verb::Create, wish(12, false, Some(&[(EMAIL, "\"e\"")])));
    let commit = hear(
        &mut machine,
        vec![event(ChangeKind::Update, id(2), Some(12), &[("Email", "e")])],
    );
    assert_eq!(kinds(&commit), [EventType::Linked]);
    assert!(
        record(&machine).row.tombstone.is_none(),
        "by then it is the product's record"
    );
}

#[test]
fn what_a_replacing_write_clears_is_no_wish_of_the_product() {
    let mut machine = live(Record {
        row: linked(1),
        ..Record::default()
    });
    let mut pending = wish(5, true, Some(&[(LAST_NAME, "\"l\"")]));
    name_all(&plan().objects[0], &mut pending.fold);
    send(&mut machine, Verb::Update, pending);
    let commit = hear(
        &mut machine,
        vec![event(ChangeKind::Update, id(1), None, &[("Email", "s@x.org")])],
    );
    assert!(
        told(&commit, EventType::Changed).contains("s@x.org"),
        "not lost by its field's policy"
    );
    assert_eq!(commit.append.len(), 1, "written back, because the write clears it");
}

#[test]
fn an_edit_under_a_write_of_ours_is_not_what_salesforce_holds_while_the_record_is_being_deleted() {
    let machine = live(Record::default());
    let ours = hash(&machine, FIRST_NAME, &RawJson::from_checked("\"ours\""));
    let mut row = linked(5);
    row.base.set(77, FIRST_NAME, ours);
    row.unconfirmed.push(SentWrite {
        seq: 5,
        fields: vec![(FIRST_NAME, ours)],
    });
    let mut machine = live(Record {
        row,
        pending: Some(wish(9, true, None)),
        ..Record::default()
    });
    hear(
        &mut machine,
        vec![event(ChangeKind::Update, id(1), None, &[("FirstName", "theirs")])],
    );
    assert_eq!(record(&machine).row.base.get(77, FIRST_NAME), ours);
}

#[test]
fn an_edit_answers_what_it_has_seen_also_while_the_record_is_made_anew() {
    let mut row = linked(5);
    (row.revision, row.told) = (
        4,
        vec![Told {
            revision: 4,
            at: Timestamp(NOW),
            fields: vec![(FIRST_NAME, FieldHash([1; 6]))],
            answered: false,
        }],
    );
    let mut machine = live(Record {
        row,
        pending: Some(wish(6, true, Some(&[(LAST_NAME, "\"l\"")]))),
        ..Record::default()
    });
    let mut edit = change(NOW + 7, 0, &[(2, "\"f\"")]);
    edit.seen_revision = Some(4);
    assert!(machine.drop_known(&mut edit));
    assert!(record(&machine).row.told[0].answered);
}

#[test]
fn the_event_of_a_late_create_is_not_awaited_once_more() {
    let mut machine = live(Record {
        row: Row {
            last_seq: 4,
            tombstone: gone(Side::Product),
            ..Row::default()
        },
        pending: Some(wish(9, true, None)),
        ..Record::default()
    });
    send(&mut machine, Verb::Create, wish(5, false, Some(&[(EMAIL, "\"e\"")])));
    hear(
        &mut machine,
        vec![event(ChangeKind::Create, id(2), Some(5), &[("Email", "e")])],
    );
    assert_eq!(record(&machine).confirmed_seq, 5);
}

#[test]
fn a_later_write_that_was_refused_keeps_no_earlier_one_out() {
    let mut record = Record {
        row: linked(9),
        doubt: Some(Doubt {
            since: Timestamp(NOW),
            seq: 5,
            verb: Verb::Update,
        }),
        ..Record::default()
    };
    assert!(
        !record.base_known(),
        "the sequence was used, and nothing stands under it"
    );
    record.placed_seq = 9;
    assert!(record.base_known());
}
