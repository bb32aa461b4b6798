//! Whatever happens to a row, the event gives the change back.

use std::collections::{BTreeMap, BTreeSet};

use orgsim::commit::{ChangeKind, CommitSink, RowChange};
use orgsim::directory::EntitySchema;
use orgsim::wire::ReplayPreset;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::client::Served;
use crate::orgs::{Orgs, account, change, commit, contact, visit};
use crate::reader::Told;

/// Paths and row fields that an event of `entity` can tell of, with the describe type. The test's own reading of the
/// naming rules: names by themselves, address parts without their address's prefix, location parts by their ending.
fn paths(entity: &EntitySchema) -> Vec<(String, String, String)> {
    let absent = ["Id", "IsDeleted", "SystemModstamp"];
    let mut paths = Vec::new();
    for field in &entity.fields {
        let (name, kind) = (field.name.clone(), field.sf_type.clone());
        let compound = kind == "address" || kind == "location" || (name == "Name" && entity.name == "Contact");
        if compound || absent.contains(&name.as_str()) {
            continue;
        }
        let path = match field.compound.as_deref() {
            None => name.clone(),
            Some("Name") => format!("Name.{name}"),
            Some("Place__c") => format!("Place__c.{}", &name["Place__".len()..name.len() - "__s".len()]),
            Some(address) => format!("{address}.{}", &name[address.len() - "Address".len()..]),
        };
        paths.push((path, name, kind));
    }
    paths
}

/// A row's value of a type, and what the event has for it.
fn value(kind: &str) -> BoxedStrategy<(Value, Value)> {
    let same = |value: Value| (value.clone(), value);
    let some = match kind {
        "boolean" => any::<bool>().prop_map(move |flag| same(json!(flag))).boxed(),
        "int" => any::<i32>().prop_map(move |number| same(json!(number))).boxed(),
        "double" | "currency" | "percent" => prop_oneof![
            (-1_000_000_000_i64..1_000_000_000).prop_map(|whole| (json!(whole), json!(whole as f64))),
            (-1.0e12..1.0e12).prop_map(move |number: f64| same(json!(number))),
        ]
        .boxed(),
        "date" => (1_900..2_100_i64, 1..=12_u32, 1..=28_u32)
            .prop_map(|(year, month, day)| {
                (
                    json!(format!("{year}-{month:02}-{day:02}")),
                    json!(day_ms(year, month, day)),
                )
            })
            .boxed(),
        "datetime" => (1_900..2_100_i64, 1..=12_u32, 1..=28_u32, 0..86_400_i64)
            .prop_map(|(year, month, day, second)| {
                let time = format!("{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60);
                let text = format!("{year}-{month:02}-{day:02}T{time}.000+0000");
                (json!(text), json!(day_ms(year, month, day) + second * 1_000))
            })
            .boxed(),
        "time" => (0..86_400_i64)
            .prop_map(|second| {
                let time = format!("{:02}:{:02}:{:02}.000Z", second / 3_600, second / 60 % 60, second % 60);
                (json!(time), json!(second * 1_000))
            })
            .boxed(),
        _ => "\\PC{1,20}".prop_map(move |text| same(json!(text))).boxed(),
    };
    prop_oneof![1 => Just((Value::Null, Value::Null)), 3 => some].boxed()
}

/// Days since 1970 of a civil date (Howard Hinnant's algorithm), as milliseconds.
fn day_ms(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = i64::from((153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1);
    (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468) * 86_400_000
}

/// What happened to one row, and what an event must tell of it.
#[derive(Debug, Clone)]
struct Case {
    change: RowChange,
    body: BTreeMap<String, Value>,
    changed: BTreeSet<String>,
    nulled: BTreeSet<String>,
}

fn case() -> impl Strategy<Value = Case> {
    let entities = prop::sample::select(vec![contact as fn() -> EntitySchema, account, visit]);
    let kinds = prop::sample::select(vec![
        ChangeKind::Create,
        ChangeKind::Update,
        ChangeKind::Delete,
        ChangeKind::Undelete,
    ]);
    (entities, kinds)
        .prop_flat_map(|(entity, kind)| {
            let entity = entity();
            let name = entity.name.clone();
            // For each field the value before, the value after, and whether it stays.
            let rows = paths(&entity).into_iter().map(|(path, field, sf_type)| {
                // Person accounts are another shape: not drawn here.
                let (before, after) = match field.as_str() {
                    "IsPersonAccount" => (
                        Just((json!(false), json!(false))).boxed(),
                        Just((json!(false), json!(false))).boxed(),
                    ),
                    _ => (value(&sf_type), value(&sf_type)),
                };
                (Just(path), Just(field), before, after, any::<bool>())
            });
            (Just(name), Just(kind), rows.collect::<Vec<_>>())
        })
        .prop_map(|(entity, kind, rows)| expect(entity, kind, rows))
}

type Drawn = (String, String, (Value, Value), (Value, Value), bool);

fn expect(entity: String, kind: ChangeKind, rows: Vec<Drawn>) -> Case {
    let (mut before, mut after) = (Map::new(), Map::new());
    let (mut body, mut changed, mut nulled) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    for (path, field, old, new, stays) in rows {
        let new = if stays { old.clone() } else { new };
        if kind != ChangeKind::Create {
            before.insert(field.clone(), old.0);
        }
        if kind != ChangeKind::Delete {
            after.insert(field.clone(), new.0);
        }
        let differs = old.1 != new.1;
        let told = match kind {
            ChangeKind::Create | ChangeKind::Undelete => true,
            ChangeKind::Delete => false,
            ChangeKind::Update => differs || field == "LastModifiedDate",
        };
        if told && !new.1.is_null() {
            body.insert(path.clone(), new.1.clone());
        }
        if told && kind == ChangeKind::Update {
            if differs && new.1.is_null() {
                nulled.insert(path.clone());
            }
            changed.insert(path);
        }
    }
    let change = change(&entity, "003000000000001AAA", kind, before.into(), after.into());
    Case {
        change,
        body,
        changed,
        nulled,
    }
}

fn check(case: &Case, told: &Told) {
    assert_eq!(told.entity, *case.change.entity);
    assert_eq!(told.records, [case.change.id.to_string()]);
    assert_eq!(told.body, case.body, "{case:?}");
    assert_eq!(told.changed, case.changed, "{case:?}");
    assert_eq!(told.nulled, case.nulled, "{case:?}");
    assert!(told.diff.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_event_gives_the_change_back(cases in prop::collection::vec(case(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let served = Served::new(Orgs::new());
            for (number, case) in (0..).zip(&cases) {
                served.bus.publish(commit(number, vec![case.change.clone()]));
            }
            let mut client = served.client().await;
            let mut call = client.subscribe("/data/ChangeEvents", ReplayPreset::Earliest, b"", 100).await;
            let told = call.events(cases.len()).await;
            cases.iter().zip(&told).for_each(|(case, told)| check(case, told));
        });
    }
}
