//! Many events, several subscribers: everything arrives, once and in order.

use orgsim::commit::CommitSink;
use orgsim::wire::ReplayPreset;

use crate::client::{Call, Served};
use crate::orgs::{Orgs, commit, created};

const EVENTS: usize = 20_000;
const SUBSCRIBERS: usize = 3;

async fn read(mut call: Call) -> Vec<Vec<u8>> {
    let mut replays = Vec::with_capacity(EVENTS);
    while replays.len() < EVENTS {
        let response = call.next().await.unwrap().expect("the call ended");
        if !response.events.is_empty() {
            call.more(i32::try_from(response.events.len()).unwrap()).await;
        }
        replays.extend(response.events.into_iter().map(|event| event.replay_id.to_vec()));
    }
    replays
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_subscriber_gets_every_event_once_in_order() {
    let served = Served::new(Orgs::new());
    let mut readers = Vec::new();
    for _ in 0..SUBSCRIBERS {
        let call = served
            .client()
            .await
            .subscribe("/data/ChangeEvents", ReplayPreset::Earliest, b"", 100)
            .await;
        readers.push(tokio::spawn(read(call)));
    }
    for number in 0..u32::try_from(EVENTS).unwrap() {
        served.bus.publish(commit(number.into(), vec![created(number)]));
    }
    let mut all = Vec::new();
    for reader in readers {
        all.push(reader.await.unwrap());
    }
    assert!(all[0].is_sorted_by(|a, b| a < b));
    assert!(all.iter().all(|replays| replays == &all[0]));
}
