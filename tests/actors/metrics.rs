//! The text for Prometheus: complete, with help, without tenants but in the worst-of list.

use std::sync::Arc;
use std::time::Duration;

use tandem::actor::connection::POST_EVERY;
use tandem::telemetry::Telemetry;
use tandem::telemetry::events::Totals;
use tandem::telemetry::names::Metric;
use tandem_core::engine::tenant::Note;

use crate::world::{SOON, World, local, name, pass, within};

#[test]
fn every_metric_is_there_with_help_and_type_once() {
    let telemetry = Telemetry::new().unwrap();
    let batch = Note::Batch {
        sobject: "Contact".into(),
        rows: 3,
        done: 1,
        retried: 1,
        dead: 1,
        unknown: 0,
        took: Duration::from_millis(12),
        oldest_age: Duration::from_secs(1),
    };
    let mut totals = Totals::default();
    telemetry.note(&name("acme"), &batch, &mut totals);
    let text = telemetry.text().unwrap();
    for metric in Metric::ALL {
        let lines = |head: String| text.lines().filter(|l| l.starts_with(&head)).count();
        assert_eq!(
            lines(format!("# HELP {} {}", metric.name(), metric.help())),
            1,
            "{}",
            metric.name()
        );
        assert_eq!(
            lines(format!("# TYPE {} {}", metric.name(), metric.kind().word())),
            1,
            "{}",
            metric.name()
        );
    }
    assert!(text.contains("tandem_rows_total{outcome=\"done\"} 1\n"), "{text}");
    assert!(
        text.contains("tandem_call_duration_seconds_count{sobject=\"Contact\"} 1\n"),
        "{text}"
    );
    assert!(!text.contains("acme"));
    assert_eq!((totals.batches, totals.rows_done, totals.rows_dead), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_worst_tenants_are_named_while_they_are_bad() {
    local(async {
        let world = World::default();
        let telemetry = Arc::new(Telemetry::new().unwrap());
        world.with("acme", |t| {
            t.work = 6;
            t.org_takes = Duration::from_secs(5);
        });
        let _node = world.node_at("a", &["acme", "idle"], Vec::new(), Arc::clone(&telemetry), 2);
        within(SOON, "working", || world.count("acme", "granted") == 2).await;
        pass(POST_EVERY * 2).await;
        let text = telemetry.text().unwrap();
        assert!(
            text.contains("tandem_tenant_oldest_edit_age_seconds{tenant=\"acme\"}"),
            "{text}"
        );
        assert!(!text.contains("tenant=\"idle\""));
        assert!(text.contains("tandem_tenants{state=\"live\"} 2\n"), "{text}");
        assert!(text.contains("tandem_in_flight_records 2\n"));
        within(Duration::from_secs(60), "done", || world.count("acme", "answered") == 6).await;
        pass(POST_EVERY * 2).await;
        let text = telemetry.text().unwrap();
        assert!(
            !text.contains("tenant=\"acme\""),
            "a tenant that recovered leaves the list: {text}"
        );
    })
    .await;
}
