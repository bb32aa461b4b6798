//! One version of a row, without room for the fields that have no value.

use std::ops::Index;

use smallvec::SmallVec;

use super::cell::Cell;
use crate::schema::column;

static NULL: Cell = Cell::Null;

/// Fields that one word of [`Cells`] speaks of.
const WORD: usize = 64;

/// The values of a row by the place of their field. What has no value takes one bit: most rows have most fields empty.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cells {
    /// A bit for each field that has a value.
    filled: SmallVec<[u64; 2]>,
    values: Box<[Cell]>,
}

impl Cells {
    /// The values of all fields, nulls left out.
    #[must_use]
    pub fn pack(all: &[Cell]) -> Self {
        let filled = all
            .chunks(WORD)
            .map(|word| {
                word.iter()
                    .rev()
                    .fold(0, |bits, cell| bits << 1 | u64::from(!cell.is_null()))
            })
            .collect();
        let values = all.iter().filter(|cell| !cell.is_null()).cloned().collect();
        Self { filled, values }
    }

    /// The values of `fields` fields, to be changed.
    #[must_use]
    pub fn unpack(&self, fields: usize) -> Box<[Cell]> {
        let mut all = vec![Cell::Null; fields].into_boxed_slice();
        for (place, cell) in self.filled() {
            if let Some(slot) = all.get_mut(place) {
                *slot = cell.clone();
            }
        }
        all
    }

    /// The fields that have a value, in the order of their places.
    pub fn filled(&self) -> impl Iterator<Item = (usize, &Cell)> {
        let words = self.filled.iter().enumerate();
        let places = words.flat_map(|(word, bits)| {
            let mut bits = *bits;
            std::iter::from_fn(move || {
                let bit = usize::try_from(bits.trailing_zeros()).ok().filter(|bit| *bit < WORD)?;
                bits &= bits - 1;
                Some(word * WORD + bit)
            })
        });
        places.zip(&self.values)
    }
}

impl Index<usize> for Cells {
    type Output = Cell;

    /// Null for a field without value; also for one that came after the row was written.
    fn index(&self, place: usize) -> &Cell {
        let (word, bit) = (place / WORD, place % WORD);
        match self.filled.get(word) {
            Some(bits) if bits >> bit & 1 == 1 => {
                let before = self.filled[..word].iter().map(|bits| bits.count_ones()).sum::<u32>();
                let rank = before + (bits & ((1 << bit) - 1)).count_ones();
                usize::try_from(rank).map_or(&NULL, |rank| &self.values[rank])
            }
            _ => &NULL,
        }
    }
}

/// One version of a row; replaced, never changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// Values in the order of the object's fields; compounds hold null and are made when read.
    pub cells: Cells,
}

impl Row {
    /// The row with these values, one for each field of its object.
    #[must_use]
    pub fn of(all: &[Cell]) -> Self {
        Self {
            cells: Cells::pack(all),
        }
    }

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_takes_sixteen_bytes() {
        assert_eq!(std::mem::size_of::<Cell>(), 16);
    }

    proptest! {
        #[test]
        fn a_packed_row_has_the_values_that_it_was_made_of(
            all in prop::collection::vec(prop_oneof![3 => Just(Cell::Null), 1 => any::<bool>().prop_map(Cell::Bool)], 0..200),
            more in 0..100_usize,
        ) {
            let cells = Cells::pack(&all);
            for (place, cell) in all.iter().enumerate() {
                prop_assert_eq!(&cells[place], cell);
            }
            prop_assert_eq!(&cells[all.len() + more], &Cell::Null);
            let filled: Vec<_> = all.iter().enumerate().filter(|(_, cell)| !cell.is_null()).collect();
            prop_assert_eq!(cells.filled().collect::<Vec<_>>(), filled);
            let unpacked = cells.unpack(all.len() + more);
            prop_assert_eq!(&unpacked[..all.len()], &all[..]);
            prop_assert!(unpacked[all.len()..].iter().all(Cell::is_null));
        }
    }
}
