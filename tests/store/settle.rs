//! The script `settle` against a real Redis.

use bytes::Bytes;
use redis::AsyncCommands;
use tandem::port::store::Lane;
use tandem::store::{dead, keys};
use tandem_core::domain::change::IdempotencyKey;
use tandem_core::domain::payload::PersonalText;
use tandem_core::domain::stream::{EntryRef, Log};
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::commit::{Commit, Counters, DeadContent, DeadKey, DeadLetter, Script};

use crate::fixture::*;

fn letter(content: DeadContent) -> DeadLetter {
    DeadLetter {
        code: "REQUIRED_FIELD_MISSING".into(),
        fields: vec!["last_name".into()],
        message: PersonalText::new("Ada needs a last name"),
        at: Timestamp(1_700_000_000_000),
        content,
    }
}

#[tokio::test]
async fn outcomes_of_a_batch_land_together() {
    let mut o = owned().await;
    let (first, second) = (o.append("1").await, o.append("2").await);
    let name = batch(&o.fence, 1);
    let fence = o.step();
    o.lane
        .begin(&o.tenant, &fence, intent(name, &["1", "2"]), vec![])
        .await
        .unwrap();
    let commit = Commit {
        batch: Some(name),
        intent_left: Some(intent(name, &["2"])),
        delete: vec![first],
        rows: vec![(contact("1"), row(10))],
        links: vec![(sfid(10), contact("1"))],
        counters: Counters {
            settled: 1,
            ..Counters::default()
        },
        ..Commit::default()
    };
    let fence = o.step();
    let done = o
        .lane
        .commit(&o.tenant, &fence, Script::Settle, Box::new(commit))
        .await
        .unwrap();
    assert_eq!((done.deleted, done.refused_links.len()), (1, 0));

    assert_eq!(o.row_of(&contact("1")).await, Some(row(10)));
    assert_eq!(o.row_of(&contact("2")).await, None);
    let found = o.lane.resolve(&o.tenant, vec![sfid(10), sfid(11)]).await.unwrap();
    assert_eq!(found, [Some(contact("1")), None]);
    let log = o.lane.read_log(&o.tenant, Log::Changes, id(0), 10).await.unwrap();
    assert_eq!(log.entries.iter().map(|e| e.at).collect::<Vec<_>>(), [second]);
    assert!(log.end);
    let next = o
        .lane
        .attach(&o.tenant, "node-2", tandem_core::domain::ids::Epoch(1))
        .await
        .unwrap();
    assert_eq!(next.intents, vec![intent(name, &["2"])]);
}

#[tokio::test]
async fn a_batch_that_was_not_begun_is_refused_whole() {
    let mut o = owned().await;
    let entry = o.append("1").await;
    let commit = Commit {
        batch: Some(batch(&o.fence, 7)),
        delete: vec![entry],
        rows: vec![(contact("1"), row(10))],
        ..Commit::default()
    };
    let before = o.everything().await;
    let refused = o
        .lane
        .commit(&o.tenant, &o.fence.clone(), Script::Settle, Box::new(commit))
        .await;
    assert_eq!(fenced(refused), "NOBATCH");
    assert_eq!(o.everything().await, before);
}

#[tokio::test]
async fn both_logs_lose_what_is_named_and_only_that() {
    let mut o = owned().await;
    let kept = o.append("1").await;
    let gone = o.append("2").await;
    let id: String = o
        .raw
        .xadd(keys::backfill(&o.tenant), "*", &[("key", "3")])
        .await
        .unwrap();
    let other = EntryRef {
        log: Log::Backfill,
        id: id.parse().unwrap(),
    };
    let fence = o.step();
    let commit = Commit {
        delete: vec![gone, other],
        ..Commit::default()
    };
    let done = o
        .lane
        .commit(&o.tenant, &fence, Script::Settle, Box::new(commit))
        .await
        .unwrap();
    assert_eq!(done.deleted, 2);
    let lengths = o.lane.lengths(&o.tenant).await.unwrap();
    assert_eq!((lengths.changes, lengths.backfill), (1, 0));
    let log = o
        .lane
        .read_log(&o.tenant, Log::Changes, tandem_core::domain::stream::StreamId::ZERO, 10)
        .await
        .unwrap();
    assert_eq!(log.entries[0].at, kept);
}

#[tokio::test]
async fn dead_letters_are_sealed_and_come_back_with_their_row() {
    let mut o = owned().await;
    let raw_entry = EntryRef {
        log: Log::Backfill,
        id: id(7),
    };
    let garbage = vec![(Bytes::from_static(b"da\xffta"), Bytes::from_static(b"Lovelace\0"))];
    let dead_row = tandem_core::domain::row::Row {
        dead_letter: true,
        ..row(4)
    };
    let commit = Commit {
        rows: vec![(contact("1"), dead_row), (contact("2"), row(5))],
        dead_put: vec![
            (DeadKey::Record(contact("1")), letter(DeadContent::Folded(fold(3)))),
            (DeadKey::Entry(raw_entry), letter(DeadContent::Raw(garbage.clone()))),
        ],
        ..Commit::default()
    };
    let fence = o.step();
    o.lane
        .commit(&o.tenant, &fence, Script::Settle, Box::new(commit))
        .await
        .unwrap();

    let loaded = o
        .lane
        .load(&o.tenant, vec![contact("1"), contact("2")], vec![])
        .await
        .unwrap();
    let content = loaded.records[0].dead.as_ref().map(|letter| &letter.content);
    assert_eq!(content, Some(&DeadContent::Folded(fold(3))));
    assert!(loaded.records[1].dead.is_none());
    for (key, dump) in o.everything().await {
        let text = String::from_utf8_lossy(&dump);
        assert!(
            !text.contains("Ada") && !text.contains("Lovelace"),
            "{key} holds a value in clear"
        );
    }
    let stored: Vec<u8> = o
        .raw
        .hget(keys::dead(&o.tenant), keys::entry_field(&raw_entry))
        .await
        .unwrap();
    let opened = dead::open(sealer().as_ref(), &o.tenant, &stored).unwrap();
    assert!(matches!(opened.content, DeadContent::Raw(fields) if fields == garbage));
    assert_eq!(
        (opened.code.as_ref(), opened.at),
        ("REQUIRED_FIELD_MISSING", Timestamp(1_700_000_000_000))
    );

    let fence = o.step();
    let healed = Commit {
        dead_remove: vec![DeadKey::Record(contact("1")), DeadKey::Entry(raw_entry)],
        ..Commit::default()
    };
    o.lane
        .commit(&o.tenant, &fence, Script::Settle, Box::new(healed))
        .await
        .unwrap();
    let left: u64 = o.raw.hlen(keys::dead(&o.tenant)).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn the_first_key_of_a_record_keeps_it() {
    let mut o = owned().await;
    let fence = o.step();
    let first = Commit {
        links: vec![(sfid(1), contact("1"))],
        ..Commit::default()
    };
    o.lane
        .commit(&o.tenant, &fence, Script::Settle, Box::new(first.clone()))
        .await
        .unwrap();
    let fence = o.step();
    let again = Commit {
        links: vec![
            (sfid(1), contact("1")),
            (sfid(1), contact("2")),
            (sfid(2), contact("2")),
        ],
        ..Commit::default()
    };
    let done = o
        .lane
        .commit(&o.tenant, &fence, Script::Settle, Box::new(again))
        .await
        .unwrap();
    assert_eq!(done.refused_links, [(sfid(1), contact("1"))]);
    let found = o.lane.resolve(&o.tenant, vec![sfid(1), sfid(2)]).await.unwrap();
    assert_eq!(found, [Some(contact("1")), Some(contact("2"))]);

    let fence = o.step();
    let moved = Commit {
        unlinks: vec![sfid(1)],
        links: vec![(sfid(1), contact("3"))],
        ..Commit::default()
    };
    let done = o
        .lane
        .commit(&o.tenant, &fence, Script::Settle, Box::new(moved))
        .await
        .unwrap();
    assert_eq!(done.refused_links, []);
    assert_eq!(
        o.lane.resolve(&o.tenant, vec![sfid(1)]).await.unwrap(),
        [Some(contact("3"))]
    );
}

#[tokio::test]
async fn more_than_a_thousand_rows_and_links_in_one_step() {
    let mut o = owned().await;
    let records: Vec<_> = (1..=1_200_u32).map(|n| (contact(n), n)).collect();
    let commit = Commit {
        rows: records.iter().map(|(r, n)| (r.clone(), row(u64::from(*n)))).collect(),
        links: records.iter().map(|(r, n)| (sfid(*n), r.clone())).collect(),
        ..Commit::default()
    };
    let fence = o.step();
    o.lane
        .commit(&o.tenant, &fence, Script::Settle, Box::new(commit))
        .await
        .unwrap();
    let loaded = o
        .lane
        .load(&o.tenant, records.iter().map(|(r, _)| r.clone()).collect(), vec![])
        .await
        .unwrap();
    for ((_, n), found) in records.iter().zip(&loaded.records) {
        assert_eq!(found.row, Some(row(u64::from(*n))));
    }
    let found = o
        .lane
        .resolve(&o.tenant, records.iter().map(|(_, n)| sfid(*n)).collect())
        .await
        .unwrap();
    assert!(
        found
            .iter()
            .zip(&records)
            .all(|(found, (r, _))| found.as_ref() == Some(r))
    );
}

#[tokio::test]
async fn a_step_that_is_too_big_is_refused_before_it_is_sent() {
    let mut o = owned().await;
    let commit = Commit {
        rows: (0..4_000).map(|n| (contact(n), row(1))).collect(),
        ..Commit::default()
    };
    let before = o.everything().await;
    let refused = o
        .lane
        .commit(&o.tenant, &o.fence.clone(), Script::Settle, Box::new(commit))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("at most 7000"), "{refused}");
    assert_eq!(o.everything().await, before);
}

#[tokio::test]
async fn a_day_remembers_a_million_keys_and_no_more() {
    let mut o = owned().await;
    let key = |n: u8| IdempotencyKey {
        key: [n; 16],
        content: [n; 8],
    };
    let remember = |n: u8| Commit {
        seen: vec![key(n)],
        rows: vec![(contact(n), row(9))],
        ..Commit::default()
    };
    let fence = o.step();
    o.lane
        .commit(&o.tenant, &fence, Script::Settle, Box::new(remember(1)))
        .await
        .unwrap();
    let days: Vec<String> = o.raw.keys("tandem:{acme}:seen:*").await.unwrap();
    let filled: u64 = redis::cmd("EVAL")
        .arg("for i = 1, 999999 do redis.call('HSET', KEYS[1], i, '') end return redis.call('HLEN', KEYS[1])")
        .arg(1)
        .arg(&days[0])
        .query_async(&mut o.raw)
        .await
        .unwrap();
    assert_eq!(filled, 1_000_000);
    let fence = o.step();
    o.lane
        .commit(&o.tenant, &fence, Script::Settle, Box::new(remember(2)))
        .await
        .unwrap();
    assert_eq!(
        o.row_of(&contact(2)).await,
        Some(row(9)),
        "the rest of the step is done"
    );
    let seen = o.lane.load(&o.tenant, vec![], vec![key(1), key(2)]).await.unwrap().seen;
    assert_eq!(seen, [Some([1; 8]), None]);
}
