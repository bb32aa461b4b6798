//! What a tenant may hold in memory.

use serde_json::json;

use super::bench::Bench;
use super::model_plan::plan;

#[test]
fn large_values_fill_the_table_before_its_records_do() {
    let mut b = Bench::with(plan(), |settings| {
        settings.table_bytes = 8_000;
        settings.read_entries = 2;
    });
    b.pause(true);
    for n in 0..20 {
        b.upsert(&format!("k{n}"), &json!({"last_name": "x".repeat(1_000)}));
    }
    b.settle();
    let held = b.snapshot().pending_records;
    assert!((6..=9).contains(&held), "{held} records of 1,000 bytes in 8,000");
    assert_ne!(b.backpressure, "ok");
    b.pause(false);
    assert_eq!(b.org.live.len(), 20, "the rest is read when there is room");
    assert_eq!(b.backpressure, "ok");
    assert!(b.store.log.is_empty() && b.store.compacted.is_empty());
}
