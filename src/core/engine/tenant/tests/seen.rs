//! Looks instead of events: an org without change events is polled, and each row comes whole.

use serde_json::json;

use super::lives::{
    EMAIL, FIRST_NAME, LAST_NAME, emitted, event, gone, hash, hear, id, key, kinds, linked, live, record, told,
};
use super::rules::{NOW, step};
use crate::domain::event::EventType;
use crate::domain::ids::{FieldIdx, ReplayId};
use crate::domain::payload::RawJson;
use crate::domain::row::{Row, SentWrite, Side, Tombstone};
use crate::engine::call::ReadRow;
use crate::engine::inbound::{ChangeEvent, ChangeKind, EventBatch, SalesforceValue};
use crate::engine::tenant::Machine;
use crate::engine::tenant::io::{Effect, Input};
use crate::engine::tenant::table::Record;

/// A machine with the record as Salesforce holds it, and own writes whose event is to come.
fn machine(last_seq: u64, held: &[(FieldIdx, &str)], sent: &[(u64, &[(FieldIdx, &str)])]) -> Machine {
    let mut machine = live(Record::default());
    let hashes = |fields: &[(FieldIdx, &str)]| -> Vec<_> {
        let raw = |text: &str| RawJson::from_checked(json!(text).to_string());
        fields
            .iter()
            .map(|(idx, text)| (*idx, hash(&machine, *idx, &raw(text))))
            .collect()
    };
    let mut row = linked(last_seq);
    for (idx, hash) in hashes(held) {
        row.base.set(77, idx, hash);
    }
    for (seq, fields) in sent {
        row.unconfirmed.push(SentWrite {
            seq: *seq,
            fields: hashes(fields),
        });
    }
    machine.table.records.get_mut(&key()).unwrap().row = row;
    machine.table.index(&key());
    machine
}

/// The record as a poll saw it; fields that are not named are null.
fn look(seq: u64, fields: &[(&str, &str)]) -> ChangeEvent {
    let mut look = event(ChangeKind::Seen, id(1), Some(seq), fields);
    for name in ["MailingCity", "MailingStreet", "Email", "FirstName", "LastName"] {
        if look.field(name).is_none() {
            look.fields.push((name.into(), SalesforceValue::Null));
        }
    }
    look
}

#[test]
fn what_a_look_finds_changed_is_told_and_what_it_finds_unset_is_not() {
    let mut machine = machine(7, &[(FIRST_NAME, "F"), (LAST_NAME, "L")], &[]);
    let commit = hear(
        &mut machine,
        vec![look(7, &[("FirstName", "other"), ("LastName", "L")])],
    );
    assert_eq!(
        told(&commit, EventType::Changed),
        json!({"first_name": "other"}).to_string()
    );
    let again = hear(
        &mut machine,
        vec![look(7, &[("FirstName", "other"), ("LastName", "L")])],
    );
    assert_eq!(kinds(&again), [], "the same look again is no news");
}

/// The answer of a poll is older than what we wrote while it was on its way.
#[test]
fn a_look_says_nothing_of_fields_that_were_written_since() {
    let held = [(FIRST_NAME, "new"), (LAST_NAME, "L")];
    let mut machine = machine(9, &held, &[(9, &[(FIRST_NAME, "new")])]);
    let commit = hear(
        &mut machine,
        vec![look(7, &[("FirstName", "old"), ("LastName", "other")])],
    );
    assert_eq!(
        told(&commit, EventType::Changed),
        json!({"last_name": "other"}).to_string()
    );
    assert!(commit.append.is_empty(), "the old value is not written back");
    assert_eq!(record(&machine).row.unconfirmed.len(), 1, "its own look is to come");
}

#[test]
fn one_look_shows_several_own_writes_and_the_edit_after_them() {
    let held = [(FIRST_NAME, "two"), (LAST_NAME, "two"), (EMAIL, "a@x.org")];
    let sent: [(u64, &[(FieldIdx, &str)]); 2] = [
        (8, &[(EMAIL, "a@x.org")]),
        (9, &[(FIRST_NAME, "two"), (LAST_NAME, "two")]),
    ];
    let mut machine = machine(9, &held, &sent);
    let found = [("FirstName", "two"), ("LastName", "theirs"), ("Email", "a@x.org")];
    let commit = hear(&mut machine, vec![look(9, &found)]);
    assert_eq!(
        told(&commit, EventType::Changed),
        json!({"last_name": "theirs"}).to_string()
    );
    assert!(record(&machine).row.unconfirmed.is_empty());
}

/// Its own event would have shown the write before the edit; a look shows both at once.
#[test]
fn an_edit_over_a_write_that_the_same_look_shows_is_news_whatever_the_policy() {
    let mut machine = machine(9, &[(EMAIL, "ours@x.org")], &[(9, &[(EMAIL, "ours@x.org")])]);
    let commit = hear(&mut machine, vec![look(9, &[("Email", "theirs@x.org")])]);
    assert_eq!(
        told(&commit, EventType::Changed),
        json!({"email": "theirs@x.org"}).to_string()
    );
    assert_eq!(kinds(&commit), [EventType::Changed], "no conflict: it came after ours");
}

/// The sequence stays in the record when somebody else edits it.
#[test]
fn an_edit_after_a_write_that_was_seen_before_is_somebody_elses() {
    let mut machine = machine(9, &[(FIRST_NAME, "ours")], &[]);
    let commit = hear(&mut machine, vec![look(9, &[("FirstName", "theirs")])]);
    assert_eq!(
        told(&commit, EventType::Changed),
        json!({"first_name": "theirs"}).to_string()
    );
}

#[test]
fn a_record_that_was_deleted_is_back_only_if_a_read_finds_it() {
    for (by, there) in [(Side::Salesforce, true), (Side::Product, true), (Side::Product, false)] {
        let mut machine = live(Record {
            row: Row {
                tombstone: gone(by).map(|t| Tombstone { id: Some(id(1)), ..t }),
                last_seq: 7,
                ..Row::default()
            },
            ..Record::default()
        });
        let batch = EventBatch {
            events: vec![look(7, &[("FirstName", "F")])],
            latest: ReplayId(vec![9].into()),
        };
        let mut out = step(&mut machine, NOW, Input::Events(batch));
        if let Some(ticket) = ticket(&out, |e| matches!(e, Effect::Resolve { .. })) {
            let keys = vec![None];
            out = step(&mut machine, NOW, Input::Resolved { ticket, keys });
        }
        let ticket = ticket(&out, |e| matches!(e, Effect::Read { .. })).expect("the record is read");
        let fields = json!({"FirstName": "now", "Tandem_Key__c": "k"}).to_string();
        let rows = Ok(vec![ReadRow {
            id: id(1),
            fields: there.then(|| fields.into()),
        }]);
        let mut out = step(&mut machine, NOW, Input::Read { ticket, rows });
        if let Some(ticket) = self::ticket(&out, |e| matches!(e, Effect::Resolve { .. })) {
            let keys = vec![None];
            out = step(&mut machine, NOW, Input::Resolved { ticket, keys });
        }
        let commit = emitted(out);
        let expected: &[EventType] = if there { &[EventType::Undeleted] } else { &[] };
        assert_eq!(kinds(&commit), expected, "{by:?} {there}");
        assert_eq!(record(&machine).row.tombstone.is_none(), there);
    }
}

fn ticket(effects: &[Effect], which: impl Fn(&Effect) -> bool) -> Option<u64> {
    effects.iter().find(|e| which(e)).and_then(|effect| match effect {
        Effect::Resolve { ticket, .. } | Effect::Read { ticket, .. } => Some(*ticket),
        _ => None,
    })
}
