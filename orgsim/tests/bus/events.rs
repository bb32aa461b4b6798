//! What events tell, kind by kind.

use std::collections::{BTreeMap, BTreeSet};

use orgsim::commit::{ChangeKind, Commit, CommitSink};
use orgsim::wire::ReplayPreset;
use serde_json::{Value, json};

use crate::client::Served;
use crate::orgs::{COMMIT_MS, Orgs, change, commit, created, id};
use crate::reader::Told;

/// The events of these commits on `/data/ChangeEvents`.
async fn told(commits: Vec<Commit>, events: usize) -> Vec<Told> {
    let served = Served::new(Orgs::new());
    commits.into_iter().for_each(|commit| served.bus.publish(commit));
    let mut call = served
        .client()
        .await
        .subscribe("/data/ChangeEvents", ReplayPreset::Earliest, b"", 100)
        .await;
    call.events(events).await
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn values(value: Value) -> BTreeMap<String, Value> {
    serde_json::from_value(value).unwrap()
}

/// Change Data Capture guide, header and body pages: a create has all values and no field sets.
#[tokio::test]
async fn a_create_tells_every_value() {
    let row = json!({
        "Id": id(1), "IsDeleted": false, "LastName": "Ng", "FirstName": "Ada", "Name": "Ada Ng", "Salutation": null,
        "MailingCity": "Oslo", "MailingLatitude": 59.9, "Birthdate": "1970-01-02", "HasOptedOutOfEmail": false,
        "CreatedDate": "2024-04-26T22:21:42.000+0000", "Tandem_Seq__c": 12, "Status__c": "Active",
    });
    let changes = vec![change("Contact", &id(1), ChangeKind::Create, json!({}), row)];
    let event = told(vec![commit(9, changes)], 1).await.remove(0);
    assert_eq!((event.entity.as_str(), event.kind.as_str()), ("Contact", "CREATE"));
    assert_eq!(event.records, [id(1)]);
    assert_eq!(event.origin, "com/salesforce/api/rest/67.0;client=tandem");
    assert_eq!(event.transaction, "00065380-d1a9-a64a-9341-000000000009");
    assert_eq!(
        (event.sequence, event.commit_ms, event.commit_number),
        (1, COMMIT_MS, 9)
    );
    assert_eq!(event.user, "005000000000001AAA");
    assert_eq!((event.changed.len(), event.nulled.len(), event.diff.len()), (0, 0, 0));
    let expected = json!({
        "Name.FirstName": "Ada", "Name.LastName": "Ng", "MailingAddress.City": "Oslo",
        "MailingAddress.Latitude": 59.9, "Birthdate": 86_400_000, "HasOptedOutOfEmail": false,
        "CreatedDate": COMMIT_MS, "Tandem_Seq__c": 12.0, "Status__c": "Active",
    });
    assert_eq!(event.body, values(expected));
    assert_eq!(event.replay.len(), 10);
    assert_eq!(event.event_id.len(), 36);
}

/// Same pages: an update has the changed values only, and says which were cleared; LastModifiedDate always changes.
#[tokio::test]
async fn an_update_tells_what_changed() {
    let before = json!({
        "LastName": "Ng", "FirstName": "Ada", "MailingCity": "Oslo", "MailingCountry": "NO", "Phone": "1",
        "Email": "a@x", "LastModifiedDate": "2024-04-26T22:21:41.000+0000", "Tandem_Key__c": "k1", "Tandem_Seq__c": 1,
    });
    let after = json!({
        "LastName": "Oh", "FirstName": null, "MailingCity": "Rome", "MailingCountry": "NO", "Phone": "1",
        "Email": null, "LastModifiedDate": "2024-04-26T22:21:42.000+0000", "Tandem_Key__c": "k1", "Tandem_Seq__c": 2.0,
    });
    let changes = vec![change("Contact", &id(1), ChangeKind::Update, before, after)];
    let event = told(vec![commit(1, changes)], 1).await.remove(0);
    assert_eq!(event.kind, "UPDATE");
    let changed = [
        "Name.LastName",
        "Name.FirstName",
        "MailingAddress.City",
        "Email",
        "LastModifiedDate",
        "Tandem_Seq__c",
    ];
    assert_eq!(event.changed, names(&changed));
    assert_eq!(event.nulled, names(&["Email", "Name.FirstName"]));
    assert_eq!(event.diff, names(&[]));
    let expected = json!({
        "Name.LastName": "Oh", "MailingAddress.City": "Rome", "LastModifiedDate": COMMIT_MS, "Tandem_Seq__c": 2.0,
    });
    assert_eq!(event.body, values(expected));
}

#[tokio::test]
async fn an_update_that_only_clears_children_keeps_the_first_bitmap() {
    let (before, after) = (json!({"LastName": "Ng", "FirstName": "Ada"}), json!({"LastName": "Ng"}));
    let changes = vec![change("Contact", &id(1), ChangeKind::Update, before, after)];
    let event = told(vec![commit(1, changes)], 1).await.remove(0);
    // The reader insists that the plain bitmap is first.
    assert_eq!(event.nulled, names(&["Name.FirstName"]));
    assert_eq!(event.body, values(json!({})));
}

/// Same pages: deletes have no values, undeletes all.
#[tokio::test]
async fn deletes_are_empty_and_undeletes_are_full() {
    let row = json!({"LastName": "Ng", "Email": "a@x"});
    let commits = vec![
        commit(
            1,
            vec![change("Contact", &id(1), ChangeKind::Delete, row.clone(), json!({}))],
        ),
        commit(2, vec![change("Contact", &id(1), ChangeKind::Undelete, json!({}), row)]),
    ];
    let events = told(commits, 2).await;
    assert_eq!(
        (events[0].kind.as_str(), events[0].body.len(), events[0].changed.len()),
        ("DELETE", 0, 0)
    );
    assert_eq!((events[1].kind.as_str(), events[1].changed.len()), ("UNDELETE", 0));
    assert_eq!(events[1].body, values(json!({"Name.LastName": "Ng", "Email": "a@x"})));
}

/// Live Account schema: a business account's name is a string, a person account's a record.
#[tokio::test]
async fn account_names_are_strings_or_records() {
    let business = json!({"Name": "Acme", "NumberOfEmployees": 3, "IsPersonAccount": false});
    let changed = json!({"Name": "Acme 2", "NumberOfEmployees": 3, "IsPersonAccount": false});
    let commits = vec![
        commit(
            1,
            vec![change(
                "Account",
                "001000000000001AAA",
                ChangeKind::Create,
                json!({}),
                business.clone(),
            )],
        ),
        commit(
            2,
            vec![change(
                "Account",
                "001000000000001AAA",
                ChangeKind::Update,
                business,
                changed,
            )],
        ),
    ];
    let events = told(commits, 2).await;
    assert_eq!(events[0].body["Name"], "Acme");
    assert_eq!(events[0].body["NumberOfEmployees"], 3);
    assert_eq!(events[1].body["Name"], "Acme 2");
    assert!(events[1].changed.contains("Name"));
}

/// Change Data Capture guide, merged events: the same change of several records is one event.
#[tokio::test]
async fn the_same_change_of_several_records_is_one_event() {
    let update = |number| {
        change(
            "Contact",
            &id(number),
            ChangeKind::Update,
            json!({}),
            json!({"Email": "a@x"}),
        )
    };
    let delete = |number| {
        change(
            "Contact",
            &id(number),
            ChangeKind::Delete,
            json!({"Email": "x"}),
            json!({}),
        )
    };
    let changes = vec![
        update(1),
        update(2),
        delete(3),
        delete(4),
        delete(5),
        created(6),
        created(7),
    ];
    let events = told(vec![commit(1, changes)], 4).await;
    let summary: Vec<(i32, &str, usize)> = events
        .iter()
        .map(|event| (event.sequence, event.kind.as_str(), event.records.len()))
        .collect();
    assert_eq!(
        summary,
        [(1, "UPDATE", 2), (2, "DELETE", 3), (3, "CREATE", 1), (4, "CREATE", 1)]
    );
    assert_eq!(events[1].records, [id(3), id(4), id(5)]);
    assert!(events.iter().all(|event| event.transaction == events[0].transaction));
}

/// Change Data Capture guide, data diff: from 1,000 characters on, with the hash of the new value.
#[tokio::test]
async fn large_texts_travel_as_diffs() {
    let long = |word: &str| format!("{}\n{word}\n{}", "a".repeat(600), "b".repeat(600));
    let update = |before: &str, after: &str| {
        let row = |text: &str| json!({"Description": text});
        commit(
            1,
            vec![change("Contact", &id(1), ChangeKind::Update, row(before), row(after))],
        )
    };
    let events = told(vec![update(&long("old"), &long("new")), update("old", "new")], 2).await;
    assert_eq!(events[0].diff, names(&["Description"]));
    assert!(events[0].changed.contains("Description"));
    let text = events[0].body["Description"].as_str().unwrap();
    assert!(
        text.starts_with("--- \n+++ ") && text.contains("\n-old\n+new\n"),
        "{text}"
    );
    assert_eq!(events[1].diff, names(&[]));
    assert_eq!(events[1].body["Description"], "new");
}

/// Objects that are not selected for change events are silent.
#[tokio::test]
async fn only_captured_objects_speak() {
    let task = |number| {
        change(
            "Task",
            &id(number),
            ChangeKind::Create,
            json!({}),
            json!({"Subject": "x"}),
        )
    };
    let events = told(
        vec![
            commit(1, vec![task(1)]),
            commit(2, vec![task(2), created(3)]),
            commit(3, vec![created(4)]),
        ],
        2,
    )
    .await;
    assert_eq!(
        events.iter().map(|event| event.commit_number).collect::<Vec<_>>(),
        [2, 3]
    );
    assert_eq!(events[0].sequence, 1);
}

/// Change Data Capture guide, gap events: a change above 1 MB has no body.
#[tokio::test]
async fn a_huge_change_is_a_gap() {
    let row = json!({"LastName": "x".repeat(1_100_000)});
    let changes = vec![
        created(1),
        change("Contact", &id(2), ChangeKind::Create, json!({}), row),
    ];
    let events = told(vec![commit(1, changes)], 2).await;
    assert_eq!(
        (events[1].kind.as_str(), events[1].body.len(), events[1].sequence),
        ("GAP_CREATE", 0, 1)
    );
    assert_eq!(events[1].records, [id(2)]);
}
