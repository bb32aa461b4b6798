//! One job and how it is shown (contract 4.1, 4.4).

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::dialect::Dialect;
use super::sheet::Sheet;
use crate::org::{Caller, format_instant};

/// Where a job is. An ingest job begins as Open, a query as UploadComplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Waits for its data.
    Open,
    /// Waits for its turn.
    UploadComplete,
    /// Is worked on.
    InProgress,
    /// All rows were worked on, which does not say that any was accepted.
    JobComplete,
    /// Given up; some rows may have been worked on.
    Failed,
    /// Ended by a user.
    Aborted,
}

impl State {
    /// As jobs show it.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::UploadComplete => "UploadComplete",
            Self::InProgress => "InProgress",
            Self::JobComplete => "JobComplete",
            Self::Failed => "Failed",
            Self::Aborted => "Aborted",
        }
    }

    /// Whether nothing happens to the job any more.
    #[must_use]
    pub(crate) fn is_terminal(self) -> bool {
        matches!(self, Self::JobComplete | Self::Failed | Self::Aborted)
    }
}

/// What an ingest job does with its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// New rows.
    Insert,
    /// Rows named by id.
    Update,
    /// Rows named by an external id.
    Upsert,
    /// To the recycle bin.
    Delete,
    /// Past the recycle bin.
    HardDelete,
}

impl Operation {
    /// As jobs name it.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Upsert => "upsert",
            Self::Delete => "delete",
            Self::HardDelete => "hardDelete",
        }
    }

    /// The one with this name.
    #[must_use]
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Insert, Self::Update, Self::Upsert, Self::Delete, Self::HardDelete]
            .into_iter()
            .find(|o| o.name() == name)
    }

    /// Whether rows go away.
    #[must_use]
    pub(crate) fn deletes(self) -> bool {
        matches!(self, Self::Delete | Self::HardDelete)
    }
}

/// What became of one row of an upload.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// It was written to this slot; whether it is new.
    Written(u32, bool),
    /// It was refused: `CODE:message:fields --`.
    Refused(Box<str>),
}

/// One row that was worked on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RowDone {
    /// Byte of the upload where it starts.
    pub(crate) start: u32,
    /// What became of it.
    pub(crate) outcome: Outcome,
}

/// What only ingest jobs have.
#[derive(Debug, Clone)]
pub(crate) struct Ingest {
    /// What is done.
    pub(crate) operation: Operation,
    /// Place of the object.
    pub(crate) sobject: usize,
    /// Place and name of the external-id field of an upsert.
    pub(crate) external: Option<(usize, Arc<str>)>,
    /// Assignment rule, kept and shown only.
    pub(crate) assignment_rule: Option<String>,
    /// On whose behalf rows are written.
    pub(crate) caller: Caller,
    /// What was uploaded.
    pub(crate) upload: Option<Arc<String>>,
    /// Rows that were worked on, in the order of the upload.
    pub(crate) done: Vec<RowDone>,
    /// How many of these were refused.
    pub(crate) refused: usize,
    /// Byte of the upload after the last row that was worked on; None before the header was read.
    pub(crate) next: Option<usize>,
}

/// What only query jobs have.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    /// Whether deleted rows are asked for too.
    pub(crate) all: bool,
    /// The SOQL.
    pub(crate) text: String,
    /// The rows, when they are there.
    pub(crate) sheet: Option<Arc<Sheet>>,
}

/// The two kinds of job.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Rows come in.
    Ingest(Ingest),
    /// Rows go out.
    Query(Query),
}

/// What a new job is made of.
#[derive(Debug, Clone)]
pub(crate) struct NewJob {
    /// API name of the object.
    pub(crate) object: Arc<str>,
    /// How its CSV is written.
    pub(crate) dialect: Dialect,
    /// What it does.
    pub(crate) kind: Kind,
}

/// One job.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// 18-character id, `750…`.
    pub(crate) id: String,
    /// 18-character id of the user who made it.
    pub(crate) created_by: Arc<str>,
    /// When it was made and last changed its state, milliseconds since 1970.
    pub(crate) created_ms: i64,
    pub(crate) changed_ms: i64,
    /// Whole API version of the call that made it.
    pub(crate) version: u32,
    /// Where it is.
    pub(crate) state: State,
    /// How often it was tried again.
    pub(crate) retries: u32,
    /// Time since it was given to work, and of the work itself, in milliseconds.
    pub(crate) total_ms: i64,
    pub(crate) active_ms: i64,
    /// Why it failed; queries have none to show [V:JSF-BULK2].
    pub(crate) error: Option<String>,
    /// Object, CSV and kind.
    pub(crate) made: NewJob,
}

impl Job {
    /// What it has of an ingest job.
    pub(crate) fn ingest(&mut self) -> Option<&mut Ingest> {
        match &mut self.made.kind {
            Kind::Ingest(ingest) => Some(ingest),
            Kind::Query(_) => None,
        }
    }

    /// What it has of a query.
    pub(crate) fn query(&mut self) -> Option<&mut Query> {
        match &mut self.made.kind {
            Kind::Query(query) => Some(query),
            Kind::Ingest(_) => None,
        }
    }

    /// Whether it is a query.
    #[must_use]
    pub(crate) fn is_query(&self) -> bool {
        matches!(self.made.kind, Kind::Query(_))
    }

    /// Moves it to another state; `now_ms` since 1970.
    pub(crate) fn go(&mut self, state: State, now_ms: i64) {
        self.state = state;
        self.changed_ms = now_ms;
    }

    /// Gives it up.
    pub(crate) fn fail(&mut self, error: impl Into<String>, now_ms: i64) {
        self.error = Some(error.into());
        self.go(State::Failed, now_ms);
    }

    /// Bytes of data that it keeps.
    #[must_use]
    pub(crate) fn kept_bytes(&self) -> usize {
        match &self.made.kind {
            Kind::Ingest(i) => i.upload.as_ref().map_or(0, |u| u.len()) + i.done.len() * size_of::<RowDone>(),
            Kind::Query(q) => q.sheet.as_ref().map_or(0, |s| s.bytes()),
        }
    }

    /// The job as JSON [V:JSF-BULK2; the form of the dates from memory].
    #[must_use]
    pub(crate) fn show(&self) -> Value {
        let mut shown = Map::new();
        let mut put = |name: &str, value: Value| {
            shown.insert(name.to_owned(), value);
        };
        let date = |ms: i64| json!(format_instant(ms.div_euclid(1_000)));
        put("id", json!(self.id));
        put("object", json!(*self.made.object));
        put("createdById", json!(*self.created_by));
        put("createdDate", date(self.created_ms));
        put("systemModstamp", date(self.changed_ms));
        put("state", json!(self.state.name()));
        put("apiVersion", json!(f64::from(self.version)));
        put("concurrencyMode", json!("Parallel"));
        put("contentType", json!("CSV"));
        put("lineEnding", json!(self.made.dialect.ending.name()));
        put("columnDelimiter", json!(self.made.dialect.delimiter.name()));
        put("retries", json!(self.retries));
        put("totalProcessingTime", json!(self.total_ms));
        match &self.made.kind {
            Kind::Ingest(ingest) => {
                put("operation", json!(ingest.operation.name()));
                put("jobType", json!("V2Ingest"));
                let url = format!("services/data/v{}.0/jobs/ingest/{}/batches", self.version, self.id);
                put("contentUrl", json!(url));
                if let Some((_, name)) = &ingest.external {
                    put("externalIdFieldName", json!(**name));
                }
                if let Some(rule) = &ingest.assignment_rule {
                    put("assignmentRuleId", json!(rule));
                }
                put("numberRecordsProcessed", json!(ingest.done.len()));
                put("numberRecordsFailed", json!(ingest.refused));
                put("apiActiveProcessingTime", json!(self.active_ms));
                put("apexProcessingTime", json!(0));
                put("isPkChunkingSupported", json!(false));
                if let Some(error) = &self.error {
                    put("errorMessage", json!(error));
                }
            }
            Kind::Query(query) => {
                put("operation", json!(if query.all { "queryAll" } else { "query" }));
                put("jobType", json!("V2Query"));
                put(
                    "numberRecordsProcessed",
                    json!(query.sheet.as_ref().map_or(0, |s| s.rows())),
                );
                put("isPkChunkingSupported", json!(true));
            }
        }
        Value::Object(shown)
    }
}
