//! Repeatable randomness: ids, tokens and fault dice of a seeded simulator come out the same each time.

use aws_lc_rs::digest;

/// A stream of numbers and texts that depends on its seed alone.
#[derive(Debug, Clone)]
pub struct Stream {
    key: [u8; 32],
    count: u64,
}

impl Stream {
    /// A stream for one purpose; streams of different purposes have nothing in common.
    #[must_use]
    pub fn new(seed: u64, purpose: &str) -> Self {
        let mut text = seed.to_be_bytes().to_vec();
        text.extend_from_slice(purpose.as_bytes());
        Self {
            key: sha256(&text),
            count: 0,
        }
    }

    /// How many blocks were taken.
    #[must_use]
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Goes on after so many blocks, unless more were taken already.
    pub(super) fn skip_to(&mut self, count: u64) {
        self.count = self.count.max(count);
    }

    fn block(&mut self) -> [u8; 32] {
        self.count += 1;
        let mut text = self.key.to_vec();
        text.extend_from_slice(&self.count.to_be_bytes());
        sha256(&text)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        let block = self.block();
        block.iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b))
    }

    /// Whether something with this chance in percent happens now.
    pub fn happens(&mut self, percent: f64) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "a die needs no more than 53 bits")]
        let die = (self.number() >> 11) as f64 / (1u64 << 53) as f64;
        die * 100.0 < percent
    }

    /// The next `length` characters out of letters, digits, `_` and `.`, as opaque tokens have them.
    pub fn text(&mut self, length: usize) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";
        let mut out = String::with_capacity(length);
        while out.len() < length {
            for b in self.block() {
                if out.len() < length {
                    out.push(char::from(ALPHABET[usize::from(b & 63)]));
                }
            }
        }
        out
    }

    /// A text of the form of a uuid.
    pub fn uuid(&mut self) -> String {
        let hex: String = self.block().iter().take(16).map(|b| format!("{b:02x}")).collect();
        format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )
    }
}

fn sha256(text: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, text).as_ref());
    out
}
