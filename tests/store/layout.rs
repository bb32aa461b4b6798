//! Measures what docs/decisions/0003-redis-layout.md decides by. Not a test of anything: ignored unless asked for.
//!
//! `cargo nextest run -p tandem --test store --run-ignored only --no-capture layout`

use std::collections::HashMap;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tandem::port::store::Lane;
use tandem::store::{LaneFactory, keys};
use tandem_core::domain::change::IdempotencyKey;
use tandem_core::domain::ids::{Epoch, FieldIdx};
use tandem_core::domain::row::{Base, FieldHash, Row, Stamp};
use tandem_core::domain::row_codec;
use tandem_core::domain::stream::{EntryRef, Log, StreamId};
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::commit::{Commit, Counters, Intent, IntentRecord, Script, Verb};
use tokio::runtime::Handle;

use crate::fixture::*;
use crate::server::Server;

const BATCH: u32 = 200;
const BATCHES: u32 = 100;

/// About 90 bytes: ten mapped fields, a Salesforce id, a sequence of 14 digits and a stamp.
fn real_row(n: u32) -> Row {
    let hash = |f: u32| {
        FieldHash(
            (u64::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(f)).to_le_bytes()[..6]
                .try_into()
                .unwrap(),
        )
    };
    Row {
        salesforce_id: Some(sfid(n)),
        last_seq: 91_234_567_890_123 + u64::from(n),
        stamps: vec![Stamp {
            version: 1_700_000,
            packed: 91_234_567_890_123,
            fields: Vec::<FieldIdx>::new(),
        }],
        stamped_s: 1_795_000_000,
        base: Base {
            plan: 0xabcd_ef01,
            fields: (0..10).map(hash).collect(),
        },
        revision: 300,
        ..Row::default()
    }
}

async fn usec(raw: &mut MultiplexedConnection, command: &str) -> f64 {
    let info: String = redis::cmd("INFO").arg("commandstats").query_async(raw).await.unwrap();
    let line = info
        .lines()
        .find_map(|l| l.strip_prefix(&format!("cmdstat_{command}:")))
        .unwrap_or("usec=0");
    let usec = line.split(',').find_map(|f| f.strip_prefix("usec=")).unwrap();
    usec.trim().parse().unwrap()
}

async fn info(raw: &mut MultiplexedConnection, section: &str) -> HashMap<String, String> {
    let info: String = redis::cmd("INFO").arg(section).query_async(raw).await.unwrap();
    info.lines()
        .filter_map(|l| l.split_once(':'))
        .map(|(a, b)| (a.into(), b.trim().into()))
        .collect()
}

async fn cpu_usec(raw: &mut MultiplexedConnection) -> f64 {
    let cpu = info(raw, "cpu").await;
    ["used_cpu_user_main_thread", "used_cpu_sys_main_thread"]
        .iter()
        .map(|n| cpu[*n].parse::<f64>().unwrap())
        .sum::<f64>()
        * 1e6
}

/// Microseconds a record of a command, taken batch by batch: the median stands still on a busy machine.
struct Phase {
    command: &'static str,
    batches: Vec<f64>,
    before: f64,
}

impl Phase {
    fn of(command: &'static str) -> Self {
        Self {
            command,
            batches: Vec::new(),
            before: 0.0,
        }
    }

    async fn begin(&mut self, raw: &mut MultiplexedConnection) {
        self.before = usec(raw, self.command).await;
    }

    async fn end(&mut self, raw: &mut MultiplexedConnection) {
        self.batches
            .push((usec(raw, self.command).await - self.before) / f64::from(BATCH));
    }

    fn median(mut self) -> f64 {
        self.batches.sort_by(f64::total_cmp);
        self.batches[self.batches.len() / 2]
    }
}

/// A record of the n-th row of a batch: spread over all records.
fn nth(batch: u32, n: u32, records: u32) -> u32 {
    (batch * BATCH + n).wrapping_mul(7_919) % records
}

async fn measure(name: &str, buckets: u32, records: u32, packed: bool) {
    let limit = if packed { "256" } else { "64" };
    let server = Server::with(&["--hash-max-listpack-value", limit]).await;
    let mut layout = settings(&server);
    (layout.record_buckets, layout.response_timeout) = (buckets, Duration::from_secs(60));
    let lane = LaneFactory::new(layout, sealer(), Handle::current()).unwrap().open();
    let (mut raw, tenant) = (server.raw().await, acme());
    let mut fence = lane.attach(&tenant, "node-1", Epoch(1)).await.unwrap().fence;
    let empty: f64 = info(&mut raw, "memory").await["used_memory"].parse().unwrap();
    for from in (1..=records).step_by(500) {
        let all: Vec<u32> = (from..from + 500).collect();
        let commit = Commit {
            rows: all
                .iter()
                .map(|n| (contact(format!("{n:010}")), real_row(*n)))
                .collect(),
            links: all.iter().map(|n| (sfid(*n), contact(format!("{n:010}")))).collect(),
            ..Commit::default()
        };
        lane.commit(&tenant, &fence, Script::Settle, Box::new(commit))
            .await
            .unwrap();
        fence.step += 1;
    }
    let full: f64 = info(&mut raw, "memory").await["used_memory"].parse().unwrap();
    let mut ids: Vec<EntryRef> = Vec::new();
    let payload = "x".repeat(420);
    for _ in 0..BATCHES {
        let mut pipe = redis::pipe();
        for n in 0..BATCH {
            let fields = [
                ("object", "contact"),
                ("key", &format!("{n:010}")),
                ("op", "upsert"),
                ("data", &payload),
            ];
            pipe.xadd(keys::changes(&tenant), "*", &fields);
        }
        let added: Vec<String> = pipe.query_async(&mut raw).await.unwrap();
        ids.extend(added.iter().map(|id| EntryRef {
            log: Log::Changes,
            id: id.parse().unwrap(),
        }));
    }
    let per = f64::from(BATCH * BATCHES);
    let names = |b: u32| (0..BATCH).map(move |n| contact(format!("{:010}", nth(b, n, records) + 1)));

    let cpu = cpu_usec(&mut raw).await;
    let mut after = StreamId::ZERO;
    let mut read = Phase::of("xrange");
    for _ in 0..BATCHES {
        read.begin(&mut raw).await;
        let page = lane
            .read_log(&tenant, Log::Changes, after, BATCH as usize)
            .await
            .unwrap();
        after = page.entries.last().unwrap().at.id;
        read.end(&mut raw).await;
    }
    let mut load = Phase::of("hmget");
    for b in 0..BATCHES {
        load.begin(&mut raw).await;
        let loaded = lane.load(&tenant, names(b).collect(), vec![]).await.unwrap();
        load.end(&mut raw).await;
        assert!(loaded.records.iter().all(|r| r.row.is_some()));
    }
    let mut begin = Phase::of("evalsha");
    for b in 0..BATCHES {
        let sent = |record| IntentRecord {
            record,
            seq: 91_234_567_890_123,
            verb: Verb::Update,
            crashes: 0,
        };
        let intent = Intent {
            batch: batch(&fence, b.into()),
            begun: Timestamp(1),
            records: names(b).map(sent).collect(),
        };
        begin.begin(&mut raw).await;
        lane.begin(&tenant, &fence, intent, vec![]).await.unwrap();
        begin.end(&mut raw).await;
        fence.step += 1;
    }
    let (mut settle, mut keyed) = (Phase::of("evalsha"), Phase::of("evalsha"));
    for b in 0..BATCHES {
        let with_keys = b % 2 == 1;
        let rows = (0..BATCH)
            .map(|n| nth(b, n, records) + 1)
            .map(|n| (contact(format!("{n:010}")), real_row(n)));
        let seen = (0..if with_keys { BATCH } else { 0 }).map(|n| {
            let mut key = [7; 16];
            key[..4].copy_from_slice(&(b * BATCH + n).to_le_bytes());
            IdempotencyKey { key, content: [1; 8] }
        });
        let from = (b * BATCH) as usize;
        let commit = Commit {
            batch: Some(batch(&fence, b.into())),
            delete: ids[from..from + BATCH as usize].to_vec(),
            rows: rows.collect(),
            seen: seen.collect(),
            counters: Counters {
                settled: 200,
                ..Counters::default()
            },
            ..Commit::default()
        };
        let phase = if with_keys { &mut keyed } else { &mut settle };
        phase.begin(&mut raw).await;
        let done = lane
            .commit(&tenant, &fence, Script::Settle, Box::new(commit))
            .await
            .unwrap();
        phase.end(&mut raw).await;
        assert_eq!(done.deleted, u64::from(BATCH));
        fence.step += 1;
    }
    let thread = (cpu_usec(&mut raw).await - cpu) / per;
    let encoded = row_codec::encode(&real_row(1)).len();
    let at_rest = (full - empty) / f64::from(records);
    let (read, load, begin) = (read.median(), load.median(), begin.median());
    let (settle, keyed) = (settle.median(), keyed.median());
    println!(
        "{name:23} records {records:7} row {encoded} B at rest {at_rest:5.0} B | us a record: xrange {read:.2} hmget {load:.2} \
         begin {begin:.2} settle {settle:.2} (with keys {keyed:.2}) sum {:.2} | main thread {thread:.1}",
        read + load + begin + settle,
    );
}

#[tokio::test]
#[ignore = "a measurement of a minute"]
async fn layout_of_rows_and_ids() {
    for round in 1..=2 {
        println!("round {round}");
        for records in [10_000, 100_000] {
            measure("one hash", 1, records, false).await;
            measure("64 buckets", 64, records, false).await;
            measure("1024 buckets", 1_024, records, false).await;
            measure("1024 buckets, packed", 1_024, records, true).await;
            measure("packed, about 100 each", records / 100, records, true).await;
        }
    }
}
