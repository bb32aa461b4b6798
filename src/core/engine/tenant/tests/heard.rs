//! What is heard of a record: what an event holds was there, what it does not hold is read.

use serde_json::json;

use super::lives::{FIRST_NAME, emitted, event, hash, id, key, linked, live, told};
use super::rules::{NOW, step};
use crate::domain::event::EventType;
use crate::domain::payload::RawJson;
use crate::domain::row::SentWrite;
use crate::engine::call::ReadRow;
use crate::engine::inbound::{ChangeKind, EventBatch};
use crate::engine::tenant::io::{Effect, Input};
use crate::engine::tenant::table::Record;

/// A read happens after the event: it may show what a write of ours put over the person's value since.
#[test]
fn a_read_for_one_field_says_nothing_of_those_that_the_event_holds() {
    let mut row = linked(7);
    let mut machine = live(Record::default());
    let ours = hash(&machine, FIRST_NAME, &RawJson::from_checked("\"ours\""));
    row.base.set(77, FIRST_NAME, ours);
    row.unconfirmed.push(SentWrite {
        seq: 7,
        fields: vec![(FIRST_NAME, ours)],
    });
    machine.table.records.get_mut(&key()).unwrap().row = row;
    machine.table.index(&key());

    let mut edit = event(ChangeKind::Update, id(1), None, &[("FirstName", "theirs")]);
    edit.unread.push("LastName".into());
    let batch = EventBatch {
        events: vec![edit],
        latest: crate::domain::ids::ReplayId(vec![9].into()),
    };
    let out = step(&mut machine, NOW, Input::Events(batch));
    let ticket = out.iter().find_map(|effect| match effect {
        Effect::Read { ticket, .. } => Some(*ticket),
        _ => None,
    });
    let fields = json!({"FirstName": "ours", "LastName": "L", "Email": "other@x.org"}).to_string();
    let rows = vec![ReadRow {
        id: id(1),
        fields: Some(fields.into()),
    }];
    let read = Input::Read {
        ticket: ticket.expect("the long text is read"),
        rows: Ok(rows),
    };
    let commit = emitted(step(&mut machine, NOW, read));
    assert_eq!(
        told(&commit, EventType::Changed),
        json!({"first_name": "theirs", "last_name": "L"}).to_string(),
        "and the policy's winner"
    );
    assert_eq!(commit.append.len(), 1, "is written back");
}
