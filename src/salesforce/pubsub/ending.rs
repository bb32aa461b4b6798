//! Why a stream ended: by the error code that Salesforce sends in the trailers (change-events.md 1).

use std::sync::Arc;

use tandem_core::engine::classify::{CallFault, Class};
use tonic::{Code, Status};

use crate::port::changes::ChangesError;
use crate::salesforce::fault::cut;

const PREFIX: &str = "sfdc.platform.eventbus.grpc.";

/// What a status means for the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The session was refused.
    Unauthorised,
    /// The replay id is unknown, too old or malformed.
    CursorLost,
    /// The org's daily deliveries are used up.
    DeliveryLimit,
    /// Everything else: come again.
    Broken,
}

/// The error code that came in the trailers; empty where none did.
fn trailer(status: &Status) -> &str {
    let code = status.metadata().get("error-code").and_then(|v| v.to_str().ok());
    code.unwrap_or_default().trim()
}

/// Reads a status. Codes decide; statuses and words only where no code came.
pub(super) fn of(status: &Status) -> Ending {
    let code = trailer(status);
    match code.strip_prefix(PREFIX).unwrap_or(code) {
        "service.auth.error" | "service.auth.refresh.invalid" => Ending::Unauthorised,
        "subscription.fetch.replayid.corrupted" | "subscription.fetch.replayid.validation.failed" => Ending::CursorLost,
        "subscription.limit.exceeded" => Ending::DeliveryLimit,
        "" => match status.code() {
            Code::Unauthenticated => Ending::Unauthorised,
            // Seen without a code: a consumer that took it for a passing error looped for 16 days.
            Code::InvalidArgument if status.message().to_ascii_lowercase().contains("replay id") => Ending::CursorLost,
            _ => Ending::Broken,
        },
        _ => Ending::Broken,
    }
}

/// The port's error for a status.
pub(super) fn error(topic: &Arc<str>, status: &Status) -> ChangesError {
    let topic = Arc::clone(topic);
    match of(status) {
        Ending::Unauthorised => ChangesError::Unauthorised { topic },
        Ending::CursorLost => ChangesError::CursorLost { topic },
        Ending::DeliveryLimit => ChangesError::DeliveryLimit { topic },
        Ending::Broken => broken(&topic, words(status)),
    }
}

/// A status on one line. Its message only where the event bus (by its error code) or this side's transport made it:
/// anything else on the way may say what it likes.
pub(super) fn words(status: &Status) -> String {
    let code = status.code();
    let known = trailer(status).starts_with(PREFIX) || std::error::Error::source(status).is_some();
    if known {
        format!("{code:?}: {}", cut(status.message()))
    } else {
        format!("{code:?}")
    }
}

/// The port's error for a session that could not be had.
pub(super) fn no_session(topic: &Arc<str>, fault: &CallFault) -> ChangesError {
    match fault.class {
        Class::Reauthorise => ChangesError::Unauthorised {
            topic: Arc::clone(topic),
        },
        _ => broken(topic, format!("no session: {} {}", fault.code, cut(&fault.detail))),
    }
}

pub(super) fn broken(topic: &Arc<str>, detail: impl Into<String>) -> ChangesError {
    ChangesError::Broken {
        topic: Arc::clone(topic),
        detail: detail.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bus_and_the_transport_are_quoted() {
        let mut status = Status::new(Code::InvalidArgument, "The topic name is invalid");
        assert_eq!(words(&status), "InvalidArgument");
        let code = format!("{PREFIX}service.unavailable");
        status.metadata_mut().insert("error-code", code.parse().unwrap());
        assert_eq!(words(&status), "InvalidArgument: The topic name is invalid");
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let said = words(&Status::from_error(Box::new(broken)));
        assert!(said.contains("connection reset"), "{said}");
    }

    #[test]
    fn error_codes_decide_and_statuses_only_without_them() {
        let table = [
            (
                Code::Unauthenticated,
                "sfdc.platform.eventbus.grpc.service.auth.error",
                "",
                Ending::Unauthorised,
            ),
            (
                Code::Internal,
                "sfdc.platform.eventbus.grpc.service.auth.refresh.invalid",
                "",
                Ending::Unauthorised,
            ),
            (Code::Unauthenticated, "", "", Ending::Unauthorised),
            (
                Code::InvalidArgument,
                "sfdc.platform.eventbus.grpc.subscription.fetch.replayid.corrupted",
                "",
                Ending::CursorLost,
            ),
            (
                Code::InvalidArgument,
                "sfdc.platform.eventbus.grpc.subscription.fetch.replayid.validation.failed",
                "",
                Ending::CursorLost,
            ),
            (
                Code::InvalidArgument,
                "",
                "The Replay ID validation failed. Ensure that the Replay ID is valid. rpcId: x",
                Ending::CursorLost,
            ),
            (Code::InvalidArgument, "", "The topic name is invalid", Ending::Broken),
            (
                Code::InvalidArgument,
                "sfdc.platform.eventbus.grpc.subscription.fetch.requested.events.invalid",
                "replay id",
                Ending::Broken,
            ),
            (
                Code::ResourceExhausted,
                "sfdc.platform.eventbus.grpc.subscription.limit.exceeded",
                "",
                Ending::DeliveryLimit,
            ),
            (
                Code::ResourceExhausted,
                "sfdc.platform.eventbus.grpc.concurrent.client.limit.exceeded",
                "",
                Ending::Broken,
            ),
            (
                Code::Internal,
                "sfdc.platform.eventbus.grpc.service.unavailable",
                "The service is unavailable.",
                Ending::Broken,
            ),
            (Code::Unavailable, "", "RST_STREAM closed stream", Ending::Broken),
        ];
        for (code, trailer, message, want) in table {
            let mut status = Status::new(code, message);
            if !trailer.is_empty() {
                status.metadata_mut().insert("error-code", trailer.parse().unwrap());
            }
            assert_eq!(of(&status), want, "{code:?} {trailer} {message}");
        }
    }
}
