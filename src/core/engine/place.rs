//! Where a tenant belongs: Redis Cluster's own checksum, so that producers can compute it too.

/// Partitions that leases are taken of.
pub const PARTITIONS: u16 = 1024;

/// CRC16 as Redis Cluster computes hash slots (XMODEM: polynomial 0x1021, start 0).
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    })
}

/// A tenant's partition: `crc16(name) mod PARTITIONS`.
pub fn partition(tenant: &str) -> u16 {
    crc16(tenant.as_bytes()) % PARTITIONS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_redis_cluster() {
        // Redis Cluster specification, appendix A: CRC16("123456789") = 0x31C3.
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(crc16(b""), 0);
        assert_eq!(partition("acme"), crc16(b"acme") % 1024);
    }
}
