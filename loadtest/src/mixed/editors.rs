//! People in the orgs: a few of them, each making one edit after another through the admin port.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::session::{Seat, Session, World};
use crate::dice::Dice;
use crate::error::LoadError;
use crate::org::{Admin, Answer};
use crate::product::now_ms;

/// People at work at the same time, over all orgs.
const PEOPLE: u64 = 4;
/// One edit in so many makes a record without a key.
const ONE_NEW_IN: u64 = 20;
/// Pause while no edit is due.
const IDLE: Duration = Duration::from_millis(10);

/// One person's work.
struct Person {
    admin: Admin,
    seats: Vec<Arc<Seat>>,
    dice: Dice,
    total: u64,
    seconds: f64,
    started: Instant,
    done: Arc<AtomicU64>,
    made: Arc<AtomicU64>,
    begun: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

/// Edits of all people; they end when all edits are made, or when told.
pub(super) struct Editors {
    tasks: Vec<tokio::task::JoinHandle<Result<(), LoadError>>>,
    stop: Arc<AtomicBool>,
}

impl Editors {
    pub(super) fn start(world: &World, session: &Session, total: u64, seconds: f64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let begun = Arc::new(AtomicU64::new(0));
        let made = Arc::new(AtomicU64::new(0));
        let people = (0..PEOPLE).map(|number| Person {
            admin: world.admin.clone(),
            seats: session.seats.clone(),
            dice: Dice::new(world.seed, 2_000_000 + number),
            total,
            seconds,
            started: Instant::now(),
            done: session.org_edits.clone(),
            made: made.clone(),
            begun: begun.clone(),
            stop: stop.clone(),
        });
        let tasks = people.map(|person| tokio::spawn(person.work())).collect();
        Self { tasks, stop }
    }

    /// All people have gone home, or one of them failed.
    pub(super) fn finished(&self) -> bool {
        self.tasks.iter().all(tokio::task::JoinHandle::is_finished)
    }

    /// Waits until the edits under way are done.
    pub(super) async fn stop(self) -> Result<(), LoadError> {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await
                .map_err(|error| LoadError::Stack(format!("an editor failed: {error}")))??;
        }
        Ok(())
    }
}

impl Person {
    async fn work(mut self) -> Result<(), LoadError> {
        while !self.stop.load(Ordering::Relaxed) {
            let share = (self.started.elapsed().as_secs_f64() / self.seconds).min(1.0);
            let due = (self.total as f64 * share) as u64;
            if self.done.load(Ordering::Relaxed) >= self.total {
                return Ok(());
            }
            // An edit in progress is counted before it is made, so that several people make no more than are due.
            if self.begun.fetch_add(1, Ordering::Relaxed) >= due {
                self.begun.fetch_sub(1, Ordering::Relaxed);
                tokio::time::sleep(IDLE).await;
                continue;
            }
            if !self.edit().await? {
                self.begun.fetch_sub(1, Ordering::Relaxed);
                tokio::time::sleep(IDLE).await;
            }
        }
        Ok(())
    }

    /// One edit; false when nothing came of it.
    async fn edit(&mut self) -> Result<bool, LoadError> {
        let Some(seat) = self.dice.pick(&self.seats).cloned() else {
            return Ok(false);
        };
        // Edits of records that have not arrived are refused and thrown again: that must not make more new ones.
        let create = self.made.load(Ordering::Relaxed) * ONE_NEW_IN <= self.done.load(Ordering::Relaxed);
        let edit = {
            let mut product = seat.tenant.lock();
            let edit = seat.plan().org_edit(&product, now_ms(), create);
            let Some(edit) = edit else { return Ok(false) };
            if let Some(record) = edit.record.and_then(|record| product.records.get_mut(record)) {
                record.org_attempts.extend(edit.plain.iter().cloned());
            }
            edit
        };
        let answer = self.admin.edit(&seat.tenant.name, &edit).await?;
        let Answer::Done(id) = answer else { return Ok(false) };
        self.done.fetch_add(1, Ordering::Relaxed);
        let product = seat.tenant.lock();
        seat.plan().org_edited(&product, &edit, id);
        if edit.op == "create" {
            self.made.fetch_add(1, Ordering::Relaxed);
            let asked_about = product
                .shapes
                .objects
                .get(edit.object)
                .is_some_and(|o| !o.matching.is_empty());
            seat.unlinked.fetch_add(u64::from(!asked_about), Ordering::Relaxed);
        }
        Ok(true)
    }
}
