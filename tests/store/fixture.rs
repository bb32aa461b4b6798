//! A tenant, its records and its owner.

use std::sync::Arc;
use std::time::Duration;

use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use tandem::port::seal::Sealer;
use tandem::port::store::{Lane, StoreError};
use tandem::store::seal::{RegionalKey, RegionalSealer};
use tandem::store::{LaneFactory, RedisLane, StoreSettings, keys};
use tandem_core::domain::event::{Event, EventType, Says};
use tandem_core::domain::ids::{BatchId, Epoch, Fence, FieldIdx, RecordKey, TenantName};
use tandem_core::domain::payload::RawJson;
use tandem_core::domain::row::{FieldHash, Row};
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::domain::stream::{EntryRef, Log, StreamId};
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::commit::{Folded, FoldedField, Intent, IntentRecord, Verb};
use tokio::runtime::Handle;

use crate::server::Server;

pub fn settings(server: &Server) -> StoreSettings {
    StoreSettings {
        url: server.url().into(),
        connect_timeout: Duration::from_secs(2),
        response_timeout: Duration::from_secs(5),
        pool_size: 4,
        record_buckets: 8,
        feed_partitions: 4,
    }
}

pub fn sealer() -> Arc<dyn Sealer> {
    let key = RegionalKey {
        id: "1".into(),
        secret: zeroize::Zeroizing::new([7; 32]),
    };
    Arc::new(RegionalSealer::new(key, Vec::new()).unwrap())
}

pub fn lane(server: &Server) -> RedisLane {
    LaneFactory::new(settings(server), sealer(), Handle::current())
        .unwrap()
        .open()
}

pub fn acme() -> TenantName {
    TenantName::new("acme").unwrap()
}

/// An owner and a look behind its back.
pub struct Owned {
    pub server: Server,
    pub lane: RedisLane,
    pub raw: MultiplexedConnection,
    pub tenant: TenantName,
    pub fence: Fence,
}

pub async fn owned() -> Owned {
    owned_on(Server::start().await).await
}

pub async fn owned_on(server: Server) -> Owned {
    let (lane, raw, tenant) = (lane(&server), server.raw().await, acme());
    let fence = lane.attach(&tenant, "node-1", Epoch(1)).await.unwrap().fence;
    Owned {
        server,
        lane,
        raw,
        tenant,
        fence,
    }
}

impl Owned {
    /// The fence to name, and one step further for the next time.
    pub fn step(&mut self) -> Fence {
        let now = self.fence.clone();
        self.fence.step += 1;
        now
    }

    pub async fn append(&mut self, key: &str) -> EntryRef {
        let fields = [("object", "contact"), ("key", key), ("op", "upsert"), ("data", "{}")];
        let id: String = self.raw.xadd(keys::changes(&self.tenant), "*", &fields).await.unwrap();
        EntryRef {
            log: Log::Changes,
            id: id.parse().unwrap(),
        }
    }

    /// Appends `count` entries in one go.
    pub async fn append_many(&mut self, count: usize) -> Vec<EntryRef> {
        let mut pipe = redis::pipe();
        for _ in 0..count {
            pipe.xadd(keys::changes(&self.tenant), "*", &[("key", "1")]);
        }
        let ids: Vec<String> = pipe.query_async(&mut self.raw).await.unwrap();
        ids.iter()
            .map(|id| EntryRef {
                log: Log::Changes,
                id: id.parse().unwrap(),
            })
            .collect()
    }

    pub async fn everything(&mut self) -> Vec<(String, Vec<u8>)> {
        everything(&mut self.raw).await
    }

    pub async fn row_of(&self, record: &RecordKey) -> Option<Row> {
        self.lane
            .load(&self.tenant, vec![record.clone()], vec![])
            .await
            .unwrap()
            .records
            .remove(0)
            .row
    }
}

/// All that Redis holds, byte for byte.
pub async fn everything(raw: &mut MultiplexedConnection) -> Vec<(String, Vec<u8>)> {
    let mut names: Vec<String> = raw.keys("*").await.unwrap();
    names.sort();
    let mut all = Vec::new();
    for name in names {
        let bytes: Vec<u8> = redis::cmd("DUMP").arg(&name).query_async(raw).await.unwrap();
        all.push((name, bytes));
    }
    all
}

pub fn contact(key: impl std::fmt::Display) -> RecordKey {
    RecordKey::new("contact", key.to_string())
}

pub fn sfid(n: u32) -> SalesforceId {
    SalesforceId::parse(&format!("003A0000{n:07}")).unwrap()
}

pub fn row(seq: u64) -> Row {
    Row {
        last_seq: seq,
        salesforce_id: Some(sfid(u32::try_from(seq).unwrap())),
        revision: 3,
        ..Row::default()
    }
}

pub fn fold(entries: u64) -> Folded {
    let value = RawJson::from_checked("\"Ada\"");
    let field = FoldedField {
        idx: FieldIdx(0),
        value,
        version: 1,
        packed: 5,
        engine: false,
    };
    Folded {
        plan: 9,
        seq: 77,
        upsert: true,
        fields: vec![field],
        packed: 5,
        oldest: Timestamp(1_000),
        newest: Timestamp(2_000),
        entries,
        ..Folded::default()
    }
}

pub fn batch(fence: &Fence, number: u64) -> BatchId {
    BatchId {
        epoch: fence.epoch,
        number,
    }
}

pub fn intent(batch: BatchId, keys: &[&str]) -> Intent {
    let records = keys.iter().map(|key| IntentRecord {
        record: contact(key),
        seq: 5,
        verb: Verb::Update,
        crashes: 0,
    });
    Intent {
        batch,
        begun: Timestamp(10_000),
        records: records.collect(),
    }
}

pub fn changed(key: &str, revision: u64) -> Event {
    Event {
        kind: EventType::Changed,
        record: Some(contact(key)),
        salesforce_id: Some(sfid(4)),
        data: Some(RawJson::from_checked("{\"email\":\"a\\u00e9@b\"}")),
        detail: Some(RawJson::from_checked("{\"x\":1}")),
        revision,
        at: Timestamp(1_700_000_000_123),
        traceparent: Some("00-aa-bb-01".into()),
        says: Says {
            plan: 0xdead_beef,
            fields: vec![(FieldIdx(3), FieldHash([1, 2, 3, 4, 5, 6]))],
        },
    }
}

pub fn id(ms: u64) -> StreamId {
    StreamId { ms, seq: 0 }
}

/// The code with which Redis fenced a request off.
pub fn fenced<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Err(StoreError::Fenced { reason, .. }) => reason.split(' ').next().unwrap().to_owned(),
        other => panic!("not fenced: {other:?}"),
    }
}
