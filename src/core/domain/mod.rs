//! The words of the field, as types: ids, time, streams, changes, records, mapping plans and events.

pub mod change;
pub mod event;
pub mod ids;
pub mod payload;
pub mod plan;
pub mod row;
pub mod salesforce_id;
pub mod stream;
pub mod time;
