//! q
use super::data::Session;
use super::reply::{self, Reply};
pub(super) fn handle(_s: &Session<'_>, _rest: &[&str], _all: bool) -> Result<Reply, Reply> {
    Err(reply::error(400, "MALFORMED_QUERY", "not yet"))
}
