//! What a tenant may hold in memory, and what one step may carry.

use serde_json::json;

use super::bench::Bench;
use super::identity::usual;
use super::model_plan::plan;
use crate::domain::event::EventType;

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

/// Of all that a product may say of an entry.
fn with_everything(n: usize) -> [(&'static str, String); 2] {
    let trace = format!("00-{n:032x}-{n:016x}-01");
    [("idempotency_key", format!("i{n}")), ("traceparent", trace)]
}

#[test]
fn two_hundred_creates_with_receipts_are_settled_in_steps_that_are_not_too_large() {
    let mut b = Bench::with(plan(), |settings| settings.receipts = true);
    for n in 1..=200 {
        let [key, trace] = with_everything(n);
        let data = json!({"last_name": "x"}).to_string();
        let more = [("data", data.as_str()), (key.0, &key.1), (trace.0, &trace.1)];
        b.append(&format!("k{n}"), "upsert", &more);
    }
    b.settle();
    assert_eq!(b.org.live.len(), 200);
    assert_eq!(b.told(EventType::Applied).len(), 200);
    assert!(b.store.log.is_empty());
}

#[test]
fn records_with_hundreds_of_entries_are_settled_in_steps_that_are_not_too_large() {
    let mut b = Bench::new(plan());
    b.pause(true);
    for n in 1..=900 {
        for key in 0..8 {
            let data = json!({"last_name": format!("L{n}")}).to_string();
            let idempotency_key = format!("i{key}-{n}");
            let more = [("data", data.as_str()), ("idempotency_key", &idempotency_key)];
            b.append(&format!("k{key}"), "upsert", &more);
        }
    }
    b.settle();
    b.pause(false);
    assert_eq!(b.org_record("k7").1["LastName"], "L900");
    assert!(b.store.log.is_empty());
}

#[test]
fn a_thousand_refused_entries_are_told_in_steps_that_are_not_too_large() {
    let mut b = Bench::new(plan());
    for n in 1..=1_000 {
        b.append(&format!("k{n}"), "upsert", &[("data", "{\"no_such_field\":1}")]);
    }
    b.settle();
    assert_eq!(b.told(EventType::Rejected).len(), 1_000);
    assert!(b.store.log.is_empty());
}

#[test]
fn two_hundred_partners_that_differ_are_adopted_in_steps_that_are_not_too_large() {
    let mut b = usual();
    for n in 0..200 {
        let there =
            json!({"Email": format!("P{n}@x.org"), "LastName": "There", "FirstName": "There", "MailingCity": "C"});
        b.org.person_makes(&there, b.now);
    }
    b.long_ago();
    for n in 0..200 {
        let ours = json!({"email": format!("p{n}@x.org"), "last_name": "Own", "first_name": null});
        b.upsert(&format!("k{n}"), &ours);
    }
    b.settle();
    for kind in [EventType::Linked, EventType::Changed] {
        assert_eq!(b.told(kind).len(), 200, "{kind:?}");
    }
    assert_eq!(b.told(EventType::Conflict).len(), 400, "one for each side that won");
    assert_eq!(b.org.live.len(), 200);
    assert!(b.store.log.is_empty());
}

#[test]
fn hundreds_of_answers_are_taken_and_refused_in_steps_that_are_not_too_large() {
    let mut b = usual();
    let ids: Vec<_> = (0..300)
        .map(|n| {
            b.org
                .person_makes(&json!({"Email": format!("p{n}@x.org"), "LastName": "P"}), b.now)
        })
        .collect();
    b.settle();
    let asked = b.told(EventType::LinkWanted);
    assert_eq!(asked.len(), 300, "one event of many records, too");
    for (n, id) in ids.iter().enumerate() {
        let question = asked.iter().find(|a| a.salesforce_id == Some(*id)).unwrap().id.clone();
        b.link(&format!("a{n}"), Some(*id), &question);
        b.link(&format!("b{n}"), Some(*id), &question);
    }
    b.settle();
    assert_eq!(b.told(EventType::Linked).len(), 300);
    assert_eq!(b.told(EventType::Rejected).len(), 300);
    assert!(b.store.log.is_empty());
}
