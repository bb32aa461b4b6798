//! Turns commits into events, in commit order, on a thread of its own.
//!
//! An org publishes while it may hold its own locks, and the schema of an object is a question back to the org.
//! So `publish` only queues; this thread asks and encodes.

use std::collections::HashMap;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Weak};

use tokio::sync::oneshot;

use super::Shared;
use super::body::Body;
use super::event::{ChangeType, Event};
use super::org::OrgLog;
use super::schema::{EventSchema, KEY_FIELD};
use crate::commit::{ChangeKind, Commit, Disturbance, RowChange};

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
            Job::Commit(commit) => absorb(&shared, &commit),
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
    body: Body,
    records: Vec<Box<str>>,
    keys: Vec<Option<Box<str>>>,
}

fn absorb(shared: &Shared, commit: &Commit) {
    let org = shared.org(&commit.org_id);
    let captured = shared.directory.captured(&commit.org_id);
    let mut schemas: HashMap<&str, Option<Arc<EventSchema>>> = HashMap::new();
    let mut events = Vec::new();
    let mut overflowed: Vec<&Arc<EventSchema>> = Vec::new();
    let mut key_changes = Vec::new();
    let mut counted = 0;
    for change in commit.changes.iter().filter(|change| captured.contains(&change.entity)) {
        schemas
            .entry(&change.entity)
            .or_insert_with(|| schema(shared, &org, commit, &change.entity));
    }
    let mut open: Option<Merged> = None;
    for change in &commit.changes {
        let Some(Some(schema)) = schemas.get(change.entity.as_str()) else {
            continue;
        };
        if counted >= shared.options.overflow_at {
            if !overflowed.iter().any(|known| known.entity == schema.entity) {
                overflowed.push(schema);
            }
            continue;
        }
        let body = Body::of(schema, change);
        counted += body.changed.count().max(1);
        if let Some(key) = key_change(change) {
            key_changes.push((change.id.as_str().into(), key));
        }
        let (record, key) = (change.id.as_str().into(), key_of(change));
        let change_type = ChangeType::of(change.kind);
        match &mut open {
            Some(merged)
                if merged.change_type == change_type && Arc::ptr_eq(&merged.schema, schema) && merged.body == body =>
            {
                merged.records.push(record);
                merged.keys.push(key);
            }
            _ => {
                let next = Merged {
                    schema: Arc::clone(schema),
                    change_type,
                    body,
                    records: vec![record],
                    keys: vec![key],
                };
                close(&org, commit, &mut events, open.replace(next));
            }
        }
    }
    close(&org, commit, &mut events, open.take());
    events.extend(overflowed.into_iter().map(|schema| Event::overflow(schema, commit)));
    org.append(commit.commit_ms, commit.changes.len(), events, key_changes);
}

fn close(org: &OrgLog, commit: &Commit, events: &mut Vec<Event>, merged: Option<Merged>) {
    let Some(Merged {
        schema,
        change_type,
        body,
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
    events.push(Event::new(&schema, commit, change_type, sequence, records, keys, &body));
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

/// The key as the row has it; as it was, for a delete.
fn key_of(change: &RowChange) -> Option<Box<str>> {
    let row = if change.after.is_empty() {
        &change.before
    } else {
        &change.after
    };
    row.get(KEY_FIELD)?.as_str().map(Into::into)
}

/// The key from now on, when an update changed it.
fn key_change(change: &RowChange) -> Option<Option<Box<str>>> {
    if change.kind != ChangeKind::Update || change.before.get(KEY_FIELD) == change.after.get(KEY_FIELD) {
        return None;
    }
    Some(key_of(change))
}
