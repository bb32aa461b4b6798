//! What a failure means, once all that is known of it is weighed: code, HTTP status, fields; the message only where one
//! code hides several conditions (contract.md 1.9, 5 and 6).

use std::sync::Arc;

use super::Class;
use super::table::class_of;

/// What one row's error means. `fields` are the API names that Salesforce gave with it; `sequence_field` is the fence's,
/// where it is installed, `key_field` the external id's.
///
/// An unknown code is the row's own fault: it must not block the others.
pub fn row(code: &str, fields: &[Arc<str>], message: &str, sequence_field: Option<&str>, key_field: &str) -> Class {
    let names = |field: &str| fields.iter().any(|name| name.eq_ignore_ascii_case(field));
    match code {
        "FIELD_CUSTOM_VALIDATION_EXCEPTION" if sequence_field.is_some_and(names) => Class::Fence,
        // The write-once rule of the key: the record already belongs to another key.
        "FIELD_CUSTOM_VALIDATION_EXCEPTION" if names(key_field) => Class::Conflict,
        // Without a lookup's name it is the written record itself that is not there.
        "INVALID_CROSS_REFERENCE_KEY" if !fields.is_empty() && !names("Id") => Class::Reject,
        // A licence's or a field's limit; the quota of calls is told for whole calls.
        "LIMIT_EXCEEDED" => Class::Reject,
        _ => by_message(code, message)
            .or_else(|| class_of(code))
            .unwrap_or(Class::Reject),
    }
}

/// What the failure of a whole call means. `status` is 0 when no HTTP answer came; `code` is Salesforce's, or Tandem's:
/// `HOST_REFUSED` and `CONNECT` (nothing was sent), `TIMEOUT`, `RESET`, `TRUNCATED` (it may have happened).
pub fn call(status: u16, code: Option<&str>, message: &str) -> Class {
    let Some(code) = code else {
        return if status == 401 {
            of_401(message)
        } else {
            by_status(status)
        };
    };
    match code {
        "HOST_REFUSED" => Class::Configuration,
        "CONNECT" => Class::Retry,
        "TIMEOUT" | "RESET" | "TRUNCATED" => Class::Unknown,
        // Salesforce broke the request off; what it had done by then is not known.
        "REQUEST_RUNNING_TOO_LONG" => Class::Unknown,
        _ => match by_message(code, message).or_else(|| class_of(code)) {
            Some(Class::Reauthorise) => of_401(message),
            Some(class) => class,
            None if status == 401 => of_401(message),
            None => by_unknown_code(status),
        },
    }
}

/// Codes whose message tells which of several conditions it is.
fn by_message(code: &str, message: &str) -> Option<Class> {
    let says = |part: &str| message.contains(part);
    match code {
        "REQUEST_LIMIT_EXCEEDED" if says("ConcurrentRequests") || says("ConcurrentPerOrgLongTxn") => {
            Some(Class::Concurrency)
        }
        // Text of an exception in a trigger or flow: a lock or a governor limit passes, the rest is for people.
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" | "CANNOT_EXECUTE_FLOW_TRIGGER" | "CUSTOM_APEX_ERROR"
            if says("UNABLE_TO_LOCK_ROW") || says("LimitException") =>
        {
            Some(Class::Retry)
        }
        "NOT_FOUND" if says("external ID field does not exist") => Some(Class::Configuration),
        _ => None,
    }
}

/// Refusals that a new token does not cure: refreshing would loop for ever (contract.md 1.9).
fn of_401(message: &str) -> Class {
    let policy = [
        "This session is not valid for use with the REST API",
        "Connected app is not attached to Agent",
    ];
    if policy.iter().any(|part| message.contains(part)) {
        Class::Configuration
    } else {
        Class::Reauthorise
    }
}

/// An answer without a readable body (contract.md 2.1).
fn by_status(status: u16) -> Class {
    match status {
        // No answer, or success whose body cannot be read: it may have happened.
        0..=299 => Class::Unknown,
        // An external id that matches several, or a state that the request did not expect.
        300 | 409 | 412 | 428 => Class::Conflict,
        // Other redirects: the org is moving or in maintenance.
        301..=399 => Class::Retry,
        // Undocumented and passing, when it has no body.
        406 => Class::Retry,
        // Edge has no route to the org; many tries in a row are the breaker's matter.
        420 => Class::Retry,
        405 | 410 | 413 | 414 | 415 | 431 => Class::Configuration,
        408 => Class::Unknown,
        429 => Class::Concurrency,
        // A gateway gave up waiting: the org may have done it.
        504 => Class::Unknown,
        _ => by_unknown_code(status),
    }
}

/// The catalogue's rule for codes that it does not hold.
fn by_unknown_code(status: u16) -> Class {
    match status {
        401 => Class::Reauthorise,
        403 => Class::Configuration,
        404 => Class::Gone,
        400..=499 => Class::Reject,
        500.. => Class::Retry,
        // No failure by its status, yet reported as one.
        _ => Class::Unknown,
    }
}
