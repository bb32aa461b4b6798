//! What the actors meet instead of Redis and Salesforce: everything is in one place, and can be made to fail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::BoxFuture;
use tandem::actor::clock::{Clock, Dice, TokioClock};
use tandem::actor::{Deps, Fatal, LaneFactory, NodeSettings, Place, Running, TenantSpec, start};
use tandem::port::Answer;
use tandem::port::changes::{ChangeFeed, ChangeStream, ChangesError, EventBatch, From};
use tandem::port::cluster::{Cluster, Lease, LeaseAnswer, Member};
use tandem::port::org::{Org, ReadRow, Session, WriteAnswer, WriteCall};
use tandem::port::store::{Attached, Committed, CompactedPage, Lane, Lengths, Loaded, OutboxEntry, StoreError};
use tandem::telemetry::Telemetry;
use tandem_core::domain::change::IdempotencyKey;
use tandem_core::domain::event::{Event, EventType};
use tandem_core::domain::ids::{Epoch, Fence, RecordKey, ReplayId, TenantName};
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::domain::stream::{Log, StreamId};
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::classify::{CallFault, RowOutcome};
use tandem_core::engine::commit::{BatchIdList, Commit, Intent, LogChunk, Script};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::script::Scripted;

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

struct Held {
    nonce: String,
    node: String,
    epoch: u64,
    until: Instant,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) tenants: BTreeMap<String, Tenant>,
    leases: BTreeMap<u16, Held>,
    nodes: BTreeMap<String, Instant>,
    epoch: u64,
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

fn broken(doing: &'static str) -> StoreError {
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

impl LaneFactory for World {
    fn open(&self) -> Answer<Arc<dyn Lane>, StoreError> {
        let mut state = self.state();
        state.lanes_opened += 1;
        let lane = FakeLane {
            world: self.clone(),
            number: state.lanes_opened,
        };
        Box::pin(async move { Ok(Arc::new(lane) as Arc<dyn Lane>) })
    }
}

struct FakeLane {
    world: World,
    number: u64,
}

impl FakeLane {
    fn answer<T: Send + 'static>(
        &self,
        tenant: &TenantName,
        run: impl FnOnce(&mut Tenant) -> T,
    ) -> Answer<T, StoreError> {
        let dead = self.number < self.world.state().lanes_broken;
        let answer = if dead {
            Err(broken("asking"))
        } else {
            Ok(self.world.with(tenant.as_str(), run))
        };
        Box::pin(async move { answer })
    }
}

impl Lane for FakeLane {
    fn attach(&self, tenant: &TenantName, _: &str, partition_epoch: Epoch) -> Answer<Attached, StoreError> {
        let seen = self.world.with(tenant.as_str(), |t| t.epoch_seen);
        if partition_epoch.0 < seen {
            let error = StoreError::OldPartitionEpoch {
                tenant: tenant.clone(),
                seen: Epoch(seen),
            };
            return Box::pin(async move { Err(error) });
        }
        self.answer(tenant, |t| {
            t.attaches += 1;
            Attached {
                fence: Fence {
                    nonce: "n".into(),
                    epoch: Epoch(t.attaches),
                    step: 0,
                },
                intents: Vec::new(),
                cursors: t
                    .cursor
                    .iter()
                    .map(|c| ("/data/ChangeEvents".into(), c.clone()))
                    .collect(),
                redis_ms: WALL.0,
            }
        })
    }

    fn read_log(&self, tenant: &TenantName, log: Log, _: StreamId, _: usize) -> Answer<LogChunk, StoreError> {
        let hold = self.world.with(tenant.as_str(), |t| t.hold_log.clone());
        let answer = self.answer(tenant, |_| LogChunk {
            log,
            entries: Vec::new(),
            end: true,
        });
        Box::pin(async move {
            if let Some(hold) = hold {
                hold.notified().await;
            }
            answer.await
        })
    }

    fn scan_compacted(&self, tenant: &TenantName, _: u64, _: usize) -> Answer<CompactedPage, StoreError> {
        self.answer(tenant, |_| CompactedPage {
            records: Vec::new(),
            next: 0,
        })
    }

    fn load(&self, tenant: &TenantName, _: Vec<RecordKey>, _: Vec<IdempotencyKey>) -> Answer<Loaded, StoreError> {
        self.answer(tenant, |_| Loaded::default())
    }

    fn resolve(&self, tenant: &TenantName, ids: Vec<SalesforceId>) -> Answer<Vec<Option<RecordKey>>, StoreError> {
        self.answer(tenant, move |_| vec![None; ids.len()])
    }

    fn begin(&self, tenant: &TenantName, _: &Fence, _: Intent, _: BatchIdList) -> Answer<(), StoreError> {
        self.answer(tenant, |_| ())
    }

    fn commit(&self, tenant: &TenantName, _: &Fence, _: Script, commit: Box<Commit>) -> Answer<Committed, StoreError> {
        self.answer(tenant, move |t| {
            if let Some((_, cursor)) = commit.cursors.into_iter().next() {
                t.cursor = Some(cursor);
            }
            Committed { deleted: 0 }
        })
    }

    fn read_outbox(&self, tenant: &TenantName, after: StreamId, count: usize) -> Answer<Vec<OutboxEntry>, StoreError> {
        self.answer(tenant, move |t| {
            let rest = t.outbox.iter().filter(|ms| **ms > after.ms).take(count);
            let event = Event {
                kind: EventType::Changed,
                record: None,
                salesforce_id: None,
                data: None,
                detail: None,
                revision: 0,
                at: WALL,
                traceparent: None,
                says: Vec::new(),
            };
            rest.map(|ms| OutboxEntry {
                id: StreamId { ms: *ms, seq: 0 },
                event: event.clone(),
                plan: 1,
            })
            .collect()
        })
    }

    fn forward(&self, tenant: &TenantName, _: Epoch, entries: Vec<OutboxEntry>) -> Answer<(), StoreError> {
        let breaks = self.world.with(tenant.as_str(), |t| match &mut t.forwards_left {
            Some(0) => t.forwards_left.take().is_some(),
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        });
        if breaks {
            self.world.break_lanes();
        }
        self.answer(tenant, move |t| {
            let mark = t.feed.last().copied().unwrap_or(0);
            t.feed.extend(entries.iter().map(|e| e.id.ms).filter(|ms| *ms > mark));
        })
    }

    fn forwarded(&self, tenant: &TenantName, _: &Fence, entries: Vec<StreamId>) -> Answer<(), StoreError> {
        self.answer(tenant, move |t| {
            t.outbox.retain(|ms| !entries.iter().any(|e| e.ms == *ms))
        })
    }

    fn lengths(&self, tenant: &TenantName) -> Answer<Lengths, StoreError> {
        self.answer(tenant, |t| Lengths {
            changes: t.newest,
            backfill: 0,
            compacted: 0,
            changes_last: StreamId::ZERO,
            backfill_last: StreamId::ZERO,
            outbox: t.outbox.len() as u64,
        })
    }

    fn set_backpressure(&self, tenant: &TenantName, _: &Fence, _: &'static str) -> Answer<(), StoreError> {
        self.answer(tenant, |_| ())
    }
}

/// The shared keys, as one node reaches them.
struct Access {
    world: World,
    node: String,
}

impl Access {
    fn answer<T: Send + 'static>(&self, run: impl FnOnce(&mut State) -> T) -> Answer<T, StoreError> {
        let mut state = self.world.state();
        let answer = if state.cut_off.contains(&self.node) {
            Err(broken("asking"))
        } else {
            Ok(run(&mut state))
        };
        Box::pin(async move { answer })
    }
}

impl Cluster for Access {
    fn heartbeat(&self, node: &str) -> Answer<Vec<Member>, StoreError> {
        assert!(!self.world.state().node_panics, "the test made the node panic");
        self.answer(|s| {
            s.nodes.insert(node.to_owned(), Instant::now());
            s.nodes
                .iter()
                .map(|(n, at)| Member {
                    node: n.clone(),
                    age: at.elapsed(),
                })
                .collect()
        })
    }

    fn leave(&self, node: &str) -> Answer<(), StoreError> {
        self.answer(|s| {
            s.nodes.remove(node);
        })
    }

    fn acquire(&self, p: u16, node: &str, nonce: &str, ttl: Duration, above: Epoch) -> Answer<LeaseAnswer, StoreError> {
        self.answer(|s| {
            let now = Instant::now();
            match s.leases.get(&p) {
                Some(held) if held.until > now && held.nonce != nonce => LeaseAnswer::Taken {
                    holder: held.node.clone(),
                    left: held.until - now,
                },
                _ => {
                    s.epoch = (s.epoch + 1).max(above.0 + 1);
                    let held = Held {
                        nonce: nonce.to_owned(),
                        node: node.to_owned(),
                        epoch: s.epoch,
                        until: now + ttl,
                    };
                    s.leases.insert(p, held);
                    LeaseAnswer::Held(Lease { epoch: Epoch(s.epoch) })
                }
            }
        })
    }

    fn renew(&self, _: &str, nonce: &str, ttl: Duration, leases: Vec<(u16, Epoch)>) -> Answer<Vec<bool>, StoreError> {
        self.answer(|s| {
            let now = Instant::now();
            let mut renew = |p: &u16, epoch: &Epoch| match s.leases.get_mut(p) {
                Some(held) if held.nonce == nonce && held.epoch == epoch.0 && held.until > now => {
                    held.until = now + ttl;
                    true
                }
                _ => false,
            };
            leases.iter().map(|(p, epoch)| renew(p, epoch)).collect()
        })
    }

    fn release(&self, p: u16, nonce: &str, _: Epoch, _: &str) -> Answer<(), StoreError> {
        self.answer(|s| {
            if s.leases.get(&p).is_some_and(|held| held.nonce == nonce) {
                s.leases.remove(&p);
            }
        })
    }

    fn sweep(&self, tenants: Vec<TenantName>) -> Answer<Vec<[StreamId; 2]>, StoreError> {
        self.answer(|s| {
            s.sweeps += 1;
            let newest = |t: &TenantName| s.tenants.get(t.as_str()).map_or(0, |t| t.newest);
            tenants
                .iter()
                .map(|t| [StreamId { ms: newest(t), seq: 0 }, StreamId::ZERO])
                .collect()
        })
    }

    fn dirty(&self) -> Answer<Vec<TenantName>, StoreError> {
        self.answer(|_| Vec::new())
    }

    fn doorbell(&self) -> Answer<mpsc::Receiver<Arc<str>>, StoreError> {
        self.answer(|s| {
            let (bell, heard) = mpsc::channel(64);
            s.doorbells.push(bell);
            heard
        })
    }

    fn register(&self, _: Vec<TenantName>) -> Answer<(), StoreError> {
        self.answer(|_| ())
    }
}

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

/// A tenant's org and its change stream.
struct Site {
    world: World,
    tenant: String,
}

impl Org for Site {
    fn write(&self, call: WriteCall) -> BoxFuture<'static, WriteAnswer> {
        let (takes, panics) = self.world.with(&self.tenant, |t| (t.org_takes, t.org_panics));
        let (world, tenant) = (self.world.clone(), self.tenant.clone());
        Box::pin(async move {
            assert!(!panics, "the org's client panics");
            let begun = Instant::now();
            tokio::time::sleep(takes).await;
            world.state().calls.push((tenant, begun, Instant::now()));
            let id = SalesforceId::parse("001D000000IRFmaIAH").unwrap();
            let outcome = Ok(call
                .rows
                .iter()
                .map(|_| RowOutcome::Done { id, created: false })
                .collect());
            WriteAnswer {
                outcome,
                usage: None,
                took: takes,
                requests: 1,
            }
        })
    }

    fn read(&self, _: Arc<str>, _: Vec<SalesforceId>, _: Vec<Arc<str>>) -> Answer<Vec<ReadRow>, CallFault> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn describe(&self, _: Arc<str>) -> Answer<bytes::Bytes, CallFault> {
        Box::pin(async { Ok(bytes::Bytes::new()) })
    }

    fn session(&self) -> Answer<Session, CallFault> {
        unreachable!("the fake feed needs no session")
    }
}

impl ChangeFeed for Site {
    fn subscribe(&self, _: Arc<str>, from: From) -> Answer<Box<dyn ChangeStream>, ChangesError> {
        let (world, tenant) = (self.world.clone(), self.tenant.clone());
        Box::pin(async move {
            let (events, heard) = mpsc::unbounded_channel();
            world.with(&tenant, |t| {
                t.subscribed += 1;
                t.open += 1;
                t.events = Some(events);
                t.told.push(match from {
                    From::Latest => "from latest".to_owned(),
                    From::After(id) => format!("from {}", replay_number(&id)),
                });
            });
            Ok(Box::new(FakeStream { world, tenant, heard }) as Box<dyn ChangeStream>)
        })
    }
}

struct FakeStream {
    world: World,
    tenant: String,
    heard: mpsc::UnboundedReceiver<Result<EventBatch, ChangesError>>,
}

impl ChangeStream for FakeStream {
    fn next(&mut self) -> BoxFuture<'_, Result<EventBatch, ChangesError>> {
        Box::pin(async {
            let broken = ChangesError::Broken {
                topic: "t".into(),
                detail: "closed".to_owned(),
            };
            self.heard.recv().await.unwrap_or(Err(broken))
        })
    }
}

impl Drop for FakeStream {
    fn drop(&mut self) {
        self.world.with(&self.tenant, |t| t.open -= 1);
    }
}
