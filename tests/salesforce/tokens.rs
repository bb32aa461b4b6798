//! A token store in memory, with faults.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use secrecy::{ExposeSecret, SecretString};
use tandem::port::Answer;
use tandem::port::store::StoreError;
use tandem::port::token::{StoredToken, TokenStore};
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

    fn check(fails: &AtomicBool) -> Result<(), StoreError> {
        match fails.load(Ordering::SeqCst) {
            true => Err(StoreError::Broken {
                doing: "store token",
                detail: "gone".to_owned(),
            }),
            false => Ok(()),
        }
    }
}

impl TokenStore for MemoryTokens {
    fn load(&self, _: &TenantName) -> Answer<Option<StoredToken>, StoreError> {
        let (version, secret) = self.now();
        let found = secret.map(|secret| StoredToken {
            version,
            secret: SecretString::from(secret),
        });
        let answer = Self::check(&self.loads_fail).map(|()| found);
        async move { answer }.boxed()
    }

    fn store(&self, _: &TenantName, version_before: u64, secret: SecretString) -> Answer<bool, StoreError> {
        let answer = Self::check(&self.stores_fail).map(|()| {
            let mut held = self.held.lock().unwrap();
            let mine = held.0 == version_before;
            if mine {
                *held = (version_before + 1, Some(secret.expose_secret().to_owned()));
            }
            mine
        });
        async move { answer }.boxed()
    }
}
