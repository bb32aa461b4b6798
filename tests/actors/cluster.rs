//! Leases: shared, given back, lost, taken over.

use std::time::Duration;

use tandem::port::directory::TenantState;

use crate::world::{SOON, World, local, name, pass, within};

const TENANTS: [&str; 16] = [
    "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7",
];

fn held_by(world: &World, node: &str) -> usize {
    TENANTS
        .iter()
        .filter(|t| world.holder(t).as_deref() == Some(node))
        .count()
}

#[tokio::test(start_paused = true)]
async fn two_nodes_share_and_one_takes_over_what_the_other_leaves() {
    local(async {
        let world = World::default();
        let first = world.node("first", &TENANTS);
        within(SOON, "all live", || TENANTS.iter().all(|t| world.count(t, "log") == 1)).await;
        let second = world.node("second", &TENANTS);
        let shared = || {
            (3..=13).contains(&held_by(&world, "second")) && held_by(&world, "first") + held_by(&world, "second") == 16
        };
        within(Duration::from_secs(20), "shared", shared).await;
        let live_on = |directory: &dyn tandem::port::directory::Directory| {
            directory
                .tenants(None, 100)
                .iter()
                .filter(|t| t.state != TenantState::Elsewhere)
                .count()
        };
        within(SOON, "each works on its own", || {
            live_on(&*first.directory) + live_on(&*second.directory) == 16
        })
        .await;
        let handed: Vec<_> = TENANTS
            .iter()
            .filter(|t| world.holder(t).as_deref() == Some("second"))
            .collect();
        assert!(
            handed.iter().all(|t| world.count(t, "drain") == 1),
            "handed over in order"
        );
        // Killed: nothing is given back, so leases must lapse.
        drop(second);
        within(Duration::from_secs(40), "taken over", || {
            held_by(&world, "first") == 16 && live_on(&*first.directory) == 16
        })
        .await;
        assert!(TENANTS.iter().all(|t| world.with(t, |t| t.open) <= 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_what_runs_and_gives_all_leases_back() {
    local(async {
        let world = World::default();
        world.with("a0", |t| {
            t.work = 1;
            t.org_takes = Duration::from_secs(30);
        });
        let node = world.node("first", &TENANTS);
        within(SOON, "all live", || TENANTS.iter().all(|t| world.count(t, "log") == 1)).await;
        within(SOON, "in flight", || world.count("a0", "granted") == 1).await;
        assert!(node.drain().await, "clean");
        assert_eq!(held_by(&world, "first"), 0);
        assert_eq!(world.count("a0", "answered"), 1, "what was in flight has ended");
        assert!(
            TENANTS.iter().all(|t| world.with(t, |t| t.open) == 0),
            "streams are closed"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_after_its_grace() {
    local(async {
        let world = World::default();
        world.with("a0", |t| {
            t.work = 1;
            t.org_takes = Duration::from_secs(200);
        });
        let node = world.node("first", &TENANTS);
        within(SOON, "in flight", || world.count("a0", "granted") == 1).await;
        let begun = tokio::time::Instant::now();
        assert!(node.drain().await, "leases are given back all the same");
        assert!(begun.elapsed() < Duration::from_secs(65) && begun.elapsed() >= Duration::from_secs(60));
        assert_eq!(world.holder("a0"), None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_redis_does_not_answer_drops_its_tenants_before_others_may_have_them() {
    local(async {
        let world = World::default();
        let node = world.node("first", &["a0"]);
        within(SOON, "live", || world.count("a0", "log") == 1).await;
        world.state().cut_off.insert("first".to_owned());
        let state = || node.directory.tenant(&name("a0")).unwrap().state;
        within(Duration::from_secs(17), "dropped", || state() == TenantState::Elsewhere).await;
        assert_eq!(
            world.holder("a0").as_deref(),
            Some("first"),
            "while Redis still thinks that it is ours"
        );
        pass(Duration::from_secs(10)).await;
        assert_eq!(world.holder("a0"), None);
        world.state().cut_off.clear();
        within(Duration::from_secs(10), "back", || world.count("a0", "attached 2") == 1).await;
    })
    .await;
}
