//! Bytes in and out, as the codecs of this folder use them: LEB128 numbers, lengths before texts.
//!
//! Reading is total: any bytes give a value or `None`, and no length is believed beyond what is there.

use bytes::Bytes;

/// Writes to the end of a vector.
pub(crate) trait Pack {
    /// LEB128, 1–10 bytes.
    fn put_uint(&mut self, number: u64);
    /// Length, then the bytes.
    fn put_block(&mut self, block: &[u8]);

    /// A number that is near `expected`, as the zigzag of their difference; wraps, so every pair survives.
    fn put_near(&mut self, number: u64, expected: u64) {
        let delta = number.wrapping_sub(expected).cast_signed();
        self.put_uint(((delta << 1) ^ (delta >> 63)).cast_unsigned());
    }
}

impl Pack for Vec<u8> {
    fn put_uint(&mut self, mut number: u64) {
        while number > 0x7f {
            self.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.push(number as u8);
    }

    fn put_block(&mut self, block: &[u8]) {
        self.put_uint(block.len() as u64);
        self.extend_from_slice(block);
    }
}

/// Reads from the front.
pub(crate) struct Unpack<'a>(&'a [u8]);

impl<'a> Unpack<'a> {
    /// Begins at the first byte.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether everything was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A fixed number of bytes.
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// Bytes of a length known to the compiler.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// A LEB128 number; longer forms than needed and more than 64 bits are refused.
    pub(crate) fn uint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return (byte != 0 || shift == 0).then_some(number);
            }
        }
        None
    }

    /// A number that fits the wanted type.
    pub(crate) fn small<T: TryFrom<u64>>(&mut self) -> Option<T> {
        T::try_from(self.uint()?).ok()
    }

    /// Twin of [`Pack::put_near`].
    pub(crate) fn near(&mut self, expected: u64) -> Option<u64> {
        let zigzag = self.uint()?;
        let delta = (zigzag >> 1) ^ (zigzag & 1).wrapping_neg();
        Some(expected.wrapping_add(delta))
    }

    /// Length, then the bytes.
    pub(crate) fn block(&mut self) -> Option<&'a [u8]> {
        let length = self.small()?;
        self.take(length)
    }

    /// A block that is UTF-8.
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.block()?).ok()
    }

    /// A block, copied.
    pub(crate) fn owned(&mut self) -> Option<Bytes> {
        self.block().map(Bytes::copy_from_slice)
    }

    /// A count and as many items. Each item takes at least one byte, so a lying count ends early and reserves nothing.
    pub(crate) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count: usize = self.small()?;
        if count > self.0.len() {
            return None;
        }
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Some(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_survive(number: u64, expected: u64) {
            let mut bytes = Vec::new();
            bytes.put_uint(number);
            bytes.put_near(number, expected);
            let mut read = Unpack::new(&bytes);
            prop_assert_eq!(read.uint(), Some(number));
            prop_assert_eq!(read.near(expected), Some(number));
            prop_assert!(read.is_empty());
        }

        #[test]
        fn a_number_has_one_form(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let mut read = Unpack::new(&bytes);
            if let Some(number) = read.uint() {
                let mut again = Vec::new();
                again.put_uint(number);
                prop_assert_eq!(&again[..], &bytes[..again.len()]);
            }
        }
    }

    #[test]
    fn more_than_64_bits_are_refused() {
        let mut bytes = Vec::new();
        bytes.put_uint(u64::MAX);
        assert_eq!(Unpack::new(&bytes).uint(), Some(u64::MAX));
        bytes[9] = 2;
        assert_eq!(Unpack::new(&bytes).uint(), None);
        assert_eq!(Unpack::new(&[0x80; 12]).uint(), None);
        assert_eq!(Unpack::new(&[0x80, 0]).uint(), None, "zero has a shorter form");
    }

    #[test]
    fn lying_counts_end_early() {
        let mut bytes = Vec::new();
        bytes.put_uint(u64::MAX);
        assert!(Unpack::new(&bytes).block().is_none());
        assert!(Unpack::new(&bytes).list(Unpack::byte).is_none());
    }
}
