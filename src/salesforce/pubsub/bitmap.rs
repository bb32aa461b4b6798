//! `changedFields`, `nulledFields` and `diffFields` as Pub/Sub delivers them (change-events.md 3).
//!
//! `0x650004E0` numbers the top-level fields of the schema from the right, the header being bit 0; `4-0x10` numbers the
//! children of field 4. Bits beyond the schema are never asked for.

/// Digits of one number; a schema of 4,000 fields is far beyond any object.
const DIGITS_MAX: usize = 1_000;
/// Elements of one array.
const ELEMENTS_MAX: usize = 1_000;

/// Some of a schema's fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSet {
    top: Bits,
    nested: Vec<(usize, Bits)>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Bits(Vec<u8>);

/// The text is no bitmap.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoBitmap;

impl FieldSet {
    pub(super) fn parse<S: AsRef<str>>(elements: &[S]) -> Result<Self, NoBitmap> {
        if elements.len() > ELEMENTS_MAX {
            return Err(NoBitmap);
        }
        let mut set = Self::default();
        for element in elements {
            match element.as_ref().split_once('-') {
                None => set.top.add(&Bits::parse(element.as_ref())?),
                Some((parent, bits)) => {
                    let plain = (1..=5).contains(&parent.len()) && parent.bytes().all(|b| b.is_ascii_digit());
                    let parent = parent.parse().ok().filter(|_| plain).ok_or(NoBitmap)?;
                    set.nested.push((parent, Bits::parse(bits)?));
                }
            }
        }
        Ok(set)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.top.is_empty() && self.nested.iter().all(|(_, bits)| bits.is_empty())
    }

    /// Whether a top-level field is in the set.
    pub(super) fn has(&self, field: usize) -> bool {
        self.top.has(field)
    }

    /// Whether children of a field are named.
    pub(super) fn names_children(&self, field: usize) -> bool {
        self.nested.iter().any(|(parent, _)| *parent == field)
    }

    /// Whether a child of a field is in the set, by its own bit.
    pub(super) fn has_child(&self, field: usize, child: usize) -> bool {
        self.nested
            .iter()
            .any(|(parent, bits)| *parent == field && bits.has(child))
    }
}

impl Bits {
    fn parse(text: &str) -> Result<Self, NoBitmap> {
        let digits = text
            .strip_prefix("0x")
            .or_else(|| text.strip_prefix("0X"))
            .ok_or(NoBitmap)?;
        if digits.len() > DIGITS_MAX {
            return Err(NoBitmap);
        }
        let nibble = |c: char| c.to_digit(16).and_then(|n| u8::try_from(n).ok()).ok_or(NoBitmap);
        digits.chars().rev().map(nibble).collect::<Result<_, _>>().map(Self)
    }

    fn has(&self, bit: usize) -> bool {
        self.0.get(bit / 4).is_some_and(|nibble| nibble >> (bit % 4) & 1 == 1)
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|nibble| *nibble == 0)
    }

    fn add(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, others) in self.0.iter_mut().zip(&other.0) {
            *mine |= others;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(set: &FieldSet) -> Vec<usize> {
        (0..64).filter(|b| set.has(*b)).collect()
    }

    #[test]
    fn documented_bitmaps_are_read() {
        let set = FieldSet::parse(&["0x650004E0", "4-0x10", "7-0x06"]).unwrap();
        assert_eq!(bits(&set), [5, 6, 7, 10, 24, 26, 29, 30]);
        assert!(set.has_child(4, 4) && !set.has_child(4, 3));
        assert!(set.has_child(7, 1) && set.has_child(7, 2) && !set.has_child(7, 0));
        assert!(set.names_children(4) && !set.names_children(5));
        assert_eq!(bits(&FieldSet::parse(&["0xA0060140"]).unwrap()), [6, 8, 17, 18, 29, 31]);
        // An odd number of digits, small letters, leading zeros, and more than 64 bits.
        assert_eq!(bits(&FieldSet::parse(&["0xf"]).unwrap()), [0, 1, 2, 3]);
        assert_eq!(bits(&FieldSet::parse(&["0x0000000000000000000000002"]).unwrap()), [1]);
        assert!(FieldSet::parse(&["0x80000000000000000000"]).unwrap().has(79));
        assert!(!FieldSet::parse(&["0x8"]).unwrap().has(usize::MAX));
    }

    #[test]
    fn nothing_is_empty_in_each_form() {
        for empty in [&[][..], &["0x00"], &["0x"], &["0x0", "3-0x00"]] {
            assert!(FieldSet::parse(empty).unwrap().is_empty(), "{empty:?}");
        }
        assert!(!FieldSet::parse(&["0x00", "3-0x01"]).unwrap().is_empty());
        assert!(!FieldSet::parse(&["3-0x01"]).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_bitmap_is_refused() {
        let long = format!("0x{}", "0".repeat(1_001));
        for bad in [
            "",
            "7",
            "0y1",
            "0xG",
            "0x1 ",
            "-0x1",
            "a-0x1",
            "+1-0x1",
            "1--0x1",
            "1-",
            "123456-0x1",
            "Name",
            "0xé",
            &long,
        ] {
            assert_eq!(FieldSet::parse(&[bad]), Err(NoBitmap), "{bad}");
        }
        assert_eq!(FieldSet::parse(&vec!["0x1"; 1_001]), Err(NoBitmap));
    }
}
