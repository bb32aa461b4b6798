//! Dead letters and what happens to their records meanwhile: each case once made a simulated run diverge.

use std::sync::Arc;
use std::time::Duration;

use super::lives::{EMAIL, LAST_NAME, event, hash, hear, id, key, linked, live, record, send, wish};
use super::model_plan::plan;
use super::rules::{NOW, change, step};
use crate::domain::change::Origin;
use crate::domain::event::{EventId, Says};
use crate::domain::ids::{BatchId, Epoch, TenantName};
use crate::domain::payload::{PersonalText, RawJson};
use crate::domain::row::{Row, Side, Tombstone};
use crate::domain::stream::{Log, StreamId};
use crate::domain::time::Timestamp;
use crate::engine::call::WriteAnswer;
use crate::engine::classify::{Class, RowFault, RowOutcome};
use crate::engine::commit::{Commit, DeadContent, DeadKey, DeadLetter, FoldedField, Verb};
use crate::engine::inbound::ChangeKind;
use crate::engine::tenant::Machine;
use crate::engine::tenant::batches::{Batch, Stage};
use crate::engine::tenant::io::{Effect, Input};
use crate::engine::tenant::table::{QueueName, Record};

/// A letter that wants a bad name and a city; `delete`: of a record that was made anew.
fn letter(delete: bool) -> DeadLetter {
    let fold = wish(3, delete, Some(&[(EMAIL, "\"old@x.org\""), (LAST_NAME, "\"BAD\"")])).fold;
    DeadLetter {
        code: Arc::from("FIELD_INTEGRITY_EXCEPTION"),
        fields: Vec::new(),
        message: PersonalText::default(),
        at: Timestamp(NOW),
        content: DeadContent::Folded(fold),
    }
}

fn parked(delete: bool) -> Machine {
    live(Record {
        row: Row {
            dead_letter: true,
            ..linked(3)
        },
        dead: Some(letter(delete)),
        ..Record::default()
    })
}

fn email(letter: &DeadLetter) -> Option<FoldedField> {
    letter.fold().unwrap().fields.into_iter().find(|f| f.idx == EMAIL)
}

#[test]
fn a_letter_no_longer_speaks_of_what_salesforce_changed_and_a_recreate_names_what_stands() {
    let stands = [(EMAIL, RawJson::from_checked("\"new@x.org\""))];
    let mut update = letter(false);
    assert!(!update.heed(&stands, false));
    assert_eq!(email(&update), None);
    for (delete, whole) in [(true, false), (false, true)] {
        let mut recreate = letter(delete);
        assert!(!recreate.heed(&stands, whole));
        let named = email(&recreate).unwrap();
        assert!(named.engine && named.value == stands[0].1, "it would be cleared else");
    }
}

#[test]
fn a_write_back_that_was_read_is_heeded_by_the_letter() {
    let mut machine = parked(false);
    let mut back = change(NOW, 0, &[(1, "\"new@x.org\"")]);
    back.origin = Origin::Engine;
    machine.heed(&back.record.clone(), &back.fields);
    let Some(Some(written)) = machine.drops.letters.get(&key()) else {
        panic!("the letter is written anew")
    };
    assert_eq!(email(written), None);
}

#[test]
fn a_value_that_was_only_said_back_is_heeded_by_the_letter() {
    let mut machine = parked(false);
    let value = RawJson::from_checked("\"new@x.org\"");
    let hash = hash(&machine, EMAIL, &value);
    machine
        .table
        .records
        .get_mut(&key())
        .unwrap()
        .row
        .base
        .set(77, EMAIL, hash);
    let mut mirror = change(NOW, 0, &[(1, "\"new@x.org\"")]);
    mirror.caused_by = Some(EventId {
        tenant: TenantName::new("acme").unwrap(),
        outbox: StreamId::ZERO,
        revision: 1,
        says: Says {
            plan: 77,
            fields: vec![(EMAIL, hash)],
        },
    });
    assert!(!machine.drop_known(&mut mirror), "nothing is left to do");
    assert_eq!(email(record(&machine).dead.as_ref().unwrap()), None);
}

#[test]
fn a_letter_that_is_removed_is_not_written_by_the_same_script() {
    let mut commit = Commit::default();
    commit.put_letter(&key(), letter(false));
    commit.put_letter(&key(), letter(true));
    assert_eq!(commit.dead_put.len(), 1);
    commit.remove_letter(&key());
    assert!(commit.dead_put.is_empty());
    assert_eq!(commit.dead_remove, [DeadKey::Record(key())]);
}

#[test]
fn a_compacted_fold_takes_the_letter_in() {
    let mut pending = wish(5, false, Some(&[(EMAIL, "\"e\"")]));
    pending.from_dead = true;
    pending.entries.push(pending.entries[0]);
    let mut machine = live(Record {
        row: Row {
            dead_letter: true,
            ..linked(3)
        },
        pending: Some(pending),
        ..Record::default()
    });
    machine.settings.compact_after_entries = 1;
    let out = step(&mut machine, NOW, Input::Tick);
    let commit = out.iter().find_map(|e| match e {
        Effect::Commit { commit, .. } if !commit.compacted_put.is_empty() => Some(commit),
        _ => None,
    });
    let commit = commit.unwrap();
    assert_eq!(commit.dead_remove, [DeadKey::Record(key())]);
    assert!(commit.rows.iter().all(|(_, row)| !row.dead_letter));
}

#[test]
fn a_letter_goes_with_the_record() {
    let mut machine = parked(false);
    let commit = hear(&mut machine, vec![event(ChangeKind::Delete, id(1), None, &[])]);
    assert_eq!(commit.dead_remove, [DeadKey::Record(key())], "in the same step");
    assert!(record(&machine).dead.is_none() && !record(&machine).row.dead_letter);
}

#[test]
fn a_write_that_comes_too_late_and_is_refused_leaves_no_letter() {
    let mut machine = live(Record {
        row: linked(3),
        ..Record::default()
    });
    send(
        &mut machine,
        Verb::Update,
        wish(5, false, Some(&[(LAST_NAME, "\"BAD\"")])),
    );
    let batch = BatchId {
        epoch: Epoch(9),
        number: 1,
    };
    let sent = Batch {
        stage: Stage::Sent,
        queue: QueueName {
            lane: Log::Changes,
            rank: 0,
            object: "contact".into(),
            verb: Verb::Update,
        },
        object: plan().objects[0].clone(),
        records: vec![key()],
        call: None,
        oldest: Timestamp(NOW),
    };
    machine.batches.batches.insert(batch, sent);
    hear(&mut machine, vec![event(ChangeKind::Delete, id(1), None, &[])]);
    let refused = RowOutcome::Failed(RowFault {
        class: Class::Reject,
        code: "FIELD_INTEGRITY_EXCEPTION".into(),
        fields: Vec::new(),
        message: PersonalText::default(),
    });
    let answer = WriteAnswer {
        outcome: Ok(vec![refused]),
        usage: None,
        took: Duration::ZERO,
        requests: 1,
    };
    let out = step(&mut machine, NOW, Input::Answered { batch, answer });
    let settled = out.iter().filter_map(|e| match e {
        Effect::Commit { commit, .. } => Some(commit),
        _ => None,
    });
    assert!(settled.clone().all(|c| c.dead_put.is_empty()));
    assert_eq!(
        settled.map(|c| c.delete.len()).sum::<usize>(),
        1,
        "its entry is lost, visibly"
    );
}

#[test]
fn a_late_create_whose_record_is_wanted_by_a_letter_is_not_deleted() {
    let mut machine = live(Record {
        row: Row {
            last_seq: 9,
            dead_letter: true,
            tombstone: Some(Tombstone {
                by: Side::Product,
                revision: 0,
                id: None,
            }),
            ..Row::default()
        },
        dead: Some(letter(false)),
        ..Record::default()
    });
    let commit = hear(&mut machine, vec![event(ChangeKind::Create, id(2), Some(5), &[])]);
    assert!(commit.append.is_empty());
    assert_eq!(record(&machine).row.salesforce_id, Some(id(2)));
}
