//! Names and numbers that must never be confused with one another.

use std::fmt;
use std::sync::Arc;

use super::salesforce_id::SalesforceId;

/// A tenant's name: `[a-z0-9][a-z0-9_-]{0,62}`. It is part of every Redis key, so nothing else may pass.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantName(Arc<str>);

/// Why a text is no tenant name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a tenant name: use 1 to 63 characters of a-z, 0-9, '_' and '-', beginning with a letter or a digit"
)]
pub struct InvalidTenantName(String);

impl TenantName {
    /// Longest name, in characters.
    pub const LENGTH_MAX: usize = 63;

    /// Checks and takes a name.
    pub fn new(text: &str) -> Result<Self, InvalidTenantName> {
        let mut bytes = text.bytes();
        let first = bytes
            .next()
            .is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let rest = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        if first && rest && text.len() <= Self::LENGTH_MAX {
            Ok(Self(text.into()))
        } else {
            Err(InvalidTenantName(text.chars().take(80).collect()))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A record as the product names it: its object and its primary key.
///
/// The key can be personal data (an e-mail address as a key), so `Debug` shows the object only.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey {
    /// The product's object name.
    pub object: Arc<str>,
    /// The product's primary key: 1–255 characters, no leading or trailing blank, case matters.
    pub key: Arc<str>,
}

impl RecordKey {
    /// Longest key, in characters (a Salesforce external id holds 255).
    pub const KEY_LENGTH_MAX: usize = 255;

    /// Puts a key together; both parts are checked where they come in (`change::parse`).
    pub fn new(object: impl Into<Arc<str>>, key: impl Into<Arc<str>>) -> Self {
        Self {
            object: object.into(),
            key: key.into(),
        }
    }

    /// Stands for a Salesforce record that has no key yet: NUL, which no key can hold, and its id.
    pub fn keyless(object: impl Into<Arc<str>>, id: SalesforceId) -> Self {
        Self::new(object, format!("\0{id}"))
    }

    /// Whether this stands for a Salesforce record that has no key yet.
    pub fn is_keyless(&self) -> bool {
        self.key.starts_with('\0')
    }

    /// Whether a text can be a key: 1–255 characters, no blank at either end (Salesforce would trim it, and two keys
    /// would become one), no control characters.
    pub fn is_key(text: &str) -> bool {
        !text.is_empty()
            && text.trim().len() == text.len()
            && !text.contains(char::is_control)
            && text.chars().take(Self::KEY_LENGTH_MAX + 1).count() <= Self::KEY_LENGTH_MAX
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/…", self.object)
    }
}

/// Position of a mapped field in its object's plan; stable within one plan version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldIdx(pub u16);

/// An owner's place in line: tenants' epochs and partitions' epochs only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What every mutating script must name to be let in: who, since when, and after how many steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// Random text of one owner's life.
    pub nonce: Arc<str>,
    /// The tenant's epoch that `attach` gave.
    pub epoch: Epoch,
    /// How many mutating scripts ran in this epoch; each raises it by one.
    pub step: u64,
}

/// Names a batch within a tenant; unique for ever because it holds the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchId {
    /// The owner's epoch.
    pub epoch: Epoch,
    /// Counts from 1 within the epoch.
    pub number: u64,
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch.0, self.number)
    }
}

impl std::str::FromStr for BatchId {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (epoch, number) = text.split_once('-').ok_or(())?;
        Ok(Self {
            epoch: Epoch(epoch.parse().map_err(|_| ())?),
            number: number.parse().map_err(|_| ())?,
        })
    }
}

/// An opaque place in an org's event stream (10 bytes on live orgs; never less than 8).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReplayId(pub bytes::Bytes);
