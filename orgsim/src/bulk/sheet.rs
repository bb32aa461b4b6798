//! The rows of a finished query as CSV, cut into pages (contract 4.4).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Rows of a page when the client does not say [from memory].
pub(crate) const PAGE_ROWS: usize = 50_000;

/// A whole result: it does not change, so that pages can be read again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sheet {
    header: String,
    text: String,
    /// Byte where each row starts.
    starts: Vec<usize>,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// Header and rows.
    pub(crate) text: String,
    /// How many rows.
    pub(crate) rows: usize,
    /// The page after it; None when this is the last.
    pub(crate) next: Option<Mark>,
}

/// Where a page begins, and how many rows its reader wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Rows before it.
    pub(crate) at: usize,
    /// Rows on it, at most.
    pub(crate) rows: usize,
}

impl Mark {
    /// The opaque locator; only the job with this id takes it.
    #[must_use]
    pub(crate) fn locator(self, job_id: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}-{}-{job_id}", self.at, self.rows))
    }

    /// What a locator of the job with this id says.
    #[must_use]
    pub(crate) fn read(locator: &str, job_id: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(locator).ok()?).ok()?;
        let (at, rest) = text.split_once('-')?;
        let (rows, id) = rest.split_once('-')?;
        let rows = rows.parse().ok().filter(|n| *n > 0)?;
        (id == job_id).then_some(Self {
            at: at.parse().ok()?,
            rows,
        })
    }
}

impl Sheet {
    /// A sheet of this header line and no rows.
    #[must_use]
    pub(crate) fn new(header: String) -> Self {
        Self {
            header,
            ..Self::default()
        }
    }

    /// Adds a row that `write` writes with its line ending.
    pub(crate) fn add(&mut self, write: impl FnOnce(&mut String)) {
        self.starts.push(self.text.len());
        write(&mut self.text);
    }

    /// How many rows.
    #[must_use]
    pub(crate) fn rows(&self) -> usize {
        self.starts.len()
    }

    /// How many bytes of text its rows are.
    #[must_use]
    pub(crate) fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// How many bytes it takes in memory.
    #[must_use]
    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + self.starts.len() * size_of::<usize>()
    }

    /// The page at a mark; None behind the end. A result without rows has one empty page.
    #[must_use]
    pub(crate) fn page(&self, mark: Mark) -> Option<Page> {
        if mark.at >= self.rows() && mark.at > 0 {
            return None;
        }
        let end = mark.at.saturating_add(mark.rows).min(self.rows());
        let byte = |row: usize| self.starts.get(row).copied().unwrap_or(self.text.len());
        let rows = self.text.get(byte(mark.at)..byte(end)).unwrap_or_default();
        Some(Page {
            text: format!("{}{rows}", self.header),
            rows: end - mark.at,
            next: (end < self.rows()).then_some(Mark {
                at: end,
                rows: mark.rows,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_the_whole() {
        let mut sheet = Sheet::new("h\n".to_owned());
        (0..5).for_each(|i| sheet.add(|out| out.push_str(&format!("{i}\n"))));
        let mut mark = Some(Mark { at: 0, rows: 2 });
        let mut texts = Vec::new();
        while let Some(at) = mark {
            assert_eq!(Mark::read(&at.locator("750x"), "750x"), Some(at));
            assert_eq!(Mark::read(&at.locator("750x"), "750y"), None);
            let page = sheet.page(at).unwrap();
            texts.push((page.text, page.rows));
            mark = page.next;
        }
        let page = |text: &str, rows| (text.to_owned(), rows);
        assert_eq!(texts, [page("h\n0\n1\n", 2), page("h\n2\n3\n", 2), page("h\n4\n", 1)]);
        assert_eq!(sheet.page(Mark { at: 5, rows: 1 }), None);
        assert_eq!(Sheet::new(String::new()).page(Mark { at: 0, rows: 1 }).unwrap().rows, 0);
    }
}
