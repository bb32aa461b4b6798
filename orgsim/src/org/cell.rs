//! One stored value.

use arcstr::ArcStr;
use jiff::civil::Date;
use std::cmp::Ordering;

/// One stored value of a row: 16 bytes, and cheap to clone, as rows are copied on write.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Cell {
    /// No value.
    #[default]
    Null,
    /// A checkbox.
    Bool(bool),
    /// Any number; the platform keeps IEEE doubles (contract 7.3).
    Number(f64),
    /// Text, picklist values and ids (18 characters).
    Text(ArcStr),
    /// A calendar date.
    Date(Date),
    /// Seconds since 1970.
    Instant(i64),
}

impl Cell {
    /// Text, from anything that makes a string.
    #[must_use]
    pub fn text(value: &str) -> Self {
        Self::Text(ArcStr::from(value))
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text, when it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(t) => Some(t),
            _ => None,
        }
    }

    /// The number, when it is one.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(n) => Some(*n),
            _ => None,
        }
    }

    /// Order of two values of one field, as SOQL compares: text without regard to case; None across types and with null.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Number(a), Self::Number(b)) => a.partial_cmp(b),
            (Self::Text(a), Self::Text(b)) => Some(compare_text(a, b)),
            (Self::Date(a), Self::Date(b)) => Some(a.cmp(b)),
            (Self::Instant(a), Self::Instant(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

fn compare_text(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() {
        return a
            .bytes()
            .map(|c| c.to_ascii_lowercase())
            .cmp(b.bytes().map(|c| c.to_ascii_lowercase()));
    }
    a.to_lowercase().cmp(&b.to_lowercase())
}
