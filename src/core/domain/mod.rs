//! The words of the field, as types: ids, time, streams, changes, records, mapping plans and events.

pub mod change;
pub mod change_parse;
pub mod digest;
pub mod event;
pub mod event_id;
pub mod fold_codec;
pub mod folded;
pub mod ids;
pub mod intent;
pub mod intent_codec;
mod pack;
pub mod payload;
pub mod plan;
pub mod row;
pub mod row_codec;
pub mod salesforce_id;
pub mod salesforce_value;
pub mod stream;
pub mod time;
pub mod value;
