//! Puts the concrete parts together: settings in, a running engine out. The only place that names the adapters.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::settings::{Settings, Tenant};

/// The engine could not start or ended badly.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// This build has no engine.
    #[error("this build of tandem has no engine yet: {0} is not available")]
    NoEngine(&'static str),
}

/// Runs the engine until `stop` completes. `announce` is called once, when it is ready, with the address of its HTTP
/// port.
pub fn serve(
    settings: Settings,
    announce: impl FnOnce(SocketAddr) -> std::io::Result<()> + Send + 'static,
    stop: impl Future<Output = &'static str> + Send + 'static,
) -> Result<(), AppError> {
    drop((settings, announce, stop));
    Err(AppError::NoEngine("serve"))
}

/// Asks a tenant's org to describe one sObject: the answer's body.
pub async fn describe(settings: &Settings, tenant: &Tenant, sobject: Arc<str>) -> Result<Bytes, AppError> {
    let _ = (settings, tenant, sobject);
    Err(AppError::NoEngine("check --org"))
}
