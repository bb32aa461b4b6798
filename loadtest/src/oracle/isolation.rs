//! C9: nothing of one tenant is ever written for another.

use super::Case;
use super::verdict::{Findings, Promise};
use crate::history::RecordHistory;
use crate::value::Mark;

pub(super) fn record(case: &Case<'_>, findings: &mut Findings) {
    let record = case.record;
    let events = record.steps.iter().filter_map(RecordHistory::heard);
    let commits = record.commits.iter().map(|commit| &commit.fields);
    let travelled = events.chain(commits).flatten().map(|(_, value)| value);
    let finals = record.product_row.iter().chain(&record.org_rows).flatten();
    let foreign = travelled
        .chain(finals)
        .filter_map(|value| Mark::find(value))
        .any(|mark| mark.tenant != case.tenant_index);
    if foreign {
        findings.at(Promise::C9, case, "", "a value of another tenant");
    }
}
