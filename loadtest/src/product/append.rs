//! Appenders: relays that empty the outbox into the tenant's logs, and the lower bound of calls from what they appended.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;

use super::Tenant;
use super::outbox::{CHANGES, Entry, LANES};
use super::table::Product;
use crate::dice::Dice;
use crate::history::StreamId;
use crate::stack::connect;

/// Entries sent in one pipeline.
const PIPELINE: usize = 100;
/// Deliberate exact copies, appended late by the other appender (percent of entries).
const COPIES_PERCENT: f64 = 1.0;
/// Pause while there is nothing to append.
const IDLE: Duration = Duration::from_millis(5);
/// Pause after Redis refused or was away.
const RETRY: Duration = Duration::from_millis(100);
/// Pause between two looks at the back-pressure key.
const BACKPRESSURE_EVERY: Duration = Duration::from_secs(1);
/// Rows of one call of the platform's collections.
const ROWS_A_CALL: usize = 200;
/// The freshness window of the lower bound, ms.
const WINDOW_MS: u64 = 1_000;

/// The least number of calls for what was appended: over object and operation, for windows of one second,
/// ⌈distinct dirty records ÷ 200⌉. Copies and rows of the trigger are not dirty.
#[derive(Debug, Default)]
pub struct Floor {
    open: HashMap<(usize, bool), (u64, HashSet<usize>)>,
    closed: u64,
}

impl Floor {
    /// Counts an append.
    pub fn appended(&mut self, object: usize, delete: bool, record: usize, at_ms: u64) {
        let window = at_ms / WINDOW_MS;
        let (open_window, records) = self.open.entry((object, delete)).or_default();
        if *open_window != window {
            self.closed += records.len().div_ceil(ROWS_A_CALL) as u64;
            records.clear();
            *open_window = window;
        }
        records.insert(record);
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        let open: usize = self
            .open
            .values()
            .map(|(_, records)| records.len().div_ceil(ROWS_A_CALL))
            .sum();
        self.closed + open as u64
    }
}

/// One relay of one tenant.
#[derive(Debug)]
pub struct Appender {
    /// Whose outbox.
    pub tenant: Arc<Tenant>,
    /// Which of its queues.
    pub lane: usize,
    /// Where the log is.
    pub redis_url: String,
    /// Raised when the run ends.
    pub stop: Arc<AtomicBool>,
    /// Tenants whose log says `stop` at present, over all appenders.
    pub held: Arc<AtomicUsize>,
    /// Dice for deliberate copies.
    pub dice: Dice,
}

impl Appender {
    /// Appends until told to stop. Each pipeline is repeated until Redis acknowledged all of it.
    pub async fn run(mut self) {
        let tenant = self.tenant.name.clone();
        let pressure_key = format!("tandem:{{{}}}:backpressure", self.tenant.name);
        let mut connection = None;
        let mut looked = tokio::time::Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            let batch = self.next();
            if batch.is_empty() {
                tokio::time::sleep(IDLE).await;
                continue;
            }
            if connection.is_none() {
                connection = connect(&self.redis_url).await.ok();
            }
            let Some(open) = connection.as_mut() else {
                tokio::time::sleep(RETRY).await;
                continue;
            };
            if looked.elapsed() >= BACKPRESSURE_EVERY {
                let word: Result<Option<String>, _> = redis::cmd("GET").arg(&pressure_key).query_async(open).await;
                if matches!(word, Ok(Some(word)) if word == "stop") {
                    self.held.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(BACKPRESSURE_EVERY).await;
                    continue;
                }
                looked = tokio::time::Instant::now();
            }
            match append(open, &tenant, &batch).await {
                Ok(ids) => self.acknowledged(&batch, &ids),
                Err(_) => {
                    connection = None;
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    fn next(&self) -> Vec<Entry> {
        let product = self.tenant.lock();
        product
            .outbox
            .get(self.lane)
            .map(|queue| queue.iter().take(PIPELINE).cloned().collect())
            .unwrap_or_default()
    }

    fn acknowledged(&mut self, batch: &[Entry], ids: &[StreamId]) {
        let mut product = self.tenant.lock();
        let product: &mut Product = &mut product;
        for (entry, &id) in batch.iter().zip(ids) {
            if let Some(queue) = product.outbox.get_mut(self.lane) {
                queue.pop_front();
            }
            product.acknowledged += 1;
            if entry.log == CHANGES {
                product.last_acknowledged = product.last_acknowledged.max(id);
            }
            if entry.dirty && !entry.copy {
                let object = product.records.get(entry.record).map_or(0, |record| record.object);
                let delete = entry
                    .fields
                    .iter()
                    .any(|(name, value)| *name == "op" && value == "delete");
                product.floor.appended(object, delete, entry.record, id.0);
            }
            if !entry.copy && self.dice.chance(COPIES_PERCENT) {
                let other = (self.lane + 1) % LANES;
                if let Some(queue) = product.outbox.get_mut(other) {
                    queue.push_back(Entry {
                        copy: true,
                        ..entry.clone()
                    });
                }
            }
        }
    }
}

async fn append(
    connection: &mut MultiplexedConnection,
    tenant: &str,
    batch: &[Entry],
) -> Result<Vec<StreamId>, redis::RedisError> {
    let mut pipeline = redis::pipe();
    for entry in batch {
        let key = format!("tandem:{{{tenant}}}:{}", entry.log);
        let command = pipeline.cmd("XADD").arg(key).arg("*");
        for (name, value) in &entry.fields {
            command.arg(*name).arg(value);
        }
    }
    let ids: Vec<String> = pipeline.query_async(connection).await?;
    Ok(ids.iter().map(|id| stream_id(id)).collect())
}

/// Reads a stream id; what is not one counts as zero.
pub fn stream_id(id: &str) -> StreamId {
    let (ms, number) = id.split_once('-').unwrap_or((id, "0"));
    (ms.parse().unwrap_or(0), number.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_counts_distinct_records_a_window_object_and_operation() {
        let mut floor = Floor::default();
        for record in 0..201 {
            floor.appended(0, false, record, 10_000);
            floor.appended(0, false, record, 10_999);
        }
        assert_eq!(floor.calls(), 2, "201 distinct records need two calls");
        floor.appended(0, true, 1, 10_500);
        floor.appended(1, false, 1, 10_500);
        assert_eq!(floor.calls(), 4);
        floor.appended(0, false, 1, 11_000);
        assert_eq!(floor.calls(), 5, "a new second is a new window");
    }
}
