//! The errors of the Pub/Sub API: gRPC status, text that ends with the rpc id, and trailers that carry a code.
//!
//! Codes: Pub/Sub API guide, "Handling Errors"; texts as users saw them from live orgs (named at each).

use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

const PREFIX: &str = "sfdc.platform.eventbus.grpc.";

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Metadata missing, unknown org, or no live token of it. Text: pozil/pub-sub-api-java-client issue 3.
    Unauthenticated,
    /// Preset CUSTOM without replay id, or with one that has not the form of an id. Text: forcedotcom/pub-sub-api
    /// issue 37.
    ReplayInvalid,
    /// A replay id that was never given away, is too old, or is from another life of the org: one code for all.
    ReplayCorrupted,
    /// `num_requested` is not above zero.
    RequestedInvalid,
    /// The org's delivery allowance is used up. Text: Platform Events guide.
    LimitExceeded,
    /// Too many streams at once. The text is from memory.
    TooManyClients,
    /// The network: no code of Salesforce's [observed: forcedotcom/pub-sub-api].
    Reset,
    /// Text: pozil/pub-sub-api-java-client issue 2.
    TopicNotFound { org_id: String, topic: String },
    /// A later request of a stream names another topic.
    TopicChanged,
    /// Text: pozil/pub-sub-api-node-client issue 34.
    SchemaBlank,
    /// No schema with this id.
    SchemaUnknown,
    /// Not part of this simulator.
    Unsupported(&'static str),
    /// The server stops. Live orgs use INTERNAL and this text (pozil/pub-sub-api-node-client issue 64).
    Unavailable,
}

impl Refusal {
    /// The one with this error code, without the prefix that all have; `reset` is the network's.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let known = [
            Self::Unauthenticated,
            Self::ReplayInvalid,
            Self::ReplayCorrupted,
            Self::RequestedInvalid,
            Self::LimitExceeded,
            Self::TooManyClients,
            Self::Unavailable,
        ];
        if name == "reset" {
            return Some(Self::Reset);
        }
        known.into_iter().find(|refusal| refusal.parts().1 == Some(name))
    }

    /// The status of a call `rpc` (`Subscribe`, `GetTopic`, …) with this id.
    pub(crate) fn status(&self, rpc: &'static str, rpc_id: &str) -> Status {
        let (code, error_code, text) = self.parts();
        let mut trailers = MetadataMap::new();
        let mut put = |key: &'static str, value: &str| {
            if let Ok(value) = MetadataValue::try_from(value) {
                trailers.insert(key, value);
            }
        };
        put("rpc-id", rpc_id);
        put("type", rpc);
        if let Some(error_code) = error_code {
            put("error-code", &format!("{PREFIX}{error_code}"));
        }
        Status::with_metadata(code, format!("{text} rpcId: {rpc_id}"), trailers)
    }

    /// gRPC code, error code where Salesforce's is known, text.
    fn parts(&self) -> (Code, Option<&'static str>, String) {
        let (code, error_code, text) = match self {
            Self::Unauthenticated => (
                Code::Unauthenticated,
                Some("service.auth.error"),
                "An authentication exception occurred. Provide valid authentication via metadata headers.",
            ),
            Self::ReplayInvalid => (
                Code::InvalidArgument,
                Some("subscription.fetch.replayid.validation.failed"),
                "The Replay ID validation failed. Ensure that the Replay ID is valid.",
            ),
            Self::ReplayCorrupted => (
                Code::InvalidArgument,
                Some("subscription.fetch.replayid.corrupted"),
                "The Replay ID validation failed. Ensure that the Replay ID is valid.",
            ),
            Self::RequestedInvalid => (
                Code::InvalidArgument,
                Some("subscription.fetch.requested.events.invalid"),
                "The number of requested events must be greater than zero.",
            ),
            Self::LimitExceeded => (
                Code::ResourceExhausted,
                Some("subscription.limit.exceeded"),
                "You have exceeded the event delivery limit for your org.",
            ),
            Self::TooManyClients => (
                Code::ResourceExhausted,
                Some("concurrent.client.limit.exceeded"),
                "You have exceeded the number of concurrent clients for your org.",
            ),
            Self::Reset => (Code::Unavailable, None, "RST_STREAM closed stream."),
            Self::TopicNotFound { org_id, topic } => {
                let text = format!(
                    "The topic information for org CORE/prod/{org_id} and topic {topic} not found. \
                     Ensure the topic name is correct and that the topic exists."
                );
                return (Code::NotFound, None, text);
            }
            Self::TopicChanged => (
                Code::InvalidArgument,
                None,
                "The topic name can't be changed after the first fetch request.",
            ),
            Self::SchemaBlank => (
                Code::InvalidArgument,
                None,
                "Schema validation failed. The schema ID can't be blank.",
            ),
            Self::SchemaUnknown => (Code::NotFound, None, "The schema information was not found."),
            Self::Unsupported(rpc) => return (Code::Unimplemented, None, format!("{rpc} is not simulated.")),
            Self::Unavailable => (
                Code::Internal,
                Some("service.unavailable"),
                "The service is unavailable. Try again later.",
            ),
        };
        (code, error_code, text.to_owned())
    }
}
