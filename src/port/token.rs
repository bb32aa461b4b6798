//! Where a tenant's access token is kept, so that all nodes use one and a restart needs no login.

use secrecy::SecretString;
use tandem_core::domain::ids::TenantName;

use super::Answer;
use super::store::StoreError;

/// A token as it was stored.
#[derive(Debug, Clone)]
pub struct StoredToken {
    /// Grows by one with each store; 0 is before the first.
    pub version: u64,
    /// What the session keeper stored; only it knows the form.
    pub secret: SecretString,
}

/// Keeps one secret a tenant, sealed at rest.
pub trait TokenStore: Send + Sync {
    /// The newest secret, if there is one.
    fn load(&self, tenant: &TenantName) -> Answer<Option<StoredToken>, StoreError>;

    /// Replaces the secret of `version_before` (0 when there is none) and gives it the next version.
    /// `false`: another node stored meanwhile, nothing was changed.
    fn store(&self, tenant: &TenantName, version_before: u64, secret: SecretString) -> Answer<bool, StoreError>;
}
