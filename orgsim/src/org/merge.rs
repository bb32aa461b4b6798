//! Merging rows, and converting leads: what people do with rows that are the same.

use super::cell::Cell;
use super::error::{RowError, code};
use super::input::{Json, Member};
use super::organisation::RecordRef;
use super::transaction::Transaction;
use crate::commit::ChangeKind;
use crate::schema::column;

/// Most rows that one merge takes in [V: contract 7; SOAP merge takes two].
const MAX_LOSERS: usize = 2;
/// Objects whose rows can be merged [from memory].
const MERGEABLE: [&str; 4] = ["Account", "Contact", "Lead", "Case"];

/// What a converted lead becomes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Conversion<'a> {
    /// Account and contact that take the lead in; new ones without.
    pub account: Option<RecordRef>,
    /// See `account`.
    pub contact: Option<RecordRef>,
    /// Name of the new opportunity; none is made without.
    pub opportunity: Option<&'a str>,
    /// The lead's new status; `Closed - Converted` without.
    pub status: Option<&'a str>,
}

/// The rows that a lead has become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Converted {
    /// The account.
    pub account: RecordRef,
    /// The contact.
    pub contact: RecordRef,
    /// The opportunity, where one was made.
    pub opportunity: Option<RecordRef>,
}

fn failed(words: impl Into<String>) -> RowError {
    RowError::new("MERGE_FAILED", words)
}

impl Transaction<'_> {
    /// Makes one row of several: the losers go to the recycle bin and name the winner in `MasterRecordId`, their children
    /// become the winner's.
    ///
    /// # Errors
    /// `MERGE_FAILED` for rows that cannot be merged, `ENTITY_IS_DELETED`; the refusal of the winner's new values.
    pub fn merge(&mut self, winner: RecordRef, losers: &[RecordRef], members: &[Member<'_>]) -> Result<(), RowError> {
        let schema = std::sync::Arc::clone(&self.org.schema);
        let object = &schema.sobjects[winner.sobject];
        let master = object.fields.iter().position(|f| &*f.name == "MasterRecordId");
        if !MERGEABLE.contains(&&*object.name) {
            return Err(failed(format!("{} records cannot be merged", object.name)));
        }
        if losers.is_empty() || losers.len() > MAX_LOSERS {
            return Err(failed(format!(
                "a merge takes 1 to {MAX_LOSERS} records beside the master"
            )));
        }
        for (at, loser) in losers.iter().enumerate() {
            if loser.sobject != winner.sobject || *loser == winner || losers[..at].contains(loser) {
                return Err(failed("the records must be different ones of one object"));
            }
        }
        for record in losers.iter().chain([&winner]) {
            if self.row(*record).is_none_or(|row| row.is_deleted()) {
                return Err(RowError::deleted());
            }
        }
        self.update(winner, members)?;
        let Some(winner_id) = self.row(winner).map(|row| row.cells[column::ID].clone()) else {
            return Err(RowError::deleted());
        };
        for loser in losers {
            for (sobject, field, _) in schema.children(&object.name).collect::<Vec<_>>() {
                let id = self.row(*loser).map(|row| row.id().to_owned()).unwrap_or_default();
                let slots = self.org.tables[sobject].find(field, &id).unwrap_or_default().to_vec();
                for slot in slots {
                    self.overwrite(&schema, RecordRef { sobject, slot }, &[(field, winner_id.clone())]);
                }
            }
            let named = master.map(|field| (field, winner_id.clone()));
            self.mark_with(*loser, ChangeKind::Delete, true, named);
        }
        Ok(())
    }

    /// Makes account, contact and opportunity of a lead, which nobody may change afterwards.
    ///
    /// # Errors
    /// `CANNOT_UPDATE_CONVERTED_LEAD` for one that is converted; the refusals of the new rows.
    pub fn convert(&mut self, lead: RecordRef, conversion: Conversion<'_>) -> Result<Converted, RowError> {
        let schema = std::sync::Arc::clone(&self.org.schema);
        let object = &schema.sobjects[lead.sobject];
        let row = self.row(lead).cloned().ok_or_else(RowError::cross_reference)?;
        if &*object.name != "Lead" {
            return Err(RowError::new(code::INVALID_INPUT, "only leads can be converted"));
        }
        if row.is_deleted() {
            return Err(RowError::deleted());
        }
        let value = |name: &str| {
            object
                .field(name)
                .map(|field| row.cells[field].clone())
                .unwrap_or_default()
        };
        if value("IsConverted") == Cell::Bool(true) {
            return Err(converted());
        }
        let text = |name: &str| {
            value(name)
                .as_text()
                .map(|text| Json::Text(text.to_owned().into()))
                .unwrap_or(Json::Null)
        };
        let place = |name: &str| {
            let place = schema.place(name);
            place.ok_or_else(|| RowError::new(code::TYPE, format!("sObject type '{name}' is not supported.")))
        };
        let named = |fields: &[(&'static str, Json<'static>)]| -> Vec<Member<'static>> {
            fields
                .iter()
                .map(|(name, value)| ((*name).into(), value.clone()))
                .collect()
        };
        let id = |tx: &Self, record: RecordRef| {
            Json::Text(tx.row(record).map(|row| row.id().to_owned()).unwrap_or_default().into())
        };
        let account = match conversion.account {
            Some(account) => account,
            None => self.create(
                place("Account")?,
                &named(&[("Name", text("Company")), ("Phone", text("Phone"))]),
            )?,
        };
        let account_id = id(self, account);
        let contact = match conversion.contact {
            Some(contact) => contact,
            None => {
                let fields = [
                    ("FirstName", text("FirstName")),
                    ("LastName", text("LastName")),
                    ("Email", text("Email")),
                    ("Phone", text("Phone")),
                    ("Title", text("Title")),
                    ("AccountId", account_id.clone()),
                ];
                self.create(place("Contact")?, &named(&fields))?
            }
        };
        let opportunity = match conversion.opportunity {
            None => None,
            Some(name) => {
                let today = super::instant::format_instant(self.now)[..10].to_owned();
                let fields = [
                    ("Name", Json::Text(name.to_owned().into())),
                    ("AccountId", account_id),
                    // [from memory] the first stage, and a date that a person would choose.
                    ("StageName", Json::Text("Prospecting".into())),
                    ("CloseDate", Json::Text(today.into())),
                ];
                Some(self.create(place("Opportunity")?, &named(&fields))?)
            }
        };
        let status = conversion.status.unwrap_or("Closed - Converted");
        let cell = |tx: &Self, record: Option<RecordRef>| {
            record
                .and_then(|r| tx.row(r))
                .map_or(Cell::Null, |row| row.cells[column::ID].clone())
        };
        let values = [
            ("IsConverted", Cell::Bool(true)),
            (
                "ConvertedDate",
                super::instant::parse_date(&super::instant::format_instant(self.now)[..10])
                    .map_or(Cell::Null, Cell::Date),
            ),
            ("ConvertedAccountId", cell(self, Some(account))),
            ("ConvertedContactId", cell(self, Some(contact))),
            ("ConvertedOpportunityId", cell(self, opportunity)),
            ("Status", Cell::text(status)),
        ];
        let places: Vec<(usize, Cell)> = values
            .into_iter()
            .filter_map(|(name, value)| Some((object.field(name)?, value)))
            .collect();
        self.overwrite(&schema, lead, &places);
        Ok(Converted {
            account,
            contact,
            opportunity,
        })
    }
}

/// What a change of a converted lead meets [V:D-CODES for the code; the words from memory].
pub(super) fn converted() -> RowError {
    RowError::new("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
}
