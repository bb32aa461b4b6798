//! The log: a tenant's two streams, their entry ids, and the sequence that an id packs into.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

/// Which of a tenant's two logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Log {
    /// `tandem:{t}:changes`: what people did.
    Changes,
    /// `tandem:{t}:backfill`: yields to people; read when the first has been read to its end.
    Backfill,
}

/// A Redis stream id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct StreamId {
    /// Milliseconds since 1970 by the clock of Redis.
    pub ms: u64,
    /// Counts within the millisecond.
    pub seq: u64,
}

impl StreamId {
    /// Before every entry.
    pub const ZERO: Self = Self { ms: 0, seq: 0 };

    /// 2024-01-01T00:00:00Z in milliseconds: where packed sequences begin.
    pub const PACK_EPOCH_MS: u64 = 1_704_067_200_000;

    /// `(ms − 2024-01-01) × 1000 + min(999, seq)`: 14 digits now, 15 until 2055, so that a Salesforce number keeps it
    /// exactly (KB 000394530: doubles are exact to 15 digits).
    #[must_use]
    pub fn packed(self) -> u64 {
        self.ms
            .saturating_sub(Self::PACK_EPOCH_MS)
            .saturating_mul(1000)
            .saturating_add(self.seq.min(999))
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// The text is no stream id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a stream id; a stream id looks like 1526919030474-55")]
pub struct InvalidStreamId;

impl FromStr for StreamId {
    type Err = InvalidStreamId;
    fn from_str(text: &str) -> Result<Self, InvalidStreamId> {
        let (ms, seq) = text.split_once('-').ok_or(InvalidStreamId)?;
        Ok(Self {
            ms: ms.parse().map_err(|_| InvalidStreamId)?,
            seq: seq.parse().map_err(|_| InvalidStreamId)?,
        })
    }
}

/// One entry of one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryRef {
    /// Which log.
    pub log: Log,
    /// Where in it.
    pub id: StreamId,
}

/// An entry as Redis holds it: field names and values, not yet understood.
#[derive(Clone)]
pub struct RawEntry {
    /// Where it stands.
    pub at: EntryRef,
    /// Names and values in the order of the `XADD`; values can be personal data.
    pub fields: Vec<(Bytes, Bytes)>,
}

impl fmt::Debug for RawEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RawEntry({:?} {}, {} fields)",
            self.at.log,
            self.at.id,
            self.fields.len()
        )
    }
}
