//! Which node should hold which partition: rendezvous hashing over the nodes that live.
//!
//! Every node computes this alone from the same list, so nobody has to be asked. It decides who *tries* for a
//! lease, never who *may* write: two nodes with different lists cost a hand-over, not a change.

use std::collections::BTreeMap;
use std::time::Duration;

/// A node without a heartbeat for this long is gone.
pub const MISSING_AFTER: Duration = Duration::from_secs(10);
/// A node must live this long before leases are handed to it, so that one that keeps crashing moves nothing.
pub const JOIN_AFTER: Duration = Duration::from_secs(4);
/// Nodes that are looked at; more are ignored, in order of name.
pub const NODES_MAX: usize = 256;

/// What this node knows of the others.
#[derive(Debug, Clone)]
pub struct Members {
    me: String,
    /// Since when each was seen without a break, on this node's boot-time clock.
    since: BTreeMap<String, Duration>,
}

impl Members {
    /// A node that knows of itself only.
    pub fn new(me: impl Into<String>) -> Self {
        Self {
            me: me.into(),
            since: BTreeMap::new(),
        }
    }

    /// Takes in a fresh list: names and how long ago each gave a heartbeat.
    pub fn seen<'a>(&mut self, now: Duration, list: impl IntoIterator<Item = (&'a str, Duration)>) {
        let mut fresh = BTreeMap::new();
        for (name, age) in list {
            if age <= MISSING_AFTER && fresh.len() < NODES_MAX {
                let since = self.since.get(name).copied().unwrap_or(now);
                fresh.insert(name.to_owned(), since);
            }
        }
        self.since = fresh;
    }

    /// Who should try for a partition that nobody holds.
    pub fn taker(&self, partition: u16) -> &str {
        self.winner(partition, |_| true)
    }

    /// Who should hold a partition: nodes that have just come do not count yet.
    pub fn holder(&self, now: Duration, partition: u16) -> &str {
        self.winner(partition, |since| now.saturating_sub(since) >= JOIN_AFTER)
    }

    /// Names of the nodes that live, this one among them.
    pub fn alive(&self) -> impl Iterator<Item = &str> {
        let me = (!self.since.contains_key(&self.me)).then_some(self.me.as_str());
        self.since.keys().map(String::as_str).chain(me)
    }

    fn winner(&self, partition: u16, counts: impl Fn(Duration) -> bool) -> &str {
        let others = self
            .since
            .iter()
            .filter(|(_, since)| counts(**since))
            .map(|(name, _)| name.as_str());
        others
            .chain(std::iter::once(self.me.as_str()))
            .max_by_key(|name| (score(partition, name), *name))
            .unwrap_or(self.me.as_str())
    }
}

/// Weight of a node for a partition. All versions must agree on it: FNV-1a over name and partition, then the
/// finalizer of SplitMix64, which spreads names that differ in one character.
pub fn score(partition: u16, node: &str) -> u64 {
    let bytes = node.bytes().chain([0]).chain(partition.to_be_bytes());
    let mut h = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ (h >> 31)
}

#[cfg(test)]
mod tests;
