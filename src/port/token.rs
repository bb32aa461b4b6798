//! Where a tenant's credentials rest between refreshes.

use secrecy::SecretString;
use tandem_core::domain::ids::TenantName;

use super::Answer;
use super::seal::SealError;
use super::store::StoreError;

/// Credentials as stored.
#[derive(Clone)]
pub struct StoredToken {
    /// Grows by one with each [`TokenStore::put`].
    pub version: u64,
    /// What was put, unsealed. Its format is the keeper's affair.
    pub secret: SecretString,
}

/// Why credentials could not be read or stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// Somebody stored newer ones: read them and go on with those.
    #[error("credentials of tenant {tenant} were renewed by another node (version {version}); they are read again")]
    MovedOn {
        /// Whose.
        tenant: TenantName,
        /// What is stored now.
        version: u64,
    },
    /// They do not open.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// Redis.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keeps credentials, sealed. Not fenced: whoever stores first wins, the others learn that they did not.
pub trait TokenStore: Send + Sync {
    /// Reads them; `None` when the tenant has none.
    fn get(&self, tenant: &TenantName) -> Answer<Option<StoredToken>, TokenError>;
    /// Stores them over version `read` (0: none were there) and answers their version.
    fn put(&self, tenant: &TenantName, read: u64, secret: SecretString) -> Answer<u64, TokenError>;
}
