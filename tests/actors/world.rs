//! What the actors meet instead of Redis and Salesforce: everything is in one place, and can be made to fail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tandem::actor::clock::{Clock, Dice, TokioClock};
use tandem::actor::{Deps, Fatal, NodeSettings, Place, Running, TenantSpec, start};
use tandem::port::changes::{ChangesError, EventBatch};
use tandem::port::store::StoreError;
use tandem::telemetry::Telemetry;
use tandem_core::domain::ids::{ReplayId, TenantName};
use tandem_core::domain::time::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::script::Scripted;
use crate::site::Site;
use crate::store::Access;

pub(crate) const WALL: Timestamp = Timestamp(1_800_000_000_000);

/// How the fake store and org behave for one tenant, and what was seen of it.
#[derive(Default)]
pub(crate) struct Tenant {
    /// What its machine did and was told, in order.
    pub(crate) told: Vec<String>,
    /// The machine panics when it is told this word.
    pub(crate) panic_on: Option<&'static str>,
    /// Batches that its machine has to send.
    pub(crate) work: usize,
    /// How long the org takes.
    pub(crate) org_takes: Duration,
    /// Its machine wants a tick so long after it has read its log; always in the past when zero.
    pub(crate) tick_after: Option<Duration>,
    /// Its machine compares the logs' lengths so often, as the real one does.
    pub(crate) checks_every: Option<Duration>,
    pub(crate) snapshots: usize,
    /// The org's client panics.
    pub(crate) org_panics: bool,
    pub(crate) attaches: u64,
    /// Partition epochs below this one are refused.
    pub(crate) epoch_seen: u64,
    pub(crate) cursor: Option<ReplayId>,
    pub(crate) newest: u64,
    pub(crate) outbox: Vec<u64>,
    pub(crate) feed: Vec<u64>,
    /// Forwards that succeed before one fails with a broken connection.
    pub(crate) forwards_left: Option<usize>,
    /// Subscriptions ever, and open now.
    pub(crate) subscribed: usize,
    pub(crate) open: usize,
    /// Where events are put in.
    pub(crate) events: Option<mpsc::UnboundedSender<Result<EventBatch, ChangesError>>>,
    /// Answers to `read_log` wait for this.
    pub(crate) hold_log: Option<Arc<Notify>>,
}

pub(crate) struct Held {
    pub(crate) nonce: String,
    pub(crate) node: String,
    pub(crate) epoch: u64,
    pub(crate) until: Instant,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) tenants: BTreeMap<String, Tenant>,
    pub(crate) leases: BTreeMap<u16, Held>,
    pub(crate) nodes: BTreeMap<String, Instant>,
    pub(crate) epoch: u64,
    pub(crate) lanes_opened: u64,
    /// Lanes below this number are broken.
    pub(crate) lanes_broken: u64,
    pub(crate) doorbells: Vec<mpsc::Sender<Arc<str>>>,
    pub(crate) deaf: bool,
    pub(crate) node_panics: bool,
    /// The next look at the clock panics.
    pub(crate) clock_panics: bool,
    pub(crate) sweeps: usize,
    pub(crate) calls: Vec<(String, Instant, Instant)>,
    pub(crate) fatal: Vec<String>,
    /// Nodes that Redis does not answer.
    pub(crate) cut_off: BTreeSet<String>,
}

#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<State>>);

pub(crate) fn name(text: &str) -> TenantName {
    TenantName::new(text).unwrap()
}

pub(crate) fn replay(n: u64) -> ReplayId {
    ReplayId(bytes::Bytes::copy_from_slice(&n.to_be_bytes()))
}

pub(crate) fn replay_number(id: &ReplayId) -> u64 {
    u64::from_be_bytes(id.0.as_ref().try_into().unwrap())
}

pub(crate) fn broken(doing: &'static str) -> StoreError {
    StoreError::Broken {
        doing,
        detail: "the test broke it".to_owned(),
    }
}

impl World {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn with<T>(&self, tenant: &str, look: impl FnOnce(&mut Tenant) -> T) -> T {
        look(self.state().tenants.entry(tenant.to_owned()).or_default())
    }

    pub(crate) fn told(&self, tenant: &str) -> Vec<String> {
        self.with(tenant, |t| t.told.clone())
    }

    pub(crate) fn count(&self, tenant: &str, word: &str) -> usize {
        self.with(tenant, |t| t.told.iter().filter(|w| *w == word).count())
    }

    /// A producer appends; whoever listens hears it.
    pub(crate) fn append(&self, tenant: &str) {
        self.with(tenant, |t| t.newest += 1);
        let state = self.state();
        if !state.deaf {
            for bell in &state.doorbells {
                let _full = bell.try_send(tenant.into()).is_err();
            }
        }
    }

    pub(crate) fn break_lanes(&self) {
        let mut state = self.state();
        state.lanes_broken = state.lanes_opened + 1;
    }

    /// Salesforce has events (none: a keep-alive).
    pub(crate) fn event(&self, tenant: &str, at: u64, events: usize) {
        let event = tandem_core::engine::inbound::ChangeEvent {
            replay_id: replay(at),
            sobject: "Contact".into(),
            ids: Vec::new(),
            kind: tandem_core::engine::inbound::ChangeKind::Update,
            committed: WALL,
            commit_number: 1,
            transaction_key: "t".into(),
            sequence: 1,
            commit_user: "u".into(),
            origin: "".into(),
            fields: Vec::new(),
            unread: Vec::new(),
        };
        let batch = EventBatch {
            events: vec![event; events],
            latest: replay(at),
        };
        self.with(tenant, |t| t.events.as_ref().unwrap().send(Ok(batch)).unwrap());
    }

    pub(crate) fn end_stream(&self, tenant: &str, error: ChangesError) {
        self.with(tenant, |t| t.events.as_ref().unwrap().send(Err(error)).unwrap());
    }

    pub(crate) fn spec(&self, tenant: &str) -> Arc<TenantSpec> {
        let (world, of) = (self.clone(), tenant.to_owned());
        self.with(tenant, |_| ());
        Arc::new(TenantSpec {
            name: name(tenant),
            topic: "/data/ChangeEvents".into(),
            org: Arc::new(Site {
                world: self.clone(),
                tenant: tenant.to_owned(),
            }),
            changes: Arc::new(Site {
                world: self.clone(),
                tenant: tenant.to_owned(),
            }),
            decider: Arc::new(move || Box::new(Scripted::new(world.clone(), &of))),
        })
    }

    pub(crate) fn node(&self, node: &str, tenants: &[&str]) -> Running {
        self.node_at(node, tenants, Vec::new(), Arc::new(Telemetry::new().unwrap()), 2)
    }

    pub(crate) fn node_at(
        &self,
        node: &str,
        tenants: &[&str],
        places: Vec<Place>,
        telemetry: Arc<Telemetry>,
        workers: usize,
    ) -> Running {
        let seen = self.clone();
        start(Deps {
            settings: NodeSettings {
                nonce: uuid::Uuid::new_v4().to_string().into(),
                name: node.into(),
                workers,
                sweep_interval: Duration::from_secs(5),
                drain_grace: Duration::from_secs(60),
            },
            places,
            lanes: Arc::new(self.clone()),
            cluster: Arc::new(Access {
                world: self.clone(),
                node: node.to_owned(),
            }),
            tenants: tenants.iter().map(|t| self.spec(t)).collect(),
            telemetry,
            clock: Arc::new(Frail {
                world: self.clone(),
                clock: TokioClock::starting_at(WALL),
            }),
            dice: Arc::new(Dice::seeded(7)),
            fatal: Fatal::new(move |why| seen.state().fatal.push(why.to_owned())),
        })
    }

    pub(crate) fn holder(&self, tenant: &str) -> Option<String> {
        let partition = tandem_core::engine::place::tenant_partition(&name(tenant));
        let state = self.state();
        state
            .leases
            .get(&partition)
            .filter(|h| h.until > Instant::now())
            .map(|h| h.node.clone())
    }
}

/// Waits, on the paused clock, until something holds; fails after `limit` of its time.
pub(crate) async fn within(limit: Duration, what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < until, "not within {limit:?}: {what}");
        tokio::time::sleep((limit / 2_000).max(Duration::from_millis(2))).await;
    }
}

/// Lets time pass on the paused clock.
pub(crate) async fn pass(span: Duration) {
    tokio::time::sleep(span).await;
}

/// Runs a test on a `LocalSet`.
pub(crate) async fn local(test: impl Future<Output = ()>) {
    tokio::task::LocalSet::new().run_until(test).await;
}

pub(crate) const SOON: Duration = Duration::from_secs(5);

/// A clock that breaks once when told to.
struct Frail {
    world: World,
    clock: TokioClock,
}

impl Clock for Frail {
    fn now(&self) -> Timestamp {
        let panics = std::mem::take(&mut self.world.state().clock_panics);
        assert!(!panics, "the test broke the clock");
        self.clock.now()
    }

    fn since_boot(&self) -> Duration {
        self.clock.since_boot()
    }
}
