//! Users that come later, and users that go.

use std::sync::Arc;

use super::cell::Cell;
use super::organisation::{Org, UserIdentity};
use super::row::Row;
use crate::schema::column;

impl Org {
    /// Writes the row of a new active user; `now` in seconds since 1970. None when the table is full.
    pub fn add_user(&mut self, username: &str, first: &str, last: &str, now: i64) -> Option<UserIdentity> {
        let record = self.plant_user(username, first, last, now)?;
        Some(UserIdentity {
            id: self.row(record)?.id().into(),
            username: username.to_owned(),
            name: (first.to_owned(), last.to_owned()),
            bypass: false,
        })
    }

    /// The id of the user with this login name.
    pub(super) fn user_id(&self, username: &str) -> Option<Cell> {
        let place = self.schema.place("User")?;
        let name = self.schema.sobjects[place].field("Username")?;
        let mut rows = self.tables[place].rows();
        let row = rows.find(|row| {
            row.cells[name]
                .as_text()
                .is_some_and(|text| text.eq_ignore_ascii_case(username))
        })?;
        Some(row.cells[column::ID].clone())
    }

    /// Whether a row is a user who may not own anything any more.
    pub(super) fn is_inactive(&self, sobject: usize, row: &Row) -> bool {
        let object = &self.schema.sobjects[sobject];
        &*object.name == "User"
            && object
                .field("IsActive")
                .is_some_and(|field| row.cells[field] == Cell::Bool(false))
    }

    /// Sets `IsActive` of a user; `now` in seconds since 1970. No change event tells of it: users are not captured.
    pub fn set_user_active(&mut self, id: &str, active: bool, now: i64) {
        let Some(record) = self.locate(id) else { return };
        let Some(field) = self.schema.sobjects[record.sobject].field("IsActive") else {
            return;
        };
        let fields = self.schema.sobjects[record.sobject].fields.len();
        let Some(mut cells) = self.row(record).map(|row| row.cells.unpack(fields)) else {
            return;
        };
        cells[field] = Cell::Bool(active);
        for date in [column::MODIFIED_DATE, column::MODSTAMP] {
            cells[date] = Cell::Instant(now);
        }
        self.tables[record.sobject].put(record.slot, Some(Arc::new(Row::of(&cells))));
    }

    /// 18-character id of the profile of all users; there is no row of it.
    #[must_use]
    pub fn profile_id(&self) -> String {
        self.ids.id("00e", 0)
    }
}
