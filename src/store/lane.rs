//! [`Lane`] over one FIFO connection to Redis.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use redis::{Client, Pipeline, Value};
use tandem_core::domain::change::IdempotencyKey;
use tandem_core::domain::ids::{Epoch, Fence, RecordKey, ReplayId, TenantName};
use tandem_core::domain::row::Row;
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::domain::stream::{EntryRef, Log, RawEntry, StreamId};
use tandem_core::domain::{fold_codec, intent_codec, row_codec};
use tandem_core::engine::commit::{BatchIdList, Commit, DeadContent, Intent, LogChunk, Script};
use tandem_core::engine::place;
use tandem_core::engine::state::{Attached, Committed, CompactedPage, Lengths, Loaded, LoadedRecord};
use tokio::runtime::Handle;

use super::connection::{self, StoreSettings, StoreSetupError};
use super::pipe::Pipe;
use super::reply::Reader;
use super::script::{self, Call, ScriptName};
use super::{commit, dead, keys, outbox};
use crate::port::Answer;
use crate::port::seal::Sealer;
use crate::port::store::{Lane, OutboxEntry, StoreError};

/// Fields that one HMGET names.
const FIELDS_IN_ONE: usize = 1_000;

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
        Ok(Self { client: connection::client(&settings)?, settings, sealer, runtime })
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

/// What joining a key and a Salesforce record came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Linked {
    /// They are linked.
    Done,
    /// Another key has this record.
    Held(RecordKey),
    /// The row is not the one the caller read: read it again.
    RowMoved,
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
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400)
}

/// Positions of items by bucket: one HMGET a bucket.
fn by_bucket(fields: &[Vec<u8>], buckets: u32) -> BTreeMap<u32, Vec<usize>> {
    let mut by: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (at, field) in fields.iter().enumerate() {
        by.entry(place::bucket(field, buckets)).or_default().push(at);
    }
    by
}

fn hmget<'a>(commands: &mut Pipeline, key: &str, fields: impl Iterator<Item = &'a [u8]>) {
    let command = commands.cmd("HMGET").arg(key);
    for field in fields {
        command.arg(field);
    }
}

impl RedisLane {
    fn buckets_of(&self, tenant: &TenantName, doing: &'static str) -> Result<u32, StoreError> {
        let known = self.buckets.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).copied();
        known.ok_or_else(|| StoreError::Unexpected {
            doing,
            detail: format!("tenant {tenant} was not attached on this lane; attach it first"),
        })
    }

    fn send_one(&self, doing: &'static str, command: redis::Cmd) -> Answer<Value, StoreError> {
        let mut commands = redis::pipe();
        commands.add_command(command);
        let values = self.pipe.send(doing, commands);
        Box::pin(async move { Ok(values.await?.into_iter().next().unwrap_or(Value::Nil)) })
    }

    /// Joins a key and a Salesforce record: first key for a record and first record for a key win.
    /// `read` is the row as the caller knows it, `row` the one to write.
    pub fn link(
        &self,
        tenant: &TenantName,
        fence: &Fence,
        id: SalesforceId,
        record: &RecordKey,
        read: Option<&Row>,
        row: &Row,
    ) -> Answer<Linked, StoreError> {
        let doing = "link";
        let buckets = match self.buckets_of(tenant, doing) {
            Ok(buckets) => buckets,
            Err(error) => return failed(error),
        };
        let (packed, field) = (id.to_packed(), keys::record_field(record));
        let all = [
            keys::owner(tenant),
            keys::ids(tenant, place::bucket(&packed, buckets)),
            keys::records(tenant, place::bucket(&field, buckets)),
        ];
        let mut call = Call::new(ScriptName::Link, &all);
        call.arg(fence.nonce.as_ref()).arg(fence.epoch.0).arg(fence.step).arg(packed.as_slice()).arg(field);
        call.arg(read.map(row_codec::encode).unwrap_or_default()).arg(row_codec::encode(row));
        let answer = self.send_one(doing, call.into_cmd());
        let tenant = tenant.clone();
        Box::pin(async move {
            let read = Reader { doing, tenant: Some(&tenant) };
            let mut parts = read.array(answer.await?)?.into_iter();
            if read.number(parts.next().unwrap_or(Value::Nil))? == 1 {
                return Ok(Linked::Done);
            }
            let what = read.text(parts.next().unwrap_or(Value::Nil))?;
            let held = read.bytes(parts.next().unwrap_or(Value::Nil))?;
            match what.as_str() {
                "id" => keys::record_of_field(&held).map(Linked::Held).ok_or_else(|| read.unexpected("a holder is no record")),
                _ => Ok(Linked::RowMoved),
            }
        })
    }
}

impl Lane for RedisLane {
    fn attach(&self, tenant: &TenantName, node: &str, partition_epoch: Epoch) -> Answer<Attached, StoreError> {
        let doing = "attach";
        let nonce: Arc<str> = uuid::Uuid::new_v4().simple().to_string().into();
        let mut call =
            Call::new(ScriptName::Attach, &[keys::owner(tenant), keys::batches(tenant), keys::cursors(tenant)]);
        call.arg(node).arg(nonce.as_ref()).arg(partition_epoch.0).arg(self.record_buckets).arg(script::FORMAT);
        let answer = self.send_one(doing, call.into_cmd());
        let (tenant, layout) = (tenant.clone(), Arc::clone(&self.buckets));
        Box::pin(async move {
            let read = Reader { doing, tenant: Some(&tenant) };
            let [epoch, now, buckets, batches, cursors] = read.exactly(answer.await?)?;
            let buckets = u32::try_from(read.number(buckets)?).map_err(|_| read.unexpected("too many buckets"))?;
            layout.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone(), buckets);
            let intents = read.pairs(batches)?.into_iter().map(|(_, intent)| {
                intent_codec::decode(&intent).map_err(|_| read.unexpected("an intent does not decode"))
            });
            let cursors = read.pairs(cursors)?.into_iter().map(|(topic, place)| {
                let topic = String::from_utf8(topic).map_err(|_| read.unexpected("a topic is no text"))?;
                Ok((topic.into(), ReplayId(place.into())))
            });
            Ok(Attached {
                fence: Fence { nonce, epoch: Epoch(read.number(epoch)?), step: 0 },
                intents: intents.collect::<Result<_, _>>()?,
                cursors: cursors.collect::<Result<_, StoreError>>()?,
                redis_ms: read.number(now)?,
            })
        })
    }

    fn read_log(&self, tenant: &TenantName, log: Log, after: StreamId, count: usize) -> Answer<LogChunk, StoreError> {
        let doing = "read_log";
        let mut range = redis::cmd("XRANGE");
        range.arg(keys::log(tenant, log)).arg(format!("({after}")).arg("+").arg("COUNT").arg(count.max(1));
        let answer = self.send_one(doing, range);
        let tenant = tenant.clone();
        Box::pin(async move {
            let read = Reader { doing, tenant: Some(&tenant) };
            let entries = read.array(answer.await?)?.into_iter().map(|entry| {
                let (id, fields) = read.entry(entry)?;
                let fields = fields.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
                Ok(RawEntry { at: EntryRef { log, id }, fields })
            });
            let entries: Vec<_> = entries.collect::<Result<_, StoreError>>()?;
            Ok(LogChunk { log, end: entries.len() < count.max(1), entries })
        })
    }

    fn scan_compacted(&self, tenant: &TenantName, cursor: u64, count: usize) -> Answer<CompactedPage, StoreError> {
        let doing = "scan_compacted";
        let mut scan = redis::cmd("HSCAN");
        scan.arg(keys::compacted(tenant)).arg(cursor).arg("COUNT").arg(count.max(1));
        let answer = self.send_one(doing, scan);
        let tenant = tenant.clone();
        Box::pin(async move {
            let read = Reader { doing, tenant: Some(&tenant) };
            let [next, page] = read.exactly(answer.await?)?;
            let records = read.pairs(page)?.into_iter().map(|(field, _)| {
                keys::record_of_field(&field).ok_or_else(|| read.unexpected("a field of compacted is no record"))
            });
            Ok(CompactedPage { records: records.collect::<Result<_, _>>()?, next: read.number(next)? })
        })
    }

    fn load(
        &self,
        tenant: &TenantName,
        records: Vec<RecordKey>,
        seen: Vec<IdempotencyKey>,
    ) -> Answer<Loaded, StoreError> {
        let doing = "load";
        let buckets = match self.buckets_of(tenant, doing) {
            Ok(buckets) => buckets,
            Err(error) => return failed(error),
        };
        let fields: Vec<Vec<u8>> = records.iter().map(keys::record_field).collect();
        let by = by_bucket(&fields, buckets);
        let mut commands = redis::pipe();
        for (bucket, places) in &by {
            hmget(&mut commands, &keys::records(tenant, *bucket), places.iter().map(|at| fields[*at].as_slice()));
        }
        for key in [keys::compacted(tenant), keys::dead(tenant)] {
            for some in fields.chunks(FIELDS_IN_ONE) {
                hmget(&mut commands, &key, some.iter().map(Vec::as_slice));
            }
        }
        let day = today();
        for key in [keys::seen(tenant, day), keys::seen(tenant, day.saturating_sub(1))] {
            for some in seen.chunks(FIELDS_IN_ONE) {
                hmget(&mut commands, &key, some.iter().map(|key| key.key.as_slice()));
            }
        }
        let answer = self.pipe.send(doing, commands);
        let (tenant, sealer, asked) = (tenant.clone(), Arc::clone(&self.sealer), seen.len());
        Box::pin(async move {
            let read = Reader { doing, tenant: Some(&tenant) };
            let mut values = answer.await?.into_iter();
            let mut next = |count: usize, each: usize| -> Result<Vec<Option<Vec<u8>>>, StoreError> {
                let mut found = Vec::with_capacity(count);
                for value in values.by_ref().take(count.div_ceil(each)) {
                    for value in read.array(value)? {
                        found.push(read.optional(value)?);
                    }
                }
                if found.len() == count { Ok(found) } else { Err(read.unexpected("fewer values came than were asked for")) }
            };
            let mut loaded = Loaded { records: vec![LoadedRecord::default(); fields.len()], seen: Vec::new() };
            for places in by.values() {
                for (at, row) in places.iter().zip(next(places.len(), places.len())?) {
                    let row = row.map(|row| row_codec::decode(&row)).transpose();
                    loaded.records[*at].row = row.map_err(|_| read.unexpected("a row does not decode"))?;
                }
            }
            for (record, fold) in loaded.records.iter_mut().zip(next(fields.len(), FIELDS_IN_ONE)?) {
                let fold = fold.map(|fold| fold_codec::decode(&fold)).transpose();
                record.compacted = fold.map_err(|_| read.unexpected("a compacted fold does not decode"))?;
            }
            for (record, letter) in loaded.records.iter_mut().zip(next(fields.len(), FIELDS_IN_ONE)?) {
                let (true, Some(letter)) = (record.row.as_ref().is_some_and(|row| row.dead_letter), letter) else {
                    continue;
                };
                let letter =
                    dead::open(sealer.as_ref(), &tenant, &letter).map_err(|e| read.unexpected(e.to_string()))?;
                if let DeadContent::Folded(folded) = letter.content {
                    record.dead = Some(folded);
                }
            }
            let (new, old) = (next(asked, FIELDS_IN_ONE)?, next(asked, FIELDS_IN_ONE)?);
            for content in new.into_iter().zip(old).map(|(new, old)| new.or(old)) {
                let content = content.map(|bytes| bytes.try_into()).transpose();
                loaded.seen.push(content.map_err(|_| read.unexpected("a content hash has not 8 bytes"))?);
            }
            Ok(loaded)
        })
    }

    fn resolve(&self, tenant: &TenantName, ids: Vec<SalesforceId>) -> Answer<Vec<Option<RecordKey>>, StoreError> {
        let doing = "resolve";
        let buckets = match self.buckets_of(tenant, doing) {
            Ok(buckets) => buckets,
            Err(error) => return failed(error),
        };
        let fields: Vec<Vec<u8>> = ids.iter().map(|id| id.to_packed().to_vec()).collect();
        let by = by_bucket(&fields, buckets);
        let mut commands = redis::pipe();
        for (bucket, places) in &by {
            hmget(&mut commands, &keys::ids(tenant, *bucket), places.iter().map(|at| fields[*at].as_slice()));
        }
        let answer = self.pipe.send(doing, commands);
        let tenant = tenant.clone();
        Box::pin(async move {
            let read = Reader { doing, tenant: Some(&tenant) };
            let mut found = vec![None; fields.len()];
            for (places, values) in by.values().zip(answer.await?) {
                for (at, holder) in places.iter().zip(read.array(values)?) {
                    let holder = read.optional(holder)?.map(|field| keys::record_of_field(&field));
                    found[*at] = match holder {
                        Some(None) => return Err(read.unexpected("the id index names no record")),
                        holder => holder.flatten(),
                    };
                }
            }
            Ok(found)
        })
    }

    fn begin(&self, tenant: &TenantName, fence: &Fence, intent: Intent, done: BatchIdList) -> Answer<(), StoreError> {
        let doing = "begin";
        let mut call = Call::new(ScriptName::Begin, &[keys::owner(tenant), keys::batches(tenant)]);
        call.arg(fence.nonce.as_ref()).arg(fence.epoch.0).arg(fence.step);
        call.arg(intent.batch.to_string()).arg(intent_codec::encode(&intent));
        for batch in done {
            call.arg(batch.to_string());
        }
        let answer = self.send_one(doing, call.into_cmd());
        let tenant = tenant.clone();
        Box::pin(async move {
            Reader { doing, tenant: Some(&tenant) }.number(answer.await?)?;
            Ok(())
        })
    }

    fn commit(
        &self,
        tenant: &TenantName,
        fence: &Fence,
        script: Script,
        commit: Box<Commit>,
    ) -> Answer<Committed, StoreError> {
        let doing = match script {
            Script::Settle => "settle",
            Script::Compact => "compact",
            Script::Emit => "emit",
        };
        let reader = Reader { doing, tenant: Some(tenant) };
        let made = self.buckets_of(tenant, doing).and_then(|buckets| {
            let around = commit::Around { tenant, buckets, day: today(), sealer: self.sealer.as_ref() };
            commit::call(&around, fence, script, &commit).map_err(|e| reader.unexpected(e.to_string()))
        });
        let call = match made {
            Ok(call) if call.arguments() > script::ARGUMENTS_MAX => {
                let (has, max) = (call.arguments(), script::ARGUMENTS_MAX);
                return failed(reader.unexpected(format!("a commit of {has} arguments; at most {max} go in one step")));
            }
            Ok(call) => call,
            Err(error) => return failed(error),
        };
        let answer = self.send_one(doing, call.into_cmd());
        let tenant = tenant.clone();
        Box::pin(async move {
            let read = Reader { doing, tenant: Some(&tenant) };
            let [deleted, refused] = read.exactly(answer.await?)?;
            let refused_links = read.pairs(refused)?.into_iter().map(|(id, holder)| {
                SalesforceId::from_packed(&id)
                    .zip(keys::record_of_field(&holder))
                    .ok_or_else(|| read.unexpected("the id index names no record"))
            });
            Ok(Committed { deleted: read.number(deleted)?, refused_links: refused_links.collect::<Result<_, _>>()? })
        })
    }

    fn read_outbox(&self, tenant: &TenantName, after: StreamId, count: usize) -> Answer<Vec<OutboxEntry>, StoreError> {
        let doing = "read_outbox";
        let mut range = redis::cmd("XRANGE");
        range.arg(keys::outbox(tenant)).arg(format!("({after}")).arg("+").arg("COUNT").arg(count.max(1));
        let answer = self.send_one(doing, range);
        let tenant = tenant.clone();
        Box::pin(async move {
            let read = Reader { doing, tenant: Some(&tenant) };
            let entries = read.array(answer.await?)?.into_iter().map(|entry| {
                let (id, fields) = read.entry(entry)?;
                outbox::parse(id, fields)
                    .map_err(|field| read.unexpected(format!("field '{field}' of outbox entry {id} is not valid")))
            });
            entries.collect()
        })
    }

    fn forward(&self, tenant: &TenantName, epoch: Epoch, entries: Vec<OutboxEntry>) -> Answer<(), StoreError> {
        let doing = "forward";
        let mut by: BTreeMap<u16, Vec<&OutboxEntry>> = BTreeMap::new();
        for entry in &entries {
            let partition = place::feed_partition(tenant, entry.event.record.as_ref(), self.feed_partitions);
            by.entry(partition).or_default().push(entry);
        }
        let mut commands = redis::pipe();
        for (partition, entries) in by {
            let mut call = Call::new(ScriptName::Forward, &[keys::events(partition), keys::marks(partition)]);
            call.arg(tenant.as_str()).arg(epoch.0);
            for entry in entries {
                let fields = outbox::feed_fields(tenant, entry);
                call.arg(entry.id.ms).arg(entry.id.seq).arg(fields.len());
                for (name, value) in fields {
                    call.arg(name).arg(value.as_ref());
                }
            }
            commands.add_command(call.into_cmd());
        }
        let answer = self.pipe.send(doing, commands);
        let tenant = tenant.clone();
        Box::pin(async move {
            let read = Reader { doing, tenant: Some(&tenant) };
            for value in answer.await? {
                read.number(value)?;
            }
            Ok(())
        })
    }

    fn forwarded(&self, tenant: &TenantName, fence: &Fence, entries: Vec<StreamId>) -> Answer<(), StoreError> {
        let doing = "forwarded";
        let mut call = Call::new(ScriptName::Forwarded, &[keys::owner(tenant), keys::outbox(tenant)]);
        call.arg(fence.nonce.as_ref()).arg(fence.epoch.0);
        for id in entries {
            call.arg(id.to_string());
        }
        let answer = self.send_one(doing, call.into_cmd());
        let tenant = tenant.clone();
        Box::pin(async move {
            Reader { doing, tenant: Some(&tenant) }.number(answer.await?)?;
            Ok(())
        })
    }

    fn lengths(&self, tenant: &TenantName) -> Answer<Lengths, StoreError> {
        let answer = self.send_one("lengths", super::view::lengths_call(tenant).into_cmd());
        let tenant = tenant.clone();
        Box::pin(async move {
            let view = super::view::TenantView::parse(Reader { doing: "lengths", tenant: Some(&tenant) }, answer.await?)?;
            Ok(view.lengths())
        })
    }

    fn set_backpressure(&self, tenant: &TenantName, fence: &Fence, level: &'static str) -> Answer<(), StoreError> {
        let doing = "set_backpressure";
        let mut call = Call::new(ScriptName::Backpressure, &[keys::owner(tenant), keys::backpressure(tenant)]);
        call.arg(fence.nonce.as_ref()).arg(fence.epoch.0).arg(level);
        let answer = self.send_one(doing, call.into_cmd());
        let tenant = tenant.clone();
        Box::pin(async move {
            Reader { doing, tenant: Some(&tenant) }.good(answer.await?)?;
            Ok(())
        })
    }
}
