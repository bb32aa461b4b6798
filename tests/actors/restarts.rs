//! Panics: rebuilt with growing pauses, parked after five, neighbours untouched; lives and late answers.

use std::sync::Arc;
use std::time::Duration;

use tandem::port::directory::TenantState;
use tandem::telemetry::panics::WITHHELD;
use tokio::sync::Notify;

use crate::world::{SOON, World, local, name, pass, within};

#[tokio::test(start_paused = true)]
async fn a_panic_is_rebuilt_with_pauses_and_parked_after_five() {
    local(async {
        let world = World::default();
        world.with("bad", |t| t.panic_on = Some("log"));
        let node = world.node("a", &["bad", "good"]);
        within(SOON, "first crash", || {
            world.count("bad", "built") == 1 && world.count("bad", "log") == 1
        })
        .await;
        let status = |t: &str| node.directory.tenant(&name(t)).unwrap();
        within(Duration::from_secs(60), "parked", || {
            status("bad").state == TenantState::Parked
        })
        .await;
        assert_eq!(world.count("bad", "built"), 5);
        assert_eq!(status("bad").crashes, 5);
        assert_eq!(status("bad").last_panic.as_deref(), Some(WITHHELD));
        assert_eq!(status("good").crashes, 0);
        world.append("bad");
        pass(Duration::from_secs(600)).await;
        assert_eq!(
            world.count("bad", "built"),
            5,
            "a parked tenant is not woken by appends"
        );
        world.with("bad", |t| t.panic_on = None);
        within(Duration::from_secs(3_600), "tried once more", || {
            status("bad").state == TenantState::Quiet
        })
        .await;
        assert_eq!(world.count("bad", "built"), 6);
        assert_eq!(world.count("good", "built"), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn answers_to_an_earlier_life_are_dropped() {
    local(async {
        let world = World::default();
        let gate = Arc::new(Notify::new());
        world.with("acme", |t| t.hold_log = Some(Arc::clone(&gate)));
        let _node = world.node("a", &["acme"]);
        within(SOON, "attached", || world.count("acme", "attached 1") == 1).await;
        // Its read hangs; the lane breaks under it (the event's commit finds out); the next life reads at once.
        within(SOON, "subscribed", || world.with("acme", |t| t.events.is_some())).await;
        world.with("acme", |t| t.hold_log = None);
        world.break_lanes();
        world.event("acme", 5, 1);
        within(SOON, "second life", || world.count("acme", "log") == 1).await;
        assert_eq!(world.count("acme", "attached 2"), 1);
        assert_eq!(
            world.count("acme", "lost"),
            1,
            "lost once, however many requests failed"
        );
        pass(SOON).await;
        let before = world.count("acme", "log");
        gate.notify_waiters();
        pass(Duration::from_secs(1)).await;
        assert_eq!(
            world.count("acme", "log"),
            before,
            "the first life's answer came too late: {:?}",
            world.told("acme")
        );
        assert_eq!(world.count("acme", "built"), 1, "a new life is no new actor");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_orgs_client_is_an_unknown_outcome() {
    local(async {
        let world = World::default();
        world.with("acme", |t| {
            t.work = 1;
            t.org_panics = true;
        });
        let _node = world.node("a", &["acme"]);
        within(SOON, "answered", || world.count("acme", "failed") == 1).await;
        assert_eq!(world.count("acme", "built"), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_cannot_be_built_harms_nobody_else() {
    local(async {
        let world = World::default();
        world.with("bad", |t| t.panic_on = Some("built"));
        let node = world.node("a", &["bad", "good"]);
        let state = |t: &str| node.directory.tenant(&name(t)).unwrap().state;
        within(Duration::from_secs(60), "parked", || {
            state("bad") == TenantState::Parked
        })
        .await;
        assert_eq!(world.count("good", "built"), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_dies_is_started_again_with_its_tenants() {
    local(async {
        let world = World::default();
        let node = world.node("a", &["acme", "beta"]);
        let quiet = || {
            node.directory
                .tenants(None, 9)
                .iter()
                .all(|t| t.state == TenantState::Quiet)
        };
        within(
            Duration::from_secs(60),
            "quiet: only the shard asks for the time",
            quiet,
        )
        .await;
        world.state().clock_panics = true;
        within(SOON, "crashed", || !world.state().clock_panics).await;
        within(SOON, "again", || {
            ["acme", "beta"].iter().all(|t| world.count(t, "attached 2") == 1)
        })
        .await;
        pass(SOON).await;
        assert!(
            ["acme", "beta"].iter().all(|t| world.with(t, |t| t.open) == 1),
            "its streams ended with it"
        );
        assert_eq!(world.state().fatal.len(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_node_ends_the_process() {
    local(async {
        let world = World::default();
        let _node = world.node("a", &["acme"]);
        within(SOON, "live", || world.count("acme", "log") == 1).await;
        world.state().node_panics = true;
        within(SOON, "fatal", || world.state().fatal.len() == 1).await;
        assert!(world.state().fatal[0].contains("the test made the node panic"));
    })
    .await;
}
