//! How appends reach a tenant: the doorbell, and the sweep when nobody rings.

use std::time::Duration;

use tandem::port::directory::TenantState;

use crate::world::{SOON, World, local, name, pass, within};

#[tokio::test(start_paused = true)]
async fn an_append_wakes_live_and_quiet_tenants_at_once() {
    local(async {
        let world = World::default();
        let node = world.node("a", &["acme"]);
        within(SOON, "live", || world.count("acme", "log") == 1).await;
        pass(Duration::from_secs(6)).await;
        let before = world.count("acme", "wake");
        world.append("acme");
        within(Duration::from_millis(20), "woken", || {
            world.count("acme", "wake") == before + 1
        })
        .await;
        let state = || node.directory.tenant(&name("acme")).unwrap().state;
        within(Duration::from_secs(60), "quiet", || state() == TenantState::Quiet).await;
        let built = world.count("acme", "built");
        world.append("acme");
        within(Duration::from_millis(20), "started", || {
            world.count("acme", "built") == built + 1
        })
        .await;
        within(SOON, "reads", || state() == TenantState::Live).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_only_checks_its_log_goes_quiet() {
    local(async {
        let world = World::default();
        world.with("acme", |t| t.checks_every = Some(Duration::from_secs(20)));
        let node = world.node("a", &["acme"]);
        let state = || node.directory.tenant(&name("acme")).unwrap().state;
        within(Duration::from_secs(40), "quiet", || state() == TenantState::Quiet).await;
        assert_eq!(world.count("acme", "lengths"), 1, "it was checked before");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_sweep_finds_what_nobody_rang_for() {
    local(async {
        let world = World::default();
        let node = world.node("a", &["acme", "other"]);
        let state = |t: &str| node.directory.tenant(&name(t)).unwrap().state;
        within(Duration::from_secs(60), "quiet", || {
            state("acme") == TenantState::Quiet && state("other") == TenantState::Quiet
        })
        .await;
        world.state().deaf = true;
        let (built, reads) = (world.count("acme", "built"), world.count("other", "built"));
        world.append("acme");
        within(Duration::from_secs(6), "swept", || {
            world.count("acme", "built") == built + 1
        })
        .await;
        assert_eq!(
            world.count("other", "built"),
            reads,
            "only who has something new is woken"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_doorbell_that_breaks_is_opened_again_and_followed_by_a_sweep() {
    local(async {
        let world = World::default();
        let node = world.node("a", &["acme"]);
        let state = || node.directory.tenant(&name("acme")).unwrap().state;
        within(Duration::from_secs(60), "quiet", || state() == TenantState::Quiet).await;
        let built = world.count("acme", "built");
        world.state().doorbells.clear();
        world.append("acme");
        within(Duration::from_secs(4), "found", || {
            world.count("acme", "built") == built + 1
        })
        .await;
        within(SOON, "open again", || world.state().doorbells.len() == 1).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_doorbell_that_proves_itself_makes_sweeps_rare_until_it_misses_one() {
    local(async {
        let world = World::default();
        let _node = world.node("a", &["acme"]);
        within(SOON, "live", || world.count("acme", "log") == 1).await;
        pass(Duration::from_secs(7)).await;
        world.append("acme");
        pass(Duration::from_secs(12)).await;
        let before = world.state().sweeps;
        pass(Duration::from_secs(300)).await;
        let rare = world.state().sweeps - before;
        assert!((9..=11).contains(&rare), "{rare} sweeps in 5 minutes");
        world.state().deaf = true;
        world.append("acme");
        let woken = || world.count("acme", "built") + world.count("acme", "wake");
        let before = woken();
        within(Duration::from_secs(31), "found", || woken() > before).await;
        let before = world.state().sweeps;
        pass(Duration::from_secs(60)).await;
        assert!(world.state().sweeps - before >= 11, "and not trusted any more");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_is_told_when_its_time_has_come() {
    local(async {
        let world = World::default();
        world.with("acme", |t| t.tick_after = Some(Duration::from_millis(2_500)));
        let _node = world.node("a", &["acme", "other"]);
        within(SOON, "live", || world.count("acme", "log") == 1).await;
        pass(Duration::from_millis(2_490)).await;
        assert_eq!(world.count("acme", "tick"), 0, "{:?}", world.told("acme"));
        within(Duration::from_millis(20), "due", || world.count("acme", "tick") == 1).await;
        assert_eq!(world.count("other", "tick"), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_always_due_is_told_fifty_times_a_second_at_most() {
    local(async {
        let world = World::default();
        world.with("acme", |t| t.tick_after = Some(Duration::ZERO));
        let _node = world.node("a", &["acme"]);
        within(SOON, "live", || world.count("acme", "log") == 1).await;
        let before = world.count("acme", "tick");
        pass(Duration::from_secs(2)).await;
        let ticks = world.count("acme", "tick") - before;
        assert!((20..=101).contains(&ticks), "{ticks} ticks in 2 s");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn snapshots_are_taken_rarely_and_the_last_one_is_posted() {
    local(async {
        let world = World::default();
        world.with("acme", |t| {
            t.work = 60;
            t.org_takes = Duration::from_millis(10);
        });
        let node = world.node("a", &["acme"]);
        let begun = tokio::time::Instant::now();
        within(SOON, "done", || world.count("acme", "answered") == 60).await;
        let snapshots = world.with("acme", |t| t.snapshots);
        let most = 5 + usize::try_from(begun.elapsed().as_millis() / 200).unwrap();
        assert!(snapshots <= most, "{snapshots} snapshots, {most} are enough");
        pass(Duration::from_millis(400)).await;
        let machine = node.directory.tenant(&name("acme")).unwrap().machine.unwrap();
        assert_eq!((machine.calls, machine.in_flight), (60, 0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn many_rings_are_one_wake() {
    local(async {
        let world = World::default();
        let _node = world.node("a", &["acme"]);
        within(SOON, "live", || world.count("acme", "log") == 1).await;
        pass(Duration::from_secs(6)).await;
        let before = world.count("acme", "wake");
        for _ in 0..50 {
            world.append("acme");
        }
        pass(Duration::from_secs(1)).await;
        let wakes = world.count("acme", "wake") - before;
        assert!((1..=3).contains(&wakes), "{wakes} wakes for 50 appends");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn at_most_ten_tenants_start_at_once() {
    local(async {
        let world = World::default();
        let names: Vec<String> = (0..30).map(|n| format!("t{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        world.break_lanes();
        world.state().lanes_broken = u64::MAX;
        let _node = world.node("a", &names);
        pass(Duration::from_secs(20)).await;
        let built = names.iter().filter(|t| world.count(t, "built") > 0).count();
        assert_eq!(built, 10, "the store is down: ten hold the places");
        pass(Duration::from_secs(15)).await;
        let built = names.iter().filter(|t| world.count(t, "built") > 0).count();
        assert_eq!(built, 20, "after 30 s others get their turn");
    })
    .await;
}
