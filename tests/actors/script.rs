//! A tenant's machine, cut down to what the shells can be tried with: it attaches, reads, subscribes and sends.

use std::sync::Arc;
use std::time::Duration;

use tandem::actor::connection::Decider;
use tandem_core::domain::ids::{BatchId, Epoch, Fence};
use tandem_core::domain::stream::{Log, StreamId};
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::call::{WriteCall, WriteRow};
use tandem_core::engine::commit::{Commit, Script, Verb};
use tandem_core::engine::tenant::{Effect, Input, Phase, Snapshot};

use crate::world::{World, replay_number};

pub(crate) struct Scripted {
    world: World,
    tenant: String,
    phase: Phase,
    fence: Option<Fence>,
    wanted: usize,
    running: usize,
    sent: u64,
    draining: bool,
    pub(crate) wake_at: Option<Timestamp>,
}

impl Scripted {
    pub(crate) fn new(world: World, tenant: &str) -> Self {
        let machine = Self {
            world,
            tenant: tenant.to_owned(),
            phase: Phase::Detached,
            fence: None,
            wanted: 0,
            running: 0,
            sent: 0,
            draining: false,
            wake_at: None,
        };
        machine.told("built");
        machine
    }

    fn told(&self, word: impl Into<String>) {
        let word = word.into();
        let panics = self.world.with(&self.tenant, |t| {
            t.told.push(word.clone());
            t.panic_on == Some(word.as_str())
        });
        assert!(!panics, "told '{word}'");
    }

    fn read() -> Effect {
        Effect::ReadLog {
            log: Log::Changes,
            after: StreamId::ZERO,
            count: 10,
        }
    }

    fn want(&mut self, out: &mut Vec<Effect>) {
        let work = self.world.with(&self.tenant, |t| std::mem::take(&mut t.work));
        self.wanted += work;
        out.extend((0..work).map(|_| Effect::WantWorker));
    }

    fn finish(&mut self, out: &mut Vec<Effect>) {
        if self.draining && self.running == 0 {
            self.phase = Phase::Draining;
            out.push(Effect::Drained);
        }
    }
}

impl Decider for Scripted {
    fn step(&mut self, now: Timestamp, _: u64, input: Input, out: &mut Vec<Effect>) {
        match input {
            Input::Start => {
                self.told("start");
                self.phase = Phase::Attaching;
                out.push(Effect::Attach);
            }
            Input::Attached(attached) => {
                self.told(format!("attached {}", attached.fence.epoch.0));
                self.phase = Phase::Live;
                self.fence = Some(attached.fence);
                out.push(Effect::Subscribe {
                    after: attached.cursors.into_iter().next().map(|(_, c)| c),
                });
                out.push(Self::read());
            }
            Input::Log(_) => {
                self.told("log");
                self.wake_at = self
                    .world
                    .with(&self.tenant, |t| t.tick_after.or(t.checks_every))
                    .map(|after| now.after(after));
                self.want(out);
            }
            Input::Wake => {
                self.told("wake");
                out.push(Self::read());
            }
            Input::Granted => {
                self.told("granted");
                self.wanted -= 1;
                if self.draining {
                    return out.push(Effect::ReturnWorker);
                }
                self.sent += 1;
                self.running += 1;
                let epoch = self.fence.as_ref().map_or(Epoch(0), |f| f.epoch);
                let row = WriteRow {
                    id: None,
                    members: bytes::Bytes::new(),
                };
                let call = WriteCall {
                    sobject: "Contact".into(),
                    verb: Verb::Update,
                    external_id: "K".into(),
                    rows: vec![row],
                };
                out.push(Effect::Send {
                    batch: BatchId {
                        epoch,
                        number: self.sent,
                    },
                    call,
                });
            }
            Input::Answered { answer, .. } => {
                self.told(if answer.outcome.is_ok() { "answered" } else { "failed" });
                self.running -= 1;
                self.finish(out);
            }
            Input::Events(batch) => {
                self.told(format!(
                    "events {}x{}",
                    replay_number(&batch.latest),
                    batch.events.len()
                ));
                let commit = Commit {
                    cursors: vec![("/data/ChangeEvents".into(), batch.latest)],
                    ..Commit::default()
                };
                if let Some(fence) = self.fence.clone() {
                    out.push(Effect::Commit {
                        ticket: 1,
                        fence,
                        script: Script::Emit,
                        commit: Box::new(commit),
                    });
                }
            }
            Input::Committed { .. } => {
                self.told("committed");
                out.push(Effect::NextEvents);
                out.push(Effect::Forward);
            }
            Input::CursorLost => {
                self.told("cursor lost");
                out.push(Effect::Subscribe { after: None });
            }
            Input::Lost(reason) => {
                self.told("lost");
                self.phase = Phase::Detached;
                (self.wanted, self.running) = (0, 0);
                out.push(Effect::Restart {
                    pause: Duration::from_millis(50),
                    reason,
                });
            }
            Input::Tick => {
                self.told("tick");
                let stuck = self.world.with(&self.tenant, |t| t.tick_after == Some(Duration::ZERO));
                self.wake_at = self.wake_at.filter(|_| stuck);
                if self.world.with(&self.tenant, |t| t.checks_every.is_some()) {
                    out.push(Effect::Lengths);
                }
            }
            Input::Lengths(_) => {
                self.told("lengths");
                let every = self.world.with(&self.tenant, |t| t.checks_every);
                self.wake_at = every.map(|every| now.after(every));
            }
            Input::Drain => {
                self.told("drain");
                self.draining = true;
                self.finish(out);
            }
            other => panic!("not in the script: {other:?} at {now}"),
        }
    }

    fn wake_at(&self) -> Option<Timestamp> {
        self.wake_at
    }

    fn phase(&self) -> Phase {
        self.phase
    }

    fn has_work(&self) -> bool {
        self.phase != Phase::Live || self.wanted + self.running > 0
    }

    fn snapshot(&self) -> Snapshot {
        self.world.with(&self.tenant, |t| t.snapshots += 1);
        Snapshot {
            phase: self.phase,
            epoch: self.fence.as_ref().map_or(0, |f| f.epoch.0),
            pending_records: self.wanted,
            pending_entries: self.wanted,
            in_flight: self.running,
            unknown: 0,
            waiting_for_answer: 0,
            waiting_for_parent: 0,
            dead: 0,
            open_questions: 0,
            oldest_ms: (self.wanted > 0).then_some(crate::world::WALL.0),
            caught_up: self.phase == Phase::Live,
            last_errors: vec![Arc::from("SOME_CODE")],
            calls: self.sent,
            api_used: None,
            api_limit: None,
            last_event_ms: None,
            wake_at: self.wake_at,
        }
    }
}
