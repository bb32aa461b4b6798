//! The script `compact` against a real Redis.

use tandem::port::store::Lane;
use tandem_core::domain::payload::RawJson;
use tandem_core::domain::stream::{Log, StreamId};
use tandem_core::engine::commit::{Commit, Counters, Script};

use crate::fixture::*;

#[tokio::test]
async fn entries_become_a_fold_and_settling_it_removes_it() {
    let mut o = owned().await;
    let entries = o.append_many(1_500).await;
    let commit = Commit {
        delete: entries,
        compacted_put: vec![(contact("1"), fold(1_500))],
        counters: Counters {
            compacted: 1_500,
            ..Counters::default()
        },
        ..Commit::default()
    };
    let fence = o.step();
    let done = o
        .lane
        .commit(&o.tenant, &fence, Script::Compact, Box::new(commit))
        .await
        .unwrap();
    assert_eq!(done.deleted, 1_500);
    let loaded = o.lane.load(&o.tenant, vec![contact("1")], vec![]).await.unwrap();
    assert_eq!(loaded.records[0].compacted, Some(fold(1_500)));
    let page = o.lane.scan_compacted(&o.tenant, 0, 100).await.unwrap();
    assert_eq!((page.records, page.next), (vec![contact("1")], 0));

    let fence = o.step();
    let settled = Commit {
        compacted_remove: vec![contact("1")],
        ..Commit::default()
    };
    o.lane
        .commit(&o.tenant, &fence, Script::Settle, Box::new(settled))
        .await
        .unwrap();
    assert_eq!(o.lane.lengths(&o.tenant).await.unwrap().compacted, 0);
}

#[tokio::test]
async fn a_scan_names_every_record() {
    let mut o = owned().await;
    let put = (0..900).map(|n| (contact(n), fold(1))).collect();
    let fence = o.step();
    let commit = Commit {
        compacted_put: put,
        ..Commit::default()
    };
    o.lane
        .commit(&o.tenant, &fence, Script::Compact, Box::new(commit))
        .await
        .unwrap();
    let (mut names, mut cursor, mut pages) = (std::collections::BTreeSet::new(), 0, 0);
    loop {
        let page = o.lane.scan_compacted(&o.tenant, cursor, 50).await.unwrap();
        names.extend(page.records);
        (cursor, pages) = (page.next, pages + 1);
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(names.len(), 900);
    assert!(pages > 5, "{pages} pages");
}

#[tokio::test]
async fn values_of_five_megabytes_pass_byte_for_byte() {
    let mut o = owned().await;
    let big = format!("\"{}\"", "x".repeat(5_000_000));
    let mut folded = fold(1);
    folded.fields[0].value = RawJson::from_checked(big.clone());
    let fields = [("object", "contact"), ("key", "1"), ("op", "upsert"), ("data", &big)];
    let _: String = redis::AsyncCommands::xadd(&mut o.raw, tandem::store::keys::changes(&o.tenant), "*", &fields)
        .await
        .unwrap();
    let log = o
        .lane
        .read_log(&o.tenant, Log::Changes, StreamId::ZERO, 10)
        .await
        .unwrap();
    assert_eq!(log.entries[0].fields[3].1.len(), big.len());
    let commit = Commit {
        delete: vec![log.entries[0].at],
        compacted_put: vec![(contact("1"), folded.clone())],
        ..Commit::default()
    };
    let fence = o.step();
    o.lane
        .commit(&o.tenant, &fence, Script::Compact, Box::new(commit))
        .await
        .unwrap();
    let loaded = o.lane.load(&o.tenant, vec![contact("1")], vec![]).await.unwrap();
    assert_eq!(loaded.records[0].compacted.as_ref(), Some(&folded));
}
