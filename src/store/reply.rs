//! Redis's answers as values and errors of the port.

use redis::Value;
use tandem_core::domain::ids::{Epoch, TenantName};
use tandem_core::domain::stream::StreamId;

use crate::port::store::StoreError;

/// Codes by which a server says that it cannot serve now: for the caller the same as a broken connection (rule 27).
const NOT_SERVING: [&str; 8] = [
    "LOADING",
    "READONLY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "MISCONF",
    "NOREPLICAS",
    "NOAUTH",
];

/// Names and values.
pub(super) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Reads answers of one request.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    /// What was asked, for errors.
    pub(super) doing: &'static str,
    /// Whose state, if a tenant's.
    pub(super) tenant: Option<&'a TenantName>,
}

/// Code and text of an error reply; `ERR` when it has no code.
pub(super) fn server_error(value: &Value) -> Option<(&str, &str)> {
    match value {
        Value::ServerError(error) => Some((error.code(), error.details().unwrap_or_default())),
        _ => None,
    }
}

/// Whether the server says that it does not know the script.
pub(super) fn is_no_script(value: &Value) -> bool {
    server_error(value).is_some_and(|(code, _)| code == "NOSCRIPT")
}

/// Whether the server says that it cannot serve now.
pub(super) fn is_not_serving(value: &Value) -> bool {
    server_error(value).is_some_and(|(code, _)| NOT_SERVING.contains(&code))
}

impl<'a> Reader<'a> {
    /// For an answer about a tenant's state.
    pub(super) fn of(doing: &'static str, tenant: &'a TenantName) -> Self {
        Self {
            doing,
            tenant: Some(tenant),
        }
    }

    /// An answer that makes no sense.
    pub(super) fn unexpected(&self, detail: impl Into<String>) -> StoreError {
        StoreError::Unexpected {
            doing: self.doing,
            detail: detail.into(),
        }
    }

    /// What an error reply means.
    fn refused(&self, code: &str, text: &str) -> StoreError {
        let doing = self.doing;
        match (code, self.tenant) {
            (code, _) if NOT_SERVING.contains(&code) => StoreError::Broken {
                doing,
                detail: format!("{code} {text}"),
            },
            ("OOM", Some(tenant)) => StoreError::Full {
                tenant: tenant.clone(),
                doing,
            },
            ("FENCED" | "REWOUND" | "NOBATCH", Some(tenant)) => StoreError::Fenced {
                tenant: tenant.clone(),
                doing,
                reason: format!("{code} {text}"),
            },
            ("OLDGEN", Some(tenant)) => match text.trim().parse() {
                Ok(seen) => StoreError::OldPartitionEpoch {
                    tenant: tenant.clone(),
                    seen: Epoch(seen),
                },
                Err(_) => self.unexpected("OLDGEN without an epoch"),
            },
            ("NEWER", Some(tenant)) => self.unexpected(format!(
                "the state of tenant {tenant} has format {text}, this version knows up to {}; run the newer version",
                super::script::FORMAT
            )),
            (code, _) => self.unexpected(format!("{code} {text}")),
        }
    }

    /// The value, unless it is an error reply.
    pub(super) fn good(&self, value: Value) -> Result<Value, StoreError> {
        match server_error(&value) {
            Some((code, text)) => Err(self.refused(code, text)),
            None => Ok(value),
        }
    }

    /// An array.
    pub(super) fn array(&self, value: Value) -> Result<Vec<Value>, StoreError> {
        match self.good(value)? {
            Value::Array(items) => Ok(items),
            Value::Map(pairs) => Ok(pairs.into_iter().flat_map(|(k, v)| [k, v]).collect()),
            Value::Nil => Ok(Vec::new()),
            _ => Err(self.unexpected("an array was expected")),
        }
    }

    /// An array of exactly `N` values.
    pub(super) fn exactly<const N: usize>(&self, value: Value) -> Result<[Value; N], StoreError> {
        self.array(value)?
            .try_into()
            .map_err(|_| self.unexpected(format!("{N} values were expected")))
    }

    /// Bytes, or nothing.
    pub(super) fn optional(&self, value: Value) -> Result<Option<Vec<u8>>, StoreError> {
        match self.good(value)? {
            Value::BulkString(bytes) => Ok(Some(bytes)),
            Value::SimpleString(text) => Ok(Some(text.into_bytes())),
            Value::Nil => Ok(None),
            _ => Err(self.unexpected("bytes were expected")),
        }
    }

    /// Bytes.
    pub(super) fn bytes(&self, value: Value) -> Result<Vec<u8>, StoreError> {
        self.optional(value)?
            .ok_or_else(|| self.unexpected("bytes were expected, nothing came"))
    }

    /// Text.
    pub(super) fn text(&self, value: Value) -> Result<String, StoreError> {
        String::from_utf8(self.bytes(value)?).map_err(|_| self.unexpected("text was expected"))
    }

    /// A number that is not negative, as integer or as text.
    pub(super) fn number(&self, value: Value) -> Result<u64, StoreError> {
        match self.good(value)? {
            Value::Int(n) => u64::try_from(n).map_err(|_| self.unexpected("a negative number came")),
            other => self
                .text(other)?
                .parse()
                .map_err(|_| self.unexpected("a number was expected")),
        }
    }

    /// A stream id.
    pub(super) fn stream_id(&self, value: Value) -> Result<StreamId, StoreError> {
        self.text(value)?
            .parse()
            .map_err(|_| self.unexpected("a stream id was expected"))
    }

    /// Names and values in turn, as HGETALL and XRANGE give them.
    pub(super) fn pairs(&self, value: Value) -> Result<Pairs, StoreError> {
        let mut items = self.array(value)?.into_iter();
        let mut pairs = Vec::with_capacity(items.len() / 2);
        while let Some(name) = items.next() {
            let value = items
                .next()
                .ok_or_else(|| self.unexpected("a name came without a value"))?;
            pairs.push((self.bytes(name)?, self.bytes(value)?));
        }
        Ok(pairs)
    }

    /// An entry of a stream: its id, its names and values.
    pub(super) fn entry(&self, value: Value) -> Result<(StreamId, Pairs), StoreError> {
        let [id, fields] = self.exactly(value)?;
        Ok((self.stream_id(id)?, self.pairs(fields)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(wire: &str) -> StoreError {
        let tenant = TenantName::new("acme").unwrap();
        let value = redis::parse_redis_value(wire.as_bytes()).unwrap();
        let read = Reader::of("settle", &tenant);
        read.good(value).unwrap_err()
    }

    #[test]
    fn rule_27_a_server_that_cannot_serve_is_a_broken_connection() {
        for code in NOT_SERVING {
            let error = answered(&format!("-{code} some words\r\n"));
            assert!(matches!(error, StoreError::Broken { .. }), "{code}: {error}");
        }
    }

    #[test]
    fn codes_of_scripts_become_typed_errors() {
        for code in ["FENCED", "REWOUND", "NOBATCH"] {
            let error = answered(&format!("-{code} some words\r\n"));
            assert!(matches!(&error, StoreError::Fenced { reason, .. } if reason == &format!("{code} some words")));
        }
        let old = answered("-OLDGEN 1760000000000\r\n");
        assert!(matches!(
            old,
            StoreError::OldPartitionEpoch {
                seen: Epoch(1_760_000_000_000),
                ..
            }
        ));
        assert!(matches!(answered("-OOM no\r\n"), StoreError::Full { .. }));
        assert!(matches!(answered("-ERR what\r\n"), StoreError::Unexpected { .. }));
    }
}
