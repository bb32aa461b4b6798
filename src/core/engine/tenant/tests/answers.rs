//! What the product is asked for and what it refuses: values, questions that nobody answers.

use std::time::Duration;

use serde_json::json;

use super::identity::{ada, fields, unhurried, usual};
use crate::domain::event::EventType;
use crate::domain::stream::Log;

/// What the product has of a question that it was asked is Salesforce's own older value, no edit of the product's.
#[test]
fn what_salesforce_changed_since_it_was_asked_about_is_told_and_not_written_over() {
    for with_its_row in [false, true] {
        let mut b = usual();
        let id = b
            .org
            .person_makes(&json!({"Email": "old@x.org", "LastName": "Lovelace"}), b.now);
        b.settle();
        let asked = b.told(EventType::LinkWanted).pop().unwrap();
        b.org.update(id, fields(&json!({"Email": "new@x.org"})), b.now);
        b.link("42", Some(id), &asked.id);
        if with_its_row {
            b.upsert("42", &json!({"email": "old@x.org", "last_name": "Lovelace"}));
        }
        b.settle();
        let told = b.told(EventType::Changed);
        assert_eq!(told[0].data["email"], "new@x.org");
        for wanted in b.told(EventType::Wanted) {
            assert!(!wanted.detail["fields"].as_array().unwrap().contains(&json!("email")));
        }
        assert_eq!(b.org_record("42").1["Email"], "new@x.org");
        assert_eq!(b.told(EventType::Conflict).len(), 0);
    }
}

/// The values of a row are asked for as the record is linked: an answer that gives what Salesforce held then says that
/// both agreed, whatever Salesforce has become since, and whether or not the event of it is known.
#[test]
fn an_answer_that_says_what_salesforce_held_when_asking_is_no_edit() {
    for changed_since in [false, true] {
        let mut b = usual();
        let id = b
            .org
            .person_makes(&json!({"Email": "old@x.org", "LastName": "Lovelace"}), b.now);
        b.settle();
        let asked = b.told(EventType::LinkWanted).pop().unwrap();
        b.link("42", Some(id), &asked.id);
        b.settle();
        let wanted = b.told(EventType::Wanted).pop().unwrap();
        assert!(wanted.detail["fields"].as_array().unwrap().contains(&json!("email")));
        if changed_since {
            b.org.update(id, fields(&json!({"Email": "new@x.org"})), b.now);
            b.settle();
        }
        let data = json!({"email": "old@x.org"}).to_string();
        let writes = b.writes;
        b.append("42", "upsert", &[("data", &data), ("answers", &wanted.id)]);
        b.settle();
        let stands = if changed_since { "new@x.org" } else { "old@x.org" };
        assert_eq!(b.org_record("42").1["Email"], stands);
        let told = b.told(EventType::Changed);
        let told: Vec<_> = told.iter().filter_map(|t| t.data.get("email")).collect();
        assert_eq!(told, if changed_since { vec!["new@x.org"] } else { vec![] });
        assert_eq!(b.told(EventType::Conflict).len(), 0);
        assert_eq!(b.writes, writes, "both sides agree: no call");
        assert!(b.store.log.is_empty() && b.store.questions.is_empty());
    }
}

#[test]
fn an_answer_that_is_no_edit_does_not_keep_the_key_from_being_written_back() {
    let mut b = unhurried();
    b.upsert("7", &json!({"email": "a@x.org", "last_name": "One"}));
    b.settle();
    let id = b
        .org
        .person_makes(&json!({"Email": "old@x.org", "LastName": "Lovelace"}), b.now);
    b.settle();
    let asked = b.told(EventType::LinkWanted).pop().unwrap();
    // A write of this kind has just gone: the next one waits for company.
    b.upsert("7", &json!({"last_name": "Two"}));
    b.settle_for(Duration::ZERO);
    b.link("42", Some(id), &asked.id);
    b.settle_for(Duration::from_millis(20));
    let wanted = b.told(EventType::Wanted).pop().unwrap();
    assert!(b.org.by_key("42").is_empty(), "the key is not there yet");
    let data = json!({"email": "old@x.org"}).to_string();
    b.append("42", "upsert", &[("data", &data), ("answers", &wanted.id)]);
    b.settle();
    assert_eq!(b.org_record("42").0, id);
}

/// Of a row that is imported while people are at work, the answer that links it may be read first.
#[test]
fn an_import_that_is_read_after_the_echo_of_newer_values_is_older_than_they_are() {
    let mut b = unhurried();
    b.upsert("7", &json!({"email": "a@x.org", "last_name": "One"}));
    b.settle();
    let id = b
        .org
        .person_makes(&json!({"Email": "own@x.org", "LastName": "Lovelace"}), b.now);
    b.settle();
    let asked = b.told(EventType::LinkWanted).pop().unwrap();
    // A write of this kind has just gone: the one that takes the key along waits for company.
    b.upsert("7", &json!({"last_name": "Two"}));
    b.settle_for(Duration::ZERO);
    b.link("42", Some(id), &asked.id);
    b.settle_for(Duration::from_millis(20));
    assert!(b.org.by_key("42").is_empty(), "the key is not there yet");
    let changed = b.told(EventType::Changed).pop().unwrap();
    assert_eq!(changed.data["last_name"], "Lovelace");
    let (data, own) = (changed.data.to_string(), json!({"last_name": "Own"}).to_string());
    let echo = [("version", "3"), ("data", &data), ("caused_by", &changed.id)];
    b.append("42", "upsert", &echo);
    b.settle();
    let writes = b.writes;
    b.append_to(Log::Backfill, "42", "upsert", &[("version", "1"), ("data", &own)]);
    b.settle();
    assert_eq!(b.org_record("42").1["LastName"], "Lovelace");
    assert_eq!(b.writes, writes);
    assert!(b.store.backfill.is_empty());
}

#[test]
fn a_refused_event_becomes_a_conflict_by_policy_and_the_products_value_is_asked_for() {
    let mut b = usual();
    b.upsert("42", &ada());
    b.settle();
    let (id, _) = b.org_record("42");
    let edit = json!({"Email": "sf@x.org", "LastName": "King"});
    b.org.update(id, fields(&edit), b.now);
    b.settle();
    let event = b.told(EventType::Changed).pop().unwrap();
    b.append(
        "42",
        "refuse",
        &[("answers", &event.id), ("reason", "this address bounced")],
    );
    b.settle();
    let conflicts = b.told(EventType::Conflict);
    let said: Vec<_> = conflicts
        .iter()
        .map(|c| {
            (
                c.detail["fields"].clone(),
                c.detail["winner"].clone(),
                c.detail["reason"].clone(),
            )
        })
        .collect();
    let reason = json!("this address bounced");
    assert_eq!(
        said,
        [
            (json!(["last_name"]), json!("salesforce"), reason.clone()),
            (json!(["email"]), json!("product"), reason),
        ]
    );
    let wanted = b.told(EventType::Wanted).pop().unwrap();
    assert_eq!(wanted.detail, json!({"fields": ["email"], "why": "refused"}));
    let data = json!({"email": "ada@x.org"}).to_string();
    b.append("42", "upsert", &[("data", &data), ("answers", &wanted.id)]);
    b.settle();
    let (_, fields) = b.org_record("42");
    assert_eq!(
        (&fields["Email"], &fields["LastName"]),
        (&json!("ada@x.org"), &json!("King"))
    );
    assert!(b.store.log.is_empty() && b.store.questions.is_empty());
}

#[test]
fn an_edit_that_brings_a_deleted_record_back_waits_for_the_values_it_does_not_name() {
    let mut b = usual();
    b.upsert("42", &ada());
    b.settle();
    let (id, _) = b.org_record("42");
    b.org.delete(id, b.now);
    b.settle();
    let revision = b.store.outbox.last().unwrap().1.revision.to_string();
    let data = json!({"first_name": "Augusta"}).to_string();
    b.append("42", "upsert", &[("data", &data), ("seen_revision", &revision)]);
    b.settle();
    let wanted = b.told(EventType::Wanted).pop().unwrap();
    assert_eq!(wanted.detail["why"], "recreate");
    assert!(b.org.by_key("42").is_empty());
    let data = json!({"email": "ada@x.org", "last_name": "Lovelace"}).to_string();
    b.append(
        "42",
        "upsert",
        &[("data", &data), ("answers", &wanted.id), ("seen_revision", &revision)],
    );
    b.settle_for(Duration::from_mins(2));
    let (_, fields) = b.org_record("42");
    assert_eq!(
        (&fields["FirstName"], &fields["LastName"]),
        (&json!("Augusta"), &json!("Lovelace"))
    );
    assert!(b.store.questions.is_empty());
}

#[test]
fn open_questions_are_repeated_daily_and_given_up_after_two_weeks() {
    let mut b = usual();
    let id = b
        .org
        .person_makes(&json!({"Email": "ada@x.org", "LastName": "Lovelace"}), b.now);
    for name in ["One", "Two"] {
        b.org
            .person_makes(&json!({"Email": "bob@x.org", "LastName": name}), b.now);
    }
    b.settle();
    b.upsert("43", &json!({"email": "bob@x.org", "last_name": "Bob"}));
    b.settle();
    let count = |b: &super::bench::Bench| b.told(EventType::LinkWanted).len();
    let first = count(&b);
    b.settle_for(Duration::from_hours(30));
    assert_eq!(count(&b), first * 2, "each once more after a day");
    b.settle_for(Duration::from_hours(24 * 15));
    let all = count(&b);
    assert!(b.store.questions.is_empty());
    assert_eq!(b.told(EventType::Rejected)[0].detail["code"], "unanswered");
    b.settle_for(Duration::from_hours(24 * 5));
    assert_eq!(count(&b), all, "nobody is asked for ever");
    let asked = b.told(EventType::LinkWanted)[0].id.clone();
    b.link("42", Some(id), &asked);
    b.settle();
    assert_eq!(b.org_record("42").0, id, "a late answer still counts");
}
