//! What the process says of itself over HTTP: health, metrics, tenants. Reads only; no tenant data passes here.

mod error;
mod health;
mod limit;
mod serve;
mod tenants;

pub use limit::CONNECTIONS_MAX;
pub use serve::{HttpError, Server, State, router, serve};
