//! The org itself: who is in it, its tables, and how to find a row.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use arcstr::ArcStr;

use super::cell::Cell;
use super::error::RowError;
use super::history::Entry;
use super::id::{IdSpace, normalise};
use super::row::Row;
use super::seed::Stream;
use super::table::Table;
use crate::commit::CommitSink;
use crate::schema::{Schema, column};

/// Kilobytes that the platform counts for a row.
const ROW_KB: u64 = 2;

/// Place of a row: object and slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordRef {
    /// Place of the object in the schema.
    pub sobject: usize,
    /// Slot in its table.
    pub slot: u32,
}

/// One user of an org.
#[derive(Debug, Clone)]
pub struct UserIdentity {
    /// 18-character id.
    pub id: Arc<str>,
    /// Login name.
    pub username: String,
    /// First and last name.
    pub name: (String, String),
    /// Whether the fence does not bind this user.
    pub bypass: bool,
}

/// Who an org is.
#[derive(Debug, Clone)]
pub struct OrgIdentity {
    /// Name on the simulator's command line.
    pub name: String,
    /// 18-character organisation id.
    pub org_id: String,
    /// The user whose token an integration uses.
    pub integration: UserIdentity,
    /// A person who works in the UI.
    pub human: UserIdentity,
}

/// On whose behalf a transaction runs.
#[derive(Debug, Clone)]
pub struct Caller {
    /// 18-character id of the user.
    pub user: ArcStr,
    /// Whether the fence does not bind this caller.
    pub bypass: bool,
    /// Change origin: `com/salesforce/api/rest/67.0;client=x`, or empty for changes that no API call made.
    pub origin: Arc<str>,
    /// What the call's headers ask for.
    pub manner: Manner,
}

/// What a call may ask for besides its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Manner {
    /// Saves duplicates that a rule only warns of.
    pub allow_save: bool,
    /// Lets assignment rules say who owns the rows.
    pub auto_assign: bool,
    /// The request's number where its rows stay locked until it ends; 0 where they do not.
    pub request: u64,
}

/// One org: schema, rows and what was committed.
pub struct Org {
    /// Who it is.
    pub identity: OrgIdentity,
    /// Its objects, as whoever has the org sees them.
    pub schema: Arc<Schema>,
    /// What was added to them while it lived: schema files as JSON.
    pub(crate) added: Vec<serde_json::Value>,
    /// How often they changed, and when last, seconds since 1970.
    pub(crate) schema_version: u32,
    pub(crate) schema_changed: i64,
    pub(super) tables: Vec<Table>,
    pub(super) ids: IdSpace,
    pub(super) last_commit: i64,
    pub(super) uuids: Stream,
    pub(super) sink: Arc<dyn CommitSink>,
    /// Rows that went to the recycle bin with a parent: they come back with it.
    pub(super) went_with: HashMap<RecordRef, Vec<RecordRef>>,
    pub(super) fence: bool,
    /// Milliseconds for which a request's rows stay locked after it wrote them: how long its triggers would take.
    pub(crate) write_ms: u64,
    /// Room for rows in megabytes; None is no limit.
    pub(crate) storage_mb: Option<u64>,
    /// What `TODAY()` and `NOW()` of formula fields are made of, seconds since 1970.
    pub(crate) read_at: i64,
    /// Rows that the fence refused so far.
    pub(super) fence_refusals: u64,
    /// Rows in the recycle bin, with the time of their deletion, oldest first; some have come back.
    pub(super) bin: VecDeque<(i64, RecordRef)>,
    /// Rows that somebody has for himself.
    pub(super) locks: super::late::Locks,
    /// Changes of a call that is all or nothing.
    pub(super) held: Option<super::held::Held>,
}

impl Org {
    /// A new org with its two users and its Organization row; `now` in seconds since 1970, everything else from the seed.
    #[must_use]
    pub fn new(name: &str, schema: Arc<Schema>, sink: Arc<dyn CommitSink>, seed: u64, fence: bool, now: i64) -> Self {
        let mut stream = Stream::new(seed, &format!("org {name}"));
        let ids = IdSpace::new(stream.number());
        let tables = schema.sobjects.iter().map(Table::new).collect();
        let user = |slot: u32, login: &str, first: &str, last: &str| UserIdentity {
            id: ids.id("005", slot).into(),
            username: format!("{login}@{name}.example"),
            name: (first.to_owned(), last.to_owned()),
            bypass: false,
        };
        let identity = OrgIdentity {
            name: name.to_owned(),
            org_id: ids.id("00D", 0),
            integration: user(0, "integration", "Integration", "User"),
            human: user(1, "human", "Hana", "Human"),
        };
        let last_commit = 1_100_000_000_000 + i64::try_from(stream.number() % 1_000_000_000).unwrap_or(0);
        let mut org = Self {
            identity,
            schema,
            added: Vec::new(),
            schema_version: 0,
            schema_changed: 0,
            tables,
            ids,
            last_commit,
            uuids: Stream::new(seed, &format!("transactions {name}")),
            sink,
            went_with: HashMap::new(),
            fence,
            read_at: now,
            write_ms: 0,
            storage_mb: None,
            fence_refusals: 0,
            bin: VecDeque::new(),
            locks: Default::default(),
            held: None,
        };
        org.furnish(now);
        let mut schema = Schema::clone(&org.schema);
        if schema.sobjects.iter().any(|s| !s.record_types.is_empty()) {
            org.name_record_types(&mut schema, now);
            org.schema = Arc::new(schema);
        }
        org
    }

    /// Writes the rows that every org has.
    fn furnish(&mut self, now: i64) {
        let identity = self.identity.clone();
        for user in [&identity.integration, &identity.human] {
            self.plant_user(&user.username, &user.name.0, &user.name.1, now);
        }
        self.plant(
            "Organization",
            now,
            &[
                ("Name", Cell::text(&identity.name)),
                ("InstanceName", Cell::text("SIM1")),
                ("OrganizationType", Cell::text("Developer Edition")),
                ("TimeZoneSidKey", Cell::text("GMT")),
            ],
        );
    }

    pub(super) fn plant_user(&mut self, username: &str, first: &str, last: &str, now: i64) -> Option<RecordRef> {
        self.plant(
            "User",
            now,
            &[
                ("Username", Cell::text(username)),
                ("FirstName", Cell::text(first)),
                ("LastName", Cell::text(last)),
                ("Name", Cell::Text(format!("{first} {last}").into())),
                ("Email", Cell::text(username)),
                ("Alias", Cell::text(&last.to_lowercase())),
                ("IsActive", Cell::Bool(true)),
                ("TimeZoneSidKey", Cell::text("GMT")),
            ],
        )
    }

    pub(super) fn plant(&mut self, sobject: &str, now: i64, values: &[(&str, Cell)]) -> Option<RecordRef> {
        let place = self.schema.place(sobject)?;
        let slot = self.tables[place].reserve()?;
        let record = RecordRef { sobject: place, slot };
        let mut cells = self.blank(record, now, &ArcStr::from(&*self.identity.integration.id));
        for (name, value) in values {
            if let Some(field) = self.schema.sobjects[place].field(name) {
                cells[field] = value.clone();
            }
        }
        self.tables[place].put(slot, Some(Arc::new(Row::of(&cells))));
        Some(record)
    }

    /// The cells of a new row: id, audit fields and false checkboxes.
    pub(super) fn blank(&self, record: RecordRef, now: i64, user: &ArcStr) -> Box<[Cell]> {
        let sobject = &self.schema.sobjects[record.sobject];
        let mut cells: Box<[Cell]> = sobject
            .fields
            .iter()
            .map(|f| {
                if f.kind == crate::schema::FieldType::Boolean {
                    Cell::Bool(false)
                } else {
                    Cell::Null
                }
            })
            .collect();
        cells[column::ID] = Cell::Text(self.ids.id(&sobject.prefix, record.slot).into());
        for by in [column::OWNER, column::CREATED_BY, column::MODIFIED_BY] {
            cells[by] = Cell::Text(user.clone());
        }
        for date in [column::CREATED_DATE, column::MODIFIED_DATE, column::MODSTAMP] {
            cells[date] = Cell::Instant(now);
        }
        cells
    }

    /// The table of an object.
    #[must_use]
    pub fn table(&self, sobject: usize) -> &Table {
        &self.tables[sobject]
    }

    /// The row at a place, deleted or not.
    #[must_use]
    pub fn row(&self, record: RecordRef) -> Option<&Arc<Row>> {
        self.tables.get(record.sobject)?.get(record.slot)
    }

    /// Where a 15- or 18-character id points, whether or not it is deleted. None when no row ever had it, or
    /// the row was purged.
    #[must_use]
    pub fn locate(&self, id: &str) -> Option<RecordRef> {
        let full;
        let id = if id.len() == 15 {
            id
        } else {
            full = normalise(id)?;
            full.as_str()
        };
        let (prefix, slot) = self.ids.parse(id)?;
        let record = RecordRef {
            sobject: self.schema.by_prefix(prefix)?,
            slot,
        };
        self.row(record).is_some().then_some(record)
    }

    /// Where the id of a row of this object points.
    ///
    /// # Errors
    /// `MALFORMED_ID` when it is no id of the object [V:D-ERR], `INVALID_CROSS_REFERENCE_KEY` when no row ever had it [R nango].
    pub fn record(&self, sobject: usize, id: &str) -> Result<RecordRef, RowError> {
        let object = &self.schema.sobjects[sobject];
        let id_field = &object.fields[column::ID];
        let malformed = || {
            RowError::new(
                super::code::MALFORMED_ID,
                format!("{}: id value of incorrect type: {id}", id_field.label),
            )
            .at(&id_field.name)
        };
        let full = normalise(id).ok_or_else(malformed)?;
        if !full.starts_with(&*object.prefix) {
            return Err(malformed());
        }
        self.locate(&full).ok_or_else(RowError::cross_reference)
    }

    /// Megabytes that the rows take: 2 kB each, whatever they hold [from memory].
    #[must_use]
    pub fn stored_mb(&self) -> u64 {
        let rows: u64 = self.tables.iter().map(Table::filled_slots).sum();
        (rows * ROW_KB).div_ceil(1_024)
    }

    /// Rows that the fence refused so far.
    #[must_use]
    pub fn fence_refusals(&self) -> u64 {
        self.fence_refusals
    }

    /// Every committed change of the rows that ever had this key, and of `also`, in commit order, as far as kept.
    #[must_use]
    pub fn history(&self, sobject: usize, key: &str, also: &[RecordRef]) -> Vec<&Entry> {
        let table = &self.tables[sobject];
        let slots = table.ever(key);
        let also = also.iter().filter(|r| r.sobject == sobject).map(|r| r.slot);
        let all: std::collections::BTreeSet<u32> = slots.iter().copied().chain(also).collect();
        let mut entries: Vec<&Entry> = all.iter().flat_map(|slot| table.history(*slot)).collect();
        entries.sort_by_key(|e| e.stamp.commit_number);
        entries
    }
}
