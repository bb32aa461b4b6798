//! Values on their way. They may be personal data, so they cannot be printed.

use std::fmt;

use bytes::Bytes;

/// JSON text of one value, byte for byte as its writer wrote it. `Debug` shows the length only; there is no `Display`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RawJson(Bytes);

impl RawJson {
    /// Takes text that was checked to be one JSON value.
    pub fn from_checked(text: impl Into<Bytes>) -> Self {
        Self(text.into())
    }

    /// JSON null.
    pub fn null() -> Self {
        Self(Bytes::from_static(b"null"))
    }

    /// The text; what is done with it must not print it.
    pub fn expose(&self) -> &Bytes {
        &self.0
    }

    /// Whether the value is JSON null.
    pub fn is_null(&self) -> bool {
        self.0.trim_ascii() == b"null"
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawJson({} bytes)", self.0.len())
    }
}

/// Words of a person or of Salesforce about a record; may hold values. `Debug` shows the length only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PersonalText(String);

impl PersonalText {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text; what is done with it must not print it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PersonalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonalText({} bytes)", self.0.len())
    }
}
