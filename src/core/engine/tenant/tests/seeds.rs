//! Many seeds: the promises hold at rest, whatever happened before.

use serde_json::Value;

use super::model_plan::PAIRS;
use super::world::{Faults, World};

fn judge(world: &World, seed: u64) {
    for (key, row) in &world.product.rows {
        let found = world.org.by_key(key);
        // A parked record is listed, not repaired (log-road rule 23).
        if world.store.dead.keys().any(|dead| dead.key.as_ref() == key) {
            continue;
        }
        assert_eq!(
            found.len(),
            1,
            "seed {seed}: {key} has one record in the org (C5)\n{}",
            world.story(key)
        );
        for (name, salesforce) in PAIRS {
            let ours = row.get(name).unwrap_or(&Value::Null);
            let theirs = found[0].1.get(salesforce).unwrap_or(&Value::Null);
            assert_eq!(
                ours,
                theirs,
                "seed {seed}: {key}.{name} is equal on both sides (C1)\n{}",
                world.story(key)
            );
        }
    }
    for fields in world.org.live.values() {
        let key = fields["Tandem_Key__c"].as_str().unwrap();
        assert!(
            world.product.rows.contains_key(key),
            "seed {seed}: {key} was deleted and is not back (C4)\n{}",
            world.story(key)
        );
        let part = |name: &str| fields.get(name).and_then(Value::as_str).map(|t| t[1..].to_owned());
        assert_eq!(
            part("MailingCity"),
            part("MailingStreet"),
            "seed {seed}: a group is never mixed (C2)"
        );
    }
    let store = &world.store;
    let counted = store.settled + store.compacted_gauge + store.log.len() as i64;
    assert_eq!(store.added, counted, "seed {seed}: every entry is accounted for (C10)");
    assert_eq!(store.compacted_gauge, 0, "seed {seed}: nothing stays compacted at rest");
}

/// The suite's seeds; built with `TANDEM_SEEDS=20` twenty times as many run.
fn seeds(usual: u64) -> std::ops::RangeInclusive<u64> {
    let times = option_env!("TANDEM_SEEDS")
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    1..=usual * times
}

fn run(seed: u64, faults: Faults, events: usize) -> World {
    let mut world = World::new(seed, faults);
    for _ in 0..events {
        world.happen(true);
    }
    world.rest();
    world
}

#[test]
fn both_sides_converge_without_faults() {
    for seed in seeds(150) {
        let world = run(seed, Faults::default(), 1_500);
        assert!(world.org.writes > 20, "seed {seed} did something");
        assert!(world.store.echoes > 0, "seed {seed} saw own writes come back");
        judge(&world, seed);
    }
}

#[test]
fn both_sides_converge_with_crashes_and_lost_answers() {
    for seed in seeds(300) {
        let faults = Faults {
            crash: 40,
            lost_answer: 15,
            lost_request: 10,
            ..Faults::default()
        };
        judge(&run(seed, faults, 1_500), seed);
    }
}

#[test]
fn both_sides_converge_with_compaction_and_a_small_window() {
    for seed in seeds(150) {
        let faults = Faults {
            crash: 40,
            lost_answer: 15,
            compact: true,
            ..Faults::default()
        };
        judge(&run(seed, faults, 1_500), seed);
    }
}

#[test]
fn both_sides_converge_but_for_records_in_dead_letters() {
    for seed in seeds(100) {
        let faults = Faults {
            crash: 20,
            lost_answer: 10,
            bad_values: true,
            ..Faults::default()
        };
        judge(&run(seed, faults, 1_500), seed);
    }
}

#[test]
fn at_rest_the_engine_writes_nothing_more_even_to_a_new_owner() {
    for seed in seeds(60) {
        let faults = Faults {
            crash: 30,
            lost_answer: 10,
            ..Faults::default()
        };
        let mut world = run(seed, faults, 1_000);
        let writes = world.org.writes;
        world.restart_machine();
        world.rest();
        world.lose();
        world.rest();
        assert_eq!(world.org.writes, writes, "seed {seed}: no write without an edit (C7)");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let faults = Faults {
        crash: 40,
        lost_answer: 15,
        ..Faults::default()
    };
    let (one, two) = (run(42, faults, 2_000), run(42, faults, 2_000));
    assert_eq!(one.notes, two.notes);
    assert_eq!(one.org.writes, two.org.writes);
}
