//! The whole harness against a real Redis, a tiny org and a naive engine: clean when the engine is right, and the
//! promise is named when it is wrong on purpose.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod fake;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fake::engine::{Engine, Fault};
use fake::org::Orgs;
use loadtest::mixed::{Load, Patience, Still, World, judge_run};
use loadtest::org::Admin;
use loadtest::report::Report;
use loadtest::shape::Shapes;
use loadtest::stack::{RedisServer, RedisSettings, Warden};

async fn run(fault: Fault) -> Report {
    let dir = tempfile::tempdir().expect("a scratch folder");
    let warden = Arc::new(Warden::start().expect("a shell"));
    let redis = RedisServer::start(dir.path(), RedisSettings::default(), &warden)
        .await
        .expect("redis-server");
    let shapes = Shapes::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/objects")).expect("the test objects");
    let shapes = Arc::new(shapes);
    let orgs = Orgs::new(&["t01", "t02", "t03"]);
    let engine = Engine::start(orgs.clone(), shapes.clone(), &redis.url, fault).await;
    let admin = Admin::new(&orgs.serve().await).expect("a client");
    let world = World {
        redis_url: redis.url.clone(),
        admin,
        orgs: orgs.infos(),
        shapes,
        seed: 11,
    };
    let load = Load {
        seconds: 6.0,
        changes: 3_000,
        org_edits: 600,
        changes_a_record: 12,
        kills: Default::default(),
        faults: Default::default(),
    };
    let patience = Patience {
        quiet: Duration::from_millis(500),
        within: Duration::from_secs(if fault == Fault::None { 30 } else { 2 }),
        again: true,
        watch: Duration::from_millis(500),
    };
    let report = judge_run(&world, &load, &patience, None, &mut Still)
        .await
        .expect("a run");
    engine.abort();
    report
}

/// The run must break these promises.
async fn breaks(fault: Fault, promises: &[&str]) -> Report {
    let report = run(fault).await;
    for promise in promises {
        assert!(
            report.violations[*promise] > 0,
            "{fault:?} must break {promise}:\n{}",
            report.table()
        );
    }
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_engine_is_found_clean() {
    let report = run(Fault::None).await;
    assert!(report.clean(), "{}", report.table());
    assert_eq!((report.product_changes, report.org_edits), (3_000, 600));
    assert!(
        report.conflicts > 0,
        "the load must make conflicts:\n{}",
        report.table()
    );
    assert!(report.unlinked > 0 && report.records > 60 && report.calls >= report.calls_floor);
}

#[tokio::test(flavor = "multi_thread")]
async fn settling_what_was_never_sent_is_found() {
    let report = breaks(Fault::Settle, &["C1", "C3"]).await;
    assert!(report.lost > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn telling_the_product_its_own_writes_is_found() {
    let report = breaks(Fault::Echo, &["C7"]).await;
    assert!(report.echoes > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn older_content_after_newer_is_found() {
    breaks(Fault::Order, &["C6"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_event_is_found() {
    let report = breaks(Fault::DropEvent, &["C1", "C3"]).await;
    assert!(report.lost > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_vanishes_is_found() {
    breaks(Fault::Vanish, &["C10"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_create_is_found() {
    let report = breaks(Fault::Twice, &["C5"]).await;
    assert!(report.duplicates > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_back_from_the_dead_is_found() {
    breaks(Fault::Resurrect, &["C4"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overwritten_edit_without_a_conflict_event_is_found() {
    breaks(Fault::Silent, &["C1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writing_for_ever_is_found() {
    breaks(Fault::Restless, &["C1"]).await;
}
