//! Rows that duplicate rules find to be there already.

use super::cell::Cell;
use super::error::{Duplicates, RowError};
use super::organisation::RecordRef;
use super::row::Cells;
use super::transaction::Transaction;
use crate::schema::{DuplicateRule, OnDuplicate, Sobject};

/// Most matching rows that an error shows.
const MAX_MATCHES: usize = 100;

impl Transaction<'_> {
    /// Refuses a row that a rule finds to be a duplicate. A change is looked at when it touches the rule's fields.
    pub(super) fn check_duplicates(
        &self,
        object: &Sobject,
        record: RecordRef,
        before: Option<&Cells>,
        cells: &[Cell],
    ) -> Result<(), RowError> {
        for rule in &object.duplicate_rules {
            let (then, touched) = match before {
                None => (rule.on_create, true),
                Some(before) => (rule.on_update, rule.fields.iter().any(|f| before[*f] != cells[*f])),
            };
            let passes = match then {
                OnDuplicate::Allow => true,
                OnDuplicate::Alert => self.caller.manner.allow_save,
                OnDuplicate::Block => false,
            };
            if passes || !touched {
                continue;
            }
            let matches = self.matches(rule, record, cells);
            if !matches.is_empty() {
                return Err(RowError {
                    code: "DUPLICATES_DETECTED",
                    message: rule.message.to_string(),
                    fields: Vec::new(),
                    duplicates: Some(Box::new(Duplicates {
                        rule: rule.name.to_string(),
                        object: object.name.to_string(),
                        allow_save: then == OnDuplicate::Alert,
                        ids: matches,
                    })),
                    also: Vec::new(),
                });
            }
        }
        Ok(())
    }

    fn matches(&self, rule: &DuplicateRule, record: RecordRef, cells: &[Cell]) -> Vec<String> {
        let table = self.org.table(record.sobject);
        let first = rule
            .fields
            .first()
            .and_then(|field| Some((*field, cells[*field].as_text()?)));
        let slots = first
            .and_then(|(field, text)| table.find(field, text))
            .unwrap_or_default();
        let equal = |row: &super::row::Row| {
            rule.fields
                .iter()
                .all(|f| row.cells[*f].compare(&cells[*f]) == Some(std::cmp::Ordering::Equal))
        };
        let others = slots
            .iter()
            .filter(|slot| **slot != record.slot)
            .filter_map(|slot| table.get(*slot));
        others
            .filter(|row| equal(row))
            .take(MAX_MATCHES)
            .map(|row| row.id().to_owned())
            .collect()
    }
}
