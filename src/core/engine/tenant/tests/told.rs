//! What is remembered of events that the product was told.

use super::lives::{hash, key, linked, live};
use super::rules::{NOW, change};
use crate::domain::event::{EventId, EventType, Says};
use crate::domain::ids::{FieldIdx, RecordKey, TenantName};
use crate::domain::payload::RawJson;
use crate::domain::row::{FieldHash, Row, Told};
use crate::domain::stream::{Log, StreamId};
use crate::domain::time::Timestamp;
use crate::engine::commit::LogChunk;
use crate::engine::tenant::io::Input;
use crate::engine::tenant::product_event::changed;
use crate::engine::tenant::table::Record;

/// Each field stands under the revision of the event that told it last: under a later one, an edit that had seen the
/// event would lose to it.
#[test]
fn every_field_keeps_the_revision_it_was_told_under() {
    let key = RecordKey::new("contact", "42");
    let mut row = Row::default();
    let mut tell = |fields: &[u16]| {
        let says = Says {
            plan: 1,
            fields: fields.iter().map(|f| (FieldIdx(*f), FieldHash([1; 6]))).collect(),
        };
        let data = [("f".into(), RawJson::null())];
        changed(EventType::Changed, &key, &mut row, &data, says, Timestamp(1));
    };
    for field in 0..9 {
        tell(&[field]);
    }
    tell(&[3, 4]);
    let told: Vec<(u64, Vec<u16>)> = row
        .told
        .iter()
        .map(|t| (t.revision, t.fields.iter().map(|(idx, _)| idx.0).collect()))
        .collect();
    let expected = [
        (1, vec![0]),
        (2, vec![1]),
        (3, vec![2]),
        (6, vec![5]),
        (7, vec![6]),
        (8, vec![7]),
        (9, vec![8]),
        (10, vec![3, 4]),
    ];
    assert_eq!(told, expected);
}

/// An edit that has seen an event says nothing of an import that was made before it and is read after it.
#[test]
fn an_event_that_was_answered_is_remembered_until_the_imports_were_read() {
    for imports_left in [true, false] {
        let mut row = linked(1);
        row.told.push(Told {
            revision: 1,
            at: Timestamp(NOW),
            fields: vec![(FieldIdx(0), FieldHash([1; 6]))],
            answered: false,
        });
        let mut machine = live(Record {
            row,
            ..Record::default()
        });
        let more = LogChunk {
            log: Log::Backfill,
            entries: Vec::new(),
            end: !imports_left,
        };
        machine.step(Timestamp(NOW), 0, Input::Log(more), &mut Vec::new());
        let mut later = change(NOW + 2, 0, &[(1, "\"l\"")]);
        later.seen_revision = Some(1);
        assert!(machine.drop_known(&mut later), "it is an edit");
        let mut import = change(NOW + 1, 0, &[(0, "\"i\"")]);
        assert_eq!(
            machine.drop_known(&mut import),
            !imports_left,
            "it had not seen the event"
        );
    }
}

/// A group goes whole: of an event that is said back with another city, the street is part of the edit.
#[test]
fn a_group_that_is_said_back_in_part_is_an_edit_of_all_of_it() {
    let (city, street) = (FieldIdx(0), FieldIdx(4));
    for (edited, said) in [(false, "\"c\""), (true, "\"other\"")] {
        let mut machine = live(Record {
            row: linked(1),
            ..Record::default()
        });
        let held = [(city, "\"c\""), (street, "\"s\"")];
        let fields = held.map(|(idx, raw)| (idx, hash(&machine, idx, &RawJson::from_checked(raw))));
        let record = machine.table.records.get_mut(&key()).unwrap();
        for (idx, hash) in fields {
            record.row.base.set(77, idx, hash);
        }
        let mut change = change(NOW, 0, &[(0, said), (4, "\"s\"")]);
        change.caused_by = Some(EventId {
            tenant: TenantName::new("acme").unwrap(),
            outbox: StreamId::ZERO,
            revision: 1,
            says: Says {
                plan: 77,
                fields: fields.to_vec(),
            },
        });
        assert_eq!(machine.drop_known(&mut change), edited);
        let left: Vec<FieldIdx> = change.fields.iter().map(|(idx, _)| *idx).collect();
        assert_eq!(left, if edited { vec![city, street] } else { vec![] });
    }
}
