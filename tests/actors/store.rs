//! The fake store: what lanes and the shared keys answer.

use std::sync::Arc;
use std::time::Duration;

use tandem::actor::LaneFactory;
use tandem::port::Answer;
use tandem::port::cluster::{Cluster, Ends, Lease, LeaseAnswer, Member};
use tandem::port::store::{Attached, Committed, CompactedPage, Lane, Lengths, Loaded, OutboxEntry, StoreError};
use tandem_core::domain::change::IdempotencyKey;
use tandem_core::domain::event::{Event, EventType, Says};
use tandem_core::domain::ids::{Epoch, Fence, RecordKey, TenantName};
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::domain::stream::{Log, StreamId};
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::commit::{BatchIdList, Commit, Intent, LogChunk, Script};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::world::{Held, State, Tenant, WALL, World, broken};

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
            Committed::default()
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
                says: Says::default(),
            };
            rest.map(|ms| OutboxEntry {
                id: StreamId { ms: *ms, seq: 0 },
                event: event.clone(),
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

    fn due_questions(&self, tenant: &TenantName, _: Timestamp, _: usize) -> Answer<Vec<RecordKey>, StoreError> {
        self.answer(tenant, |_| Vec::new())
    }

    fn lengths(&self, tenant: &TenantName) -> Answer<Lengths, StoreError> {
        self.answer(tenant, |t| Lengths {
            changes: t.newest,
            backfill: 0,
            compacted: 0,
            changes_last: StreamId::ZERO,
            backfill_last: StreamId::ZERO,
            outbox: t.outbox.len() as u64,
            open_questions: 0,
            unaccounted: 0,
        })
    }

    fn set_backpressure(&self, tenant: &TenantName, _: &Fence, _: &'static str) -> Answer<(), StoreError> {
        self.answer(tenant, |_| ())
    }
}

/// The shared keys, as one node reaches them.
pub(crate) struct Access {
    pub(crate) world: World,
    pub(crate) node: String,
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

    fn sweep(&self, known: Vec<(TenantName, Ends)>) -> Answer<Vec<(TenantName, Ends)>, StoreError> {
        self.answer(|s| {
            s.sweeps += 1;
            let newest = |t: &TenantName| s.tenants.get(t.as_str()).map_or(0, |t| t.newest);
            let now = known.into_iter().filter(|(t, ends)| newest(t) > ends[0].ms);
            now.map(|(t, _)| (t.clone(), [StreamId { ms: newest(&t), seq: 0 }, StreamId::ZERO]))
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
