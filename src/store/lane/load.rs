//! Reads of a tenant's log and records.

use std::collections::BTreeMap;
use std::sync::Arc;

use redis::Pipeline;
use tandem_core::domain::change::IdempotencyKey;
use tandem_core::domain::ids::{RecordKey, TenantName};
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::domain::stream::{EntryRef, Log, RawEntry, StreamId};
use tandem_core::domain::time::Timestamp;
use tandem_core::domain::{fold_codec, row_codec};
use tandem_core::engine::commit::LogChunk;
use tandem_core::engine::place;
use tandem_core::engine::state::{CompactedPage, Loaded, LoadedRecord};

use crate::port::Answer;
use crate::port::store::StoreError;
use crate::store::reply::Reader;
use crate::store::{dead, keys};

use super::{RedisLane, failed, page_of, today};

/// Fields that one HMGET names.
const FIELDS_IN_ONE: usize = 1_000;

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
    /// Entries of a log.
    pub(super) fn log_after(
        &self,
        tenant: &TenantName,
        log: Log,
        after: StreamId,
        count: usize,
    ) -> Answer<LogChunk, StoreError> {
        let doing = "read_log";
        let page = page_of(keys::log(tenant, log), after, count);
        self.ask(doing, tenant, page, move |read, answer| {
            let entries = read.array(answer)?.into_iter().map(|entry| {
                let (id, fields) = read.entry(entry)?;
                let fields = fields
                    .into_iter()
                    .map(|(name, value)| (name.into(), value.into()))
                    .collect();
                Ok(RawEntry {
                    at: EntryRef { log, id },
                    fields,
                })
            });
            let entries: Vec<_> = entries.collect::<Result<_, StoreError>>()?;
            Ok(LogChunk {
                log,
                end: entries.len() < count.max(1),
                entries,
            })
        })
    }

    /// A page of compacted records.
    pub(super) fn compacted_page(
        &self,
        tenant: &TenantName,
        cursor: u64,
        count: usize,
    ) -> Answer<CompactedPage, StoreError> {
        let doing = "scan_compacted";
        let mut scan = redis::cmd("HSCAN");
        scan.arg(keys::compacted(tenant))
            .arg(cursor)
            .arg("COUNT")
            .arg(count.max(1));
        self.ask(doing, tenant, scan, move |read, answer| {
            let [next, page] = read.exactly(answer)?;
            let records = read.pairs(page)?.into_iter().map(|(field, _)| {
                keys::record_of_field(&field).ok_or_else(|| read.unexpected("a field of compacted is no record"))
            });
            Ok(CompactedPage {
                records: records.collect::<Result<_, _>>()?,
                next: read.number(next)?,
            })
        })
    }

    /// Rows, folds, dead letters and idempotency keys in one round trip.
    pub(super) fn load_state(
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
            hmget(
                &mut commands,
                &keys::records(tenant, *bucket),
                places.iter().map(|at| fields[*at].as_slice()),
            );
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
            let read = Reader::of(doing, &tenant);
            let mut values = answer.await?.into_iter();
            let mut next = |count: usize, each: usize| -> Result<Vec<Option<Vec<u8>>>, StoreError> {
                let mut found = Vec::with_capacity(count);
                for value in values.by_ref().take(count.div_ceil(each)) {
                    for value in read.array(value)? {
                        found.push(read.optional(value)?);
                    }
                }
                if found.len() == count {
                    Ok(found)
                } else {
                    Err(read.unexpected("fewer values came than were asked for"))
                }
            };
            let mut loaded = Loaded {
                records: vec![LoadedRecord::default(); fields.len()],
                seen: Vec::new(),
            };
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
                record.dead = Some(letter);
            }
            let (new, old) = (next(asked, FIELDS_IN_ONE)?, next(asked, FIELDS_IN_ONE)?);
            for content in new.into_iter().zip(old).map(|(new, old)| new.or(old)) {
                let content = content.map(|bytes| bytes.try_into()).transpose();
                loaded
                    .seen
                    .push(content.map_err(|_| read.unexpected("a content hash has not 8 bytes"))?);
            }
            Ok(loaded)
        })
    }

    /// Looks ids up.
    pub(super) fn resolve_ids(
        &self,
        tenant: &TenantName,
        ids: Vec<SalesforceId>,
    ) -> Answer<Vec<Option<RecordKey>>, StoreError> {
        let doing = "resolve";
        let buckets = match self.buckets_of(tenant, doing) {
            Ok(buckets) => buckets,
            Err(error) => return failed(error),
        };
        let fields: Vec<Vec<u8>> = ids.iter().map(|id| id.to_packed().to_vec()).collect();
        let by = by_bucket(&fields, buckets);
        let mut commands = redis::pipe();
        for (bucket, places) in &by {
            hmget(
                &mut commands,
                &keys::ids(tenant, *bucket),
                places.iter().map(|at| fields[*at].as_slice()),
            );
        }
        let answer = self.pipe.send(doing, commands);
        let tenant = tenant.clone();
        Box::pin(async move {
            let read = Reader::of(doing, &tenant);
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

    /// Records whose open questions are due.
    pub(super) fn questions_due(
        &self,
        tenant: &TenantName,
        before: Timestamp,
        count: usize,
    ) -> Answer<Vec<RecordKey>, StoreError> {
        let mut range = redis::cmd("ZRANGE");
        range
            .arg(keys::questions(tenant))
            .arg("-inf")
            .arg(before.0)
            .arg("BYSCORE")
            .arg("LIMIT")
            .arg(0)
            .arg(count);
        self.ask("due_questions", tenant, range, |read, answer| {
            let due = read.array(answer)?.into_iter().map(|field| {
                keys::record_of_field(&read.bytes(field)?).ok_or_else(|| read.unexpected("a question names no record"))
            });
            due.collect()
        })
    }
}
