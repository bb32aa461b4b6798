//! An org's change events, decoded.

use std::sync::Arc;

use tandem_core::domain::ids::ReplayId;
pub use tandem_core::engine::inbound::EventBatch;

use super::Answer;

/// Where to begin.
#[derive(Debug, Clone)]
pub enum From {
    /// All that the org still holds (72 h): for a tenant without a cursor, or whose cursor was lost. Never "from now":
    /// what happened before the subscription took effect would be missed.
    Earliest,
    /// Strictly after this one.
    After(ReplayId),
}

/// Why a stream could not be opened or ended.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ChangesError {
    /// The network, the service or a deadline: connect again with the stored cursor.
    #[error("change stream of {topic} broke: {detail}; it is opened again after a pause")]
    Broken {
        /// Topic.
        topic: Arc<str>,
        /// The service's words (no record data).
        detail: String,
    },
    /// The token was refused.
    #[error("change stream of {topic}: the session was refused; it is renewed")]
    Unauthorised {
        /// Topic.
        topic: Arc<str>,
    },
    /// The cursor is expired, foreign or corrupt: events were missed.
    #[error("change stream of {topic}: the stored replay id is no longer valid; changes since then must be re-read")]
    CursorLost {
        /// Topic.
        topic: Arc<str>,
    },
    /// The org's daily API calls are used up: it is not asked again for a while.
    #[error(
        "changes of {topic}: the org refuses calls: {detail}; it is polled again in some minutes, and nothing is lost"
    )]
    CallLimit {
        /// Topic.
        topic: Arc<str>,
        /// The org's words (no record data).
        detail: String,
    },
    /// The org's daily event deliveries are used up.
    #[error("change stream of {topic}: the org's daily event deliveries are used up; it is tried again later")]
    DeliveryLimit {
        /// Topic.
        topic: Arc<str>,
    },
}

/// Opens streams; many orgs share HTTP/2 channels.
pub trait ChangeFeed: Send + Sync {
    /// Subscribes to one topic of one org.
    fn subscribe(&self, topic: Arc<str>, from: From) -> Answer<Box<dyn ChangeStream>, ChangesError>;
}

/// One open subscription. Dropping it closes it.
pub trait ChangeStream: Send {
    /// Waits for the next events; asks the server for more only when called, so not calling is back-pressure
    /// (the implementation tops its credit up in time to keep the stream open).
    fn next(&mut self) -> futures::future::BoxFuture<'_, Result<EventBatch, ChangesError>>;
}
