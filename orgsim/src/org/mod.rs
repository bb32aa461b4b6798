//! One org: schema, rows and transactions. Pure and synchronous: no clock, no network, no lock of its own.

mod adopt;
mod bin;
mod cascade;
mod cell;
mod chunk;
mod coerce;
mod collection;
mod derive;
mod duplicate;
mod error;
mod held;
mod history;
mod id;
mod input;
mod instant;
mod key;
mod late;
mod merge;
mod organisation;
mod record_type;
mod render;
mod row;
mod rules;
mod seed;
mod snapshot;
mod table;
mod transaction;
mod user;
mod write;

pub use cell::Cell;
pub use chunk::{ChunkVerb, Written};
pub use collection::{Batch, BatchOutcome, MAX_CHUNKS, MAX_ROWS, RowOutcome};
pub use error::{Duplicates, RowError, code};
pub use history::Entry;
pub use id::{IdSpace, checksum, normalise};
pub use input::{Json, Member};
pub use instant::{format_date, format_instant, parse_date, parse_instant};
pub use merge::{Conversion, Converted};
pub use organisation::{Caller, Manner, Org, OrgIdentity, RecordRef, UserIdentity};
pub(crate) use render::{
    text_of, value_of, write_attributes, write_field, write_record, write_stored, write_string, write_value,
};
pub use row::{Cells, Row};
pub use seed::Stream;
pub use snapshot::{Restored, Snapshot, SnapshotProblem};
pub use table::Table;
pub use transaction::Transaction;
pub use write::Upserted;

#[cfg(test)]
mod tests;
