//! Record ids: 15 case-sensitive characters, or 18 with a checksum that survives a change of case
//! (contract 7.1, recomputed there on recorded ids).

/// What the checksum characters are taken from.
const CHECK: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Base-62 digits of the running number in an id.
const NUMBER_DIGITS: usize = 7;

/// The three checksum characters of a 15-character id; other lengths give the checksum of what is there.
#[must_use]
pub fn checksum(id15: &str) -> String {
    let bytes = id15.as_bytes();
    (0..3)
        .map(|group| {
            let bits = bytes
                .iter()
                .skip(group * 5)
                .take(5)
                .enumerate()
                .fold(0usize, |bits, (i, b)| bits | (usize::from(b.is_ascii_uppercase()) << i));
            char::from(CHECK[bits & 31])
        })
        .collect()
}

/// The 18-character form of a 15- or 18-character id; an 18-character id may come in any case, its suffix repairs it.
/// None when the text is no id.
#[must_use]
pub fn normalise(id: &str) -> Option<String> {
    if !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    match id.len() {
        15 => Some(format!("{id}{}", checksum(id))),
        18 => {
            let (body, suffix) = id.split_at(15);
            let mut fixed = String::with_capacity(18);
            for (i, c) in body.chars().enumerate() {
                let check = suffix.as_bytes().get(i / 5)?.to_ascii_uppercase();
                let bits = CHECK.iter().position(|c| *c == check)?;
                let upper = bits >> (i % 5) & 1 == 1;
                if upper && c.is_ascii_digit() {
                    return None;
                }
                fixed.push(if upper {
                    c.to_ascii_uppercase()
                } else {
                    c.to_ascii_lowercase()
                });
            }
            let suffix = checksum(&fixed);
            Some(fixed + &suffix)
        }
        _ => None,
    }
}

/// How an org numbers its rows: key prefix, three characters of the org, `00`, a running number in base 62.
#[derive(Debug, Clone)]
pub struct IdSpace {
    pod: String,
    base: u64,
}

impl IdSpace {
    /// Ids of one org; both values come from its seed.
    #[must_use]
    pub fn new(entropy: u64) -> Self {
        let digit = |shift: u64| char::from(DIGITS[usize::try_from(entropy >> shift).unwrap_or(0) % 62]);
        let pod = [digit(3), digit(13), digit(23)].iter().collect();
        Self {
            pod,
            base: (entropy >> 33) % 1_000_000 * 1_000 + 1,
        }
    }

    /// The 18-character id of slot `slot` of the object with this key prefix.
    #[must_use]
    pub fn id(&self, prefix: &str, slot: u32) -> String {
        let mut number = self.base + u64::from(slot);
        let mut digits = [b'0'; NUMBER_DIGITS];
        for d in digits.iter_mut().rev() {
            *d = DIGITS[usize::try_from(number % 62).unwrap_or(0)];
            number /= 62;
        }
        let mut id = String::with_capacity(18);
        id.push_str(prefix);
        id.push_str(&self.pod);
        id.push_str("00");
        id.extend(digits.iter().map(|d| char::from(*d)));
        let check = checksum(&id);
        id + &check
    }

    /// Key prefix and slot of an id that this org could have given out; takes 15 or 18 characters in the right case.
    #[must_use]
    pub fn parse<'i>(&self, id: &'i str) -> Option<(&'i str, u32)> {
        if !id.is_ascii() || id.len() < 15 {
            return None;
        }
        let (prefix, rest) = id.split_at(3);
        let number = rest
            .strip_prefix(self.pod.as_str())?
            .strip_prefix("00")?
            .get(..NUMBER_DIGITS)?;
        let mut value = 0u64;
        for b in number.bytes() {
            let digit = match b {
                b'0'..=b'9' => b - b'0',
                b'A'..=b'Z' => b - b'A' + 10,
                b'a'..=b'z' => b - b'a' + 36,
                _ => return None,
            };
            value = value * 62 + u64::from(digit);
        }
        u32::try_from(value.checked_sub(self.base)?)
            .ok()
            .map(|slot| (prefix, slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn checksums_of_recorded_ids() {
        // Suffixes as seen in recorded traffic (contract 7.1, CCI-CASS).
        for id in [
            "0017e00001W4GYRAA3",
            "0037e00001WZ30qAAD",
            "a001a000002zl5eAAA",
            "0065500000KPywjAAD",
        ] {
            assert_eq!(checksum(&id[..15]), id[15..], "{id}");
            assert_eq!(normalise(&id[..15]).as_deref(), Some(id));
        }
    }

    #[test]
    fn what_is_no_id() {
        for text in [
            "",
            "42",
            "0017e00001W4GY",
            "0017e00001W4GYR-",
            "0017e00001W4GYRAA!",
            "0017e00001W4GYRZZZZ",
        ] {
            assert_eq!(normalise(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_case_of_18_characters_is_the_same_id(id in "[0-9A-Za-z]{15}") {
            let full = format!("{id}{}", checksum(&id));
            prop_assert_eq!(normalise(&full.to_ascii_lowercase()), Some(full.clone()));
            prop_assert_eq!(normalise(&full.to_ascii_uppercase()), Some(full));
        }

        #[test]
        fn ids_come_back_as_their_slot(entropy: u64, slot: u32) {
            let space = IdSpace::new(entropy);
            let id = space.id("003", slot);
            prop_assert_eq!(id.len(), 18);
            prop_assert_eq!(space.parse(&id), Some(("003", slot)));
            prop_assert_eq!(normalise(&id[..15]), Some(id));
        }
    }
}
