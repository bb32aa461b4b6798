//! Faults that tests ask for.

use std::time::{Duration, Instant};

use orgsim::bus::BusOptions;
use orgsim::commit::{CommitSink, Disturbance};
use orgsim::wire::ReplayPreset;

use crate::client::{Served, error_code};
use crate::orgs::{ORG, Orgs, commit, created};
use crate::reader::Told;

const ALL: &str = "/data/ChangeEvents";

fn publish(served: &Served, numbers: std::ops::RangeInclusive<u32>) {
    numbers.for_each(|number| served.bus.publish(commit(number.into(), vec![created(number)])));
}

fn disturb(served: &Served, disturbance: Disturbance) {
    served.bus.disturb(ORG, disturbance);
}

#[tokio::test]
async fn dropped_events_were_never_there() {
    let served = Served::new(Orgs::new());
    disturb(
        &served,
        Disturbance {
            drop_percent: 50.0,
            ..Disturbance::default()
        },
    );
    publish(&served, 1..=60);
    disturb(&served, Disturbance::default());
    publish(&served, 61..=61);
    let mut call = served
        .client()
        .await
        .subscribe(ALL, ReplayPreset::Earliest, b"", 100)
        .await;
    let mut got = Vec::new();
    while got.last() != Some(&61) {
        got.extend(call.events(1).await.iter().map(|event| event.commit_number));
    }
    assert!((15..=45).contains(&got.len()), "{}", got.len());
    assert!(got.is_sorted_by(|a, b| a < b));
}

#[tokio::test]
async fn delayed_events_come_late_and_in_order() {
    let served = Served::new(Orgs::new());
    let mut client = served.client().await;
    let mut call = client.subscribe(ALL, ReplayPreset::Earliest, b"", 10).await;
    let delay = Duration::from_millis(1_500);
    disturb(
        &served,
        Disturbance {
            delay_ms: 1_500,
            ..Disturbance::default()
        },
    );
    let started = Instant::now();
    publish(&served, 1..=2);
    disturb(&served, Disturbance::default());
    publish(&served, 3..=3);
    let mut early = client.subscribe(ALL, ReplayPreset::Latest, b"", 10).await;
    assert_eq!(
        call.events(3)
            .await
            .iter()
            .map(|event| event.commit_number)
            .collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert!(started.elapsed() >= delay, "{:?}", started.elapsed());
    // Hidden events are still to come for somebody who asks for new ones.
    assert_eq!(early.events(3).await.len(), 3);
}

/// Change Data Capture guide, gap events: header only, sequence number 1.
#[tokio::test]
async fn the_next_change_becomes_a_gap() {
    let served = Served::new(Orgs::new());
    publish(&served, 1..=1);
    disturb(
        &served,
        Disturbance {
            gap: true,
            ..Disturbance::default()
        },
    );
    served.bus.publish(commit(2, vec![created(2), created(3)]));
    let mut call = served
        .client()
        .await
        .subscribe(ALL, ReplayPreset::Earliest, b"", 10)
        .await;
    let events = call.events(3).await;
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["CREATE", "GAP_CREATE", "CREATE"]);
    let gap = &events[1];
    assert_eq!(
        (gap.body.len(), gap.changed.len(), gap.sequence, gap.commit_number),
        (0, 0, 1, 2)
    );
    assert_eq!(gap.records, [crate::orgs::id(2)]);
    assert_eq!(events[2].sequence, 2);
}

#[tokio::test]
async fn expired_ids_are_corrupted_and_their_events_gone() {
    let served = Served::new(Orgs::new());
    publish(&served, 1..=4);
    let mut client = served.client().await;
    let old = client
        .subscribe(ALL, ReplayPreset::Earliest, b"", 4)
        .await
        .events(4)
        .await;
    // A subscriber that is behind the point has lost events, and is told so.
    let mut behind = client.subscribe(ALL, ReplayPreset::Earliest, b"", 1).await;
    behind.events(1).await;
    let point = Some(old[2].replay.clone());
    disturb(
        &served,
        Disturbance {
            expire_replay_before: point,
            ..Disturbance::default()
        },
    );
    served.bus.settled().await;
    behind.more(1).await;
    let corrupted = Some("subscription.fetch.replayid.corrupted");
    assert_eq!(error_code(&behind.error().await), corrupted);
    let status = client
        .subscribe(ALL, ReplayPreset::Custom, &old[1].replay, 1)
        .await
        .error()
        .await;
    assert_eq!(error_code(&status), corrupted);
    let mut earliest = client.subscribe(ALL, ReplayPreset::Earliest, b"", 10).await;
    assert_eq!(
        earliest
            .events(2)
            .await
            .iter()
            .map(Told::replay_number)
            .collect::<Vec<_>>(),
        [old[2].replay_number(), old[3].replay_number()]
    );
    let mut custom = client.subscribe(ALL, ReplayPreset::Custom, &old[2].replay, 10).await;
    assert_eq!(custom.events(1).await[0].replay, old[3].replay);
}

#[tokio::test]
async fn a_point_ahead_of_the_bus_expires_everything_but_nothing_to_come() {
    let served = Served::new(Orgs::new());
    publish(&served, 1..=2);
    disturb(
        &served,
        Disturbance {
            expire_replay_before: Some(vec![0x7F; 8]),
            ..Disturbance::default()
        },
    );
    publish(&served, 3..=3);
    let mut call = served
        .client()
        .await
        .subscribe(ALL, ReplayPreset::Earliest, b"", 10)
        .await;
    assert_eq!(call.events(1).await[0].commit_number, 3);
}

/// Change Data Capture guide, overflow events: the rest of a very large transaction is one event an object.
#[tokio::test]
async fn very_large_transactions_overflow() {
    let served = Served::with(
        Orgs::new(),
        BusOptions {
            overflow_at: 3,
            ..BusOptions::default()
        },
    );
    served.bus.publish(commit(1, (1..=6).map(created).collect()));
    publish(&served, 7..=7);
    let mut call = served
        .client()
        .await
        .subscribe(ALL, ReplayPreset::Earliest, b"", 10)
        .await;
    let events = call.events(5).await;
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["CREATE", "CREATE", "CREATE", "GAP_OVERFLOW", "CREATE"]);
    assert_eq!(
        (events[3].records.len(), events[3].body.len(), events[3].sequence),
        (1, 0, 1)
    );
    assert!(!events[3].records[0].starts_with("003"));
}

#[tokio::test]
async fn an_event_may_come_twice_under_another_replay_id() {
    let served = Served::new(Orgs::new());
    let twice = Disturbance {
        duplicate_percent: 100.0,
        ..Disturbance::default()
    };
    disturb(&served, twice);
    publish(&served, 1..=2);
    let mut call = served
        .client()
        .await
        .subscribe(ALL, ReplayPreset::Earliest, b"", 10)
        .await;
    let told = call.events(4).await;
    let numbers: Vec<i64> = told.iter().map(|event| event.commit_number).collect();
    assert_eq!(numbers, [1, 1, 2, 2]);
    assert!(told.is_sorted_by(|a, b| a.replay < b.replay));
}

#[tokio::test]
async fn an_event_may_overtake_another_of_its_transaction() {
    let served = Served::new(Orgs::new());
    let swapped = Disturbance {
        swap_percent: 100.0,
        ..Disturbance::default()
    };
    disturb(&served, swapped);
    served.bus.publish(commit(1, (1..=3).map(created).collect()));
    served.bus.publish(commit(2, vec![created(4)]));
    let mut call = served
        .client()
        .await
        .subscribe(ALL, ReplayPreset::Earliest, b"", 10)
        .await;
    let told = call.events(4).await;
    let records: Vec<&str> = told.iter().map(|event| event.records[0].as_str()).collect();
    let expected: Vec<String> = [2, 3, 1, 4].map(crate::orgs::id).to_vec();
    assert_eq!(records, expected, "transactions stay in order");
    assert!(told.is_sorted_by(|a, b| a.replay < b.replay));
}

#[tokio::test]
async fn streams_end_with_the_error_that_was_asked_for() {
    let served = Served::new(Orgs::new());
    let mut client = served.client().await;
    for (code, told) in [
        ("service.unavailable", Some("service.unavailable")),
        ("service.auth.error", Some("service.auth.error")),
        ("reset", None),
    ] {
        let mut call = client.subscribe(ALL, ReplayPreset::Earliest, b"", 10).await;
        publish(&served, 1..=1);
        call.events(1).await;
        let end = Disturbance {
            end_streams: Some(code.to_owned()),
            ..Disturbance::default()
        };
        disturb(&served, end);
        let error = call.error().await;
        assert_eq!(error_code(&error), told, "{code}");
    }
    // A stream that comes later lives.
    let mut call = client.subscribe(ALL, ReplayPreset::Earliest, b"", 10).await;
    assert_eq!(call.events(1).await.len(), 1);
}

#[tokio::test]
async fn a_silent_stream_gives_no_sign_and_speaks_again() {
    let options = BusOptions {
        keep_alive: Duration::from_millis(30),
        ..BusOptions::default()
    };
    let served = Served::with(Orgs::new(), options);
    let mut call = served
        .client()
        .await
        .subscribe(ALL, ReplayPreset::Earliest, b"", 10)
        .await;
    assert!(call.next().await.unwrap().unwrap().events.is_empty(), "a sign of life");
    let silent = Disturbance {
        silent: true,
        ..Disturbance::default()
    };
    disturb(&served, silent);
    served.bus.settled().await;
    publish(&served, 1..=1);
    served.bus.settled().await;
    // What was sent before the silence may still come.
    let quiet = async {
        while let Ok(Some(response)) = call.responses.message().await {
            assert!(response.events.is_empty());
        }
    };
    assert!(tokio::time::timeout(Duration::from_millis(300), quiet).await.is_err());
    disturb(&served, Disturbance::default());
    assert_eq!(call.events(1).await[0].commit_number, 1);
}

#[tokio::test]
async fn too_many_streams_are_refused() {
    let served = Served::new(Orgs::new());
    let one = Disturbance {
        max_clients: Some(1),
        ..Disturbance::default()
    };
    disturb(&served, one);
    publish(&served, 1..=1);
    let mut client = served.client().await;
    let mut first = client.subscribe(ALL, ReplayPreset::Earliest, b"", 10).await;
    first.events(1).await;
    let mut second = client.subscribe(ALL, ReplayPreset::Earliest, b"", 10).await;
    let error = second.error().await;
    assert_eq!(error_code(&error), Some("concurrent.client.limit.exceeded"));
}
