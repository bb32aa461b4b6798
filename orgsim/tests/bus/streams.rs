//! Subscribe: presets, flow control, keep-alives, endings.

use std::time::Duration;

use orgsim::bus::BusOptions;
use orgsim::commit::CommitSink;
use orgsim::wire::{FetchRequest, ReplayPreset};
use tonic::Code;

use crate::client::{PATIENCE, Served, error_code};
use crate::orgs::{ORG, Orgs, commit, created};
use crate::reader::Told;

const ALL: &str = "/data/ChangeEvents";

fn numbers(events: &[Told]) -> Vec<i64> {
    events.iter().map(|event| event.commit_number).collect()
}

fn publish(served: &Served, numbers: std::ops::RangeInclusive<u32>) {
    numbers.for_each(|number| served.bus.publish(commit(number.into(), vec![created(number)])));
}

/// Keep-alives come often enough to tell a test what the bus has understood.
fn talkative() -> BusOptions {
    BusOptions {
        keep_alive: Duration::from_millis(50),
        ..BusOptions::default()
    }
}

#[tokio::test]
async fn presets_choose_the_start() {
    let served = Served::with(Orgs::new(), talkative());
    publish(&served, 1..=4);
    let mut client = served.client().await;
    let mut latest = client.subscribe(ALL, ReplayPreset::Latest, b"", 10).await;
    let mut earliest = client.subscribe(ALL, ReplayPreset::Earliest, b"", 10).await;
    let old = earliest.events(4).await;
    assert_eq!(numbers(&old), [1, 2, 3, 4]);
    // Strictly after the id, in both forms.
    for id in [&old[1].replay[..], &old[1].replay[..8]] {
        let mut custom = client.subscribe(ALL, ReplayPreset::Custom, id, 10).await;
        assert_eq!(numbers(&custom.events(2).await), [3, 4]);
    }
    // The empty response proves that the call has started.
    assert!(latest.next().await.unwrap().unwrap().events.is_empty());
    publish(&served, 5..=5);
    assert_eq!(numbers(&latest.events(1).await), [5]);
}

/// Only the commits and the seed decide which ids are given away.
#[tokio::test]
async fn the_same_seed_gives_the_same_ids() {
    let mut runs = Vec::new();
    for calls in [1, 3] {
        let served = Served::new(Orgs::new());
        let mut client = served.client().await;
        for _ in 0..calls {
            client
                .subscribe(ALL, ReplayPreset::Earliest, b"", 0)
                .await
                .error()
                .await;
        }
        publish(&served, 1..=30);
        runs.push(
            client
                .subscribe(ALL, ReplayPreset::Earliest, b"", 30)
                .await
                .events(30)
                .await,
        );
    }
    assert_eq!(runs[0], runs[1]);
}

/// Ids increase but are not contiguous (Pub/Sub API guide, "Event Message Durability").
#[tokio::test]
async fn replay_ids_grow_with_gaps() {
    let served = Served::new(Orgs::new());
    publish(&served, 1..=60);
    let mut call = served
        .client()
        .await
        .subscribe(ALL, ReplayPreset::Earliest, b"", 60)
        .await;
    let ids: Vec<u64> = call.events(60).await.iter().map(Told::replay_number).collect();
    assert!(ids.is_sorted_by(|a, b| a < b));
    assert!(ids.windows(2).any(|pair| pair[1] - pair[0] > 1), "{ids:?}");
}

#[tokio::test]
async fn topics_select_objects() {
    let served = Served::new(Orgs::new());
    let mut client = served.client().await;
    let account = crate::orgs::change(
        "Account",
        "001000000000001AAA",
        orgsim::commit::ChangeKind::Create,
        serde_json::json!({}),
        serde_json::json!({"Name": "Acme"}),
    );
    served.bus.publish(commit(1, vec![created(1), account]));
    publish(&served, 2..=2);
    for (topic, expected) in [
        (ALL, vec!["Contact", "Account", "Contact"]),
        ("/data/AccountChangeEvent", vec!["Account"]),
    ] {
        let mut call = client.subscribe(topic, ReplayPreset::Earliest, b"", 10).await;
        let events = call.events(expected.len()).await;
        assert_eq!(
            events.iter().map(|event| event.entity.as_str()).collect::<Vec<_>>(),
            expected
        );
    }
}

/// Requests add up to at most 100 outstanding; nothing beyond them is delivered.
#[tokio::test]
async fn no_more_comes_than_was_asked_for() {
    let served = Served::with(Orgs::new(), talkative());
    publish(&served, 1..=150);
    let mut client = served.client().await;
    let mut call = client.subscribe(ALL, ReplayPreset::Earliest, b"", 3).await;
    let response = call.next().await.unwrap().unwrap();
    assert_eq!((response.events.len(), response.pending_num_requested), (3, 0));
    assert_eq!(response.latest_replay_id, response.events[2].replay_id);
    call.more(2).await;
    assert_eq!(call.next().await.unwrap().unwrap().events.len(), 2);
    // Asked for 120 before there is anything to get: 100 are outstanding, and 100 come.
    let mut flooded = client.subscribe(ALL, ReplayPreset::Latest, b"", 60).await;
    flooded.more(60).await;
    while flooded.next().await.unwrap().unwrap().pending_num_requested != 100 {}
    publish(&served, 151..=300);
    let mut got = 0;
    loop {
        let response = flooded.next().await.unwrap().unwrap();
        got += response.events.len();
        if response.pending_num_requested == 0 {
            break;
        }
    }
    assert_eq!(got, 100);
}

/// Later requests may leave the topic empty or repeat it; preset and replay id of later requests are ignored.
#[tokio::test]
async fn the_first_request_fixes_topic_and_start() {
    let served = Served::new(Orgs::new());
    publish(&served, 1..=3);
    let mut call = served
        .client()
        .await
        .subscribe(ALL, ReplayPreset::Earliest, b"", 1)
        .await;
    assert_eq!(numbers(&call.events(1).await), [1]);
    let later = FetchRequest {
        topic_name: ALL.into(),
        replay_preset: ReplayPreset::Custom.into(),
        replay_id: b"nonsense"[..].into(),
        num_requested: 1,
        auth_refresh: String::new(),
    };
    call.requests.as_ref().unwrap().send(later.clone()).await.unwrap();
    assert_eq!(numbers(&call.events(1).await), [2]);
    let other = FetchRequest {
        topic_name: "/data/ContactChangeEvent".into(),
        ..later
    };
    call.requests.as_ref().unwrap().send(other).await.unwrap();
    assert_eq!(call.error().await.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_quiet_stream_gets_empty_responses_that_can_be_resumed_from() {
    let served = Served::with(Orgs::new(), talkative());
    publish(&served, 1..=2);
    let mut client = served.client().await;
    let mut call = client
        .subscribe("/data/AccountChangeEvent", ReplayPreset::Earliest, b"", 5)
        .await;
    let first = call.next().await.unwrap().unwrap();
    assert_eq!((first.events.len(), first.pending_num_requested), (0, 5));
    assert_eq!(first.latest_replay_id.len(), 10);
    let second = call.next().await.unwrap().unwrap();
    assert_eq!(
        (second.events.len(), &second.latest_replay_id),
        (0, &first.latest_replay_id)
    );
    publish(&served, 3..=3);
    // Ahead of the two events of other topics: only the third is after it.
    let mut resumed = client
        .subscribe(ALL, ReplayPreset::Custom, &first.latest_replay_id, 5)
        .await;
    assert_eq!(numbers(&resumed.events(1).await), [3]);
}

#[tokio::test]
async fn a_stream_that_asks_for_nothing_is_closed() {
    let options = BusOptions {
        idle_close: Duration::from_millis(100),
        ..BusOptions::default()
    };
    let served = Served::with(Orgs::new(), options);
    publish(&served, 1..=1);
    let mut client = served.client().await;
    let mut call = client.subscribe(ALL, ReplayPreset::Earliest, b"", 1).await;
    assert_eq!(numbers(&call.events(1).await), [1]);
    assert_eq!(call.next().await.unwrap(), None);
    // The same for a call without any request.
    assert_eq!(client.open().await.next().await.unwrap(), None);
}

#[tokio::test]
async fn what_was_asked_for_comes_after_the_last_request_too() {
    let served = Served::new(Orgs::new());
    let mut call = served
        .client()
        .await
        .subscribe(ALL, ReplayPreset::Earliest, b"", 2)
        .await;
    call.requests = None;
    publish(&served, 1..=3);
    assert_eq!(numbers(&call.events(2).await), [1, 2]);
    assert_eq!(call.next().await.unwrap(), None);
}

/// Each response stays under 3 MB.
#[tokio::test]
async fn big_events_come_in_several_responses() {
    let served = Served::new(Orgs::new());
    for number in 1..=5 {
        let row = serde_json::json!({"LastName": "x".repeat(900_000)});
        let kind = orgsim::commit::ChangeKind::Create;
        let change = crate::orgs::change("Contact", &crate::orgs::id(number), kind, serde_json::json!({}), row);
        served.bus.publish(commit(number.into(), vec![change]));
    }
    let mut call = served
        .client()
        .await
        .subscribe(ALL, ReplayPreset::Earliest, b"", 5)
        .await;
    let mut sizes = Vec::new();
    while sizes.iter().sum::<usize>() < 5 {
        sizes.push(call.next().await.unwrap().unwrap().events.len());
    }
    assert!(sizes.iter().all(|size| *size <= 3), "{sizes:?}");
}

#[tokio::test]
async fn subscribers_over_tls_get_the_same_events() {
    let served = Served::new(Orgs::new());
    publish(&served, 1..=2);
    let mut plain = served
        .client()
        .await
        .subscribe(ALL, ReplayPreset::Earliest, b"", 2)
        .await;
    let mut tls = served
        .tls_client()
        .await
        .subscribe(ALL, ReplayPreset::Earliest, b"", 2)
        .await;
    assert_eq!(plain.events(2).await, tls.events(2).await);
}

#[tokio::test]
async fn only_what_is_retained_can_be_read() {
    let options = BusOptions {
        retained_events: 3,
        ..BusOptions::default()
    };
    let served = Served::with(Orgs::new(), options);
    let mut client = served.client().await;
    publish(&served, 1..=2);
    let gone = client
        .subscribe(ALL, ReplayPreset::Earliest, b"", 2)
        .await
        .events(2)
        .await;
    publish(&served, 3..=5);
    let mut earliest = client.subscribe(ALL, ReplayPreset::Earliest, b"", 10).await;
    assert_eq!(numbers(&earliest.events(3).await), [3, 4, 5]);
    // Also the newest id that is gone, after which nothing would be missing: the bus does not know it any more.
    for event in gone {
        let status = client
            .subscribe(ALL, ReplayPreset::Custom, &event.replay, 1)
            .await
            .error()
            .await;
        assert_eq!(
            error_code(&status),
            Some("subscription.fetch.replayid.corrupted"),
            "{}",
            event.commit_number
        );
    }
}

/// Whoever asks for new events gets none of a commit that was published before.
#[tokio::test]
async fn latest_starts_after_everything_published() {
    let served = Served::with(Orgs::new(), talkative());
    let mut client = served.client().await;
    publish(&served, 1..=3_000);
    let mut call = client.subscribe(ALL, ReplayPreset::Latest, b"", 10).await;
    assert!(call.next().await.unwrap().unwrap().events.is_empty());
    publish(&served, 3_001..=3_001);
    assert_eq!(numbers(&call.events(1).await), [3_001]);
}

/// 72 hours (Pub/Sub API guide, "Event Message Durability"), by the org's own clock.
#[tokio::test]
async fn events_are_kept_for_72_hours() {
    let served = Served::new(Orgs::new());
    let hour = 3_600_000;
    for (number, hours) in [(1, 0), (2, 1), (3, 73)] {
        let mut commit = commit(number, vec![created(1)]);
        commit.commit_ms += hours * hour - i64::from(hours == 73) * 60_000;
        served.bus.publish(commit);
    }
    let mut call = served
        .client()
        .await
        .subscribe(ALL, ReplayPreset::Earliest, b"", 10)
        .await;
    assert_eq!(numbers(&call.events(2).await), [2, 3]);
}

#[tokio::test]
async fn a_used_up_allowance_ends_streams_and_refuses_new_ones() {
    let served = Served::new(Orgs::new());
    served.bus.set_delivery_allowance(ORG, Some(3));
    publish(&served, 1..=5);
    let mut client = served.client().await;
    let mut call = client.subscribe(ALL, ReplayPreset::Earliest, b"", 10).await;
    let got = call.events(3).await;
    for mut ended in [call, client.subscribe(ALL, ReplayPreset::Latest, b"", 1).await] {
        let status = ended.error().await;
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(error_code(&status), Some("subscription.limit.exceeded"));
        assert!(
            status
                .message()
                .starts_with("You have exceeded the event delivery limit for your org.")
        );
    }
    served.bus.set_delivery_allowance(ORG, None);
    let mut call = client.subscribe(ALL, ReplayPreset::Custom, &got[2].replay, 10).await;
    assert_eq!(numbers(&call.events(2).await), [4, 5]);
    assert_eq!(served.bus.delivered(ORG), 5);
}

#[tokio::test]
async fn a_stop_ends_open_streams() {
    let mut served = Served::new(Orgs::new());
    publish(&served, 1..=1);
    let mut call = served
        .client()
        .await
        .subscribe(ALL, ReplayPreset::Earliest, b"", 2)
        .await;
    call.events(1).await;
    served.stop();
    let status = call.error().await;
    assert_eq!(
        (status.code(), error_code(&status)),
        (Code::Internal, Some("service.unavailable"))
    );
    drop(call);
    tokio::time::timeout(PATIENCE, &mut served.server)
        .await
        .unwrap()
        .unwrap();
}

/// Nothing of a call stays behind when its client leaves, whether it waits for events or has none to come.
#[tokio::test]
async fn clients_that_leave_leave_nothing_behind() {
    let served = Served::new(Orgs::new());
    publish(&served, 1..=1);
    let mut client = served.client().await;
    let mut calls = Vec::new();
    for requested in [1, 5, 100] {
        let mut call = client.subscribe(ALL, ReplayPreset::Earliest, b"", requested).await;
        call.events(1).await;
        calls.push(call);
    }
    assert_eq!(served.bus.subscribers(ORG), 3);
    drop(calls);
    let all_gone = async {
        while served.bus.subscribers(ORG) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all_gone)
        .await
        .expect("calls outlive their clients");
}
