//! Every key in Redis, one function each: nothing else in Tandem spells a key.
//!
//! All keys of a tenant share the hash tag `{tenant}`, so that each change of its state is one script on one slot.

use tandem_core::domain::ids::{RecordKey, TenantName};
use tandem_core::domain::stream::{EntryRef, Log};

/// `tandem:{t}:changes`: stream, what people did.
pub fn changes(t: &TenantName) -> String {
    format!("tandem:{{{t}}}:changes")
}

/// `tandem:{t}:backfill`: stream, yields to people.
pub fn backfill(t: &TenantName) -> String {
    format!("tandem:{{{t}}}:backfill")
}

/// The stream of a log.
pub fn log(t: &TenantName, log: Log) -> String {
    match log {
        Log::Changes => changes(t),
        Log::Backfill => backfill(t),
    }
}

/// `tandem:{t}:compacted`: hash, record → fold older than every log entry of it.
pub fn compacted(t: &TenantName) -> String {
    format!("tandem:{{{t}}}:compacted")
}

/// `tandem:{t}:records:{bucket}`: hash, record → row.
pub fn records(t: &TenantName, bucket: u32) -> String {
    format!("tandem:{{{t}}}:records:{bucket}")
}

/// `tandem:{t}:ids:{bucket}`: hash, packed Salesforce id → record.
pub fn ids(t: &TenantName, bucket: u32) -> String {
    format!("tandem:{{{t}}}:ids:{bucket}")
}

/// `tandem:{t}:batches`: hash, batch → intent.
pub fn batches(t: &TenantName) -> String {
    format!("tandem:{{{t}}}:batches")
}

/// `tandem:{t}:owner`: hash: node, nonce, epoch, step, partition_epoch, buckets, format, attached_ms.
pub fn owner(t: &TenantName) -> String {
    format!("tandem:{{{t}}}:owner")
}

/// `tandem:{t}:seen:{day}`: hash with expiry, idempotency key → content hash; days count from 1970.
pub fn seen(t: &TenantName, day: u64) -> String {
    format!("tandem:{{{t}}}:seen:{day}")
}

/// `tandem:{t}:dead`: hash, record or entry → sealed dead letter.
pub fn dead(t: &TenantName) -> String {
    format!("tandem:{{{t}}}:dead")
}

/// `tandem:{t}:conflicts`: hash, conflict → sealed values of both sides.
pub fn conflicts(t: &TenantName) -> String {
    format!("tandem:{{{t}}}:conflicts")
}

/// `tandem:{t}:questions`: sorted set, record → when its open question is looked at next, milliseconds since 1970.
pub fn questions(t: &TenantName) -> String {
    format!("tandem:{{{t}}}:questions")
}

/// `tandem:{t}:backpressure`: string, `ok`, `slow` or `stop`.
pub fn backpressure(t: &TenantName) -> String {
    format!("tandem:{{{t}}}:backpressure")
}

/// `tandem:{t}:history`: capped stream, record timelines without values.
pub fn history(t: &TenantName) -> String {
    format!("tandem:{{{t}}}:history")
}

/// `tandem:{t}:outbox`: stream, events for the product.
pub fn outbox(t: &TenantName) -> String {
    format!("tandem:{{{t}}}:outbox")
}

/// `tandem:{t}:cursors`: hash, topic → place.
pub fn cursors(t: &TenantName) -> String {
    format!("tandem:{{{t}}}:cursors")
}

/// `tandem:{t}:quota`: hash, the ledger.
pub fn quota(t: &TenantName) -> String {
    format!("tandem:{{{t}}}:quota")
}

/// `tandem:{t}:token`: hash: version, sealed.
pub fn token(t: &TenantName) -> String {
    format!("tandem:{{{t}}}:token")
}

/// `tandem:{t}:counters`: hash, conservation.
pub fn counters(t: &TenantName) -> String {
    format!("tandem:{{{t}}}:counters")
}

/// `tandem:dirty:{i}`: set, tenants that producers say have new entries.
pub fn dirty(i: u16) -> String {
    format!("tandem:dirty:{{{i}}}")
}

/// `tandem:tenants`: hash, the registry.
pub fn tenants() -> String {
    "tandem:tenants".to_owned()
}

/// `tandem:nodes`: sorted set, node → time of its last heartbeat.
pub fn nodes() -> String {
    "tandem:nodes".to_owned()
}

/// Hashes over which the leases of partitions are spread; one script renews those of one hash.
pub const LEASE_GROUPS: u16 = 64;

/// `tandem:leases:{g}`: hash, the leases of the partitions n with g = n mod [`LEASE_GROUPS`].
pub fn leases(partition: u16) -> String {
    format!("tandem:leases:{{{}}}", partition % LEASE_GROUPS)
}

/// What a lease's hash calls a field of a partition: node, nonce, epoch, expires_ms, next, next_until_ms.
pub fn lease_field(partition: u16, name: &str) -> String {
    format!("{partition}:{name}")
}

/// `tandem:events:{i}`: stream, a partition of the product's feed.
pub fn events(i: u16) -> String {
    format!("tandem:events:{{{i}}}")
}

/// `tandem:events:{i}:marks`: hash, tenant → epoch and outbox id last forwarded to this partition; same slot as the feed.
pub fn marks(i: u16) -> String {
    format!("tandem:events:{{{i}}}:marks")
}

/// Patterns of the keyspace notifications that tell of appends to a log.
pub const DOORBELL: [&str; 2] = ["__keyspace@*__:tandem:*:changes", "__keyspace@*__:tandem:*:backfill"];

/// The tenant that a notification's channel names.
pub fn tenant_of_channel(channel: &str) -> Option<TenantName> {
    let (_, rest) = channel.split_once(":tandem:{")?;
    let (name, _) = rest.split_once("}:")?;
    TenantName::new(name).ok()
}

/// Field of a record in the tenant's hashes: object, NUL, key.
pub fn record_field(record: &RecordKey) -> Vec<u8> {
    [record.object.as_bytes(), b"\0", record.key.as_bytes()].concat()
}

/// Back from [`record_field`]; `None` when it is none.
pub fn record_of_field(field: &[u8]) -> Option<RecordKey> {
    let (object, key) = std::str::from_utf8(field).ok()?.split_once('\0')?;
    (!object.is_empty()).then(|| RecordKey::new(object, key))
}

/// Field of an entry that names no record: begins with NUL, as no record's field can.
pub fn entry_field(entry: &EntryRef) -> Vec<u8> {
    let log = match entry.log {
        Log::Changes => 'c',
        Log::Backfill => 'b',
    };
    format!("\0{log}{}", entry.id).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_fields_come_back() {
        let record = RecordKey::new("contact", "42\0a");
        assert_eq!(record_of_field(&record_field(&record)), Some(record));
        assert_eq!(record_of_field(b"\0c1-1"), None);
        assert_eq!(record_of_field(b"contact"), None);
    }

    #[test]
    fn the_doorbell_names_the_tenant() {
        let tenant = TenantName::new("acme").unwrap();
        let channel = format!("__keyspace@3__:{}", changes(&tenant));
        assert_eq!(tenant_of_channel(&channel), Some(tenant));
        assert_eq!(tenant_of_channel("__keyspace@3__:tandem:{}:changes"), None);
        assert_eq!(tenant_of_channel("__keyspace@3__:tandem:x"), None);
    }
}
