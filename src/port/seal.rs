//! Sealing: what stays in Redis longer than it travels is encrypted under the tenant's own key.

use tandem_core::domain::ids::TenantName;

/// Why a blob could not be sealed or opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SealError {
    /// No key with that id is configured.
    #[error("a sealed value of tenant {tenant} names key '{key_id}', which is not configured; add it to [secrets]")]
    UnknownKey {
        /// Whose.
        tenant: TenantName,
        /// Which.
        key_id: String,
    },
    /// Wrong tenant, wrong purpose or changed bytes.
    #[error("a sealed value of tenant {tenant} does not open: it was changed or belongs elsewhere")]
    Refused {
        /// Whose.
        tenant: TenantName,
    },
    /// The format byte is unknown.
    #[error("a sealed value of tenant {tenant} has an unknown format; it was written by a newer version")]
    Format {
        /// Whose.
        tenant: TenantName,
    },
}

/// Seals and opens blobs. `purpose` (e.g. `dead`, `token`) and the tenant are bound into the blob.
pub trait Sealer: Send + Sync {
    /// Encrypts.
    fn seal(&self, tenant: &TenantName, purpose: &'static str, plain: &[u8]) -> Result<Vec<u8>, SealError>;
    /// Decrypts.
    fn open(&self, tenant: &TenantName, purpose: &'static str, sealed: &[u8]) -> Result<Vec<u8>, SealError>;
    /// The tenant's key for digests of values, keys and idempotency keys.
    fn digest_key(&self, tenant: &TenantName) -> Result<[u8; 32], SealError>;
}
