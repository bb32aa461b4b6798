//! Salesforce record ids: 15 case-sensitive characters, shown with a checksum of three.

use std::fmt;

/// A record id. Kept as its 15 significant characters; printed as the 18 that the API returns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SalesforceId([u8; 15]);

/// The text is no Salesforce id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a Salesforce id: 15 letters and digits, or 18 with a right checksum")]
pub struct InvalidSalesforceId;

const CHECKSUM_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl SalesforceId {
    /// Takes the 15-character form, or the 18-character form with a right checksum.
    pub fn parse(text: &str) -> Result<Self, InvalidSalesforceId> {
        let bytes = text.as_bytes();
        let head: [u8; 15] = bytes
            .get(..15)
            .and_then(|b| b.try_into().ok())
            .ok_or(InvalidSalesforceId)?;
        if !head.iter().all(u8::is_ascii_alphanumeric) {
            return Err(InvalidSalesforceId);
        }
        let id = Self(head);
        match bytes.len() {
            15 => Ok(id),
            18 if id.checksum().eq_ignore_ascii_case(&bytes[15..]) => Ok(id),
            _ => Err(InvalidSalesforceId),
        }
    }

    /// The three checksum characters: bit *i* of each five-character group is set where the character is `A–Z`
    /// (recomputed on 60 recorded ids, contract.md 7.1).
    fn checksum(self) -> [u8; 3] {
        let mut sum = [0; 3];
        for (group, out) in self.0.chunks(5).zip(sum.iter_mut()) {
            let bits = group
                .iter()
                .enumerate()
                .fold(0, |n, (i, c)| n | (usize::from(c.is_ascii_uppercase()) << i));
            *out = CHECKSUM_ALPHABET[bits];
        }
        sum
    }

    /// The first three characters, which name the object.
    pub fn key_prefix(&self) -> &str {
        std::str::from_utf8(&self.0[..3]).unwrap_or_default()
    }

    /// 12 bytes for Redis: 62¹⁵ < 2⁹⁰.
    pub fn to_packed(self) -> [u8; 12] {
        let number = self.0.iter().fold(0_u128, |n, c| {
            let digit = BASE62.iter().position(|b| b == c).unwrap_or_default();
            n * 62 + digit as u128
        });
        let bytes = number.to_be_bytes();
        let mut packed = [0; 12];
        packed.copy_from_slice(&bytes[4..]);
        packed
    }

    /// Back from the 12 bytes; `None` when they hold no id.
    pub fn from_packed(packed: &[u8]) -> Option<Self> {
        let packed: [u8; 12] = packed.try_into().ok()?;
        let mut bytes = [0; 16];
        bytes[4..].copy_from_slice(&packed);
        let mut number = u128::from_be_bytes(bytes);
        let mut id = [0; 15];
        for c in id.iter_mut().rev() {
            *c = BASE62[(number % 62) as usize];
            number /= 62;
        }
        (number == 0).then_some(Self(id))
    }
}

impl fmt::Display for SalesforceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = self.checksum();
        for c in self.0.iter().chain(sum.iter()) {
            fmt::Write::write_char(f, char::from(*c))?;
        }
        Ok(())
    }
}

impl fmt::Debug for SalesforceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_ids_have_their_checksum() {
        for id in ["001D000000IRFmaIAH", "0031a000005hwVaAAI", "a001a000002zl5eAAA"] {
            let parsed = SalesforceId::parse(&id[..15]).unwrap();
            assert_eq!(parsed.to_string(), id);
            assert_eq!(SalesforceId::parse(id), Ok(parsed));
        }
        assert!(SalesforceId::parse("001D000000IRFmaAAA").is_err());
        assert!(SalesforceId::parse("001D000000IRFm").is_err());
        assert!(SalesforceId::parse("001D000000IRF a").is_err());
    }

    proptest! {
        #[test]
        fn packing_keeps_every_id(text in "[0-9A-Za-z]{15}") {
            let id = SalesforceId::parse(&text).unwrap();
            prop_assert_eq!(SalesforceId::from_packed(&id.to_packed()), Some(id));
        }
    }
}
