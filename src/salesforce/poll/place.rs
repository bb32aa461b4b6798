//! Up to where each sObject was looked at, as it lies in Redis between two polls.

use std::collections::BTreeMap;
use std::sync::Arc;

use tandem_core::domain::ids::ReplayId;

const VERSION: u8 = 1;
/// Bytes of a stamp.
const STAMP: usize = 4;

/// The newest `SystemModstamp` seen of each sObject, in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PollPlace(BTreeMap<Arc<str>, u32>);

impl PollPlace {
    /// The newest stamp seen of an sObject.
    pub(super) fn seen(&self, sobject: &str) -> Option<u32> {
        self.0.get(sobject).copied()
    }

    /// A row with this stamp was told. It never falls.
    pub(super) fn see(&mut self, sobject: &Arc<str>, stamp: u32) {
        let seen = self.0.entry(Arc::clone(sobject)).or_default();
        *seen = stamp.max(*seen);
    }

    /// As bytes: version, then for each sObject the length of its name, the name and the stamp.
    pub(super) fn encode(&self) -> ReplayId {
        let mut bytes = vec![VERSION];
        for (name, stamp) in &self.0 {
            // API names have at most 80 characters.
            bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
            bytes.extend(name.bytes().take(usize::from(u8::MAX)));
            bytes.extend(stamp.to_be_bytes());
        }
        ReplayId(bytes.into())
    }

    /// The place again; none where the bytes are not one of this version.
    pub(super) fn decode(place: &ReplayId) -> Option<Self> {
        let (version, mut rest) = place.0.split_first()?;
        let mut seen = BTreeMap::new();
        while let Some((length, after)) = rest.split_first() {
            let (name, after) = after.split_at_checked(usize::from(*length))?;
            let (stamp, after) = after.split_first_chunk::<STAMP>()?;
            seen.insert(Arc::from(std::str::from_utf8(name).ok()?), u32::from_be_bytes(*stamp));
            rest = after;
        }
        (*version == VERSION).then_some(Self(seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_place_comes_back_from_its_bytes(seen in proptest::collection::btree_map("[A-Za-z_]{1,80}", any::<u32>(), 0..5)) {
            let place = PollPlace(seen.into_iter().map(|(name, stamp)| (Arc::from(name), stamp)).collect());
            prop_assert_eq!(PollPlace::decode(&place.encode()), Some(place));
        }

        #[test]
        fn any_bytes_are_a_place_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Some(place) = PollPlace::decode(&ReplayId(bytes.into())) {
                prop_assert_eq!(PollPlace::decode(&place.encode()), Some(place));
            }
        }
    }

    #[test]
    fn a_stamp_never_falls() {
        let (mut place, contact) = (PollPlace::default(), Arc::from("Contact"));
        place.see(&contact, 5);
        place.see(&contact, 3);
        assert_eq!((place.seen("Contact"), place.seen("Account")), (Some(5), None));
    }
}
