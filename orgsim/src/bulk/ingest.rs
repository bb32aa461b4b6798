//! The work on an upload: batches of 10,000 rows, cut into chunks of 200, each one transaction [V:D-BULKING2, D-BULKLIM].

use std::sync::Arc;

use super::dialect::Dialect;
use super::header::{Column, columns};
use super::job::{Ingest, Operation, Outcome, RowDone};
use super::reader::{Line, Reader};
use super::values::members;
use crate::org::{Batch, ChunkVerb, Org, RowError};
use crate::schema::Schema;

/// Rows of one batch, which counts against the day.
pub(crate) const BATCH_ROWS: usize = 10_000;
/// Rows of one transaction.
pub(crate) const CHUNK_ROWS: usize = 200;
/// `errorMessage` of a job without rows; the words are Bulk API 1.0's [C].
pub(crate) const NOT_FOUND: &str = "InvalidBatch : Records not found";

/// An upload that can be worked on.
#[derive(Debug)]
pub(crate) struct Work {
    text: Arc<String>,
    dialect: Dialect,
    sobject: usize,
    verb: ChunkVerb,
    columns: Vec<Column>,
    at: usize,
}

impl Work {
    /// Reads the whole upload once: the platform too says what is wrong with a file before it writes a row of it
    /// [from memory].
    ///
    /// # Errors
    /// The `errorMessage` of the job.
    pub(crate) fn begin(ingest: &mut Ingest, dialect: Dialect, schema: &Schema) -> Result<Self, String> {
        let text = ingest.upload.clone().ok_or(NOT_FOUND)?;
        let (mut reader, mut line) = (Reader::new(&text, 0, dialect), Line::default());
        if !reader.read(&mut line).map_err(|f| f.message(dialect))? {
            return Err(NOT_FOUND.to_owned());
        }
        let names: Vec<_> = line.values(&text).collect();
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        let header = text.get(line.start..line.end).unwrap_or_default();
        let columns = columns(schema, ingest.sobject, ingest.operation, header, &names)?;
        let at = line.end;
        let mut rows = 0;
        while reader.read(&mut line).map_err(|f| f.message(dialect))? {
            rows += 1;
        }
        if rows == 0 {
            return Err(NOT_FOUND.to_owned());
        }
        ingest.next = Some(at);
        ingest.done.reserve_exact(rows);
        let verb = match ingest.operation {
            Operation::Insert => ChunkVerb::Insert,
            Operation::Update => ChunkVerb::Update,
            Operation::Upsert => ChunkVerb::Upsert(ingest.external.as_ref().map_or(0, |(place, _)| *place)),
            Operation::Delete => ChunkVerb::Delete,
            Operation::HardDelete => ChunkVerb::HardDelete,
        };
        Ok(Self {
            text,
            dialect,
            sobject: ingest.sobject,
            verb,
            columns,
            at,
        })
    }

    /// The next rows, `most` at most; none at the end.
    pub(crate) fn lines(&self, most: usize) -> Vec<Line> {
        let mut reader = Reader::new(&self.text, self.at, self.dialect);
        let mut lines = Vec::with_capacity(most);
        let mut line = Line::default();
        // The first pass read it all: there is no fault left.
        while lines.len() < most && reader.read(&mut line) == Ok(true) {
            lines.push(std::mem::take(&mut line));
        }
        lines
    }

    /// Writes rows that [`Self::lines`] gave, in one transaction, and records what became of them.
    pub(crate) fn write(&mut self, org: &mut Org, batch: Batch<'_>, lines: &[Line]) -> Vec<RowDone> {
        let schema = Arc::clone(&org.schema);
        let object = &schema.sobjects[self.sobject];
        let rows: Vec<_> = lines
            .iter()
            .map(|line| members(object, &self.columns, &self.text, line))
            .collect();
        let outcomes = org.write_chunk(batch, self.sobject, self.verb, &rows);
        if let Some(last) = lines.last() {
            self.at = last.end;
        }
        lines
            .iter()
            .zip(outcomes)
            .map(|(line, outcome)| RowDone {
                start: u32::try_from(line.start).unwrap_or(u32::MAX),
                outcome: match outcome {
                    Ok((slot, created)) => Outcome::Written(slot, created),
                    Err(error) => Outcome::Refused(told(&error).into()),
                },
            })
            .collect()
    }

    /// What counts of rows go under in the org's usage.
    #[must_use]
    pub(crate) fn counted_as(&self) -> &'static str {
        match self.verb {
            ChunkVerb::Insert => "create",
            ChunkVerb::Update => "update",
            ChunkVerb::Upsert(_) => "upsert",
            ChunkVerb::Delete | ChunkVerb::HardDelete => "delete",
        }
    }
}

impl Ingest {
    /// Records rows that were worked on.
    pub(crate) fn record(&mut self, rows: Vec<RowDone>, work: &Work) {
        self.refused += rows.iter().filter(|r| matches!(r.outcome, Outcome::Refused(_))).count();
        self.done.extend(rows);
        self.next = Some(work.at);
    }
}

/// `CODE:message:fields --` [V:JSF-B2TEST].
fn told(error: &RowError) -> String {
    let fields = error.fields.join(",");
    let blank = if fields.is_empty() { "" } else { " " };
    format!("{}:{}:{fields}{blank}--", error.code, error.message)
}
