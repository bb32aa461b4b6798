//! Which version of the product's row decided each field: read and written on a record's row.

use std::time::Duration;

use crate::domain::ids::FieldIdx;
use crate::domain::row::{Row, Stamp};
use crate::domain::time::Timestamp;

/// Stamps of single fields fold into one for the whole record when nothing touched it for this long (design 5).
pub const KEPT: Duration = Duration::from_secs(24 * 3600);

/// What decided a field: the product's version, and the packed id of the newest interactive entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Decided {
    /// 0 when no version was given.
    pub version: u64,
    /// 0 when no interactive entry touched it.
    pub packed: u64,
}

impl Decided {
    /// The higher of both, part by part.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            version: self.version.max(other.version),
            packed: self.packed.max(other.packed),
        }
    }
}

/// What decided `field` last.
pub fn decided(row: &Row, field: FieldIdx) -> Decided {
    let mut rest = Decided::default();
    for stamp in &row.stamps {
        let here = Decided {
            version: stamp.version,
            packed: stamp.packed,
        };
        if stamp.fields.is_empty() {
            rest = here;
        } else if stamp.fields.contains(&field) {
            return here;
        }
    }
    rest
}

/// The highest of all fields.
pub fn highest(row: &Row) -> Decided {
    row.stamps.iter().fold(Decided::default(), |high, s| {
        high.max(Decided {
            version: s.version,
            packed: s.packed,
        })
    })
}

/// Notes that `fields` were decided by `by`; `all` is how many fields the object has.
pub fn stamp(row: &mut Row, fields: &[FieldIdx], by: Decided, all: usize, now: Timestamp) {
    if fields.is_empty() || by == Decided::default() {
        return;
    }
    fold_old(row, now);
    row.stamped_s = u32::try_from(now.0 / 1000).unwrap_or(u32::MAX);
    let mut rises: Vec<(Decided, FieldIdx)> = fields.iter().map(|f| (decided(row, *f).max(by), *f)).collect();
    for stamp in &mut row.stamps {
        if !stamp.fields.is_empty() {
            stamp.fields.retain(|f| !fields.contains(f));
            if stamp.fields.is_empty() {
                stamp.version = 0;
                stamp.packed = 0;
            }
        }
    }
    // What is left without fields and without numbers stood for single fields that are stamped anew below.
    row.stamps
        .retain(|s| !(s.fields.is_empty() && s.version == 0 && s.packed == 0));
    rises.sort_by_key(|(d, f)| (d.version, d.packed, *f));
    for (d, field) in rises {
        match row
            .stamps
            .iter_mut()
            .find(|s| !s.fields.is_empty() && s.version == d.version && s.packed == d.packed)
        {
            Some(same) => same.fields.push(field),
            None => row.stamps.push(Stamp {
                version: d.version,
                packed: d.packed,
                fields: vec![field],
            }),
        }
    }
    // One stamp over every field needs no list.
    if let [only] = row.stamps.as_mut_slice() {
        if only.fields.len() >= all {
            only.fields.clear();
        }
    } else if let Some(at) = row.stamps.iter().position(|s| s.fields.len() >= all) {
        let whole = Stamp {
            fields: Vec::new(),
            ..row.stamps[at].clone()
        };
        row.stamps = vec![whole];
    }
}

/// Notes that the whole record was decided (a delete).
pub fn stamp_all(row: &mut Row, by: Decided, now: Timestamp) {
    let high = highest(row).max(by);
    row.stamped_s = u32::try_from(now.0 / 1000).unwrap_or(u32::MAX);
    row.stamps.clear();
    if high != Decided::default() {
        row.stamps.push(Stamp {
            version: high.version,
            packed: high.packed,
            fields: Vec::new(),
        });
    }
}

/// Folds stamps of single fields into one when they are older than [`KEPT`].
fn fold_old(row: &mut Row, now: Timestamp) {
    let age_s = (now.0 / 1000).saturating_sub(u64::from(row.stamped_s));
    if row.stamps.len() > 1 && age_s > KEPT.as_secs() {
        let high = highest(row);
        row.stamps = vec![Stamp {
            version: high.version,
            packed: high.packed,
            fields: Vec::new(),
        }];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn by(version: u64) -> Decided {
        Decided {
            version,
            packed: version,
        }
    }

    #[test]
    fn a_field_keeps_its_own_version_and_the_rest_theirs() {
        let mut row = Row::default();
        stamp(&mut row, &[FieldIdx(0), FieldIdx(1), FieldIdx(2)], by(5), 3, NOW);
        assert_eq!(row.stamps.len(), 1);
        assert!(row.stamps[0].fields.is_empty());
        stamp(&mut row, &[FieldIdx(1)], by(7), 3, NOW);
        assert_eq!(decided(&row, FieldIdx(1)), by(7));
        assert_eq!(decided(&row, FieldIdx(0)), by(5));
        stamp(&mut row, &[FieldIdx(1)], by(6), 3, NOW);
        assert_eq!(decided(&row, FieldIdx(1)), by(7));
    }

    #[test]
    fn old_stamps_fold_into_one_at_the_next_touch() {
        let mut row = Row::default();
        stamp(&mut row, &[FieldIdx(0)], by(5), 3, NOW);
        stamp(&mut row, &[FieldIdx(1)], by(9), 3, NOW);
        let later = NOW.after(KEPT + Duration::from_secs(2));
        stamp(&mut row, &[FieldIdx(2)], by(10), 3, later);
        assert_eq!(decided(&row, FieldIdx(0)), by(9));
        assert_eq!(decided(&row, FieldIdx(2)), by(10));
    }

    #[test]
    fn a_delete_decides_every_field() {
        let mut row = Row::default();
        stamp(&mut row, &[FieldIdx(0)], by(5), 3, NOW);
        stamp_all(&mut row, by(8), NOW);
        assert_eq!(decided(&row, FieldIdx(2)), by(8));
    }
}
