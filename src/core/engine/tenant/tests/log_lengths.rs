//! What the lengths of the logs tell an owner that has read them to their ends.

use super::rules::{NOW, attached, entry, read, step};
use crate::domain::stream::{Log, StreamId};
use crate::engine::commit::LogChunk;
use crate::engine::state::{Committed, Lengths};
use crate::engine::tenant::io::{Effect, Input};
use crate::engine::tenant::{Machine, Note};

/// Answers the scripts and the look at the lengths that follow, until there is nothing to answer.
fn idle(machine: &mut Machine, mut effects: Vec<Effect>, lengths: Lengths) -> Vec<Effect> {
    let mut all = Vec::new();
    for _ in 0..10 {
        let mut next = Vec::new();
        for effect in &effects {
            let input = match effect {
                Effect::Commit { ticket, commit, .. } => Input::Committed {
                    ticket: *ticket,
                    done: Committed {
                        deleted: commit.delete.len() as u64,
                        ..Committed::default()
                    },
                },
                Effect::ReadLog { log, .. } => Input::Log(LogChunk {
                    log: *log,
                    entries: Vec::new(),
                    end: true,
                }),
                Effect::Lengths => Input::Lengths(lengths),
                _ => continue,
            };
            next.extend(step(machine, NOW, input));
        }
        all.append(&mut effects);
        effects = next;
    }
    all
}

const EMPTY: Lengths = Lengths {
    changes: 0,
    backfill: 0,
    compacted: 0,
    changes_last: StreamId::ZERO,
    backfill_last: StreamId::ZERO,
    outbox: 0,
    open_questions: 0,
    unaccounted: 0,
};

#[test]
fn rule_15_an_entry_from_the_future_is_told_and_its_log_is_attached_anew_once_it_is_empty() {
    let mut machine = attached(Vec::new());
    let far = entry(u64::MAX, "1");
    let effects = read(&mut machine, Log::Changes, vec![far.clone()], true);
    assert!(effects.iter().any(|e| matches!(e, Effect::Note(Note::FutureEntry))));
    let lengths = Lengths {
        changes_last: far.at.id,
        ..EMPTY
    };
    let all = idle(&mut machine, effects, lengths);
    let refused = all
        .iter()
        .any(|e| matches!(e, Effect::Commit { commit, .. } if commit.delete == [far.at] && commit.outbox.len() == 1));
    assert!(refused, "{all:?}");
    assert!(all.iter().any(|e| matches!(e, Effect::Restart { .. })), "{all:?}");

    let mut machine = attached(Vec::new());
    let effects = read(&mut machine, Log::Changes, vec![far], true);
    let all = idle(&mut machine, effects, Lengths { changes: 1, ..lengths });
    let mismatch = all.iter().any(|e| matches!(e, Effect::Note(Note::LogMismatch)));
    assert!(mismatch, "what is still there was not deleted");
}

#[test]
fn rule_24_entries_that_were_trimmed_before_they_were_read_are_told_once() {
    let mut machine = attached(Vec::new());
    let effects = read(&mut machine, Log::Changes, Vec::new(), true);
    idle(&mut machine, effects, EMPTY);
    let mut told = Vec::new();
    for (look, unaccounted) in [(1_u64, 3), (2, 3), (3, 5)] {
        let later = NOW + look * 42_000;
        // The newest id has moved, but nothing is there to be read.
        let newest = StreamId { ms: later, seq: 0 };
        let grown = Lengths {
            changes_last: newest,
            unaccounted,
            ..EMPTY
        };
        let out = step(&mut machine, later - 21_000, Input::Tick);
        idle(&mut machine, out, grown);
        let mut out = step(&mut machine, later, Input::Tick);
        assert!(out.iter().any(|e| matches!(e, Effect::Lengths)), "{out:?}");
        out = step(&mut machine, later, Input::Lengths(grown));
        told.extend(out.into_iter().filter_map(|e| match e {
            Effect::Note(Note::Trimmed { entries }) => Some(entries),
            _ => None,
        }));
    }
    assert_eq!(told, [3, 2]);
}
