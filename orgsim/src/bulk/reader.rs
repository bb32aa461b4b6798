//! Reads CSV as Bulk API 2.0 does (contract 4.2): RFC 4180 with the job's delimiter and line ending, nothing trimmed.
//!
//! The reader hands out places in the text, no values: a first pass over a hundred megabytes copies nothing.
//! It is our own because the platform tells errors apart that readers for everybody do not: a blank beside a quoted value
//! spoils its row, a quote inside an unquoted one or the wrong line ending spoils the job.

use std::borrow::Cow;

use super::dialect::{Dialect, LineEnding};

/// Why the rest of a text cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A line ends otherwise than the job says.
    Ending,
    /// A quote stands where none may, or one is never closed.
    Quote,
}

impl Fault {
    /// The `errorMessage` of a job that meets it: the first [C simple-salesforce, jsforce#1306], the second [C].
    #[must_use]
    pub(crate) fn message(self, dialect: Dialect) -> String {
        match self {
            Self::Ending => format!(
                "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {}",
                dialect.ending.name()
            ),
            Self::Quote => "InvalidBatch : Failed to parse CSV. Found unescaped quote. A value with quote should be \
                            within a quote"
                .to_owned(),
        }
    }
}

/// Place of one value, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
    /// Whether quotes inside are doubled.
    escaped: bool,
}

/// One record of a text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    /// Byte where it starts.
    pub(crate) start: usize,
    /// Byte after its line ending.
    pub(crate) end: usize,
    /// Whether a blank stands beside a quoted value: an error of the row [V:D-CSV].
    pub(crate) spaced: bool,
    spans: Vec<Span>,
}

impl Line {
    /// How many values it has.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    /// The values out of the text that the line was read from.
    pub(crate) fn values<'t>(&self, text: &'t str) -> impl Iterator<Item = Cow<'t, str>> {
        self.spans.iter().map(move |span| {
            let value = text.get(span.start..span.end).unwrap_or_default();
            if span.escaped {
                value.replace("\"\"", "\"").into()
            } else {
                value.into()
            }
        })
    }
}

/// Reads one record after the other; empty lines are skipped [from memory].
#[derive(Debug, Clone)]
pub(crate) struct Reader<'t> {
    text: &'t str,
    at: usize,
    dialect: Dialect,
}

impl<'t> Reader<'t> {
    /// A reader that starts at a byte of the text: 0, or the start or end of a line that was read.
    #[must_use]
    pub(crate) fn new(text: &'t str, at: usize, dialect: Dialect) -> Self {
        Self { text, at, dialect }
    }

    /// Reads the next record into `line`; false at the end of the text.
    ///
    /// # Errors
    /// What makes the rest unreadable; the reader stands where it stood.
    pub(crate) fn read(&mut self, line: &mut Line) -> Result<bool, Fault> {
        loop {
            line.start = self.at;
            line.spaced = false;
            line.spans.clear();
            if self.at >= self.text.len() {
                line.end = self.at;
                return Ok(false);
            }
            let mut at = self.at;
            let blank = loop {
                let (span, next, quoted) = self.value(at, &mut line.spaced)?;
                let blank = line.spans.is_empty() && !quoted && span.start == span.end;
                line.spans.push(span);
                if self.byte(next) == Some(self.dialect.delimiter.byte()) {
                    at = next + 1;
                    // A delimiter at the very end of the text is followed by one more, empty value.
                    continue;
                }
                at = self.after_line(next)?;
                break blank;
            };
            line.end = at;
            self.at = at;
            if !blank {
                return Ok(true);
            }
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// A blank that is not the delimiter.
    fn is_blank(&self, at: usize) -> bool {
        matches!(self.byte(at), Some(b @ (b' ' | b'\t')) if b != self.dialect.delimiter.byte())
    }

    /// One value from `at`: its place, the byte after it, and whether it was quoted.
    fn value(&self, at: usize, spaced: &mut bool) -> Result<(Span, usize, bool), Fault> {
        let mut start = at;
        while self.is_blank(start) {
            start += 1;
        }
        if self.byte(start) == Some(b'"') {
            *spaced |= start > at;
            let (span, mut next) = self.quoted(start + 1)?;
            while self.is_blank(next) {
                *spaced = true;
                next += 1;
            }
            return match self.byte(next) {
                None | Some(b'\n' | b'\r') => Ok((span, next, true)),
                Some(b) if b == self.dialect.delimiter.byte() => Ok((span, next, true)),
                Some(_) => Err(Fault::Quote),
            };
        }
        let delimiter = self.dialect.delimiter.byte();
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|b| *b == delimiter || matches!(b, b'\n' | b'\r' | b'"'))
            .unwrap_or(rest.len());
        let end = at + length;
        if self.byte(end) == Some(b'"') {
            return Err(Fault::Quote);
        }
        let span = Span {
            start: at,
            end,
            escaped: false,
        };
        Ok((span, end, false))
    }

    /// A quoted value from behind its first quote, and the byte after its last one.
    fn quoted(&self, start: usize) -> Result<(Span, usize), Fault> {
        let mut at = start;
        let mut escaped = false;
        loop {
            let rest = self.text.as_bytes().get(at..).unwrap_or_default();
            let end = at + rest.iter().position(|b| *b == b'"').ok_or(Fault::Quote)?;
            if self.byte(end + 1) != Some(b'"') {
                return Ok((Span { start, end, escaped }, end + 1));
            }
            escaped = true;
            at = end + 2;
        }
    }

    /// The byte after the line ending at `at`, where a value ended.
    fn after_line(&self, at: usize) -> Result<usize, Fault> {
        match (self.byte(at), self.dialect.ending) {
            (None, _) => Ok(at),
            (Some(b'\n'), LineEnding::Lf) => Ok(at + 1),
            (Some(b'\r'), LineEnding::CrLf) if self.byte(at + 1) == Some(b'\n') => Ok(at + 2),
            _ => Err(Fault::Ending),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bulk::dialect::Delimiter;
    use crate::bulk::writer::write_values;
    use proptest::prelude::*;

    fn all(text: &str, dialect: Dialect) -> (Vec<Vec<String>>, Option<Fault>) {
        let (mut reader, mut line, mut lines) = (Reader::new(text, 0, dialect), Line::default(), Vec::new());
        loop {
            match reader.read(&mut line) {
                Ok(true) => lines.push(line.values(text).map(Cow::into_owned).collect()),
                Ok(false) => return (lines, None),
                Err(fault) => return (lines, Some(fault)),
            }
        }
    }

    fn dialect(delimiter: Delimiter, ending: LineEnding) -> Dialect {
        Dialect { delimiter, ending }
    }

    #[test]
    fn what_is_read() {
        let (lf, crlf) = (Dialect::default(), dialect(Delimiter::Comma, LineEnding::CrLf));
        let tab = dialect(Delimiter::Tab, LineEnding::Lf);
        for (text, of, lines) in [
            ("a,b\n1,2\n", lf, &[&["a", "b"][..], &["1", "2"]][..]),
            ("a,b\n1,2", lf, &[&["a", "b"], &["1", "2"]]),
            ("a\r\n1\r\n", crlf, &[&["a"], &["1"]]),
            ("\"a\nb\",\"c\"\"d\"\n", lf, &[&["a\nb", "c\"d"]]),
            ("\"a\nb\"\r\n", crlf, &[&["a\nb"]]),
            (" a , b\n", lf, &[&[" a ", " b"]]),
            ("a,,\n,b,\n", lf, &[&["a", "", ""], &["", "b", ""]]),
            ("a,", lf, &[&["a", ""]]),
            ("\na\n\n\nb\n\n", lf, &[&["a"], &["b"]]),
            ("\"\"\n", lf, &[&[""]]),
            ("a\tb c\n", tab, &[&["a", "b c"]]),
            ("\u{feff}a\n", lf, &[&["\u{feff}a"]]),
            ("", lf, &[]),
        ] {
            assert_eq!(
                all(text, of),
                (
                    lines
                        .iter()
                        .map(|l| l.iter().map(|v| (*v).to_owned()).collect())
                        .collect(),
                    None
                ),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read() {
        let (lf, crlf) = (Dialect::default(), dialect(Delimiter::Comma, LineEnding::CrLf));
        for (text, of, fault) in [
            ("a\r\n", lf, Fault::Ending),
            ("a\rb\n", lf, Fault::Ending),
            ("\"a\"\r\n", lf, Fault::Ending),
            ("a\n", crlf, Fault::Ending),
            ("a\r", crlf, Fault::Ending),
            ("a\"b\n", lf, Fault::Quote),
            ("\"a\n", lf, Fault::Quote),
            ("\"a\"b\n", lf, Fault::Quote),
            ("\u{feff}\"a\"\n", lf, Fault::Quote),
        ] {
            assert_eq!(all(text, of), (vec![], Some(fault)), "{text:?}");
        }
    }

    #[test]
    fn blanks_beside_quotes_spoil_their_row_only() {
        let text = "\"a\", \"b\"\n\"c\" ,d\ne, f\n";
        let (mut reader, mut line, mut spaced) = (Reader::new(text, 0, Dialect::default()), Line::default(), vec![]);
        while reader.read(&mut line).unwrap() {
            spaced.push((line.spaced, line.values(text).collect::<Vec<_>>()));
        }
        assert_eq!(
            spaced,
            [
                (true, vec!["a".into(), "b".into()]),
                (true, vec!["c".into(), "d".into()]),
                (false, vec!["e".into(), " f".into()])
            ]
        );
    }

    fn any_dialect() -> impl Strategy<Value = Dialect> {
        let ending = prop_oneof![Just(LineEnding::Lf), Just(LineEnding::CrLf)];
        (0..Delimiter::ALL.len(), ending).prop_map(|(d, ending)| dialect(Delimiter::ALL[d], ending))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            of in any_dialect(),
            rows in prop::collection::vec(prop::collection::vec("[ -~\n\r\t\"\u{e9}\u{1f600}]{0,9}", 1..5), 0..6),
        ) {
            let mut text = String::new();
            for row in &rows {
                write_values(&mut text, of, row.iter().map(String::as_str));
            }
            prop_assert_eq!(all(&text, of), (rows, None));
        }

        #[test]
        fn any_bytes_are_read_or_refused(of in any_dialect(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = String::from_utf8_lossy(&bytes);
            let (mut reader, mut line, mut end) = (Reader::new(&text, 0, of), Line::default(), 0);
            while let Ok(true) = reader.read(&mut line) {
                prop_assert!(line.start >= end && line.end > line.start && line.end <= text.len());
                prop_assert_eq!(line.values(&text).count(), line.len());
                end = line.end;
            }
        }

        #[test]
        fn a_line_is_read_again_from_its_start(of in any_dialect(), text in "[a,;|\t\"\n\r ]{0,40}") {
            let (mut reader, mut line) = (Reader::new(&text, 0, of), Line::default());
            while let Ok(true) = reader.read(&mut line) {
                let mut again = Line::default();
                prop_assert_eq!(Reader::new(&text, line.start, of).read(&mut again), Ok(true));
                prop_assert!(line.values(&text).eq(again.values(&text)));
            }
        }
    }
}
