//! Any mix of calls: what is refused leaves no trace, the indexes agree with the rows, the commits tell the whole story.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Batch, Caller, Json, Org, Row, code};
use crate::commit::{ChangeKind, Commit, CommitSink, Disturbance};
use crate::schema::{column, standard_schema};

#[derive(Default)]
struct Ear(Mutex<Vec<Commit>>);

impl CommitSink for Ear {
    fn publish(&self, commit: Commit) {
        self.0.lock().unwrap().push(commit);
    }
    fn disturb(&self, _org_id: &str, _disturbance: Disturbance) {}
}

/// One row of one call; keys and places are small numbers, so that calls meet the same rows.
#[derive(Debug, Clone)]
enum Step {
    Create { key: u8, name: bool, parent: u8 },
    Update { place: u8, key: Option<u8>, seq: i8 },
    Upsert { key: u8, seq: i8 },
    Delete { place: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..6u8, any::<bool>(), 0..3u8).prop_map(|(key, name, parent)| Step::Create { key, name, parent }),
        (0..12u8, proptest::option::of(0..6u8), -3..3i8).prop_map(|(place, key, seq)| Step::Update { place, key, seq }),
        (0..6u8, -3..3i8).prop_map(|(key, seq)| Step::Upsert { key, seq }),
        (0..12u8).prop_map(|place| Step::Delete { place }),
    ]
}

/// All rows of all objects, deleted ones too.
fn dump(org: &Org) -> Vec<Arc<Row>> {
    (0..org.schema.sobjects.len())
        .flat_map(|place| org.table(place).rows().cloned())
        .collect()
}

fn run(org: &mut Org, caller: &Caller, now: i64, step: &Step, all_or_none: bool) -> bool {
    let contact = org.schema.place("Contact").unwrap();
    let account = org.schema.place("Account").unwrap();
    let id = |org: &Org, place: u8| {
        org.table(contact)
            .rows()
            .nth(usize::from(place))
            .map_or_else(|| "003000000000000".to_owned(), |r| r.id().to_owned())
    };
    let batch = Batch {
        caller,
        now,
        all_or_none,
        refused: &[],
    };
    let typed = |fields: Value| {
        let mut record = json!({"attributes": {"type": "Contact"}});
        record
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        record
    };
    // The second row of each call is always good: all-or-none has something to undo.
    let good = typed(json!({"LastName": "good"}));
    let text = |records: Vec<Value>| Value::Array(records).to_string();
    let outcomes = match step {
        Step::Create { key, name, parent } => {
            let mut fields =
                json!({"Tandem_Key__c": format!("k{key}"), "Account": {"Tandem_Key__c": format!("a{parent}")}});
            if *name {
                fields["LastName"] = json!("n");
            }
            let text = text(vec![typed(fields), good]);
            let records: Vec<Json<'_>> = serde_json::from_str(&text).unwrap();
            org.create_many(batch, &records)
        }
        Step::Update { place, key, seq } => {
            let mut fields = json!({"id": id(org, *place), "Tandem_Seq__c": seq});
            if let Some(key) = key {
                fields["Tandem_Key__c"] = json!(format!("k{key}"));
            }
            let text = text(vec![typed(fields)]);
            let records: Vec<Json<'_>> = serde_json::from_str(&text).unwrap();
            org.update_many(batch, &records)
        }
        Step::Upsert { key, seq } => {
            let field = org.external_field(contact, "Tandem_Key__c").unwrap();
            let fields = json!({"Tandem_Key__c": format!("k{key}"), "LastName": "u", "Tandem_Seq__c": seq});
            let other = json!({"Tandem_Key__c": "good", "LastName": "good", "Tandem_Seq__c": now});
            let text = text(vec![typed(fields), typed(other)]);
            let records: Vec<Json<'_>> = serde_json::from_str(&text).unwrap();
            org.upsert_many(batch, contact, field, &records)
        }
        Step::Delete { place } if *place == 11 => {
            let ids: Vec<String> = org.table(account).rows().take(1).map(|r| r.id().to_owned()).collect();
            org.delete_many(batch, &[ids[0].as_str()])
        }
        Step::Delete { place } => {
            let (one, two) = (id(org, *place), id(org, place.wrapping_add(1)));
            org.delete_many(batch, &[one.as_str(), two.as_str()])
        }
    };
    outcomes.unwrap().iter().all(|o| o.error.is_none())
}

/// Live rows as the commits tell of them.
fn replay(commits: &[Commit]) -> BTreeMap<String, Arc<Row>> {
    let mut rows = BTreeMap::new();
    for change in commits.iter().flat_map(|c| &c.changes) {
        match &change.after {
            Some(after) => rows.insert(change.id.to_string(), Arc::clone(after)),
            None => rows.remove(change.id.as_str()),
        };
        assert_eq!(change.after.is_none(), change.kind == ChangeKind::Delete);
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn refusals_leave_no_trace_and_commits_tell_everything(
        steps in proptest::collection::vec((step(), any::<bool>()), 1..40),
    ) {
        let ear = Arc::new(Ear::default());
        let mut org = Org::new("p", Arc::new(standard_schema()), ear.clone(), 3, true, 1_000);
        let caller = Caller { user: (*org.identity.integration.id).into(), bypass: false, origin: "".into(), manner: Default::default() };
        let batch = Batch { caller: &caller, now: 1_000, all_or_none: false, refused: &[] };
        let parents = r#"[{"attributes":{"type":"Account"},"Name":"a0","Tandem_Key__c":"a0"},{"attributes":{"type":"Account"},"Name":"a1","Tandem_Key__c":"a1"}]"#;
        org.create_many(batch, &serde_json::from_str::<Vec<Json<'_>>>(parents).unwrap()).unwrap();
        for (i, (step, all_or_none)) in steps.iter().enumerate() {
            let (before, told) = (dump(&org), ear.0.lock().unwrap().len());
            let fine = run(&mut org, &caller, 2_000 + i as i64, step, *all_or_none);
            if *all_or_none && !fine {
                prop_assert_eq!(dump(&org), before);
                prop_assert_eq!(ear.0.lock().unwrap().len(), told);
            }
        }
        let contact = org.schema.place("Contact").unwrap();
        let object = &org.schema.clone().sobjects[contact];
        let key = object.field("Tandem_Key__c").unwrap();
        let live: Vec<Arc<Row>> = org.table(contact).rows().filter(|r| !r.is_deleted()).cloned().collect();
        for name in (0..6).map(|k| format!("k{k}")) {
            let scanned: Vec<&str> = live.iter().filter(|r| r.cells[key].as_text() == Some(&name)).map(|r| r.id()).collect();
            let found: Vec<&str> = org.find(contact, key, &name).iter().filter_map(|r| org.row(*r)).map(|r| r.id()).collect();
            prop_assert_eq!(&found, &scanned);
            prop_assert!(found.len() <= 1, "the key is unique");
        }
        let replayed = replay(&ear.0.lock().unwrap());
        let told: Vec<&Arc<Row>> = replayed.iter().filter(|(id, _)| id.starts_with("003")).map(|(_, row)| row).collect();
        let mut kept: Vec<&Arc<Row>> = live.iter().collect();
        kept.sort_by_key(|row| row.id());
        prop_assert_eq!(told, kept);
    }
}

#[test]
fn stamps_move_and_are_whole_seconds() {
    let mut org = Org::new(
        "p",
        Arc::new(standard_schema()),
        Arc::new(Ear::default()),
        3,
        true,
        1_000,
    );
    let caller = Caller {
        user: (*org.identity.human.id).into(),
        bypass: false,
        origin: "".into(),
        manner: Default::default(),
    };
    let refused = [Some(super::RowError::new(code::LOCK, "locked"))];
    let batch = |now| Batch {
        caller: &caller,
        now,
        all_or_none: false,
        refused: &refused,
    };
    let text = r#"[{"attributes":{"type":"Account"},"Name":"a"}]"#;
    let records: Vec<Json<'_>> = serde_json::from_str(text).unwrap();
    let locked = org.create_many(batch(2_000), &records).unwrap();
    assert_eq!(locked[0].error.as_ref().map(|e| e.code), Some(code::LOCK));
    let made = org
        .create_many(
            Batch {
                refused: &[],
                ..batch(2_000)
            },
            &records,
        )
        .unwrap();
    let id = made[0].id.clone().unwrap();
    let text = format!(r#"[{{"attributes":{{"type":"Account"}},"id":"{id}"}}]"#);
    let same: Vec<Json<'_>> = serde_json::from_str(&text).unwrap();
    org.update_many(
        Batch {
            refused: &[],
            ..batch(2_005)
        },
        &same,
    )
    .unwrap();
    let row = org.row(org.locate(&id).unwrap()).unwrap();
    assert_eq!(row.cells[column::CREATED_DATE], super::Cell::Instant(2_000));
    assert_eq!(
        row.cells[column::MODSTAMP],
        super::Cell::Instant(2_005),
        "M: an update without values moves the stamps"
    );
}
