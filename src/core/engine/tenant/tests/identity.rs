//! How a key and a Salesforce record meet: looked for before the first create, asked about, answered.

use std::time::Duration;

use serde_json::json;

use super::bench::Bench;
use super::model_plan::plan_with;
use crate::domain::event::EventType;
use crate::domain::ids::FieldIdx;
use crate::domain::plan::{MatchPlan, OnMatch};
use crate::engine::tenant::TenantSettings;

const EMAIL: FieldIdx = FieldIdx(1);

fn matching(one: OnMatch, none: OnMatch) -> Bench {
    matching_with(one, none, |_| {})
}

fn matching_with(one: OnMatch, none: OnMatch, change: impl FnOnce(&mut TenantSettings)) -> Bench {
    let matching = MatchPlan {
        fields: vec![EMAIL],
        one,
        none,
    };
    Bench::with(plan_with(Some(matching)), change)
}

/// The usual world, where a write waits a second for company when one of its kind has just gone.
pub fn unhurried() -> Bench {
    matching_with(OnMatch::Act, OnMatch::Act, |settings| {
        settings.freshness = Duration::from_secs(1);
    })
}

pub fn usual() -> Bench {
    matching(OnMatch::Act, OnMatch::Act)
}

pub fn ada() -> serde_json::Value {
    json!({"email": "ada@x.org", "last_name": "Lovelace", "first_name": "Ada"})
}

#[test]
fn one_partner_is_linked_and_gets_the_key_and_nobody_is_made_twice() {
    let mut b = usual();
    let id = b
        .org
        .person_makes(&json!({"Email": "ADA@x.org", "LastName": "Lovelace"}), b.now);
    b.long_ago();
    b.upsert("42", &ada());
    b.settle();
    let (found, fields) = b.org_record("42");
    assert_eq!(found, id, "the record that was there has the key");
    assert_eq!(b.org.live.len(), 1);
    assert_eq!(
        fields["FirstName"], "Ada",
        "what Salesforce lacked came from the product"
    );
    assert_eq!(fields["Email"], "ada@x.org", "the product wins e-mail addresses");
    let linked = b.told(EventType::Linked);
    assert_eq!(linked.len(), 1);
    assert_eq!(
        (linked[0].key.as_deref(), linked[0].salesforce_id),
        (Some("42"), Some(id))
    );
    assert_eq!(b.finds, 1);
    assert!(b.store.log.is_empty());
}

#[test]
fn two_that_differ_are_merged_by_policy_and_blanks_give_way() {
    let mut b = usual();
    b.org.person_makes(
        &json!({"Email": "ada@x.org", "LastName": "Byron", "MailingCity": "Clondon", "MailingStreet": "Slondon"}),
        b.now,
    );
    b.upsert("42", &ada());
    b.settle();
    let (_, fields) = b.org_record("42");
    assert_eq!(fields["LastName"], "Byron", "Salesforce wins names");
    let told = b.told(EventType::Changed);
    assert_eq!(told.len(), 1);
    assert_eq!(
        told[0].data,
        json!({"last_name": "Byron", "city": "Clondon", "street": "Slondon"})
    );
    let conflicts = b.told(EventType::Conflict);
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].detail["fields"], json!(["last_name"]));
    assert_eq!(conflicts[0].detail["winner"], "salesforce");
    assert_eq!(b.org.by_key("42").len(), 1);
}

#[test]
fn several_partners_are_asked_about_once_and_the_answer_is_linked() {
    let mut b = usual();
    let one = b
        .org
        .person_makes(&json!({"Email": "ada@x.org", "LastName": "One"}), b.now);
    let two = b
        .org
        .person_makes(&json!({"Email": "ada@x.org", "LastName": "Two"}), b.now);
    b.long_ago();
    b.upsert("42", &ada());
    b.settle();
    let asked = b.told(EventType::LinkWanted);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].key.as_deref(), Some("42"));
    let mut candidates: Vec<&str> = asked[0].detail["candidates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["salesforce_id"].as_str().unwrap())
        .collect();
    candidates.sort_unstable();
    assert_eq!(candidates, [one.to_string(), two.to_string()]);
    assert_eq!(b.snapshot().waiting_for_answer, 1);

    b.upsert("42", &json!({"first_name": "Augusta"}));
    b.crash();
    b.settle();
    assert_eq!(
        b.told(EventType::LinkWanted).len(),
        1,
        "another owner does not ask again"
    );
    assert!(b.org.by_key("42").is_empty(), "nothing is written before the answer");

    let answers = asked[0].id.clone();
    b.link("42", Some(two), &answers);
    b.settle();
    let (found, fields) = b.org_record("42");
    assert_eq!(found, two);
    assert_eq!(fields["FirstName"], "Augusta", "what came while it waited was not lost");
    assert_eq!(b.org.live.len(), 2);
    assert!(b.store.log.is_empty() && b.store.questions.is_empty());
}

#[test]
fn the_answer_none_of_them_creates_one() {
    let mut b = usual();
    for name in ["One", "Two"] {
        b.org
            .person_makes(&json!({"Email": "ada@x.org", "LastName": name}), b.now);
    }
    b.long_ago();
    b.upsert("42", &ada());
    b.settle();
    let answers = b.told(EventType::LinkWanted)[0].id.clone();
    b.link("42", None, &answers);
    b.settle();
    assert_eq!(b.org_record("42").1["LastName"], "Lovelace");
    assert_eq!(b.org.live.len(), 3);
    assert_eq!(b.told(EventType::LinkWanted).len(), 1);
}

#[test]
fn policies_ask_about_one_and_about_none() {
    let mut b = matching(OnMatch::Ask, OnMatch::Ask);
    b.org
        .person_makes(&json!({"Email": "ada@x.org", "LastName": "One"}), b.now);
    b.long_ago();
    b.upsert("42", &ada());
    b.upsert("43", &json!({"email": "bob@x.org", "last_name": "Bob"}));
    b.settle();
    let asked = b.told(EventType::LinkWanted);
    let found: Vec<_> = asked
        .iter()
        .map(|a| (a.key.clone().unwrap(), a.detail["found"].clone()))
        .collect();
    assert_eq!(found, [("42".to_owned(), json!(1)), ("43".to_owned(), json!(0))]);
    assert_eq!(b.org.live.len(), 1);
}

#[test]
fn a_record_without_values_to_match_by_is_created_without_a_look() {
    let mut b = usual();
    b.upsert("42", &json!({"last_name": "Nobody"}));
    b.settle();
    assert_eq!(b.org_record("42").1["LastName"], "Nobody");
    assert_eq!(b.finds, 0);
}

#[test]
fn many_records_are_looked_for_in_one_call() {
    let mut b = usual();
    for n in 0..200 {
        b.org
            .person_makes(&json!({"Email": format!("p{n}@x.org"), "LastName": "P"}), b.now);
    }
    b.long_ago();
    for n in 0..200 {
        b.upsert(
            &format!("k{n}"),
            &json!({"email": format!("p{n}@x.org"), "last_name": "P"}),
        );
    }
    b.settle();
    assert_eq!(b.finds, 1);
    assert_eq!(b.org.live.len(), 200);
    assert_eq!(b.told(EventType::Linked).len(), 200);
    assert_eq!(b.told(EventType::Conflict).len(), 0);
}

#[test]
fn a_record_of_another_key_is_nobodys_partner_and_a_record_of_this_key_is() {
    let mut b = usual();
    let other = json!({"Email": "ada@x.org", "LastName": "O", "Tandem_Key__c": "77"});
    b.org.person_makes(&other, b.now);
    let own = json!({"Email": "bob@x.org", "LastName": "B", "Tandem_Key__c": "43"});
    let own = b.org.person_makes(&own, b.now);
    b.long_ago();
    b.upsert("42", &ada());
    b.upsert("43", &json!({"email": "bob@x.org", "last_name": "Bob"}));
    b.settle();
    assert_eq!(b.org_record("43").0, own);
    assert_eq!(b.org.live.len(), 3, "42 was created");
}

#[test]
fn two_rows_of_the_product_with_one_partner_do_not_share_it() {
    let mut b = usual();
    b.org
        .person_makes(&json!({"Email": "ada@x.org", "LastName": "Lovelace"}), b.now);
    b.long_ago();
    b.upsert("42", &ada());
    b.upsert("43", &ada());
    b.settle();
    assert_ne!(b.org_record("42").0, b.org_record("43").0);
    assert_eq!(b.org.live.len(), 2);
}

#[test]
fn a_crash_between_look_and_link_or_between_link_and_write_makes_no_second_record() {
    for looked in [true, false] {
        let mut b = usual();
        let id = b
            .org
            .person_makes(&json!({"Email": "ada@x.org", "LastName": "Lovelace"}), b.now);
        b.long_ago();
        b.lose_reads = looked;
        b.upsert("42", &ada());
        b.settle();
        b.crash();
        b.lose_reads = false;
        b.settle();
        assert_eq!(b.org_record("42").0, id);
        assert_eq!(b.org.live.len(), 1);
        assert_eq!(b.told(EventType::Linked).len(), 1);
    }
}

#[test]
fn a_record_made_in_salesforce_is_asked_about_once_and_linked_to_a_new_row() {
    let mut b = usual();
    let id = b
        .org
        .person_makes(&json!({"Email": "ada@x.org", "LastName": "Lovelace"}), b.now);
    b.settle();
    b.org.update(id, fields(&json!({"FirstName": "Ada"})), b.now);
    b.crash();
    b.settle();
    let asked = b.told(EventType::LinkWanted);
    assert_eq!(asked.len(), 1, "neither an edit nor another owner asks again");
    assert_eq!((asked[0].key.as_deref(), asked[0].salesforce_id), (None, Some(id)));
    assert_eq!(asked[0].data["email"], "ada@x.org");

    b.link("42", Some(id), &asked[0].id);
    b.settle();
    assert_eq!(b.org_record("42").0, id, "the key was written back");
    let linked = b.told(EventType::Linked);
    assert_eq!(
        (linked[0].key.as_deref(), linked[0].salesforce_id),
        (Some("42"), Some(id))
    );
    let told = b.told(EventType::Changed);
    assert_eq!(
        told[0].data["first_name"], "Ada",
        "the newest values, not those of the question"
    );
    assert!(b.store.log.is_empty());

    b.org.update(id, fields(&json!({"LastName": "King"})), b.now);
    b.settle();
    let told = b.told(EventType::Changed);
    assert_eq!(told.last().unwrap().key.as_deref(), Some("42"));
    assert_eq!(told.last().unwrap().data, json!({"last_name": "King"}));
}

pub fn fields(json: &serde_json::Value) -> serde_json::Map<String, serde_json::Value> {
    json.as_object().cloned().unwrap()
}

#[test]
fn a_row_that_the_product_already_had_is_asked_for_its_values() {
    let mut b = usual();
    let id = b
        .org
        .person_makes(&json!({"Email": "old@x.org", "LastName": "Lovelace"}), b.now);
    b.settle();
    let asked = b.told(EventType::LinkWanted)[0].id.clone();
    b.link("42", Some(id), &asked);
    b.settle();
    let wanted = b.told(EventType::Wanted);
    assert_eq!(wanted.len(), 1);
    let names = wanted[0].detail["fields"].as_array().unwrap();
    assert!(names.contains(&json!("email")), "the product's to say");
    assert!(names.contains(&json!("first_name")), "blank in Salesforce");
    assert!(!names.contains(&json!("last_name")), "Salesforce's to say");
    assert_eq!(b.store.questions.len(), 1);

    let data = json!({"email": "new@x.org", "first_name": "Ada"}).to_string();
    b.append("42", "upsert", &[("data", &data), ("answers", &wanted[0].id)]);
    b.settle();
    let (_, fields) = b.org_record("42");
    assert_eq!(
        (&fields["Email"], &fields["FirstName"]),
        (&json!("new@x.org"), &json!("Ada"))
    );
    assert!(b.store.questions.is_empty());
}

#[test]
fn a_second_answer_is_refused_with_the_winner_and_its_row_can_be_dropped() {
    let mut b = usual();
    let id = b
        .org
        .person_makes(&json!({"Email": "ada@x.org", "LastName": "Lovelace"}), b.now);
    b.settle();
    let asked = b.told(EventType::LinkWanted)[0].id.clone();
    b.link("42", Some(id), &asked);
    b.link("43", Some(id), &asked);
    b.upsert("43", &ada());
    b.settle();
    let rejected = b.told(EventType::Rejected);
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].key.as_deref(), Some("43"));
    assert_eq!(rejected[0].detail["code"], "already_linked");
    assert_eq!(
        rejected[0].detail["winner"],
        json!({"key": "42", "salesforce_id": id.to_string()})
    );
    assert!(b.org.by_key("43").is_empty(), "the row made twice waits for a word");
    b.append("43", "delete", &[]);
    b.settle();
    assert_eq!(b.org.live.len(), 1);
    assert!(b.store.log.is_empty());
    assert!(!b.store.questions.keys().any(|r| r.key.as_ref() == "43"));
}

#[test]
fn a_key_that_has_a_record_gets_no_second_one_and_the_same_answer_twice_is_one() {
    let mut b = usual();
    b.upsert("42", &ada());
    b.settle();
    let (id, _) = b.org_record("42");
    let other = b.org.person_makes(&json!({"Email": "x@x.org", "LastName": "X"}), b.now);
    b.settle();
    let asked = b.told(EventType::LinkWanted)[0].id.clone();
    b.link("42", Some(other), &asked);
    b.link("42", Some(id), &asked);
    b.settle();
    let rejected = b.told(EventType::Rejected);
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].detail["winner"]["salesforce_id"], id.to_string());
    assert!(b.store.log.is_empty());
}

#[test]
fn an_answer_that_names_no_record_of_the_org_is_refused() {
    let mut b = usual();
    let id = b
        .org
        .person_makes(&json!({"Email": "ada@x.org", "LastName": "Lovelace"}), b.now);
    b.settle();
    let asked = b.told(EventType::LinkWanted)[0].id.clone();
    b.org.delete(id, b.now);
    b.settle();
    assert!(b.store.questions.is_empty(), "the question went with the record");
    b.link("42", Some(id), &asked);
    b.settle();
    assert_eq!(b.told(EventType::Rejected)[0].detail["code"], "no_such_record");
    assert!(b.store.log.is_empty());
}

#[test]
fn the_event_of_an_own_create_makes_no_question_even_before_the_answer() {
    let mut b = usual();
    b.upsert("42", &ada());
    b.settle();
    b.crash();
    b.settle();
    assert_eq!(b.told(EventType::LinkWanted).len(), 0);
    assert_eq!(b.told(EventType::Linked).len(), 1);
}

#[test]
fn without_matching_records_made_in_salesforce_are_left_alone() {
    let mut b = Bench::new(plan_with(None));
    b.org
        .person_makes(&json!({"Email": "ada@x.org", "LastName": "Lovelace"}), b.now);
    b.upsert("42", &ada());
    b.settle();
    assert_eq!(b.finds, 0);
    assert_eq!(b.told(EventType::LinkWanted).len(), 0);
    assert_eq!(b.org.live.len(), 2);
}

#[test]
fn a_look_that_finds_too_much_is_made_smaller() {
    let mut b = usual();
    for n in 0..2_100 {
        let email = if n < 1_900 {
            "crowd@x.org".to_owned()
        } else {
            format!("p{n}@x.org")
        };
        b.org.person_makes(&json!({"Email": email, "LastName": "P"}), b.now);
    }
    b.long_ago();
    b.upsert("crowd", &json!({"email": "crowd@x.org", "last_name": "P"}));
    for n in 1_900..2_050 {
        b.upsert(
            &format!("k{n}"),
            &json!({"email": format!("p{n}@x.org"), "last_name": "P"}),
        );
    }
    b.settle();
    assert!(b.finds > 1);
    assert_eq!(b.told(EventType::Linked).len(), 150);
    assert_eq!(b.told(EventType::LinkWanted).len(), 1);
}
