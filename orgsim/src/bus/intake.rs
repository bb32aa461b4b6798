//! Turns commits into events, in commit order, on a thread of its own.
//!
//! An org publishes while it may hold its own locks, and the schema of an object is a question back to the org.
//! So `publish` only queues; this thread asks and encodes.

use std::collections::HashMap;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Weak};

use arcstr::ArcStr;
use tokio::sync::oneshot;

use super::Shared;
use super::event::{ChangeType, Event, Told};
use super::org::OrgLog;
use super::schema::EventSchema;
use crate::commit::{ChangeKind, Commit, Disturbance, RowChange};
use crate::org::{Cell, Row};

/// What the intake thread is asked to do, in this order.
pub(crate) enum Job {
    Commit(Box<Commit>),
    Disturb(String, Disturbance),
    /// Answers when all jobs before it are done.
    Barrier(oneshot::Sender<()>),
}

/// Works until the bus is gone.
pub(crate) fn run(shared: &Weak<Shared>, jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        let Some(shared) = shared.upgrade() else { return };
        match job {
            Job::Commit(commit) => absorb(&shared, *commit),
            Job::Disturb(org_id, disturbance) => shared.org(&org_id).disturb(disturbance),
            Job::Barrier(done) => {
                // Whoever waited may have left: nothing depends on the answer.
                if done.send(()).is_err() {
                    tracing::trace!("nobody waits for the barrier any more");
                }
            }
        }
    }
}

/// Changes of one object that become one event: the same change of several records (merged events).
struct Merged {
    schema: Arc<EventSchema>,
    change_type: ChangeType,
    told: Told,
    records: Vec<ArcStr>,
    keys: Vec<Option<ArcStr>>,
}

fn absorb(shared: &Shared, mut commit: Commit) {
    let changes = std::mem::take(&mut commit.changes);
    let commit = Arc::new(commit);
    let org = shared.org(&commit.org_id);
    let captured = shared.directory.captured(&commit.org_id);
    let mut schemas: HashMap<&str, Option<Arc<EventSchema>>> = HashMap::new();
    let mut events = Vec::new();
    let mut overflowed: Vec<&Arc<EventSchema>> = Vec::new();
    let mut key_changes = Vec::new();
    let mut counted = 0;
    for change in changes
        .iter()
        .filter(|change| captured.iter().any(|name| **name == *change.entity))
    {
        schemas
            .entry(&change.entity)
            .or_insert_with(|| schema(shared, &org, &commit, &change.entity));
    }
    let mut open: Option<Merged> = None;
    for change in &changes {
        let Some(Some(schema)) = schemas.get(&*change.entity) else {
            continue;
        };
        if counted >= shared.options.overflow_at {
            if !overflowed.iter().any(|known| known.entity == schema.entity) {
                overflowed.push(schema);
            }
            continue;
        }
        let told = Told::of(change);
        counted += told.count(schema);
        if let Some(key) = key_change(schema, change) {
            key_changes.push((change.id.clone(), key));
        }
        let (record, key) = (change.id.clone(), key_of(schema, change));
        let change_type = ChangeType::of(change.kind);
        match &mut open {
            Some(merged)
                if merged.change_type == change_type
                    && Arc::ptr_eq(&merged.schema, schema)
                    && merged.told.same(schema, &told) =>
            {
                merged.records.push(record);
                merged.keys.push(key);
            }
            _ => {
                let next = Merged {
                    schema: Arc::clone(schema),
                    change_type,
                    told,
                    records: vec![record],
                    keys: vec![key],
                };
                close(&org, &commit, &mut events, open.replace(next));
            }
        }
    }
    close(&org, &commit, &mut events, open.take());
    events.extend(overflowed.into_iter().map(|schema| Event::overflow(schema, &commit)));
    org.append(commit.commit_ms, changes.len(), events, key_changes);
}

fn close(org: &OrgLog, commit: &Arc<Commit>, events: &mut Vec<Event>, merged: Option<Merged>) {
    let Some(Merged {
        schema,
        change_type,
        told,
        records,
        keys,
    }) = merged
    else {
        return;
    };
    let change_type = if org.take_gap() {
        change_type.as_gap()
    } else {
        change_type
    };
    let sequence = events.len() + 1;
    events.push(Event::new(&schema, commit, change_type, sequence, records, keys, told));
}

fn schema(shared: &Shared, org: &OrgLog, commit: &Commit, entity: &str) -> Option<Arc<EventSchema>> {
    match shared.directory.entity(&commit.org_id, entity) {
        Some(described) => Some(org.schema(&described)),
        None => {
            tracing::warn!(org = %commit.org_id, entity, "a captured object is unknown to the org: no events for it");
            None
        }
    }
}

fn key(schema: &EventSchema, row: Option<&Row>) -> Option<ArcStr> {
    match &row?.cells[schema.key?] {
        Cell::Text(key) => Some(key.clone()),
        _ => None,
    }
}

/// The key as the row has it; as it was, for a delete.
fn key_of(schema: &EventSchema, change: &RowChange) -> Option<ArcStr> {
    key(schema, change.after.as_deref().or(change.before.as_deref()))
}

/// The key from now on, when an update changed it.
fn key_change(schema: &EventSchema, change: &RowChange) -> Option<Option<ArcStr>> {
    let before = || key(schema, change.before.as_deref());
    let now = (change.kind == ChangeKind::Update).then(|| key(schema, change.after.as_deref()))?;
    (before() != now).then_some(now)
}
