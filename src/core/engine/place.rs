//! Where things live: hash slots, buckets, feed partitions and tenants' partitions, all by one checksum.

use crate::domain::ids::{RecordKey, TenantName};

/// Partitions that tenants are spread over; nodes hold partitions, never single tenants.
pub const TENANT_PARTITIONS: u16 = 1024;

/// Sets that producers may name tenants in.
pub const DIRTY_SETS: u16 = 64;

/// The checksum of each byte on its own (XMODEM: polynomial 0x1021, nothing reflected, begins at 0).
const CRC16: [u16; 256] = crc16_table();

const fn crc16_table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

/// CRC16 as Redis Cluster has it, over parts put together.
fn crc16_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u16 {
    parts.into_iter().flatten().fold(0, |crc: u16, byte| {
        (crc << 8) ^ CRC16[usize::from((crc >> 8) as u8 ^ byte)]
    })
}

/// CRC16 as Redis Cluster has it.
pub fn crc16(bytes: &[u8]) -> u16 {
    crc16_of([bytes])
}

/// The hash slot of a Redis key: of what stands between its first `{` and the next `}`, or of the whole key.
pub fn slot(key: &str) -> u16 {
    let tag = key
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'))
        .map(|(tag, _)| tag);
    crc16(tag.filter(|tag| !tag.is_empty()).unwrap_or(key).as_bytes()) % 16_384
}

/// The partition that a tenant belongs to.
pub fn tenant_partition(tenant: &TenantName) -> u16 {
    crc16(tenant.as_str().as_bytes()) % TENANT_PARTITIONS
}

/// The set a producer may name this tenant in.
pub fn dirty_set(tenant: &TenantName) -> u16 {
    crc16(tenant.as_str().as_bytes()) % DIRTY_SETS
}

/// The feed partition of a record's events, or of the tenant's own events: CRC16 of tenant, NUL, object, NUL, key.
pub fn feed_partition(tenant: &TenantName, record: Option<&RecordKey>, partitions: u16) -> u16 {
    let tenant = tenant.as_str().as_bytes();
    let crc = match record {
        Some(record) => crc16_of([tenant, b"\0", record.object.as_bytes(), b"\0", record.key.as_bytes()]),
        None => crc16(tenant),
    };
    crc % partitions.max(1)
}

/// The bucket of a field in a hash that is spread over several keys.
pub fn bucket(field: &[u8], buckets: u32) -> u32 {
    u32::from(crc16(field)) % buckets.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc16_is_redis_clusters() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(crc16(b""), 0);
    }

    #[test]
    fn slots_are_redis_clusters() {
        // Example of the Redis Cluster specification: only the tag counts.
        assert_eq!(slot("{user1000}.following"), slot("{user1000}.followers"));
        assert_eq!(slot("foo"), 12_182);
        assert_eq!(slot("foo{}{bar}"), crc16(b"foo{}{bar}") % 16_384);
    }

    #[test]
    fn parts_are_separated() {
        let tenant = TenantName::new("acme").unwrap();
        let ab = feed_partition(&tenant, Some(&RecordKey::new("a", "bc")), 1000);
        assert_eq!(ab, crc16(b"acme\0a\0bc") % 1000);
        assert_eq!(feed_partition(&tenant, None, 7), crc16(b"acme") % 7);
    }
}
