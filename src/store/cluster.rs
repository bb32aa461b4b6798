//! [`Cluster`] over a pool: membership, partition leases, sweeps and the registry.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use redis::{Client, Value};
use tandem_core::domain::ids::{Epoch, TenantName};
use tandem_core::engine::place;
use tokio::runtime::Handle;

use super::connection::{self, StoreSettings, StoreSetupError};
use super::pooled::Pooled;
use super::reply::Reader;
use super::script::{Call, ScriptName};
use super::{doorbell, keys};
use crate::port::Answer;
use crate::port::cluster::{Cluster, Ends, Lease, LeaseAnswer, Member};
use crate::port::store::StoreError;

/// Silence after which a node is taken off the list.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// How long a partition that was given back is kept for the node it was given to.
pub const KEPT_FOR_NEXT: Duration = Duration::from_secs(2);

/// Tenants taken from one dirty set at a time.
const DIRTY_IN_ONE: u32 = 1_000;

/// Membership, leases and wake-ups in Redis.
pub struct RedisCluster {
    pooled: Pooled,
    client: Client,
    settings: StoreSettings,
    runtime: Handle,
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn reader(doing: &'static str) -> Reader<'static> {
    Reader { doing, tenant: None }
}

impl RedisCluster {
    /// Opens nothing yet. The doorbell's connection lives on `runtime`.
    pub fn new(settings: StoreSettings, runtime: Handle) -> Result<Self, StoreSetupError> {
        Ok(Self {
            pooled: Pooled::new(&settings, runtime.clone())?,
            client: connection::client(&settings)?,
            settings,
            runtime,
        })
    }

    fn one(&self, doing: &'static str, command: redis::Cmd) -> Answer<Value, StoreError> {
        let mut commands = redis::pipe();
        commands.add_command(command);
        let values = self.pooled.run(doing, commands);
        Box::pin(async move { reader(doing).good(values.await?.into_iter().next().unwrap_or(Value::Nil)) })
    }
}

impl Cluster for RedisCluster {
    fn heartbeat(&self, node: &str) -> Answer<Vec<Member>, StoreError> {
        let doing = "heartbeat";
        let mut call = Call::new(ScriptName::Heartbeat, &[keys::nodes()]);
        call.arg(node).arg(ms(FORGOTTEN_AFTER));
        let answer = self.one(doing, call.into_cmd());
        Box::pin(async move {
            let read = reader(doing);
            let members = read.pairs(answer.await?)?.into_iter().map(|(node, age)| {
                let node = String::from_utf8(node).map_err(|_| read.unexpected("a node's name is no text"))?;
                Ok(Member {
                    node,
                    age: Duration::from_millis(read.number(Value::BulkString(age))?),
                })
            });
            members.collect()
        })
    }

    fn leave(&self, node: &str) -> Answer<(), StoreError> {
        let mut remove = redis::cmd("ZREM");
        remove.arg(keys::nodes()).arg(node);
        let answer = self.one("leave", remove);
        Box::pin(async move { answer.await.map(drop) })
    }

    fn acquire(
        &self,
        partition: u16,
        node: &str,
        nonce: &str,
        ttl: Duration,
        above: Epoch,
    ) -> Answer<LeaseAnswer, StoreError> {
        let doing = "lease_acquire";
        let mut call = Call::new(ScriptName::LeaseAcquire, &[keys::leases(partition)]);
        call.arg(partition).arg(node).arg(nonce).arg(ms(ttl)).arg(above.0);
        let answer = self.one(doing, call.into_cmd());
        Box::pin(async move {
            let read = reader(doing);
            let mut parts = read.array(answer.await?)?.into_iter();
            let mut next = || parts.next().unwrap_or(Value::Nil);
            if read.number(next())? == 1 {
                return Ok(LeaseAnswer::Held(Lease {
                    epoch: Epoch(read.number(next())?),
                }));
            }
            let holder = read.text(next())?;
            Ok(LeaseAnswer::Taken {
                holder,
                left: Duration::from_millis(read.number(next())?),
            })
        })
    }

    fn renew(
        &self,
        _node: &str,
        nonce: &str,
        ttl: Duration,
        leases: Vec<(u16, Epoch)>,
    ) -> Answer<Vec<bool>, StoreError> {
        let doing = "lease_renew";
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, (partition, _)) in leases.iter().enumerate() {
            groups.entry(keys::leases(*partition)).or_default().push(at);
        }
        let mut commands = redis::pipe();
        for (key, group) in &groups {
            let mut call = Call::new(ScriptName::LeaseRenew, std::slice::from_ref(key));
            call.arg(nonce).arg(ms(ttl));
            for (partition, epoch) in group.iter().filter_map(|at| leases.get(*at)) {
                call.arg(*partition).arg(epoch.0);
            }
            commands.add_command(call.into_cmd());
        }
        let answer = self.pooled.run(doing, commands);
        Box::pin(async move {
            let mut all = vec![false; leases.len()];
            for (group, kept) in groups.values().zip(answer.await?) {
                for (at, kept) in group.iter().zip(reader(doing).array(kept)?) {
                    if let Some(place) = all.get_mut(*at) {
                        *place = reader(doing).number(kept)? == 1;
                    }
                }
            }
            Ok(all)
        })
    }

    fn release(&self, partition: u16, nonce: &str, epoch: Epoch, next: &str) -> Answer<(), StoreError> {
        let mut call = Call::new(ScriptName::LeaseRelease, &[keys::leases(partition)]);
        call.arg(partition)
            .arg(nonce)
            .arg(epoch.0)
            .arg(next)
            .arg(ms(KEPT_FOR_NEXT));
        let answer = self.one("lease_release", call.into_cmd());
        Box::pin(async move { answer.await.map(drop) })
    }

    fn sweep(&self, known: Vec<(TenantName, Ends)>) -> Answer<Vec<(TenantName, Ends)>, StoreError> {
        let doing = "sweep";
        let mut commands = redis::pipe();
        for (tenant, ends) in &known {
            // Brings one entry of each log that has any: of a tenant where nothing happens, nothing.
            let newer = commands.cmd("XREAD").arg("COUNT").arg(1).arg("STREAMS");
            newer.arg(keys::changes(tenant)).arg(keys::backfill(tenant));
            newer.arg(ends.map(|id| id.to_string()).as_slice());
        }
        let (pooled, answer) = (self.pooled.clone(), self.pooled.run(doing, commands));
        Box::pin(async move {
            let read = reader(doing);
            let mut newer = Vec::new();
            for ((tenant, _), value) in known.into_iter().zip(answer.await?) {
                if read.good(value)? != Value::Nil {
                    newer.push(tenant);
                }
            }
            let mut commands = redis::pipe();
            for tenant in &newer {
                let call = Call::new(ScriptName::Newest, &[keys::changes(tenant), keys::backfill(tenant)]);
                commands.add_command(call.into_cmd());
            }
            let ends = pooled.run(doing, commands).await?.into_iter().map(|value| {
                let [changes, backfill] = read.exactly(value)?;
                Ok([read.stream_id(changes)?, read.stream_id(backfill)?])
            });
            newer
                .into_iter()
                .zip(ends)
                .map(|(tenant, ends)| Ok((tenant, ends?)))
                .collect()
        })
    }

    fn dirty(&self) -> Answer<Vec<TenantName>, StoreError> {
        let doing = "dirty";
        let mut commands = redis::pipe();
        for set in 0..place::DIRTY_SETS {
            commands.cmd("SPOP").arg(keys::dirty(set)).arg(DIRTY_IN_ONE);
        }
        let answer = self.pooled.run(doing, commands);
        Box::pin(async move {
            let mut tenants = Vec::new();
            for value in answer.await? {
                let names = match reader(doing).good(value)? {
                    Value::Array(names) | Value::Set(names) => names,
                    _ => continue,
                };
                for name in names {
                    // Producers write here: what is no tenant name is nobody's.
                    let name = reader(doing)
                        .text(name)
                        .ok()
                        .and_then(|name| TenantName::new(&name).ok());
                    tenants.extend(name);
                }
            }
            Ok(tenants)
        })
    }

    fn doorbell(&self) -> Answer<tokio::sync::mpsc::Receiver<Arc<str>>, StoreError> {
        let opened = doorbell::open(self.client.clone(), self.settings.clone(), self.runtime.clone());
        let runtime = self.runtime.clone();
        Box::pin(async move {
            let lost = |detail: String| StoreError::Broken {
                doing: "doorbell",
                detail,
            };
            runtime
                .spawn(opened)
                .await
                .map_err(|e| lost(e.to_string()))?
                .map_err(|e| lost(e.to_string()))
        })
    }

    fn register(&self, tenants: Vec<TenantName>) -> Answer<(), StoreError> {
        let doing = "register";
        let mut commands = redis::pipe();
        for tenant in &tenants {
            commands
                .cmd("HSETNX")
                .arg(keys::tenants())
                .arg(tenant.as_str())
                .arg("declared");
        }
        let answer = self.pooled.run(doing, commands);
        Box::pin(async move {
            answer
                .await?
                .into_iter()
                .try_for_each(|value| reader(doing).good(value).map(drop))
        })
    }
}
