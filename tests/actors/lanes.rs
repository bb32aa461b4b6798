//! A broken connection: every tenant of the shard attaches again, also those that ask for nothing.

use std::time::Duration;

use tandem_core::domain::ids::Epoch;

use crate::world::{SOON, World, local, pass, within};

const TENANTS: [&str; 12] = ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9", "t10", "t11"];

#[tokio::test(start_paused = true)]
async fn all_tenants_attach_again_on_a_new_lane() {
    local(async {
        let world = World::default();
        let _node = world.node("a", &TENANTS);
        within(SOON, "all live", || TENANTS.iter().all(|t| world.count(t, "log") == 1)).await;
        assert_eq!(world.state().lanes_opened, 1);
        world.break_lanes();
        world.append("t3");
        within(SOON, "all again", || {
            TENANTS.iter().all(|t| world.count(t, "attached 2") == 1)
        })
        .await;
        assert!(
            TENANTS
                .iter()
                .all(|t| world.count(t, "lost") == 1 && world.count(t, "built") == 1)
        );
        assert_eq!(world.state().lanes_opened, 2);
        pass(Duration::from_secs(20)).await;
        assert!(
            TENANTS.iter().all(|t| world.count(t, "lost") == 1),
            "and then there is peace"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_earlier_owners_left_in_the_outbox_is_forwarded() {
    local(async {
        let world = World::default();
        world.with("acme", |t| t.outbox = (1..=450).collect());
        let _node = world.node("a", &["acme"]);
        within(SOON, "forwarded", || {
            world.with("acme", |t| t.feed.len() == 450 && t.outbox.is_empty())
        })
        .await;
        world.with("acme", |t| assert_eq!(t.feed, (1..=450).collect::<Vec<_>>()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_forwarder_that_breaks_off_begins_at_the_beginning_and_repeats_nothing() {
    local(async {
        let world = World::default();
        world.with("acme", |t| {
            t.outbox = (1..=450).collect();
            t.forwards_left = Some(1);
        });
        let _node = world.node("a", &["acme"]);
        within(SOON, "forwarded", || {
            world.with("acme", |t| t.feed.len() == 450 && t.outbox.is_empty())
        })
        .await;
        world.with("acme", |t| assert_eq!(t.feed, (1..=450).collect::<Vec<_>>()));
        assert_eq!(
            world.count("acme", "attached 2"),
            1,
            "a broken connection is one for the machine, too"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_attach_takes_the_lease_anew_above() {
    local(async {
        let world = World::default();
        world.with("acme", |t| t.epoch_seen = 1_000);
        let node = world.node("a", &["acme"]);
        within(Duration::from_secs(30), "attached", || {
            world.count("acme", "attached 1") == 1
        })
        .await;
        let status = &node.directory.tenants(None, 10)[0];
        assert!(Epoch(status.partition_epoch) > Epoch(1_000));
    })
    .await;
}
