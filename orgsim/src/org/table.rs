//! The rows of one object, found by slot, by key and by parent.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::cell::Cell;
use super::history::History;
use crate::schema::{FieldType, Sobject, column};

/// One version of a row; replaced, never changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Values in the order of the object's fields; compounds hold null and are made when read.
    pub cells: Box<[Cell]>,
}

impl Row {
    /// The 18-character id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.cells[column::ID].as_text().unwrap_or_default()
    }

    /// Whether it lies in the recycle bin.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.cells[column::IS_DELETED] == Cell::Bool(true)
    }
}

/// Live rows by the value of one field.
#[derive(Debug)]
struct Index {
    field: usize,
    fold_case: bool,
    slots: HashMap<Box<str>, Vec<u32>>,
}

impl Index {
    fn key<'r>(&self, row: Option<&'r Row>) -> Option<&'r str> {
        row.filter(|r| !r.is_deleted())?.cells[self.field].as_text()
    }

    fn folded<'t>(&self, text: &'t str) -> std::borrow::Cow<'t, str> {
        if self.fold_case {
            text.to_lowercase().into()
        } else {
            text.into()
        }
    }
}

/// Most purged rows that are remembered: what one call of `getDeleted` may list (contract 2.3).
const MAX_PURGED: usize = 600_000;

/// The rows of one object.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Option<Arc<Row>>>,
    /// Rows that were purged, oldest first: id, and seconds since 1970.
    purged: VecDeque<(Box<str>, i64)>,
    indexes: Vec<Index>,
    /// What happened to each row, by slot.
    pub(super) histories: HashMap<u32, History>,
    /// Every slot that ever had a key, deleted ones too.
    pub(super) keys_ever: HashMap<Box<str>, Vec<u32>>,
}

impl Table {
    /// An empty table; indexed are external ids, id lookups, unique fields and the references that parents know of.
    #[must_use]
    pub fn new(sobject: &Sobject) -> Self {
        let indexes = sobject
            .fields
            .iter()
            .enumerate()
            .filter(|(i, f)| {
                *i != column::ID
                    && f.kind != FieldType::Id
                    && (f.finds_rows() || f.unique || f.child_relationship.is_some())
            })
            .map(|(field, f)| Index {
                field,
                fold_case: f.kind != FieldType::Reference && !f.case_sensitive,
                slots: HashMap::new(),
            })
            .collect();
        Self {
            rows: Vec::new(),
            purged: VecDeque::new(),
            indexes,
            histories: HashMap::new(),
            keys_ever: HashMap::new(),
        }
    }

    /// The row in a slot, deleted or not.
    #[must_use]
    pub fn get(&self, slot: u32) -> Option<&Arc<Row>> {
        self.rows.get(usize::try_from(slot).ok()?)?.as_ref()
    }

    /// All rows in the order of their ids, deleted ones too.
    pub fn rows(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.rows.iter().flatten()
    }

    /// The rows with their slots, deleted ones too.
    pub(super) fn filled(&self) -> impl Iterator<Item = (u32, Arc<Row>)> {
        (0u32..)
            .zip(&self.rows)
            .filter_map(|(slot, row)| Some((slot, Arc::clone(row.as_ref()?))))
    }

    /// Slots that were given out.
    pub(super) fn slots(&self) -> usize {
        self.rows.len()
    }

    /// Puts a row of a snapshot into its slot, with its key where the object has one.
    pub(super) fn restore(&mut self, slot: u32, key: Option<Box<str>>, row: Row) {
        let place = usize::try_from(slot).unwrap_or(usize::MAX);
        if place >= self.rows.len() {
            self.rows.resize(place.saturating_add(1), None);
        }
        self.put(slot, Some(Arc::new(row)));
        if let Some(key) = key {
            self.keys_ever.entry(key).or_default().push(slot);
        }
    }

    /// Ends a restoring: as many slots as were given out, and the rows that were purged. None when rows have no room in them.
    pub(super) fn settle(&mut self, slots: usize, purged: &[(String, i64)]) -> Option<()> {
        u32::try_from(slots).ok().filter(|_| slots >= self.rows.len())?;
        self.rows.resize(slots, None);
        self.purged = purged.iter().map(|(id, at)| (id.as_str().into(), *at)).collect();
        Some(())
    }

    /// Slots of the live rows with this value, when the field is indexed.
    #[must_use]
    pub fn find(&self, field: usize, value: &str) -> Option<&[u32]> {
        let index = self.indexes.iter().find(|i| i.field == field)?;
        Some(index.slots.get(index.folded(value).as_ref()).map_or(&[], Vec::as_slice))
    }

    /// A new slot; it stays empty when the transaction is rolled back, as ids are never given out twice.
    pub(super) fn reserve(&mut self) -> Option<u32> {
        let slot = u32::try_from(self.rows.len()).ok()?;
        self.rows.push(None);
        Some(slot)
    }

    /// Takes a deleted row out for good; its id and the time, in seconds since 1970, are remembered for `getDeleted`.
    pub(super) fn purge(&mut self, slot: u32, now: i64) {
        if let Some(row) = self.put(slot, None) {
            self.purged.push_back((row.id().into(), now));
            if self.purged.len() > MAX_PURGED {
                self.purged.pop_front();
            }
        }
    }

    /// Ids of the rows that were purged, with the time in seconds since 1970, oldest first.
    pub fn purged(&self) -> impl Iterator<Item = (&str, i64)> {
        self.purged.iter().map(|(id, at)| (&**id, *at))
    }

    /// Replaces the row in a slot and keeps the indexes right; gives the one before.
    pub(super) fn put(&mut self, slot: u32, row: Option<Arc<Row>>) -> Option<Arc<Row>> {
        let place = self.rows.get_mut(usize::try_from(slot).ok()?)?;
        let before = std::mem::replace(place, row);
        let after = place.as_deref();
        for index in &mut self.indexes {
            let (old, new) = (index.key(before.as_deref()), index.key(after));
            if old == new {
                continue;
            }
            if let Some(old) = old {
                let key = index.folded(old).into_owned();
                if let Some(slots) = index.slots.get_mut(key.as_str()) {
                    slots.retain(|s| *s != slot);
                    if slots.is_empty() {
                        index.slots.remove(key.as_str());
                    }
                }
            }
            if let Some(new) = new {
                let key = index.folded(new).into_owned().into_boxed_str();
                index.slots.entry(key).or_default().push(slot);
            }
        }
        before
    }
}
