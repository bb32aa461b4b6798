//! However a subscriber asks and reconnects, it gets every record once and in order.

use orgsim::commit::{ChangeKind, CommitSink, RowChange};
use orgsim::wire::ReplayPreset;
use proptest::prelude::*;
use serde_json::json;

use crate::client::Served;
use crate::orgs::{Orgs, change, commit, created, id};
use crate::reader::Told;

/// A transaction: some deletes, which become one merged event, and some creates, which stay apart.
fn transaction(number: u32, deletes: u32, creates: u32) -> Vec<RowChange> {
    let delete = |row| {
        change(
            "Contact",
            &id(row),
            ChangeKind::Delete,
            json!({"LastName": "x"}),
            json!({}),
        )
    };
    let first = number * 100;
    (first..first + deletes)
        .map(delete)
        .chain((first + 50..first + 50 + creates).map(created))
        .collect()
}

fn records(events: &[Told]) -> Vec<String> {
    events.iter().flat_map(|event| event.records.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_record_comes_once_and_in_order(
        transactions in prop::collection::vec((0..8_u32, 0..4_u32), 1..20),
        portions in prop::collection::vec(1..12_i32, 1..6),
        reconnect_after in 1..10_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let served = Served::new(Orgs::new());
            let mut expected = Vec::new();
            let mut merged = 0;
            for (number, (deletes, creates)) in (1..).zip(transactions) {
                let changes = transaction(number, deletes, creates);
                expected.extend(changes.iter().map(|change| change.id.to_string()));
                merged += (deletes.min(1) + creates) as usize;
                served.bus.publish(commit(number.into(), changes));
            }
            // On the enriched channel merged events come apart, whatever portions they are asked for in.
            let mut client = served.client().await;
            let mut sizes = portions.iter().cycle();
            let mut got = Vec::new();
            if !expected.is_empty() {
                let mut call = client.subscribe("/data/Tandem__chn", ReplayPreset::Earliest, b"", 1).await;
                got.extend(call.events(1).await);
                while got.len() < expected.len() {
                    let size = *sizes.next().unwrap();
                    call.more(size).await;
                    let left = expected.len() - got.len();
                    got.extend(call.events(left.min(usize::try_from(size).unwrap())).await);
                }
            }
            assert_eq!(records(&got), expected);
            // On the plain topic a new call goes on after the last id of the one before.
            let mut whole: Vec<Told> = Vec::new();
            while whole.len() < merged {
                let (preset, replay) = match whole.last() {
                    Some(last) => (ReplayPreset::Custom, last.replay.clone()),
                    None => (ReplayPreset::Earliest, Vec::new()),
                };
                let size = reconnect_after.min(merged - whole.len());
                let requested = i32::try_from(size).unwrap();
                let mut call = client.subscribe("/data/ChangeEvents", preset, &replay, requested).await;
                whole.extend(call.events(size).await);
            }
            assert_eq!(records(&whole), expected);
        });
    }
}
