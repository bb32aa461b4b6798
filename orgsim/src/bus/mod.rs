//! The org's event bus: commits become change events, and the Pub/Sub API delivers them.
//!
//! Path of a change: [`CommitSink::publish`] queues the commit → the intake thread encodes its events and appends
//! them to the org's log → subscriptions read the log from their own place. Everything is shared, nothing is copied
//! per subscriber.

mod avro;
mod bitmap;
mod body;
mod channel;
mod compound;
mod diff;
mod ear;
mod event;
mod intake;
mod json;
mod kind;
mod listen;
mod look;
mod org;
mod random;
mod refusal;
mod replay;
mod schema;
mod schema_json;
mod service;
mod several;
mod subscription;
mod topic;

use std::collections::HashMap;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

pub use channel::{Channel, Filter};
pub(crate) use ear::{Deaf, Ear};
pub use listen::{SelfSigned, ServeError, serve};

use crate::commit::{Commit, CommitSink, Disturbance};
use crate::directory::{Directory, EntitySchema};
use intake::Job;
use org::OrgLog;
use random::Chance;
use refusal::Refusal;
use topic::Topic;

/// Commits that may wait for the intake thread. Beyond it their events are lost, and the log says so.
const BACKLOG: usize = 65_536;

/// Whether streams can be ended with this error code.
pub(crate) fn is_stream_error(code: &str) -> bool {
    Refusal::named(code).is_some()
}

/// The event schema of an object as it is now: its id, and its text.
pub(crate) fn event_schema(org_id: &str, described: &EntitySchema) -> (String, String) {
    let schema = schema::EventSchema::new(org_id, described);
    (schema.id, schema.json)
}

/// The object whose changes an event such as `AccountChangeEvent` tells.
pub(crate) fn entity_of_event(event: &str) -> Option<String> {
    match Topic::parse(&format!("/data/{event}"))? {
        Topic::Entity(entity) => Some(entity),
        _ => None,
    }
}

/// How a bus behaves; the default is what live orgs do.
#[derive(Debug, Clone, Copy)]
pub struct BusOptions {
    /// A subscriber to whom events are owed gets an empty response at least this often.
    pub keep_alive: Duration,
    /// A stream without outstanding requests is closed after this time.
    pub idle_close: Duration,
    /// Events kept per org at most, besides the 72 hours.
    pub retained_events: usize,
    /// Changes of one transaction after which the rest becomes `GAP_OVERFLOW` events.
    pub overflow_at: usize,
}

impl Default for BusOptions {
    fn default() -> Self {
        Self {
            // Live streams: about 60 s, the documented bound is 270 s.
            keep_alive: Duration::from_secs(60),
            // Documented as 60 s, 70 s in Salesforce's own example.
            idle_close: Duration::from_secs(65),
            retained_events: 1_000_000,
            // Change Data Capture guide, "Overflow Events".
            overflow_at: 100_000,
        }
    }
}

/// The event bus of all simulated orgs.
pub struct Bus {
    shared: Arc<Shared>,
    certificate: OnceLock<SelfSigned>,
}

/// What the intake thread, the calls and the bus have in common.
struct Shared {
    directory: Arc<dyn Directory>,
    options: BusOptions,
    /// Draws the ids of calls only: what the logs draw must not depend on who calls.
    call_ids: Chance,
    seed: u64,
    orgs: Mutex<HashMap<String, Arc<OrgLog>>>,
    jobs: SyncSender<Job>,
}

impl Bus {
    /// A bus as live orgs have it. The same `seed` and commits give an org the same replay ids and drops.
    pub fn new(directory: Arc<dyn Directory>, seed: u64) -> Arc<Self> {
        Self::with_options(directory, seed, BusOptions::default())
    }

    /// A bus that behaves as `options` say.
    pub fn with_options(directory: Arc<dyn Directory>, seed: u64, options: BusOptions) -> Arc<Self> {
        let (jobs, queue) = sync_channel(BACKLOG);
        let call_ids = Chance::new(!seed);
        let shared = Arc::new(Shared {
            directory,
            options,
            call_ids,
            seed,
            orgs: Mutex::default(),
            jobs,
        });
        let weak = Arc::downgrade(&shared);
        // Ends with the bus: then the queue has no sender.
        std::thread::spawn(move || intake::run(&weak, &queue));
        Arc::new(Self {
            shared,
            certificate: OnceLock::new(),
        })
    }

    /// Events of the org that may still be delivered, to all subscribers together: after `Some(n)` more, streams end
    /// with `subscription.limit.exceeded` until the allowance is set anew. None (the start) is no limit.
    /// `org_id` has 18 characters.
    pub fn set_delivery_allowance(&self, org_id: &str, allowance: Option<u64>) {
        self.shared.org(org_id).set_allowance(allowance);
    }

    /// Events delivered so far, to all subscribers of the org together: what Salesforce counts against its allocation.
    pub fn delivered(&self, org_id: &str) -> u64 {
        self.shared.org(org_id).delivered()
    }

    /// Events delivered so far, and how many more may be; None is no limit.
    pub(crate) fn allocation(&self, org_id: &str) -> (u64, Option<u64>) {
        self.shared.org(org_id).allocation()
    }

    /// Subscribe calls of the org that are open.
    pub fn subscribers(&self, org_id: &str) -> usize {
        self.shared.org(org_id).subscribers()
    }

    /// The certificate of the TLS listener; the same for the life of the bus.
    ///
    /// # Errors
    /// When no certificate can be made.
    pub fn certificate(&self) -> Result<&SelfSigned, ServeError> {
        if let Some(made) = self.certificate.get() {
            return Ok(made);
        }
        let made = SelfSigned::new()?;
        Ok(self.certificate.get_or_init(|| made))
    }

    /// Waits until the events of everything published before are in the log.
    pub async fn settled(&self) {
        self.shared.barrier().await;
    }
}

impl CommitSink for Bus {
    fn publish(&self, commit: Commit) {
        self.queue(Job::Commit(Box::new(commit)));
    }

    fn disturb(&self, org_id: &str, disturbance: Disturbance) {
        self.queue(Job::Disturb(org_id.to_owned(), disturbance));
    }
}

impl Bus {
    /// Never waits: whoever publishes may hold locks that the intake needs.
    fn queue(&self, job: Job) {
        match self.shared.jobs.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                tracing::error!(
                    backlog = BACKLOG,
                    "the event bus cannot keep up: a commit or a fault is lost"
                );
            }
            Err(TrySendError::Disconnected(_)) => tracing::error!("the event bus has stopped: no more events"),
        }
    }
}

impl Shared {
    /// The log of the org with this 18-character id.
    fn org(&self, org_id: &str) -> Arc<OrgLog> {
        let mut orgs = self.orgs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(org) = orgs.get(org_id) {
            return Arc::clone(org);
        }
        let org = Arc::new(OrgLog::new(org_id, self.options.retained_events, self.seed));
        orgs.insert(org_id.to_owned(), Arc::clone(&org));
        org
    }

    /// The topic called `name`, if the org has it: an object's topic is there when its changes are captured.
    fn topic(&self, org_id: &str, name: &str) -> Result<Topic, Refusal> {
        let custom = || {
            Some(Topic::Channel(
                self.directory.channel(org_id, name.strip_prefix("/data/")?)?,
            ))
        };
        custom()
            .or_else(|| Topic::parse(name))
            .filter(|topic| match topic {
                Topic::Entity(entity) => self.directory.captured(org_id).contains(entity),
                Topic::All | Topic::Enriched | Topic::Channel(_) => true,
            })
            .ok_or_else(|| Refusal::TopicNotFound {
                org_id: org_id.to_owned(),
                topic: name.to_owned(),
            })
    }

    /// Waits until the intake has done everything queued before.
    async fn barrier(&self) {
        let mut done = {
            let (tell, done) = oneshot::channel();
            match self.jobs.try_send(Job::Barrier(tell)) {
                Ok(()) => done,
                // As good as it gets: the queue is full or the bus is gone.
                Err(_) => return,
            }
        };
        // An error means that the intake is gone: nothing more will come.
        (&mut done).await.unwrap_or_default();
    }
}
