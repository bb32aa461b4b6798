//! [`Lane`] over one FIFO connection to Redis.

mod feed;
mod fenced;
mod load;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use redis::{Client, Value};
use tandem_core::domain::change::IdempotencyKey;
use tandem_core::domain::ids::{Epoch, Fence, RecordKey, TenantName};
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::domain::stream::{Log, StreamId};
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::commit::{BatchIdList, Commit, Intent, LogChunk, Script};
use tandem_core::engine::state::{Attached, Committed, CompactedPage, Lengths, Loaded};
use tokio::runtime::Handle;

use super::connection::{self, StoreSettings, StoreSetupError};
use super::keys;
use super::pipe::Pipe;
use super::reply::Reader;
use super::script::{Call, ScriptName};
use crate::port::Answer;
use crate::port::seal::Sealer;
use crate::port::store::{Lane, OutboxEntry, StoreError};

/// Makes lanes; a broken one is replaced by a new one, never healed.
pub struct LaneFactory {
    client: Client,
    settings: StoreSettings,
    sealer: Arc<dyn Sealer>,
    runtime: Handle,
}

impl LaneFactory {
    /// Opens nothing yet. Connections live on `runtime`, whichever thread asks.
    pub fn new(settings: StoreSettings, sealer: Arc<dyn Sealer>, runtime: Handle) -> Result<Self, StoreSetupError> {
        Ok(Self {
            client: connection::client(&settings)?,
            settings,
            sealer,
            runtime,
        })
    }

    /// A new lane on its own connection; requests may be made at once.
    pub fn open(&self) -> RedisLane {
        let connect = connection::open(self.client.clone(), self.settings.clone());
        RedisLane {
            pipe: Pipe::open(&self.runtime, connect),
            sealer: Arc::clone(&self.sealer),
            record_buckets: self.settings.record_buckets.max(1),
            feed_partitions: self.settings.feed_partitions.max(1),
            buckets: Arc::default(),
        }
    }
}

/// One FIFO lane to Redis.
pub struct RedisLane {
    pipe: Pipe,
    sealer: Arc<dyn Sealer>,
    record_buckets: u32,
    feed_partitions: u16,
    /// Layout of tenants attached on this lane.
    buckets: Arc<Mutex<HashMap<TenantName, u32>>>,
}

fn failed<T: Send + 'static>(error: StoreError) -> Answer<T, StoreError> {
    Box::pin(std::future::ready(Err(error)))
}

fn today() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() / 86_400)
}

impl RedisLane {
    fn buckets_of(&self, tenant: &TenantName, doing: &'static str) -> Result<u32, StoreError> {
        let known = self
            .buckets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(tenant)
            .copied();
        known.ok_or_else(|| StoreError::Unexpected {
            doing,
            detail: format!("tenant {tenant} was not attached on this lane; attach it first"),
        })
    }

    /// Sends one command about a tenant and reads its answer.
    fn ask<T, F>(&self, doing: &'static str, tenant: &TenantName, command: redis::Cmd, read: F) -> Answer<T, StoreError>
    where
        F: FnOnce(Reader<'_>, Value) -> Result<T, StoreError> + Send + 'static,
    {
        let mut commands = redis::pipe();
        commands.add_command(command);
        self.read_one(tenant, doing, self.pipe.send(doing, commands), read)
    }

    /// Reads the answer of a single command.
    fn read_one<T, F>(
        &self,
        tenant: &TenantName,
        doing: &'static str,
        values: Answer<Vec<Value>, StoreError>,
        read: F,
    ) -> Answer<T, StoreError>
    where
        F: FnOnce(Reader<'_>, Value) -> Result<T, StoreError> + Send + 'static,
    {
        let tenant = tenant.clone();
        Box::pin(async move {
            let answer = values.await?.into_iter().next().unwrap_or(Value::Nil);
            read(Reader::of(doing, &tenant), answer)
        })
    }
}

/// A page of a stream, from the entry after `after`.
fn page_of(stream: String, after: StreamId, count: usize) -> redis::Cmd {
    let mut range = redis::cmd("XRANGE");
    range.arg(stream).arg(format!("({after}")).arg("+");
    range.arg("COUNT").arg(count.max(1));
    range
}

impl Lane for RedisLane {
    fn attach(&self, tenant: &TenantName, node: &str, partition_epoch: Epoch) -> Answer<Attached, StoreError> {
        self.take_over(tenant, node, partition_epoch)
    }

    fn read_log(&self, tenant: &TenantName, log: Log, after: StreamId, count: usize) -> Answer<LogChunk, StoreError> {
        self.log_after(tenant, log, after, count)
    }

    fn scan_compacted(&self, tenant: &TenantName, cursor: u64, count: usize) -> Answer<CompactedPage, StoreError> {
        self.compacted_page(tenant, cursor, count)
    }

    fn load(
        &self,
        tenant: &TenantName,
        records: Vec<RecordKey>,
        seen: Vec<IdempotencyKey>,
    ) -> Answer<Loaded, StoreError> {
        self.load_state(tenant, records, seen)
    }

    fn resolve(&self, tenant: &TenantName, ids: Vec<SalesforceId>) -> Answer<Vec<Option<RecordKey>>, StoreError> {
        self.resolve_ids(tenant, ids)
    }

    fn due_questions(
        &self,
        tenant: &TenantName,
        before: Timestamp,
        count: usize,
    ) -> Answer<Vec<RecordKey>, StoreError> {
        self.questions_due(tenant, before, count)
    }

    fn begin(&self, tenant: &TenantName, fence: &Fence, intent: Intent, done: BatchIdList) -> Answer<(), StoreError> {
        self.store_intent(tenant, fence, intent, done)
    }

    fn commit(
        &self,
        tenant: &TenantName,
        fence: &Fence,
        script: Script,
        commit: Box<Commit>,
    ) -> Answer<Committed, StoreError> {
        self.carry_out(tenant, fence, script, commit)
    }

    fn read_outbox(&self, tenant: &TenantName, after: StreamId, count: usize) -> Answer<Vec<OutboxEntry>, StoreError> {
        self.outbox_after(tenant, after, count)
    }

    fn forward(&self, tenant: &TenantName, epoch: Epoch, entries: Vec<OutboxEntry>) -> Answer<(), StoreError> {
        self.append_to_feed(tenant, epoch, entries)
    }

    fn forwarded(&self, tenant: &TenantName, fence: &Fence, entries: Vec<StreamId>) -> Answer<(), StoreError> {
        self.delete_forwarded(tenant, fence, entries)
    }

    fn lengths(&self, tenant: &TenantName) -> Answer<Lengths, StoreError> {
        let call = super::view::lengths_call(tenant).into_cmd();
        self.ask("lengths", tenant, call, |read, answer| {
            Ok(super::view::TenantView::parse(read, answer)?.lengths())
        })
    }

    fn set_backpressure(&self, tenant: &TenantName, fence: &Fence, level: &'static str) -> Answer<(), StoreError> {
        let doing = "set_backpressure";
        let mut call = Call::new(
            ScriptName::Backpressure,
            &[keys::owner(tenant), keys::backpressure(tenant)],
        );
        call.arg(fence.nonce.as_ref()).arg(fence.epoch.0).arg(level);
        self.ask(doing, tenant, call.into_cmd(), |read, answer| {
            read.good(answer).map(drop)
        })
    }
}
