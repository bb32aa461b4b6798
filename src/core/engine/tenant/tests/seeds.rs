//! Many seeds: the promises hold at rest, whatever happened before.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use super::model_plan::PAIRS;
use super::world::{Faults, World};

/// A broken promise, and the record that it was broken for.
pub struct Broken {
    pub key: Option<String>,
    pub promise: String,
}

fn holds(held: bool, key: &str, promise: impl FnOnce() -> String) -> Result<(), Broken> {
    if held {
        return Ok(());
    }
    Err(Broken {
        key: Some(key.to_owned()),
        promise: promise(),
    })
}

pub fn judge(world: &World) -> Result<(), Broken> {
    for (key, row) in &world.product.rows {
        let found = world.org.by_key(key);
        // A parked record is listed, not repaired (log-road rule 23).
        if world.store.dead.keys().any(|dead| dead.key.as_ref() == key) {
            continue;
        }
        holds(found.len() == 1, key, || {
            format!("{key} has one record in the org, not {} (C5)", found.len())
        })?;
        for (name, salesforce) in PAIRS {
            let ours = row.get(name).unwrap_or(&Value::Null);
            let theirs = found[0].1.get(salesforce).unwrap_or(&Value::Null);
            holds(ours == theirs, key, || {
                format!("{key}.{name} is equal on both sides (C1): {ours} in the product, {theirs} in the org")
            })?;
        }
    }
    for fields in world.org.live.values() {
        let Some(key) = fields.get("Tandem_Key__c").and_then(Value::as_str) else {
            let promise = format!("every record has a key, not {fields:?}");
            return Err(Broken { key: None, promise });
        };
        holds(world.product.rows.contains_key(key), key, || {
            format!("{key} was deleted and is not back (C4)")
        })?;
        let part = |name: &str| fields.get(name).and_then(Value::as_str).map(|t| t[1..].to_owned());
        holds(part("MailingCity") == part("MailingStreet"), key, || {
            format!("{key}: a group is never mixed (C2)")
        })?;
    }
    let store = &world.store;
    let counted = store.settled + store.compacted_gauge + (store.log.len() + store.backfill.len()) as i64;
    for (held, promise) in [
        (store.added == counted, "every entry is accounted for (C10)"),
        (store.compacted_gauge == 0, "nothing stays compacted at rest"),
    ] {
        if !held {
            let promise = promise.to_owned();
            return Err(Broken { key: None, promise });
        }
    }
    Ok(())
}

/// The suite's seeds; built with `TANDEM_SEEDS=20` twenty times as many run.
fn seeds(usual: u64) -> std::ops::RangeInclusive<u64> {
    let times = option_env!("TANDEM_SEEDS")
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    1..=usual * times
}

pub fn run(world: &mut World, events: usize) {
    for _ in 0..events {
        world.happen(true);
    }
    world.rest();
}

/// Failed seeds that are named.
const NAMED_MAX: usize = 40;

/// Runs every seed to its end; says how many went wrong and which, and tells the first one's story.
fn every_seed(usual: u64, events: usize, faults: Faults, check: impl Fn(&mut World) -> Result<(), Broken>) {
    let mut failed = Vec::new();
    let mut story = String::new();
    for seed in seeds(usual) {
        let mut world = World::new(seed, faults);
        let ran = catch_unwind(AssertUnwindSafe(|| {
            run(&mut world, events);
            check(&mut world)
        }));
        let broken = match ran {
            Ok(Ok(())) => continue,
            Ok(Err(broken)) => broken,
            Err(panic) => Broken {
                key: None,
                promise: words(panic.as_ref()),
            },
        };
        if failed.is_empty() {
            story = broken
                .key
                .as_deref()
                .map_or_else(|| world.ending(), |key| world.story(key));
        }
        failed.push(format!("seed {seed}: {}", broken.promise));
    }
    assert!(
        failed.is_empty(),
        "{} seeds failed\n{}\nthe first:\n{story}",
        failed.len(),
        failed[..failed.len().min(NAMED_MAX)].join("\n"),
    );
}

/// What a panic said.
pub fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic")
        .to_owned()
}

#[test]
fn both_sides_converge_without_faults() {
    every_seed(150, 1_500, Faults::default(), |world| {
        assert!(world.org.writes > 20, "the run did something");
        assert!(world.store.echoes > 0, "the run saw own writes come back");
        judge(world)
    });
}

#[test]
fn both_sides_converge_with_crashes_and_lost_answers() {
    let faults = Faults {
        crash: 40,
        lost_answer: 15,
        lost_request: 10,
        ..Faults::default()
    };
    every_seed(300, 1_500, faults, |world| judge(world));
}

#[test]
fn both_sides_converge_with_compaction_and_a_small_window() {
    let faults = Faults {
        crash: 40,
        lost_answer: 15,
        compact: true,
        ..Faults::default()
    };
    every_seed(150, 1_500, faults, |world| judge(world));
}

#[test]
fn both_sides_converge_but_for_records_in_dead_letters() {
    let faults = Faults {
        crash: 20,
        lost_answer: 10,
        bad_values: true,
        ..Faults::default()
    };
    every_seed(100, 1_500, faults, |world| judge(world));
}

#[test]
fn keys_and_records_of_salesforce_meet_without_faults() {
    let faults = Faults {
        strangers: true,
        ..Faults::default()
    };
    every_seed(60, 1_500, faults, |world| judge(world));
}

#[test]
fn both_sides_converge_when_imports_are_read_after_what_was_made_later() {
    let faults = Faults {
        imports: true,
        crash: 40,
        lost_answer: 15,
        lost_request: 10,
        ..Faults::default()
    };
    every_seed(150, 1_500, faults, |world| judge(world));
}

#[test]
fn keys_and_records_of_salesforce_meet_while_imports_are_read_late() {
    let faults = Faults {
        imports: true,
        strangers: true,
        crash: 40,
        lost_answer: 15,
        lost_request: 10,
        ..Faults::default()
    };
    every_seed(150, 1_500, faults, |world| judge(world));
}

#[test]
fn keys_and_records_of_salesforce_meet_under_crashes_and_lost_answers() {
    let faults = Faults {
        strangers: true,
        crash: 40,
        lost_answer: 15,
        lost_request: 10,
        ..Faults::default()
    };
    every_seed(100, 1_500, faults, |world| judge(world));
}

#[test]
fn both_sides_converge_with_locked_rows_and_a_redis_that_breaks_off_or_is_full() {
    let faults = Faults {
        crash: 40,
        lost_answer: 15,
        lost_request: 10,
        bad_values: true,
        compact: true,
        locked: 15,
        broken: 20,
        ..Faults::default()
    };
    every_seed(100, 1_500, faults, |world| judge(world));
}

#[test]
fn both_sides_converge_when_records_are_undeleted_or_made_anew() {
    let faults = Faults {
        crash: 40,
        lost_answer: 15,
        lost_request: 10,
        revive: true,
        ..Faults::default()
    };
    every_seed(100, 1_500, faults, |world| judge(world));
}

#[test]
fn at_rest_the_engine_writes_nothing_more_even_to_a_new_owner() {
    let faults = Faults {
        crash: 30,
        lost_answer: 10,
        ..Faults::default()
    };
    every_seed(60, 1_000, faults, |world| {
        let writes = world.org.writes;
        world.restart_machine();
        world.rest();
        world.lose();
        world.rest();
        assert_eq!(world.org.writes, writes, "no write without an edit (C7)");
        Ok(())
    });
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let faults = Faults {
        crash: 40,
        lost_answer: 15,
        ..Faults::default()
    };
    let [one, two] = [World::new(42, faults), World::new(42, faults)].map(|mut world| {
        run(&mut world, 2_000);
        world
    });
    assert_eq!(one.notes, two.notes);
    assert_eq!(one.org.writes, two.org.writes);
}
