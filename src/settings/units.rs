//! Durations and sizes as people write them: `250ms`, `10m`, `64MiB`.

use std::time::Duration;

/// What a duration may look like, for messages.
pub(super) const DURATION_FORM: &str = "a whole number and one of ms, s, m, h, d, e.g. \"250ms\" or \"10m\"";
/// What a size may look like, for messages.
pub(super) const SIZE_FORM: &str = "a whole number and one of B, KiB, MiB, GiB, e.g. \"64MiB\"";

const DURATION_UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];
const SIZE_UNITS: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// Reads `250ms`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    number_and_unit(text, &DURATION_UNITS).map(Duration::from_millis)
}

/// Reads `64MiB` as bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    number_and_unit(text, &SIZE_UNITS)
}

fn number_and_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_have_a_unit() {
        let table = [
            ("250ms", Some(250)),
            ("5s", Some(5_000)),
            ("10m", Some(600_000)),
            ("7d", Some(604_800_000)),
        ];
        for (text, millis) in table {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text}");
        }
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "5 s",
            "1.5s",
            "5S",
            "5min",
            "99999999999999999999s",
            "99999999999999999d",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
        assert_eq!(size("64MiB"), Some(64 * 1024 * 1024));
        assert_eq!(size("0B"), Some(0));
        for text in ["64", "64MB", "64 MiB", "MiB", "20000000000GiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
