//! Sealing by AES-256-GCM under a key per tenant, which is derived from a regional key.
//!
//! Derived (HKDF-SHA256 over the regional key, the use and the tenant's name) and not a stored random key: sealing
//! then needs no Redis, works before the tenant's first attach, and a rolled-back or lost Redis cannot take the keys
//! with it. The price: destroying one tenant's key alone is not possible, so `erase` deletes what it sealed.
//!
//! A blob is: format (1 byte), length of the key id (1 byte), key id, nonce (12 bytes), ciphertext and tag. Format,
//! key id, tenant and purpose are bound into the tag. Nonces are random: 2³² blobs a tenant and regional key are the
//! bound of NIST SP 800-38D, far above the dead letters and tokens of a tenant's life.
//!
//! Rotation: a new key becomes current, older ones stay to open what they sealed. Digests rest in rows for ever, so
//! they are always made under the *first* key, the one with the lowest id (numbers before texts): it stays configured
//! as long as its tenants live.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use tandem_core::domain::ids::TenantName;
use zeroize::Zeroizing;

use crate::port::seal::{SealError, Sealer};

const FORMAT: u8 = 1;
/// Longest key id, in bytes.
pub const KEY_ID_MAX: usize = 32;

/// A regional key and its name in blobs.
pub struct RegionalKey {
    /// 1 to [`KEY_ID_MAX`] bytes.
    pub id: String,
    /// 32 random bytes.
    pub secret: Zeroizing<[u8; 32]>,
}

/// Why a set of regional keys is no good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// The id is empty or too long.
    #[error("regional key id '{0}' must have 1 to {KEY_ID_MAX} bytes; change it in [secrets]")]
    Id(String),
    /// Two keys have one id.
    #[error("regional key id '{0}' is used twice; give each key of [secrets] its own id")]
    Twice(String),
}

/// Seals under the current regional key, opens under every configured one.
pub struct RegionalSealer {
    keys: BTreeMap<String, Zeroizing<[u8; 32]>>,
    current: String,
    first: String,
}

struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        32
    }
}

/// HKDF-SHA256 of a regional key for one use and tenant.
fn derive(regional: &[u8; 32], usage: &[u8], tenant: &TenantName) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    let info: [&[u8]; 3] = [usage, b"\0", tenant.as_str().as_bytes()];
    let root = Salt::new(HKDF_SHA256, b"tandem").extract(regional);
    root.expand(&info, KeyLength)
        .and_then(|okm| okm.fill(key.as_mut()))
        .ok()?;
    Some(key)
}

fn bound(head: &[u8], tenant: &TenantName, purpose: &str) -> Vec<u8> {
    [head, tenant.as_str().as_bytes(), b"\0", purpose.as_bytes()].concat()
}

impl RegionalSealer {
    /// Takes the key to seal with and the ones that older blobs were sealed with.
    pub fn new(current: RegionalKey, previous: Vec<RegionalKey>) -> Result<Self, KeyringError> {
        let name = current.id.clone();
        let mut keys = BTreeMap::new();
        for key in std::iter::once(current).chain(previous) {
            if key.id.is_empty() || key.id.len() > KEY_ID_MAX {
                return Err(KeyringError::Id(key.id));
            }
            if keys.insert(key.id.clone(), key.secret).is_some() {
                return Err(KeyringError::Twice(key.id));
            }
        }
        let age = |id: &String| (id.parse::<u64>().unwrap_or(u64::MAX), id.clone());
        let first = keys
            .keys()
            .min_by_key(|id| age(id))
            .cloned()
            .unwrap_or_else(|| name.clone());
        Ok(Self {
            keys,
            current: name,
            first,
        })
    }

    fn data_key(&self, tenant: &TenantName, id: &str) -> Result<RandomizedNonceKey, SealError> {
        let unknown = || SealError::UnknownKey {
            tenant: tenant.clone(),
            key_id: id.to_owned(),
        };
        let key = derive(self.keys.get(id).ok_or_else(unknown)?, b"data", tenant).ok_or_else(unknown)?;
        RandomizedNonceKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| unknown())
    }
}

impl Sealer for RegionalSealer {
    fn seal(&self, tenant: &TenantName, purpose: &'static str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let refused = || SealError::Refused { tenant: tenant.clone() };
        let length = u8::try_from(self.current.len()).map_err(|_| refused())?;
        let mut blob = [&[FORMAT, length], self.current.as_bytes()].concat();
        let aad = Aad::from(bound(&blob, tenant, purpose));
        let mut body = plain.to_vec();
        let nonce = self
            .data_key(tenant, &self.current)?
            .seal_in_place_append_tag(aad, &mut body)
            .map_err(|_| refused())?;
        blob.extend_from_slice(nonce.as_ref());
        blob.extend_from_slice(&body);
        Ok(blob)
    }

    fn open(&self, tenant: &TenantName, purpose: &'static str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let refused = || SealError::Refused { tenant: tenant.clone() };
        let (format, rest) = sealed.split_first().ok_or_else(refused)?;
        if *format != FORMAT {
            return Err(SealError::Format { tenant: tenant.clone() });
        }
        let (length, rest) = rest.split_first().ok_or_else(refused)?;
        let (id, rest) = rest.split_at_checked(usize::from(*length)).ok_or_else(refused)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or_else(refused)?;
        let key = self.data_key(tenant, std::str::from_utf8(id).map_err(|_| refused())?)?;
        let head = sealed.get(..2 + id.len()).ok_or_else(refused)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| refused())?;
        let mut body = body.to_vec();
        let plain = key
            .open_in_place(nonce, Aad::from(bound(head, tenant, purpose)), &mut body)
            .map_err(|_| refused())?;
        let length = plain.len();
        body.truncate(length);
        Ok(body)
    }

    fn digest_key(&self, tenant: &TenantName) -> Result<[u8; 32], SealError> {
        let unknown = || SealError::UnknownKey {
            tenant: tenant.clone(),
            key_id: self.first.clone(),
        };
        let regional = self.keys.get(&self.first).ok_or_else(unknown)?;
        derive(regional, b"digest", tenant).map(|key| *key).ok_or_else(unknown)
    }
}
