//! An org as a file: its rows, its recycle bin, and how far its numbers have run. Gzip over lines of JSON: a head that names
//! the objects and their fields, then one line a row.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cell::Cell;
use super::instant::{format_date, parse_date};
use super::organisation::{Org, RecordRef};
use super::row::Row;
use super::table::Table;
use crate::schema::{FieldType, Schema, SchemaFile};

/// What a snapshot's head says it is.
const FORMAT: u32 = 1;
/// Longest line in bytes: a row of 400,000 characters, escaped, fits well.
const MAX_LINE: u64 = 16 * 1024 * 1024;

/// Most ids of one object: what a wrong head may make an org reserve room for.
const MAX_SLOTS: usize = 100_000_000;

/// Why a snapshot was not taken in. The org is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotProblem {
    /// It is not what [`Org::snapshot`] makes, or is cut short.
    #[error("line {0} is not a snapshot's: {1}")]
    Line(u64, String),
    /// No org has the name.
    #[error("the snapshot is of an org named {0}, which there is not: start with --org {0}")]
    NoOrg(String),
    /// Its ids are those of another org.
    #[error(
        "the snapshot is of org {theirs}, this is {ours}: start with the same --seed and --org as it was made with"
    )]
    OtherOrg {
        /// The id in the snapshot.
        theirs: String,
        /// This org's id.
        ours: String,
    },
    /// The schema lacks something.
    #[error("the snapshot has {0}, which this org lacks: start with the same --schema files as it was made with")]
    Unknown(String),
    /// The schema changed while the snapshot was read.
    #[error("the org's schema was changed meanwhile: send the snapshot again")]
    SchemaChanged,
    /// Reading ended.
    #[error("reading the snapshot: {0}")]
    Read(#[from] io::Error),
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    orgsim: u32,
    name: String,
    org_id: String,
    last_commit: i64,
    /// Transaction keys given out.
    transactions: u64,
    /// What was added to the schema while the org lived.
    #[serde(default)]
    added: Vec<Value>,
    objects: Vec<Object>,
    /// Rows that went to the recycle bin with a parent: object and slot, first the parent's.
    went_with: Vec<Vec<(usize, u32)>>,
}

/// Of one object: the order of its rows' values, and how many lines are its.
#[derive(Serialize, Deserialize)]
struct Object {
    name: String,
    fields: Vec<String>,
    /// Ids given out, those of rows that are gone too.
    slots: usize,
    rows: usize,
    /// Id and time of rows that were purged, in seconds since 1970.
    purged: Vec<(String, i64)>,
}

/// A copy of an org's rows at one moment; rows are shared with the org, not copied.
pub struct Snapshot {
    head: Head,
    rows: Vec<Vec<(u32, Arc<Row>)>>,
}

/// Rows that wait to be taken in.
pub struct Restored {
    head: Head,
    tables: Vec<Table>,
    /// The schema that it was read for, and the one that it has.
    read_for: Arc<Schema>,
    schema: Schema,
    /// For each object of the head its place in the schema.
    places: Vec<usize>,
}

impl Org {
    /// The org as it is now, to be written when nobody waits.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let sobjects = self.schema.sobjects.iter().zip(&self.tables);
        let rows: Vec<Vec<_>> = sobjects.clone().map(|(_, table)| table.filled().collect()).collect();
        let objects = sobjects.zip(&rows).map(|((sobject, table), rows)| Object {
            name: sobject.name.to_string(),
            fields: sobject.fields.iter().map(|f| f.name.to_string()).collect(),
            slots: table.slots(),
            rows: rows.len(),
            purged: table.purged().map(|(id, at)| (id.to_owned(), at)).collect(),
        });
        let place = |record: &RecordRef| (record.sobject, record.slot);
        let mut went_with: Vec<Vec<_>> = self
            .went_with
            .iter()
            .map(|(parent, children)| std::iter::once(parent).chain(children).map(place).collect())
            .collect();
        went_with.sort_unstable();
        let head = Head {
            orgsim: FORMAT,
            name: self.identity.name.clone(),
            org_id: self.identity.org_id.clone(),
            last_commit: self.last_commit,
            transactions: self.uuids.count(),
            added: self.added.clone(),
            objects: objects.collect(),
            went_with,
        };
        Snapshot { head, rows }
    }

    /// Takes the place of all rows. No change event tells of it; histories begin anew.
    ///
    /// # Errors
    /// [`SnapshotProblem::OtherOrg`] when its ids are another org's, [`SnapshotProblem::SchemaChanged`].
    pub fn restore(&mut self, restored: Restored) -> Result<(), SnapshotProblem> {
        let Restored {
            head,
            tables,
            read_for,
            mut schema,
            places,
        } = restored;
        if head.org_id != self.identity.org_id {
            return Err(SnapshotProblem::OtherOrg {
                theirs: head.org_id,
                ours: self.identity.org_id.clone(),
            });
        }
        if !Arc::ptr_eq(&read_for, &self.schema) {
            return Err(SnapshotProblem::SchemaChanged);
        }
        self.tables = tables;
        if head.added != self.added {
            self.added = head.added;
            self.schema_version += 1;
        }
        self.name_record_types(&mut schema, self.read_at);
        self.schema = Arc::new(schema);
        self.refill_bin();
        // Numbers never run backwards: ids of commits are given out once.
        self.last_commit = self.last_commit.max(head.last_commit);
        self.uuids.skip_to(head.transactions);
        let record = |&(object, slot): &(usize, u32)| {
            Some(RecordRef {
                sobject: *places.get(object)?,
                slot,
            })
        };
        self.went_with = head
            .went_with
            .iter()
            .filter_map(|group| {
                let (parent, children) = group.split_first()?;
                Some((record(parent)?, children.iter().filter_map(record).collect()))
            })
            .collect();
        Ok(())
    }
}

impl Snapshot {
    /// Writes it, packed.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: impl Write) -> io::Result<()> {
        let mut out = GzEncoder::new(out, Compression::fast());
        serde_json::to_writer(&mut out, &self.head)?;
        out.write_all(b"\n")?;
        let mut line = Vec::new();
        for (object, rows) in self.head.objects.iter().zip(&self.rows) {
            for (slot, row) in rows {
                line.clear();
                write!(line, "[{slot}")?;
                for field in 0..object.fields.len() {
                    line.push(b',');
                    write_cell(&mut line, &row.cells[field])?;
                }
                line.extend_from_slice(b"]\n");
                out.write_all(&line)?;
            }
        }
        out.finish()?;
        Ok(())
    }
}

fn write_cell(line: &mut Vec<u8>, cell: &Cell) -> io::Result<()> {
    match cell {
        Cell::Null => line.extend_from_slice(b"null"),
        Cell::Bool(b) => line.extend_from_slice(if *b { b"true" } else { b"false" }),
        Cell::Number(n) => serde_json::to_writer(line, n)?,
        Cell::Text(text) => serde_json::to_writer(line, &**text)?,
        Cell::Date(date) => write!(line, "{{\"d\":\"{}\"}}", format_date(*date))?,
        Cell::Instant(at) => write!(line, "{{\"t\":{at}}}")?,
    }
    Ok(())
}

fn read_cell(value: Value) -> Option<Cell> {
    Some(match value {
        Value::Null => Cell::Null,
        Value::Bool(b) => Cell::Bool(b),
        Value::Number(n) => Cell::Number(n.as_f64()?),
        Value::String(text) => Cell::Text(text.into()),
        Value::Object(members) => match (members.get("d"), members.get("t")) {
            (Some(date), None) => Cell::Date(parse_date(date.as_str()?)?),
            (None, Some(at)) => Cell::Instant(at.as_i64()?),
            _ => return None,
        },
        Value::Array(_) => return None,
    })
}

impl Restored {
    /// Name of the org that it was made of.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.head.name
    }

    /// Reads what [`Snapshot::write`] wrote, for an org of this schema, to which `known` was added while it lived.
    ///
    /// # Errors
    /// The first line that is wrong, or what the schema lacks.
    pub fn read(packed: impl Read, schema: &Arc<Schema>, known: &[Value]) -> Result<Self, SnapshotProblem> {
        let mut lines = Lines {
            input: BufReader::new(GzDecoder::new(packed)),
            number: 0,
            line: Vec::new(),
        };
        let head: Head = lines.next()?;
        if head.orgsim != FORMAT {
            return Err(lines.wrong(&format!("format {} instead of {FORMAT}", head.orgsim)));
        }
        let read_for = Arc::clone(schema);
        let schema = grown(schema, known, &head.added)?;
        let mut tables: Vec<Table> = schema.sobjects.iter().map(Table::new).collect();
        let mut places = Vec::new();
        for object in &head.objects {
            let unknown = |what: String| SnapshotProblem::Unknown(what);
            let place = schema
                .place(&object.name)
                .ok_or_else(|| unknown(format!("the object {}", object.name)))?;
            places.push(place);
            if object.slots > MAX_SLOTS {
                return Err(lines.wrong(&format!("{} has more than {MAX_SLOTS} rows", object.name)));
            }
            let sobject = &schema.sobjects[place];
            // By the whole list: an owner that is hidden has a place, too.
            let field = |name: &String| {
                let found = sobject.fields.iter().position(|f| *f.name == **name);
                found.ok_or_else(|| unknown(format!("the field {}.{name}", object.name)))
            };
            let fields: Vec<usize> = object.fields.iter().map(field).collect::<Result<_, _>>()?;
            let table = &mut tables[place];
            for _ in 0..object.rows {
                let values: Vec<Value> = lines.next()?;
                let mut values = values.into_iter();
                let slot = values.next().and_then(|slot| u32::try_from(slot.as_u64()?).ok());
                let slot = slot.filter(|slot| usize::try_from(*slot).is_ok_and(|slot| slot < object.slots));
                let slot = slot.ok_or_else(|| lines.wrong("a row begins with its number"))?;
                let mut cells: Box<[Cell]> = sobject.fields.iter().map(|f| empty(f.kind)).collect();
                for (value, field) in values.by_ref().zip(&fields) {
                    cells[*field] = read_cell(value).ok_or_else(|| lines.wrong("no value of a field"))?;
                }
                table.restore(slot, sobject.fence.map(|(key, _)| key), Row::of(&cells));
            }
            table
                .settle(object.slots, &object.purged)
                .ok_or_else(|| lines.wrong(&format!("{} rows of {}", object.slots, object.name)))?;
        }
        Ok(Self {
            head,
            tables,
            read_for,
            schema,
            places,
        })
    }
}

/// The schema with what was added to it, as far as it lacks that.
fn grown(schema: &Schema, known: &[Value], added: &[Value]) -> Result<Schema, SnapshotProblem> {
    let mut grown = schema.clone();
    for source in added.iter().filter(|source| !known.contains(source)) {
        let file = SchemaFile::deserialize(source);
        let file =
            file.map_err(|e| SnapshotProblem::Unknown(format!("an addition to the schema that is none ({e})")))?;
        if file.only_rules() || !file.is_in(&grown) {
            let extended = file.extend(grown);
            grown = extended.map_err(|e| SnapshotProblem::Unknown(format!("an addition to the schema ({e})")))?;
        }
    }
    Ok(grown)
}

fn empty(kind: FieldType) -> Cell {
    match kind {
        FieldType::Boolean => Cell::Bool(false),
        _ => Cell::Null,
    }
}

struct Lines<R> {
    input: R,
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    fn next<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, SnapshotProblem> {
        self.number += 1;
        self.line.clear();
        (&mut self.input).take(MAX_LINE).read_until(b'\n', &mut self.line)?;
        if self.line.pop() != Some(b'\n') {
            return Err(self.wrong("it ends in the middle"));
        }
        serde_json::from_slice(&self.line).map_err(|error| self.wrong(&error.to_string()))
    }

    fn wrong(&self, why: &str) -> SnapshotProblem {
        SnapshotProblem::Line(self.number, why.to_owned())
    }
}
