//! Bytes of an Avro datum, as far as change events need them (Avro 1.11 specification, binary encoding).

/// Grows as values are written behind one another.
#[derive(Debug, Default)]
pub(super) struct Datum(pub(super) Vec<u8>);

impl Datum {
    /// An `int` or `long`: zig-zag, then seven bits a byte.
    pub(super) fn long(&mut self, value: i64) -> &mut Self {
        let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
        while rest >= 0x80 {
            self.0.push((rest & 0x7F) as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
        self
    }

    /// A `double`.
    pub(super) fn double(&mut self, value: f64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// A `string`.
    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        self.long(i64::try_from(value.len()).unwrap_or(i64::MAX));
        self.0.extend_from_slice(value.as_bytes());
        self
    }

    /// An `array` of strings.
    pub(super) fn texts(&mut self, values: &[&str]) -> &mut Self {
        if !values.is_empty() {
            self.long(i64::try_from(values.len()).unwrap_or(i64::MAX));
            for value in values {
                self.text(value);
            }
        }
        self.long(0)
    }

    /// The branch of a union that follows: 0 is null.
    pub(super) fn branch(&mut self, branch: i64) -> &mut Self {
        self.long(branch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_specification() {
        let bytes = |write: &dyn Fn(&mut Datum)| {
            let mut datum = Datum::default();
            write(&mut datum);
            datum.0
        };
        for (value, wanted) in [
            (0, &[0x00][..]),
            (-1, &[0x01]),
            (1, &[0x02]),
            (-64, &[0x7F]),
            (64, &[0x80, 0x01]),
        ] {
            assert_eq!(bytes(&|datum| _ = datum.long(value)), wanted, "{value}");
        }
        assert_eq!(bytes(&|datum| _ = datum.text("foo")), [0x06, b'f', b'o', b'o']);
        assert_eq!(bytes(&|datum| _ = datum.texts(&["a"])), [0x02, 0x02, b'a', 0x00]);
        assert_eq!(bytes(&|datum| _ = datum.texts(&[])), [0x00]);
    }
}
