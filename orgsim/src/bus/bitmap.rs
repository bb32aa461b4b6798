//! The bitmaps of `changedFields`, `nulledFields` and `diffFields`.
//!
//! Source: Pub/Sub API guide, "Event Deserialization Considerations", and Salesforce's own python utility.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A set of schema fields, of the record itself and of its compound fields.
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FieldSet {
    plain: Vec<u8>,
    nested: BTreeMap<usize, Vec<u8>>,
}

impl FieldSet {
    /// Adds the top-level field at `position` (the header is position 0).
    pub(crate) fn add(&mut self, position: usize) {
        set(&mut self.plain, position);
    }

    /// Adds child `child` of the compound field at `parent`.
    pub(crate) fn add_nested(&mut self, parent: usize, child: usize) {
        set(self.nested.entry(parent).or_default(), child);
    }

    /// As it goes into the header. The first element is always the plain fields' bitmap, even when it is empty
    /// (`0x00`) and only children of compound fields are in the set. An empty set is an empty array.
    pub(crate) fn to_strings(&self) -> Vec<String> {
        if self.plain.is_empty() && self.nested.is_empty() {
            return Vec::new();
        }
        let mut strings = vec![hex(&self.plain)];
        strings.extend(
            self.nested
                .iter()
                .map(|(parent, bits)| format!("{parent}-{}", hex(bits))),
        );
        strings
    }
}

/// Bytes are kept lowest first: bit `i` is bit `i % 8` of byte `i / 8`.
fn set(bits: &mut Vec<u8>, position: usize) {
    let byte = position / 8;
    if bits.len() <= byte {
        bits.resize(byte + 1, 0);
    }
    if let Some(slot) = bits.get_mut(byte) {
        *slot |= 1 << (position % 8);
    }
}

/// Big-endian upper-case hex, two digits a byte, `0x` before it.
fn hex(bits: &[u8]) -> String {
    let mut text = String::with_capacity(2 + 2 * bits.len().max(1));
    text.push_str("0x");
    if bits.is_empty() {
        text.push_str("00");
    }
    for byte in bits.iter().rev() {
        // Writing to a String cannot fail.
        write!(text, "{byte:02X}").unwrap_or_default();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_written_as_live_orgs_write_them() {
        // (plain positions, nested positions, header strings, source)
        type Case = (
            &'static [usize],
            &'static [(usize, usize)],
            &'static [&'static str],
            &'static str,
        );
        let cases: [Case; 6] = [
            (&[], &[], &[], "nothing"),
            (
                &[7, 13],
                &[],
                &["0x2080"],
                "live payload in pozil/pub-sub-api-node-client issue 27",
            ),
            (
                &[5, 6, 7, 10, 24, 26, 29, 30],
                &[],
                &["0x650004E0"],
                "Pub/Sub API guide, deserialization page",
            ),
            (
                &[5, 6, 7, 10, 24, 26, 29, 30],
                &[(7, 1), (4, 4), (7, 2)],
                &["0x650004E0", "4-0x10", "7-0x06"],
                "same page, nested",
            ),
            (&[6, 8, 17, 18, 29, 31], &[], &["0xA0060140"], "same page"),
            (
                &[],
                &[(3, 1)],
                &["0x00", "3-0x02"],
                "only children: the first element stays",
            ),
        ];
        for (plain, nested, strings, source) in cases {
            let mut set = FieldSet::default();
            plain.iter().for_each(|position| set.add(*position));
            nested
                .iter()
                .for_each(|(parent, child)| set.add_nested(*parent, *child));
            assert_eq!(set.to_strings(), strings, "{source}");
        }
    }
}
