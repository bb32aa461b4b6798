//! The script `emit` against a real Redis.

use tandem::port::store::Lane;
use tandem_core::domain::change::IdempotencyKey;
use tandem_core::domain::ids::ReplayId;
use tandem_core::domain::payload::RawJson;
use tandem_core::domain::row::{Base, Row};
use tandem_core::domain::stream::{Log, StreamId};
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::commit::{Commit, Counters, EngineEntry, Script};

use crate::fixture::*;

#[tokio::test]
async fn base_write_back_event_and_cursor_move_together() {
    let mut o = owned().await;
    let base = Base {
        plan: 0xdead_beef,
        fields: vec![],
    };
    let entry = EngineEntry {
        record: contact("1"),
        data: Some(RawJson::from_checked("{\"amount\":1.50}")),
        traceparent: Some("00-cc-dd-01".into()),
    };
    let commit = Commit {
        rows: vec![(contact("1"), Row { base, ..row(4) })],
        append: vec![entry],
        outbox: vec![changed("1", 4), changed("2", 9)],
        cursors: vec![("topic".into(), ReplayId(vec![9; 10].into()))],
        counters: Counters {
            events: 2,
            echoes: 1,
            ..Counters::default()
        },
        ..Commit::default()
    };
    let fence = o.step();
    o.lane
        .commit(&o.tenant, &fence, Script::Emit, Box::new(commit))
        .await
        .unwrap();

    let log = o
        .lane
        .read_log(&o.tenant, Log::Changes, StreamId::ZERO, 10)
        .await
        .unwrap();
    let fields: Vec<(&[u8], &[u8])> = log.entries[0]
        .fields
        .iter()
        .map(|(n, v)| (n.as_ref(), v.as_ref()))
        .collect();
    let expected: [(&[u8], &[u8]); 6] = [
        (b"object", b"contact"),
        (b"key", b"1"),
        (b"op", b"upsert"),
        (b"data", b"{\"amount\":1.50}"),
        (b"origin", b"engine"),
        (b"traceparent", b"00-cc-dd-01"),
    ];
    assert_eq!(fields, expected);

    let out = o.lane.read_outbox(&o.tenant, StreamId::ZERO, 10).await.unwrap();
    assert_eq!(out.len(), 2);
    let (wanted, got) = (changed("1", 4), &out[0]);
    assert_eq!(got.event.record, wanted.record);
    assert_eq!(got.event.salesforce_id, wanted.salesforce_id);
    assert_eq!(got.event.data, wanted.data);
    assert_eq!(got.event.detail, wanted.detail);
    assert_eq!((got.event.revision, got.event.at), (wanted.revision, wanted.at));
    assert_eq!(got.event.traceparent, wanted.traceparent);
    assert_eq!(got.event.says, wanted.says);
    assert_eq!(o.lane.lengths(&o.tenant).await.unwrap().outbox, 2);
}

#[tokio::test]
async fn a_step_that_the_engine_takes_for_full_is_not_too_large() {
    let mut o = owned().await;
    let mut commit = Commit::default();
    let mut records: u32 = 0;
    while !commit.is_full() {
        records += 1;
        let key = records.to_string();
        let seq = u64::from(records);
        commit.rows.push((contact(&key), row(seq)));
        commit.links.push((sfid(records), contact(&key)));
        commit.questions.push((contact(&key), Timestamp(seq)));
        commit.append.push(EngineEntry {
            record: contact(&key),
            data: Some(RawJson::from_checked("{}")),
            traceparent: Some("00-cc-dd-01".into()),
        });
        commit.outbox.extend([changed(&key, seq), changed(&key, seq + 1)]);
        for n in 0..8 {
            let mut key = [n; 16];
            key[1..9].copy_from_slice(&seq.to_be_bytes());
            commit.seen.push(IdempotencyKey { key, content: [1; 8] });
        }
    }
    let fence = o.step();
    let taken = o.lane.commit(&o.tenant, &fence, Script::Emit, Box::new(commit));
    taken.await.unwrap();
    let lengths = o.lane.lengths(&o.tenant).await.unwrap();
    let records = u64::from(records);
    assert!(records > 60, "{records} records are not many");
    assert_eq!((lengths.changes, lengths.outbox), (records, records * 2));
}

#[tokio::test]
async fn an_event_of_the_tenant_has_no_record() {
    let mut o = owned().await;
    let mut event = changed("1", 0);
    (event.record, event.salesforce_id, event.data) = (None, None, None);
    event.kind = tandem_core::domain::event::EventType::Tenant;
    event.says = tandem_core::domain::event::Says::default();
    let fence = o.step();
    let commit = Commit {
        outbox: vec![event],
        ..Commit::default()
    };
    o.lane
        .commit(&o.tenant, &fence, Script::Emit, Box::new(commit))
        .await
        .unwrap();
    let out = o.lane.read_outbox(&o.tenant, StreamId::ZERO, 10).await.unwrap();
    assert_eq!(out[0].event.record, None);
    assert_eq!(out[0].event.kind.as_str(), "tenant");
}
