//! Batches cut ahead: they go as soon as a lane is free, yield to what is more urgent, and are taken back.

use std::time::Duration;

use super::rules::{NOW, attached_with, entry, read, step};
use crate::domain::ids::{BatchId, TenantName};
use crate::domain::salesforce_id::SalesforceId;
use crate::domain::stream::{Log, RawEntry};
use crate::domain::time::Timestamp;
use crate::engine::call::WriteAnswer;
use crate::engine::classify::RowOutcome;
use crate::engine::commit::{Commit, Verb};
use crate::engine::tenant::io::{Effect, Input};
use crate::engine::tenant::table::Doubt;
use crate::engine::tenant::{Machine, TenantSettings};

/// One lane, calls of two rows, and a batch of the first two records under way; four more records wait in `log`.
fn busy(log: Log) -> (Machine, BatchId, Vec<Effect>) {
    let mut settings = TenantSettings::new(TenantName::new("acme").unwrap());
    (settings.in_flight_batches, settings.batch_rows) = (1, 2);
    let mut machine = attached_with(settings, Vec::new());
    read(&mut machine, Log::Backfill, Vec::new(), true);
    read(&mut machine, Log::Changes, vec![entry(1, "a"), entry(2, "b")], true);
    let first = begun(&step(&mut machine, NOW, Input::Granted)).unwrap();
    step(&mut machine, NOW, Input::Begun(first));
    let more = ["c", "d", "e", "f"].iter().zip(3..);
    let more: Vec<RawEntry> = more
        .map(|(key, ms)| {
            let mut entry = entry(ms, key);
            entry.at.log = log;
            entry
        })
        .collect();
    let out = read(&mut machine, log, more, true);
    (machine, first, out)
}

fn begun(effects: &[Effect]) -> Option<BatchId> {
    effects.iter().find_map(|e| match e {
        Effect::Begin { intent, .. } => Some(intent.batch),
        _ => None,
    })
}

fn sent(effects: &[Effect]) -> Option<BatchId> {
    effects.iter().find_map(|e| match e {
        Effect::Send { batch, .. } => Some(*batch),
        _ => None,
    })
}

fn commits(effects: Vec<Effect>) -> Vec<Commit> {
    let commits = effects.into_iter().filter_map(|e| match e {
        Effect::Commit { commit, .. } => Some(*commit),
        _ => None,
    });
    commits.collect()
}

fn answer(machine: &mut Machine, batch: BatchId) -> Vec<Effect> {
    let done = |n: u64| RowOutcome::Done {
        id: SalesforceId::parse(&format!("003{n:012}")).unwrap(),
        created: true,
    };
    let answer = WriteAnswer {
        outcome: Ok(vec![done(1), done(2)]),
        usage: None,
        took: Duration::ZERO,
        requests: 1,
    };
    step(machine, NOW, Input::Answered { batch, answer })
}

#[test]
fn while_the_lanes_are_busy_as_many_full_batches_lie_ready_and_go_as_soon_as_one_is_free() {
    let (mut machine, first, out) = busy(Log::Changes);
    let ahead = begun(&out).unwrap();
    let out = step(&mut machine, NOW, Input::Begun(ahead));
    assert_eq!(
        (begun(&out), sent(&out)),
        (None, None),
        "one lies ready for one under way"
    );
    let out = answer(&mut machine, first);
    assert_eq!(out.iter().filter(|e| matches!(e, Effect::WantWorker)).count(), 1);
    let out = step(&mut machine, NOW, Input::Granted);
    assert_eq!(
        (sent(&out), begun(&out)),
        (Some(ahead), None),
        "in the very step that grants the worker, which does no more than that"
    );
    let next = begun(&step(&mut machine, NOW, Input::Tick));
    assert!(next.is_some(), "and the next is cut");
}

#[test]
fn what_is_more_urgent_goes_before_what_lies_ready() {
    let (mut machine, first, out) = busy(Log::Backfill);
    let ahead = begun(&out).unwrap();
    step(&mut machine, NOW, Input::Begun(ahead));
    read(&mut machine, Log::Changes, vec![entry(9, "y"), entry(10, "z")], true);
    answer(&mut machine, first);
    let out = step(&mut machine, NOW, Input::Granted);
    let urgent = begun(&out).unwrap();
    assert_eq!(sent(&out), None);
    assert_eq!(sent(&step(&mut machine, NOW, Input::Begun(urgent))), Some(urgent));
    answer(&mut machine, urgent);
    assert_eq!(sent(&step(&mut machine, NOW, Input::Granted)), Some(ahead));
}

/// The intent of a batch that was cut ahead speaks for older writes of its records too, since theirs went when it came.
#[test]
fn what_is_taken_back_leaves_the_next_owner_what_is_in_doubt_besides() {
    let (mut machine, _, out) = busy(Log::Changes);
    let ahead = begun(&out).unwrap();
    let key = machine.batches.batches[&ahead].records[0].clone();
    machine.table.records.get_mut(&key).unwrap().doubt = Some(Doubt {
        since: Timestamp(NOW),
        seq: 1,
        verb: Verb::Create,
    });
    step(&mut machine, NOW, Input::Pause);
    let commits = commits(step(&mut machine, NOW, Input::Begun(ahead)));
    let left: Vec<_> = commits.iter().filter_map(|c| c.intent_left.as_ref()).collect();
    let named: Vec<_> = left
        .iter()
        .flat_map(|i| &i.records)
        .map(|r| (&r.record, r.seq))
        .collect();
    assert_eq!(named, [(&key, 1)]);
    assert_eq!(left[0].batch, ahead);
    assert!(machine.batches.doubtful.contains_key(&ahead));
}

#[test]
fn what_lies_ready_is_taken_back_with_its_intent_when_nothing_may_be_sent() {
    for hold in [Input::Pause, Input::Drain] {
        let resumes = matches!(hold, Input::Pause);
        let (mut machine, first, out) = busy(Log::Changes);
        let ahead = begun(&out).unwrap();
        step(&mut machine, NOW, hold);
        let out = step(&mut machine, NOW, Input::Begun(ahead));
        assert_eq!(sent(&out), None);
        let undone: Vec<BatchId> = commits(out).into_iter().filter_map(|c| c.batch).collect();
        assert_eq!(undone, [ahead], "the next owner finds no doubt");
        let doubts = machine.table.records.values().filter(|r| r.doubt.is_some()).count();
        assert_eq!((machine.batches.batches.len(), doubts), (1, 0));
        answer(&mut machine, first);
        if resumes {
            step(&mut machine, NOW, Input::Resume);
            step(&mut machine, NOW, Input::Granted);
            step(&mut machine, NOW, Input::Tick);
            let again = machine.batches.batches.values().flat_map(|b| &b.records);
            let mut all: Vec<&str> = again.map(|key| &*key.key).collect();
            all.sort_unstable();
            assert_eq!(all, ["c", "d", "e", "f"]);
        }
    }
}
