//! What was committed to each row, for oracles.

use std::sync::Arc;

use super::cell::Cell;
use super::row::Row;
use crate::commit::ChangeKind;

/// Most entries kept of one row; older ones are forgotten.
const MAX_ENTRIES: usize = 1_000;

/// What the changes of one transaction have in common.
#[derive(Debug)]
pub struct Stamp {
    /// Commit time in milliseconds since 1970.
    pub commit_ms: i64,
    /// The transaction's number.
    pub commit_number: i64,
    /// 18-character id of the user.
    pub user: Arc<str>,
    /// Change origin of the transaction.
    pub origin: Arc<str>,
}

/// One committed change of one row.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The transaction.
    pub stamp: Arc<Stamp>,
    /// What happened.
    pub kind: ChangeKind,
    changed: Changed,
}

#[derive(Debug, Clone)]
enum Changed {
    /// A new row, with all that it had: shared with whoever else has this version.
    All(Arc<Row>),
    Some(Box<[(u16, Cell)]>),
}

impl Entry {
    /// The change from one version of a row to the next.
    pub(super) fn of(stamp: &Arc<Stamp>, kind: ChangeKind, before: Option<&Row>, after: &Arc<Row>) -> Self {
        let changed = match before {
            None => Changed::All(Arc::clone(after)),
            Some(before) => Changed::Some(differences(before, after)),
        };
        Self {
            stamp: Arc::clone(stamp),
            kind,
            changed,
        }
    }

    /// Place and new value of each changed field; for a create all that are not null.
    pub fn changed(&self) -> impl Iterator<Item = (usize, &Cell)> {
        let (all, some) = match &self.changed {
            Changed::All(row) => (Some(row.cells.filled()), None),
            Changed::Some(cells) => (
                None,
                Some(cells.iter().map(|(place, cell)| (usize::from(*place), cell))),
            ),
        };
        all.into_iter().flatten().chain(some.into_iter().flatten())
    }
}

fn differences(before: &Row, after: &Row) -> Box<[(u16, Cell)]> {
    let set = after
        .cells
        .filled()
        .filter(|(place, cell)| before.cells[*place] != **cell);
    let emptied = before.cells.filled().filter(|(place, _)| after.cells[*place].is_null());
    let mut changed: Vec<(u16, Cell)> = set
        .map(|(place, cell)| (place, cell.clone()))
        .chain(emptied.map(|(place, _)| (place, Cell::Null)))
        .filter_map(|(place, cell)| Some((u16::try_from(place).ok()?, cell)))
        .collect();
    changed.sort_unstable_by_key(|(place, _)| *place);
    changed.into_boxed_slice()
}

/// The newest entries of one row, in commit order.
#[derive(Debug, Default)]
pub(super) struct History(Vec<Entry>);

impl History {
    pub(super) fn add(&mut self, entry: Entry) {
        if self.0.len() >= MAX_ENTRIES {
            self.0.remove(0);
        }
        // Most rows are written once or twice.
        self.0.reserve_exact(if self.0.is_empty() { 1 } else { 0 });
        self.0.push(entry);
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.0
    }
}
