//! [`TokenStore`] in Redis: sealed before it leaves the process.

use std::sync::Arc;

use redis::Value;
use secrecy::{ExposeSecret, SecretString};
use tandem_core::domain::ids::TenantName;
use zeroize::Zeroizing;

use tokio::runtime::Handle;

use super::connection::{StoreSettings, StoreSetupError};
use super::keys;
use super::pooled::Pooled;
use super::reply::{self, Reader};
use super::script::{Call, ScriptName};
use crate::port::Answer;
use crate::port::seal::{SealError, Sealer};
use crate::port::token::{StoredToken, TokenError, TokenStore};

const PURPOSE: &str = "token";

/// Credentials in `tandem:{t}:token`.
pub struct RedisTokens {
    pooled: Pooled,
    sealer: Arc<dyn Sealer>,
}

impl RedisTokens {
    /// Opens nothing yet. Connections live on `runtime`.
    pub fn new(settings: &StoreSettings, sealer: Arc<dyn Sealer>, runtime: Handle) -> Result<Self, StoreSetupError> {
        Ok(Self {
            pooled: Pooled::new(settings, runtime)?,
            sealer,
        })
    }
}

impl TokenStore for RedisTokens {
    fn get(&self, tenant: &TenantName) -> Answer<Option<StoredToken>, TokenError> {
        let doing = "token_get";
        let (pooled, sealer, tenant) = (self.pooled.clone(), Arc::clone(&self.sealer), tenant.clone());
        Box::pin(async move {
            let read = Reader::of(doing, &tenant);
            let mut commands = redis::pipe();
            commands
                .cmd("HMGET")
                .arg(keys::token(&tenant))
                .arg("version")
                .arg("sealed");
            let [found] = read.exactly(Value::Array(pooled.run(doing, commands).await?))?;
            let [version, sealed] = read.exactly(found)?;
            let Some(sealed) = read.optional(sealed)? else {
                return Ok(None);
            };
            let plain = Zeroizing::new(sealer.open(&tenant, PURPOSE, &sealed)?);
            let text = std::str::from_utf8(&plain).map_err(|_| SealError::Refused { tenant: tenant.clone() })?;
            Ok(Some(StoredToken {
                version: read.number(version)?,
                secret: text.into(),
            }))
        })
    }

    fn put(&self, tenant: &TenantName, version: u64, secret: SecretString) -> Answer<u64, TokenError> {
        let doing = "token_put";
        let (pooled, sealer, tenant) = (self.pooled.clone(), Arc::clone(&self.sealer), tenant.clone());
        Box::pin(async move {
            let read = Reader::of(doing, &tenant);
            let mut call = Call::new(ScriptName::TokenPut, &[keys::token(&tenant)]);
            call.arg(version)
                .arg(sealer.seal(&tenant, PURPOSE, secret.expose_secret().as_bytes())?);
            let mut commands = redis::pipe();
            commands.add_command(call.into_cmd());
            let [answer] = read.exactly(Value::Array(pooled.run(doing, commands).await?))?;
            if let Some(("MOVED_ON", text)) = reply::server_error(&answer) {
                let version = text
                    .parse()
                    .map_err(|_| read.unexpected("MOVED_ON without a version"))?;
                return Err(TokenError::MovedOn {
                    tenant: tenant.clone(),
                    version,
                });
            }
            Ok(read.number(answer)?)
        })
    }
}
