//! Chance that repeats: the same seed gives the same replay ids, drops and ids.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// Step of the Weyl sequence of SplitMix64 (Steele, Lea, Flood 2014).
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// A SplitMix64 generator that many threads may share.
#[derive(Debug)]
pub(crate) struct Chance(AtomicU64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    pub(crate) fn next(&self) -> u64 {
        mix(self.0.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA))
    }

    /// True in `percent` of 100 calls.
    pub(crate) fn strikes(&self, percent: f64) -> bool {
        // 53 bits fill a double's mantissa: the share is exact at 0 and at 100.
        #[expect(clippy::cast_precision_loss, reason = "both numbers have at most 53 bits")]
        let share = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        share * 100.0 < percent
    }

    /// A version-4-shaped uuid.
    pub(crate) fn uuid(&self) -> String {
        uuid_of(self.next(), self.next())
    }
}

/// Spreads `value` over all 64 bits.
pub(crate) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// The uuid text of 128 bits, version and variant bits set as version 4 has them.
pub(crate) fn uuid_of(high: u64, low: u64) -> String {
    let high = (high & !0xF000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    let mut text = String::with_capacity(36);
    // Writing to a String cannot fail.
    write!(
        text,
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xFFFF,
        high & 0xFFFF,
        low >> 48,
        low & 0xFFFF_FFFF_FFFF
    )
    .unwrap_or_default();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_nothing_never_strikes_and_a_share_of_all_always_does() {
        let chance = Chance::new(7);
        assert_eq!((0..1000).filter(|_| chance.strikes(0.0)).count(), 0);
        assert_eq!((0..1000).filter(|_| chance.strikes(100.0)).count(), 1000);
        let half = (0..10_000).filter(|_| chance.strikes(50.0)).count();
        assert!((4_700..5_300).contains(&half), "{half}");
    }

    #[test]
    fn a_uuid_has_the_shape_of_version_four() {
        assert_eq!(uuid_of(u64::MAX, u64::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid_of(0, 0), "00000000-0000-4000-8000-000000000000");
    }
}
