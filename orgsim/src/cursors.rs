//! Open query cursors of an org: the rows of a query as they were when it ran.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::org::{Row, Stream, checksum};
use crate::soql::Plan;

/// Most open cursors of one user; the next one silently ends the oldest (contract 5).
const MAX_CURSORS: usize = 10;
/// Life of a cursor in milliseconds: two days (contract 5).
const LIFE_MS: i64 = 2 * 24 * 60 * 60 * 1_000;

/// A query that has more rows than one page.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// 18-character locator id, `0r8…`.
    pub(crate) id: String,
    /// 18-character id of the user who opened it: nobody else may read it.
    pub(crate) user: Arc<str>,
    /// What to show of each row.
    pub(crate) plan: Arc<Plan>,
    /// All rows, in order.
    pub(crate) rows: Vec<Arc<Row>>,
    /// Rows of a page.
    pub(crate) page: usize,
    opened_ms: i64,
}

/// The open cursors of an org.
#[derive(Debug)]
pub(crate) struct Cursors {
    open: VecDeque<Arc<Cursor>>,
    ids: Stream,
}

impl Cursors {
    /// None open.
    #[must_use]
    pub(crate) fn new(ids: Stream) -> Self {
        Self {
            open: VecDeque::new(),
            ids,
        }
    }

    /// Opens one and ends the user's oldest when there are too many.
    pub(crate) fn open(
        &mut self,
        user: Arc<str>,
        plan: Arc<Plan>,
        rows: Vec<Arc<Row>>,
        page: usize,
        now_ms: i64,
    ) -> Arc<Cursor> {
        let mine = self.open.iter().filter(|c| c.user == user).count();
        if mine >= MAX_CURSORS
            && let Some(oldest) = self.open.iter().position(|c| c.user == user)
        {
            self.open.remove(oldest);
        }
        let body = format!("0r8{}", self.ids.text(12).replace(['_', '.'], "x"));
        let id = format!("{body}{}", checksum(&body));
        let cursor = Arc::new(Cursor {
            id,
            user,
            plan,
            rows,
            page,
            opened_ms: now_ms,
        });
        self.open.push_back(Arc::clone(&cursor));
        cursor
    }

    /// The cursor with this locator id, when it still lives.
    pub(crate) fn get(&mut self, id: &str, now_ms: i64) -> Option<Arc<Cursor>> {
        self.open.retain(|c| now_ms - c.opened_ms <= LIFE_MS);
        self.open.iter().find(|c| c.id == id).cloned()
    }
}
