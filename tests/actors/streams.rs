//! Change streams: one a tenant, kept through passivation, one batch at a time, opened anew where Redis says.

use std::time::Duration;

use tandem::port::changes::ChangesError;
use tandem::port::directory::TenantState;

use crate::world::{SOON, World, local, name, pass, within};

fn broken() -> ChangesError {
    ChangesError::Broken {
        topic: "t".into(),
        detail: "the test".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_tenant_keeps_its_stream_and_its_event_wakes_it() {
    local(async {
        let world = World::default();
        let node = world.node("a", &["acme"]);
        let state = || node.directory.tenant(&name("acme")).unwrap().state;
        within(SOON, "live", || state() == TenantState::Live).await;
        world.event("acme", 1, 1);
        within(SOON, "taken in", || world.count("acme", "events 1x1") == 1).await;
        within(Duration::from_secs(40), "quiet", || state() == TenantState::Quiet).await;
        assert_eq!(world.with("acme", |t| t.open), 1, "the stream stays open");
        // A keep-alive wakes nobody for an hour.
        world.event("acme", 2, 0);
        pass(Duration::from_secs(5)).await;
        assert_eq!(state(), TenantState::Quiet);
        world.event("acme", 3, 2);
        within(SOON, "woken", || world.count("acme", "events 3x2") == 1).await;
        assert_eq!(world.with("acme", |t| t.subscribed), 1, "nothing was opened anew");
        assert_eq!(world.count("acme", "built"), 2);
        world.event("acme", 4, 1);
        within(SOON, "goes on", || world.count("acme", "events 4x1") == 1).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_keep_alive_wakes_a_quiet_tenant_once_an_hour_so_that_its_place_stays_young() {
    local(async {
        let world = World::default();
        let node = world.node("a", &["acme"]);
        let state = || node.directory.tenant(&name("acme")).unwrap().state;
        within(Duration::from_secs(40), "quiet", || state() == TenantState::Quiet).await;
        for minute in 1..=90 {
            world.event("acme", minute, 0);
            pass(Duration::from_secs(60)).await;
        }
        let woken = world.told("acme").iter().filter(|w| w.starts_with("events")).count();
        assert_eq!(woken, 1, "{:?}", world.told("acme"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_broken_stream_is_opened_after_the_last_event_and_never_twice() {
    local(async {
        let world = World::default();
        let _node = world.node("a", &["acme"]);
        within(SOON, "subscribed", || world.with("acme", |t| t.open) == 1).await;
        world.event("acme", 7, 1);
        within(SOON, "committed", || world.count("acme", "committed") == 1).await;
        world.end_stream("acme", broken());
        within(SOON, "again", || world.count("acme", "from 7") == 1).await;
        assert_eq!(world.with("acme", |t| (t.subscribed, t.open)), (2, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_next_batch_waits_until_the_last_was_taken_in() {
    local(async {
        let world = World::default();
        let _node = world.node("a", &["acme"]);
        within(SOON, "subscribed", || world.with("acme", |t| t.open) == 1).await;
        for at in 1..=5 {
            world.event("acme", at, 1);
        }
        within(SOON, "all", || world.count("acme", "committed") == 5).await;
        let told: Vec<_> = world
            .told("acme")
            .into_iter()
            .filter(|w| w.starts_with("events") || w == "committed")
            .collect();
        let expected: Vec<_> = (1..=5)
            .flat_map(|n| [format!("events {n}x1"), "committed".to_owned()])
            .collect();
        assert_eq!(told, expected);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_cursor_is_told_also_to_a_quiet_tenant() {
    local(async {
        let world = World::default();
        let node = world.node("a", &["acme"]);
        let state = || node.directory.tenant(&name("acme")).unwrap().state;
        within(Duration::from_secs(40), "quiet", || state() == TenantState::Quiet).await;
        world.end_stream("acme", ChangesError::CursorLost { topic: "t".into() });
        within(SOON, "told", || world.count("acme", "cursor lost") == 1).await;
        within(SOON, "goes on from the oldest event still held", || {
            world.count("acme", "from earliest") == 2
        })
        .await;
        world.event("acme", 9, 1);
        within(SOON, "taken in", || world.count("acme", "events 9x1") == 1).await;
        assert_eq!(
            world.with("acme", |t| (t.subscribed, t.open)),
            (2, 1),
            "its own wish to subscribe found it open"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_a_crash_swallowed_is_read_again() {
    local(async {
        let world = World::default();
        let _node = world.node("a", &["acme"]);
        within(SOON, "subscribed", || world.with("acme", |t| t.open) == 1).await;
        world.event("acme", 1, 1);
        within(SOON, "stored", || world.count("acme", "committed") == 1).await;
        world.with("acme", |t| t.panic_on = Some("events 2x1"));
        world.event("acme", 2, 1);
        within(SOON, "crashed", || world.count("acme", "events 2x1") == 1).await;
        world.with("acme", |t| t.panic_on = None);
        within(SOON, "opened where Redis says", || world.count("acme", "from 1") == 1).await;
        world.event("acme", 2, 1);
        within(SOON, "taken in", || world.count("acme", "committed") == 2).await;
        assert_eq!(world.with("acme", |t| t.open), 1);
    })
    .await;
}
