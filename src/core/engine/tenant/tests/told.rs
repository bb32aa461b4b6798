//! What is remembered of events that the product was told.

use crate::domain::event::{EventType, Says};
use crate::domain::ids::{FieldIdx, RecordKey};
use crate::domain::payload::RawJson;
use crate::domain::row::{FieldHash, Row};
use crate::domain::time::Timestamp;
use crate::engine::tenant::product_event::changed;

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
