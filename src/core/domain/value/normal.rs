//! The normal form: bytes that are equal exactly when two values are the same to both sides.

use std::fmt;

/// A value in normal form, to be hashed. Holds the value, so `Debug` shows the length only.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Normal(Vec<u8>);

/// The first byte; keeps kinds of values apart. These lie, hashed, in Redis: never renumber.
#[derive(Clone, Copy)]
enum Tag {
    Null = 0,
    Text = 1,
    Boolean = 2,
    Number = 3,
    Date = 4,
    Datetime = 5,
    Choices = 6,
    Key = 7,
    Id = 8,
}

impl Normal {
    /// The bytes to hash; what is done with them must not print them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The parent's key, if it is that of a reference.
    pub fn as_key(&self) -> Option<&str> {
        let (tag, key) = self.0.split_first()?;
        (*tag == Tag::Key as u8)
            .then(|| std::str::from_utf8(key).ok())
            .flatten()
    }

    /// No value.
    pub fn null() -> Self {
        Self(vec![Tag::Null as u8])
    }

    /// Trimmed; every line end is one line feed (Salesforce answers CRLF or LF for the same text, contract.md 7.3).
    pub(super) fn text(trimmed: &str) -> Self {
        let mut bytes = Vec::with_capacity(trimmed.len() + 1);
        bytes.push(Tag::Text as u8);
        let mut rest = trimmed.as_bytes();
        while let Some(at) = rest.iter().position(|byte| *byte == b'\r') {
            let (line, end) = rest.split_at(at);
            bytes.extend_from_slice(line);
            bytes.push(b'\n');
            rest = end.strip_prefix(b"\r\n").unwrap_or(&end[1..]);
        }
        bytes.extend_from_slice(rest);
        Self(bytes)
    }

    pub(super) fn boolean(value: bool) -> Self {
        Self(vec![Tag::Boolean as u8, u8::from(value)])
    }

    /// A decimal's one way of writing.
    pub(super) fn number(canonical: &str) -> Self {
        Self::tagged(Tag::Number, canonical.as_bytes())
    }

    pub(super) fn date(text: &str) -> Self {
        Self::tagged(Tag::Date, text.as_bytes())
    }

    /// Seconds since 1970.
    pub(super) fn datetime(seconds: i64) -> Self {
        Self::tagged(Tag::Datetime, &seconds.to_be_bytes())
    }

    /// Sorted, each once; none of them holds a semicolon.
    pub(super) fn choices(joined: &str) -> Self {
        Self::tagged(Tag::Choices, joined.as_bytes())
    }

    /// A parent's key.
    pub(super) fn key(key: &str) -> Self {
        Self::tagged(Tag::Key, key.as_bytes())
    }

    /// A parent without a key: its 18-character id.
    pub(super) fn id(id: &str) -> Self {
        Self::tagged(Tag::Id, id.as_bytes())
    }

    fn tagged(tag: Tag, content: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(content.len() + 1);
        bytes.push(tag as u8);
        bytes.extend_from_slice(content);
        Self(bytes)
    }
}

impl fmt::Debug for Normal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Normal({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_alike() {
        for text in ["a\nb\n\nc", "a\r\nb\r\n\r\nc", "a\rb\r\rc", "a\rb\n\r\nc"] {
            assert_eq!(Normal::text(text).as_bytes(), b"\x01a\nb\n\nc", "{text:?}");
        }
    }
}
