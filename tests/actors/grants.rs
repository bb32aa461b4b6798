//! Workers: grants before work, one batch a worker, fair shares.

use std::time::Duration;

use tandem::telemetry::Telemetry;

use crate::world::{SOON, World, local, within};

#[tokio::test(start_paused = true)]
async fn no_more_batches_run_than_there_are_workers_and_each_was_granted() {
    local(async {
        let world = World::default();
        world.with("acme", |t| {
            t.work = 9;
            t.org_takes = Duration::from_millis(100);
        });
        let _node = world.node_at("a", &["acme"], Vec::new(), Telemetry::new().unwrap().into(), 3);
        within(SOON, "all answered", || world.count("acme", "answered") == 9).await;
        assert_eq!(world.count("acme", "granted"), 9);
        let calls = world.state().calls.clone();
        for (_, begun, _) in &calls {
            let at_once = calls.iter().filter(|(_, b, e)| b <= begun && begun < e).count();
            assert!(at_once <= 3, "{at_once} batches at once on 3 workers");
        }
        let told = world.told("acme");
        let (mut granted, mut answered) = (0_i64, 0);
        for word in told {
            granted += i64::from(word == "granted");
            answered += i64::from(word == "answered");
            assert!(granted - answered <= 3);
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_org_with_much_work_does_not_hold_up_a_quick_one() {
    local(async {
        let world = World::default();
        world.with("slow", |t| {
            t.work = 40;
            t.org_takes = Duration::from_secs(2);
        });
        world.with("quick", |t| {
            t.work = 40;
            t.org_takes = Duration::from_millis(20);
        });
        let _node = world.node("a", &["slow", "quick"]);
        within(Duration::from_secs(120), "the quick one is done", || {
            world.count("quick", "answered") == 40
        })
        .await;
        let slow = world.count("slow", "answered");
        assert!(slow <= 8, "the slow org had {slow} turns of 2 s meanwhile");
        within(Duration::from_secs(120), "the slow one, too", || {
            world.count("slow", "answered") == 40
        })
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_ends_is_given_up_as_unknown() {
    local(async {
        let world = World::default();
        world.with("acme", |t| {
            t.work = 1;
            t.org_takes = Duration::from_secs(100_000);
        });
        let _node = world.node("a", &["acme"]);
        within(Duration::from_secs(250), "given up", || {
            world.count("acme", "failed") == 1
        })
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_dies_with_a_grant_gives_it_back() {
    local(async {
        let world = World::default();
        world.with("bad", |t| {
            t.work = 2;
            t.panic_on = Some("granted");
        });
        let _node = world.node("a", &["bad", "good"]);
        within(Duration::from_secs(60), "crashed", || {
            world.count("bad", "granted") >= 1
        })
        .await;
        world.with("good", |t| t.work = 4);
        world.append("good");
        within(SOON, "others work on", || world.count("good", "answered") == 4).await;
    })
    .await;
}
