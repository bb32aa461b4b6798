//! What the actors ask of the world: traits and their typed errors. Adapters implement them, `cli` puts them together.

use futures::future::BoxFuture;

pub mod changes;
pub mod cluster;
pub mod org;
pub mod seal;
pub mod store;
pub mod token;

/// An answer on its way. The request is already queued when the function returns: order of calls is order of execution.
pub type Answer<T, E> = BoxFuture<'static, Result<T, E>>;
