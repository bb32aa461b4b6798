//! A tenant as Redis sees it, read-only, for status pages and audits.

use redis::Value;
use tandem_core::domain::ids::TenantName;
use tandem_core::domain::stream::StreamId;
use tandem_core::engine::{place, state::Lengths};

use tokio::runtime::Handle;

use super::connection::{StoreSettings, StoreSetupError};
use super::keys;
use super::pooled::Pooled;
use super::reply::Reader;
use super::script::{Call, ScriptName};
use crate::port::Answer;
use crate::port::store::StoreError;

/// A stream's measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct StreamView {
    /// Entries in it.
    pub length: u64,
    /// Newest id it ever had.
    #[serde(serialize_with = "as_text")]
    pub newest: StreamId,
    /// Entries that were ever added.
    pub added: u64,
}

fn as_text<S: serde::Serializer>(id: &StreamId, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(id)
}

/// `tandem:{t}:counters`, as totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[expect(missing_docs, reason = "as tandem_core::engine::commit::Counters describes them")]
pub struct CounterTotals {
    pub settled: i64,
    pub duplicate: i64,
    pub stale: i64,
    pub refused: i64,
    pub dead: i64,
    pub compacted: i64,
    pub conflicts: i64,
    pub echoes: i64,
    pub unlinked: i64,
    pub events: i64,
}

/// Who owns a tenant.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OwnerView {
    /// The node that attached last.
    pub node: String,
    /// The tenant's epoch.
    pub epoch: u64,
    /// Mutating steps of this epoch.
    pub step: u64,
    /// The partition epoch it was attached under.
    pub partition_epoch: u64,
}

/// Who holds a partition.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LeaseView {
    /// The partition.
    pub partition: u16,
    /// The holder; none when it was given back.
    pub node: Option<String>,
    /// The partition's epoch.
    pub epoch: u64,
    /// When it runs out, milliseconds since 1970 by the clock of Redis.
    pub expires_ms: u64,
}

/// One atomic view of a tenant's lengths and counters.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TenantView {
    /// What people did.
    pub changes: StreamView,
    /// What yields to people.
    pub backfill: StreamView,
    /// Events on their way to the feed.
    pub outbox: StreamView,
    /// Records with compacted folds.
    pub compacted_records: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// Intents: batches in flight or of unknown outcome.
    pub intents: u64,
    /// Conservation.
    pub counters: CounterTotals,
    /// Questions that the product has not answered.
    pub open_questions: u64,
    /// The owner, once somebody attached.
    pub owner: Option<OwnerView>,
    /// The lease of the tenant's partition, once somebody took it.
    pub lease: Option<LeaseView>,
}

impl TenantView {
    /// Entries that the counters and the logs do not account for (C10); 0 while nothing was lost.
    pub fn unaccounted(&self) -> i64 {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let c = &self.counters;
        let ended = c.settled + c.duplicate + c.stale + c.refused + c.dead + c.compacted;
        let (changes, backfill) = (&self.changes, &self.backfill);
        signed(changes.added + backfill.added) - ended - signed(changes.length + backfill.length)
    }

    /// What memory must agree with when a tenant is idle.
    pub fn lengths(&self) -> Lengths {
        Lengths {
            changes: self.changes.length,
            backfill: self.backfill.length,
            compacted: self.compacted_records,
            changes_last: self.changes.newest,
            backfill_last: self.backfill.newest,
            outbox: self.outbox.length,
            open_questions: self.open_questions,
            unaccounted: self.unaccounted(),
        }
    }

    /// Reads the answer of `lengths`.
    pub(super) fn parse(read: Reader<'_>, value: Value) -> Result<Self, StoreError> {
        let stream = |value| {
            let [length, newest, added] = read.exactly(value)?;
            Ok::<_, StoreError>(StreamView {
                length: read.number(length)?,
                newest: read.stream_id(newest)?,
                added: read.number(added)?,
            })
        };
        let [changes, backfill, outbox, compacted, dead, intents, counters, questions] = read.exactly(value)?;
        Ok(Self {
            changes: stream(changes)?,
            backfill: stream(backfill)?,
            outbox: stream(outbox)?,
            compacted_records: read.number(compacted)?,
            dead_letters: read.number(dead)?,
            intents: read.number(intents)?,
            counters: totals(read, counters)?,
            open_questions: read.number(questions)?,
            owner: None,
            lease: None,
        })
    }
}

fn totals(read: Reader<'_>, value: Value) -> Result<CounterTotals, StoreError> {
    let mut totals = CounterTotals::default();
    for (name, value) in read.pairs(value)? {
        let place = match name.as_slice() {
            b"settled" => &mut totals.settled,
            b"duplicate" => &mut totals.duplicate,
            b"stale" => &mut totals.stale,
            b"refused" => &mut totals.refused,
            b"dead" => &mut totals.dead,
            b"compacted" => &mut totals.compacted,
            b"conflicts" => &mut totals.conflicts,
            b"echoes" => &mut totals.echoes,
            b"unlinked" => &mut totals.unlinked,
            b"events" => &mut totals.events,
            // A newer version counts something more.
            _ => continue,
        };
        let text = std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok());
        *place = text.ok_or_else(|| read.unexpected("a counter is no number"))?;
    }
    Ok(totals)
}

/// The call of `lengths`.
pub(super) fn lengths_call(t: &TenantName) -> Call {
    let keys = [
        keys::changes(t),
        keys::backfill(t),
        keys::outbox(t),
        keys::compacted(t),
        keys::dead(t),
        keys::batches(t),
        keys::counters(t),
        keys::questions(t),
    ];
    Call::new(ScriptName::Lengths, &keys)
}

/// Reads tenants through the pool.
pub struct RedisView {
    pooled: Pooled,
}

impl RedisView {
    /// Opens nothing yet. Connections live on `runtime`.
    pub fn new(settings: &StoreSettings, runtime: Handle) -> Result<Self, StoreSetupError> {
        Ok(Self {
            pooled: Pooled::new(settings, runtime)?,
        })
    }

    /// One tenant: lengths and counters in one step, owner and lease right after.
    pub fn tenant(&self, tenant: &TenantName) -> Answer<TenantView, StoreError> {
        let doing = "view";
        let partition = place::tenant_partition(tenant);
        let mut commands = redis::pipe();
        commands.add_command(lengths_call(tenant).into_cmd());
        let owner = commands.cmd("HMGET").arg(keys::owner(tenant));
        owner.arg(&["node", "epoch", "step", "partition_epoch"]);
        let lease = commands.cmd("HMGET").arg(keys::leases(partition));
        lease.arg(
            ["node", "epoch", "expires_ms"]
                .map(|name| keys::lease_field(partition, name))
                .as_slice(),
        );
        let (pooled, tenant) = (self.pooled.clone(), tenant.clone());
        Box::pin(async move {
            let read = Reader::of(doing, &tenant);
            let values = pooled.run(doing, commands).await?;
            let [lengths, owner, lease] = read.exactly(Value::Array(values))?;
            let mut view = TenantView::parse(read, lengths)?;
            let [node, epoch, step, partition_epoch] = read.exactly(owner)?;
            if node != Value::Nil {
                view.owner = Some(OwnerView {
                    node: read.text(node)?,
                    epoch: read.number(epoch)?,
                    step: read.number(step)?,
                    partition_epoch: read.number(partition_epoch)?,
                });
            }
            let [node, epoch, expires] = read.exactly(lease)?;
            if epoch != Value::Nil {
                view.lease = Some(LeaseView {
                    partition,
                    node: read
                        .optional(node)?
                        .map(|node| String::from_utf8_lossy(&node).into_owned()),
                    epoch: read.number(epoch)?,
                    expires_ms: read.number(expires)?,
                });
            }
            Ok(view)
        })
    }
}
