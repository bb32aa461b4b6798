//! A token store in memory, with faults.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use secrecy::{ExposeSecret, SecretString};
use tandem::port::Answer;
use tandem::port::store::StoreError;
use tandem::port::token::{StoredToken, TokenError, TokenStore};
use tandem_core::domain::ids::TenantName;

#[derive(Default)]
pub(crate) struct MemoryTokens {
    held: Mutex<(u64, Option<String>)>,
    /// Loads fail.
    pub(crate) loads_fail: AtomicBool,
    /// Stores fail.
    pub(crate) stores_fail: AtomicBool,
}

impl MemoryTokens {
    /// As if another node had stored it.
    pub(crate) fn put(&self, secret: &str) {
        let mut held = self.held.lock().unwrap();
        *held = (held.0 + 1, Some(secret.to_owned()));
    }

    pub(crate) fn now(&self) -> (u64, Option<String>) {
        self.held.lock().unwrap().clone()
    }

    fn check(fails: &AtomicBool) -> Result<(), TokenError> {
        match fails.load(Ordering::SeqCst) {
            true => Err(StoreError::Broken {
                doing: "store token",
                detail: "gone".to_owned(),
            }
            .into()),
            false => Ok(()),
        }
    }
}

impl TokenStore for MemoryTokens {
    fn get(&self, _: &TenantName) -> Answer<Option<StoredToken>, TokenError> {
        let (version, secret) = self.now();
        let found = secret.map(|secret| StoredToken {
            version,
            secret: SecretString::from(secret),
        });
        let answer = Self::check(&self.loads_fail).map(|()| found);
        async move { answer }.boxed()
    }

    fn put(&self, tenant: &TenantName, read: u64, secret: SecretString) -> Answer<u64, TokenError> {
        let answer = Self::check(&self.stores_fail).and_then(|()| {
            let mut held = self.held.lock().unwrap();
            if held.0 != read {
                return Err(TokenError::MovedOn {
                    tenant: tenant.clone(),
                    version: held.0,
                });
            }
            *held = (read + 1, Some(secret.expose_secret().to_owned()));
            Ok(held.0)
        });
        async move { answer }.boxed()
    }
}
