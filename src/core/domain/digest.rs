//! Keyed hashes: what Tandem keeps instead of values. Without the tenant's key they tell nothing, not even by guessing.

use std::fmt;

use bytes::Bytes;

use super::change::IdempotencyKey;
use super::ids::RecordKey;
use super::row::FieldHash;

/// Hashes under one tenant's digest key (BLAKE3, keyed). The same key gives the same hashes for ever.
#[derive(Clone)]
pub struct Digester {
    key: [u8; 32],
}

/// Keeps hashes of different things apart: a part of what is hashed.
#[derive(Clone, Copy)]
enum Purpose {
    Field = 1,
    IdempotencyKey = 2,
    Content = 3,
    Record = 4,
}

impl Digester {
    /// Takes the tenant's digest key: 32 secret bytes.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// Hash of one field's value in normal form (`value::Normal`). Never [`FieldHash::UNKNOWN`].
    pub fn field(&self, object: &str, field_name: &str, normal: &[u8]) -> FieldHash {
        let hash = self.hash(Purpose::Field, [object.as_bytes(), field_name.as_bytes(), normal]);
        let mut first = [0; 6];
        first.copy_from_slice(&hash.as_bytes()[..6]);
        let hash = FieldHash(first);
        if hash.is_known() {
            hash
        } else {
            FieldHash([0, 0, 0, 0, 0, 1])
        }
    }

    /// Hash of an idempotency key, and of the content that came with it, in the order given.
    pub fn idempotency(&self, key_text: &str, content: &[(Bytes, Bytes)]) -> IdempotencyKey {
        let key_hash = self.hash(Purpose::IdempotencyKey, [key_text.as_bytes()]);
        let pieces = content.iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()]);
        let content_hash = self.hash(Purpose::Content, pieces);
        let mut idempotency = IdempotencyKey {
            key: [0; 16],
            content: [0; 8],
        };
        idempotency.key.copy_from_slice(&key_hash.as_bytes()[..16]);
        idempotency.content.copy_from_slice(&content_hash.as_bytes()[..8]);
        idempotency
    }

    /// A record's name in logs: equal for equal records of this tenant, telling nothing else.
    pub fn record(&self, record: &RecordKey) -> u64 {
        let hash = self.hash(Purpose::Record, [record.object.as_bytes(), record.key.as_bytes()]);
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        u64::from_be_bytes(first)
    }

    /// Each piece with its length before it, so that no two lists of pieces hash alike by running together.
    fn hash<'a>(&self, purpose: Purpose, pieces: impl IntoIterator<Item = &'a [u8]>) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&[purpose as u8]);
        for piece in pieces {
            hasher.update(&(piece.len() as u64).to_le_bytes());
            hasher.update(piece);
        }
        hasher.finalize()
    }
}

impl fmt::Debug for Digester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digester(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digester(byte: u8) -> Digester {
        Digester::new([byte; 32])
    }

    fn pairs(pairs: &[(&'static str, &'static str)]) -> Vec<(Bytes, Bytes)> {
        pairs
            .iter()
            .map(|(name, value)| (Bytes::from_static(name.as_bytes()), value.as_bytes().into()))
            .collect()
    }

    #[test]
    fn what_is_hashed_cannot_run_together() {
        let digester = digester(7);
        assert_ne!(digester.field("a", "bc", b"d"), digester.field("ab", "c", b"d"));
        assert_ne!(digester.field("a", "b", b"cd"), digester.field("a", "bc", b"d"));
        let one = digester.idempotency("k", &pairs(&[("a", "bc")]));
        let two = digester.idempotency("k", &pairs(&[("ab", "c")]));
        assert_eq!(one.key, two.key);
        assert_ne!(one.content, two.content);
    }

    #[test]
    fn another_tenants_key_gives_other_hashes() {
        let record = RecordKey::new("contact", "42");
        assert_eq!(digester(1).record(&record), digester(1).record(&record));
        assert_ne!(digester(1).record(&record), digester(2).record(&record));
        assert_ne!(digester(1).field("o", "f", b"v"), digester(2).field("o", "f", b"v"));
        assert_ne!(digester(1).idempotency("k", &[]), digester(2).idempotency("k", &[]));
    }

    #[test]
    fn debug_hides_the_key() {
        assert_eq!(format!("{:?}", digester(9)), "Digester(…)");
    }

    /// These hashes lie in Redis: another result is another format and needs re-basing.
    #[test]
    fn hashes_stay_as_they_are() {
        let digester = digester(0);
        assert_eq!(digester.field("contact", "email", b"x").0, [165, 29, 185, 241, 122, 9]);
        assert_eq!(
            digester.record(&RecordKey::new("contact", "42")),
            16_921_177_468_969_827_776
        );
    }

    proptest! {
        #[test]
        fn a_field_hash_is_always_known(object in ".{0,5}", field in ".{0,5}", normal: Vec<u8>) {
            prop_assert!(digester(3).field(&object, &field, &normal).is_known());
        }
    }
}
