//! The rows of one object, found by slot, by key and by parent.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use arcstr::ArcStr;

use super::cell::Cell;
use super::history::{Entry, History};
use super::row::Row;
use crate::schema::{FieldType, Sobject, column};

/// Hashes without a key: what comes in is a test's.
type Hashed = foldhash::fast::FixedState;

/// Slots of the rows that have one value, in the order in which they got it.
#[derive(Debug, Default)]
pub(super) enum Slots {
    #[default]
    None,
    One(u32),
    Many(Vec<u32>),
}

impl Slots {
    pub(super) fn as_slice(&self) -> &[u32] {
        match self {
            Self::None => &[],
            Self::One(slot) => std::slice::from_ref(slot),
            Self::Many(slots) => slots,
        }
    }

    pub(super) fn push(&mut self, slot: u32) {
        match self {
            Self::None => *self = Self::One(slot),
            Self::One(first) => *self = Self::Many(vec![*first, slot]),
            Self::Many(slots) => slots.push(slot),
        }
    }

    fn remove(&mut self, slot: u32) {
        match self {
            Self::One(only) if *only == slot => *self = Self::None,
            Self::Many(slots) => slots.retain(|s| *s != slot),
            _ => {}
        }
    }
}

/// Live rows by the value of one field.
#[derive(Debug)]
struct Index {
    field: usize,
    fold_case: bool,
    slots: HashMap<ArcStr, Slots, Hashed>,
}

impl Index {
    fn key<'r>(&self, row: Option<&'r Row>) -> Option<&'r ArcStr> {
        match &row.filter(|r| !r.is_deleted())?.cells[self.field] {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text as it is looked for: None when it is so already.
    fn folded(&self, text: &str) -> Option<String> {
        let plain = !self.fold_case || text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase());
        (!plain).then(|| text.to_lowercase())
    }

    fn add(&mut self, text: &ArcStr, slot: u32) {
        let key = self.folded(text).map_or_else(|| text.clone(), Into::into);
        self.slots.entry(key).or_default().push(slot);
    }

    fn remove(&mut self, text: &str, slot: u32) {
        let folded = self.folded(text);
        let key = folded.as_deref().unwrap_or(text);
        if let Some(slots) = self.slots.get_mut(key) {
            slots.remove(slot);
            if slots.as_slice().is_empty() {
                self.slots.remove(key);
            }
        }
    }

    fn find(&self, text: &str) -> &[u32] {
        let folded = self.folded(text);
        let slots = self.slots.get(folded.as_deref().unwrap_or(text));
        slots.map_or(&[], Slots::as_slice)
    }
}

/// Most purged rows that are remembered: what one call of `getDeleted` may list (contract 2.3).
const MAX_PURGED: usize = 600_000;

/// The rows of one object.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Option<Arc<Row>>>,
    /// Rows that are there, deleted ones too.
    filled: u64,
    /// Rows that were purged, oldest first: id, and seconds since 1970.
    purged: VecDeque<(Box<str>, i64)>,
    indexes: Vec<Index>,
    /// What happened to each row, by slot.
    histories: Vec<History>,
    /// Every slot that ever had a key, deleted ones too.
    keys_ever: HashMap<ArcStr, Slots, Hashed>,
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
                    && (f.finds_rows() || f.unique || f.matched || f.child_relationship.is_some())
            })
            .map(|(field, f)| Index {
                field,
                fold_case: f.kind != FieldType::Reference && !f.case_sensitive,
                slots: HashMap::default(),
            })
            .collect();
        Self {
            rows: Vec::new(),
            filled: 0,
            purged: VecDeque::new(),
            indexes,
            histories: Vec::new(),
            keys_ever: HashMap::default(),
        }
    }

    /// The object has new fields: indexes for them, and no null in the new checkboxes.
    pub(super) fn grow(&mut self, sobject: &Sobject, checkboxes: &[usize]) {
        for mut index in Self::new(sobject).indexes {
            if self.indexes.iter().any(|known| known.field == index.field) {
                continue;
            }
            for (slot, row) in self.filled() {
                if let Some(text) = index.key(Some(&row)).cloned() {
                    index.add(&text, slot);
                }
            }
            self.indexes.push(index);
        }
        if checkboxes.is_empty() {
            return;
        }
        for row in self.rows.iter_mut().flatten() {
            let mut cells = row.cells.unpack(sobject.fields.len());
            for place in checkboxes {
                cells[*place] = Cell::Bool(false);
            }
            *row = Arc::new(Row::of(&cells));
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

    /// Rows that are there, deleted ones too.
    pub(super) fn filled_slots(&self) -> u64 {
        self.filled
    }

    /// Slots that were given out.
    pub(super) fn slots(&self) -> usize {
        self.rows.len()
    }

    /// Puts a row of a snapshot into its slot, with its key where the object has one.
    pub(super) fn restore(&mut self, slot: u32, key: Option<usize>, row: Row) {
        let place = usize::try_from(slot).unwrap_or(usize::MAX);
        if place >= self.rows.len() {
            self.rows.resize(place.saturating_add(1), None);
        }
        if let Some(Cell::Text(key)) = key.map(|place| &row.cells[place]) {
            self.keys_ever.entry(key.clone()).or_default().push(slot);
        }
        self.put(slot, Some(Arc::new(row)));
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
        Some(index.find(value))
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
        self.filled = self.filled + u64::from(after.is_some()) - u64::from(before.is_some());
        for index in &mut self.indexes {
            let (old, new) = (index.key(before.as_deref()), index.key(after));
            if old == new {
                continue;
            }
            if let Some(old) = old {
                index.remove(old, slot);
            }
            if let Some(new) = new {
                index.add(new, slot);
            }
        }
        before
    }

    /// Adds what was committed to a row, and its key where the object has one.
    pub(super) fn remember(&mut self, slot: u32, key: Option<&Cell>, entry: Entry) {
        let place = usize::try_from(slot).unwrap_or(usize::MAX);
        if place >= self.histories.len() {
            self.histories.resize_with(place.saturating_add(1), History::default);
        }
        self.histories[place].add(entry);
        if let Some(Cell::Text(key)) = key {
            let slots = self.keys_ever.entry(key.clone()).or_default();
            if !slots.as_slice().contains(&slot) {
                slots.push(slot);
            }
        }
    }

    /// What was committed to a row, oldest first.
    pub(super) fn history(&self, slot: u32) -> &[Entry] {
        let place = usize::try_from(slot).unwrap_or(usize::MAX);
        self.histories.get(place).map_or(&[], History::entries)
    }

    /// Slots of the rows that ever had this key.
    pub(super) fn ever(&self, key: &str) -> &[u32] {
        self.keys_ever.get(key).map_or(&[], Slots::as_slice)
    }
}
