//! Writes Avro's binary form (Avro 1.11 specification, "Binary Encoding"): only what change events need.
//!
//! Hand-written so that tests which read with the `apache-avro` crate compare two independent codecs.

/// Bytes of one bare datum, grown value by value.
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Datum(Vec<u8>);

impl Datum {
    /// `int` and `long` share one encoding: zig-zag, then seven bits a byte, lowest first.
    pub(crate) fn long(&mut self, value: i64) {
        let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
        while rest >= 0x80 {
            self.0.push((rest & 0x7F) as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
    }

    pub(crate) fn string(&mut self, text: &str) {
        self.length(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn double(&mut self, value: f64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn boolean(&mut self, value: bool) {
        self.0.push(u8::from(value));
    }

    /// The branch of a union that follows.
    pub(crate) fn branch(&mut self, index: u8) {
        self.long(i64::from(index));
    }

    /// An array of strings: one block, then the empty block that ends it.
    pub(crate) fn strings<S: AsRef<str>>(&mut self, items: &[S]) {
        if !items.is_empty() {
            self.length(items.len());
            for item in items {
                self.string(item.as_ref());
            }
        }
        self.long(0);
    }

    /// Appends bytes that are encoded already.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn into_vec(self) -> Vec<u8> {
        self.0
    }

    fn length(&mut self, length: usize) {
        // A length beyond i64 cannot be in memory.
        self.long(i64::try_from(length).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Avro 1.11 specification, "Primitive Types": the table of variable-length zig-zag examples.
    #[test]
    fn numbers_are_zig_zag_coded() {
        for (value, bytes) in [
            (0, vec![0x00]),
            (-1, vec![0x01]),
            (1, vec![0x02]),
            (-2, vec![0x03]),
            (2, vec![0x04]),
            (-64, vec![0x7f]),
            (64, vec![0x80, 0x01]),
            (
                i64::MIN,
                vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            ),
        ] {
            let mut datum = Datum::default();
            datum.long(value);
            assert_eq!(datum.into_vec(), bytes, "{value}");
        }
    }

    /// The same specification: the string "foo" is 06 66 6f 6f.
    #[test]
    fn strings_carry_their_length() {
        let mut datum = Datum::default();
        datum.string("foo");
        datum.strings::<&str>(&[]);
        datum.strings(&["a"]);
        assert_eq!(datum.into_vec(), [0x06, 0x66, 0x6f, 0x6f, 0x00, 0x02, 0x02, 0x61, 0x00]);
    }
}
