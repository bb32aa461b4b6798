//! Every way in which an entry is no change: code, plain words, remedy. Names may be shown, values never are.

use std::sync::Arc;

use super::Name;
use crate::domain::value::ValueError;

/// A rejection without the record that it is about.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) fields: Vec<Arc<str>>,
    pub(super) message: String,
    pub(super) remedy: &'static str,
}

/// Characters of a producer's name that are repeated to it.
const SHOWN_CHARS_MAX: usize = 80;

/// A name that may be anything, cut to what can be shown.
pub(super) fn short(name: &str) -> Arc<str> {
    match name.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &name[..at]).into(),
        None => name.into(),
    }
}

/// A producer's unknown name as one of `Rejection::fields`, which may be logged: only if it looks like a name. Anything
/// else may be a value at the wrong place, and is told in the message alone.
fn loggable(name: &str) -> Option<Arc<str>> {
    let looks_like_a_name = name.len() <= SHOWN_CHARS_MAX
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    looks_like_a_name.then(|| name.into())
}

impl Refusal {
    fn new(
        code: &'static str,
        fields: impl IntoIterator<Item = Arc<str>>,
        message: impl Into<String>,
        remedy: &'static str,
    ) -> Self {
        Self {
            code,
            fields: fields.into_iter().collect(),
            message: message.into(),
            remedy,
        }
    }

    fn named(code: &'static str, name: Name, message: &str, remedy: &'static str) -> Self {
        Self::new(code, [name.as_str().into()], message, remedy)
    }

    pub(super) fn future_id() -> Self {
        let message = "The entry's id is more than 5 minutes ahead of the clock of Redis, or follows one that is.";
        let remedy = "Let Redis give ids (XADD with '*'), and append the change again in a minute: the log is made anew \
                      when it is empty.";
        Self::new("future_id", [], message, remedy)
    }

    pub(super) fn unknown_name(name: &[u8]) -> Self {
        let name = short(&String::from_utf8_lossy(name));
        let message = format!("The entry holds '{name}', which means nothing here.");
        Self::new(
            "unknown_name",
            loggable(&name),
            message,
            "Correct its spelling, or put the field into 'data'.",
        )
    }

    pub(super) fn duplicate_name(name: &[u8]) -> Self {
        let name = short(&String::from_utf8_lossy(name));
        let message = format!("The entry holds '{name}' more than once.");
        Self::new("duplicate_name", loggable(&name), message, "Give each name once.")
    }

    pub(super) fn missing_name(name: Name) -> Self {
        let message = format!("The entry lacks '{}'.", name.as_str());
        let remedy = "Every change has 'object', 'key' and 'op'; upsert has 'data', link has 'salesforce_id', refuse has \
                      'reason' and 'answers'.";
        Self::named("missing_name", name, &message, remedy)
    }

    pub(super) fn unexpected_name(name: Name) -> Self {
        let message = format!("'{}' does not go with this 'op'.", name.as_str());
        let remedy = "'data' goes with upsert, 'salesforce_id' with link, 'reason' with refuse.";
        Self::named("unexpected_name", name, &message, remedy)
    }

    pub(super) fn bad_utf8(name: Name) -> Self {
        let message = format!("The value of '{}' is not UTF-8.", name.as_str());
        Self::named("bad_utf8", name, &message, "Encode texts as UTF-8 before XADD.")
    }

    pub(super) fn unknown_op(op: &str) -> Self {
        let message = format!("'{}' is not an operation.", short(op));
        Self::named("unknown_op", Name::Op, &message, "Use upsert, delete, link or refuse.")
    }

    pub(super) fn bad_origin() -> Self {
        Self::named(
            "bad_origin",
            Name::Origin,
            "'origin' is the engine's own mark.",
            "Leave 'origin' out.",
        )
    }

    pub(super) fn unknown_object(object: &str) -> Self {
        let message = format!("'{}' is not a mapped object of this tenant.", short(object));
        Self::named(
            "unknown_object",
            Name::Object,
            &message,
            "Use an object name from the mapping, or map the object.",
        )
    }

    pub(super) fn object_not_writable(object: &str) -> Self {
        let message = format!("'{}' flows to the product only.", short(object));
        let remedy = "Do not append changes of this object, or change its 'direction' in the mapping.";
        Self::named("object_not_writable", Name::Object, &message, remedy)
    }

    pub(super) fn bad_key() -> Self {
        let message = "The key is empty, longer than 255 characters, begins or ends with a blank, or holds a control \
                       character.";
        Self::named(
            "bad_key",
            Name::Key,
            message,
            "Use the row's primary key as text, 1 to 255 characters.",
        )
    }

    pub(super) fn data_too_large() -> Self {
        let message = "'data' is larger than 1 MiB.";
        Self::named(
            "data_too_large",
            Name::Data,
            message,
            "Send changed fields only, in several changes.",
        )
    }

    pub(super) fn bad_json(error: &serde_json::Error) -> Self {
        // The library's own words can repeat values: only the place is told.
        if error.classify() == serde_json::error::Category::Data {
            return Self::named(
                "data_not_object",
                Name::Data,
                "'data' is not a JSON object.",
                "Send {\"field\": value, …}.",
            );
        }
        let message = format!(
            "'data' is not JSON at line {}, column {}.",
            error.line(),
            error.column()
        );
        Self::named("bad_json", Name::Data, &message, "Make 'data' with a JSON library.")
    }

    pub(super) fn too_many_fields() -> Self {
        let message = "'data' holds more than 1,000 fields.";
        Self::named(
            "too_many_fields",
            Name::Data,
            message,
            "Send changed fields only, in several changes.",
        )
    }

    pub(super) fn unknown_field(fields: Vec<Arc<str>>) -> Self {
        let message = format!("Not mapped: {}.", fields.join(", "));
        let fields: Vec<_> = fields.iter().filter_map(|name| loggable(name)).collect();
        Self::new(
            "unknown_field",
            fields,
            message,
            "Correct the name, map the field, or leave it out.",
        )
    }

    pub(super) fn field_not_writable(fields: Vec<Arc<str>>) -> Self {
        let message = format!("Flows to the product only: {}.", fields.join(", "));
        let remedy = "Leave the field out, or change its 'direction' in the mapping.";
        Self::new("field_not_writable", fields, message, remedy)
    }

    pub(super) fn duplicate_field(fields: Vec<Arc<str>>) -> Self {
        let message = format!("Given more than once in 'data': {}.", fields.join(", "));
        Self::new("duplicate_field", fields, message, "Give each field once.")
    }

    pub(super) fn incomplete_group(fields: Vec<Arc<str>>) -> Self {
        let message = format!(
            "Missing of a group of fields that travel together: {}.",
            fields.join(", ")
        );
        Self::new(
            "incomplete_group",
            fields,
            message,
            "Send all fields of the group, changed or not.",
        )
    }

    pub(super) fn bad_value(field: &Arc<str>, error: ValueError) -> Self {
        Self::new(
            error.code(),
            [field.clone()],
            format!("Field '{field}': {error}."),
            error.remedy(),
        )
    }

    pub(super) fn bad_version() -> Self {
        let message = "'version' is not a whole number from 1 to 18446744073709551615.";
        Self::named(
            "bad_version",
            Name::Version,
            message,
            "Send the row's version counter, or leave it out.",
        )
    }

    pub(super) fn bad_seen_revision() -> Self {
        let message = "'seen_revision' is not a whole number.";
        let remedy = "Send the 'revision' of the record's last event that the edit had seen.";
        Self::named("bad_seen_revision", Name::SeenRevision, message, remedy)
    }

    pub(super) fn bad_at() -> Self {
        let message = "'at' is not an RFC 3339 time after 1970, or is more than 5 minutes later than its entry.";
        let remedy = "Send the time of the edit like 2026-01-31T10:00:00Z, and set the producer's clock.";
        Self::named("bad_at", Name::At, message, remedy)
    }

    pub(super) fn bad_event_id(name: Name) -> Self {
        let code = if name == Name::CausedBy {
            "bad_caused_by"
        } else {
            "bad_answers"
        };
        let message = format!("'{}' is not an event's id.", name.as_str());
        Self::named(code, name, &message, "Give back the 'id' of the event, unchanged.")
    }

    pub(super) fn foreign_event_id(name: Name) -> Self {
        let code = if name == Name::CausedBy {
            "foreign_caused_by"
        } else {
            "foreign_answers"
        };
        let message = format!("'{}' names an event of another tenant.", name.as_str());
        Self::named(
            code,
            name,
            &message,
            "Append the change to the stream of the event's tenant.",
        )
    }

    pub(super) fn bad_salesforce_id() -> Self {
        let message = "'salesforce_id' is not a Salesforce id.";
        let remedy = "Send 15 or 18 characters as Salesforce shows them; empty only in an answer, to create a record.";
        Self::named("bad_salesforce_id", Name::SalesforceId, message, remedy)
    }

    pub(super) fn bad_reason() -> Self {
        let message = "'reason' is empty or longer than 1,000 characters.";
        Self::named(
            "bad_reason",
            Name::Reason,
            message,
            "Say in a sentence why the event was not applied.",
        )
    }

    pub(super) fn bad_idempotency_key() -> Self {
        let message = "'idempotency_key' is empty, longer than 255 characters, or holds a control character.";
        Self::named(
            "bad_idempotency_key",
            Name::IdempotencyKey,
            message,
            "Use the outbox row's id.",
        )
    }
}
