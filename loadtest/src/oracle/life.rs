//! C4: a deleted record is alive again only through an edit that had seen the delete.

use super::Case;
use super::verdict::{Findings, Promise};
use crate::history::{CommitKind, Step};

pub(super) fn record(case: &Case<'_>, findings: &mut Findings) {
    let record = case.record;
    let last_life = record
        .steps
        .iter()
        .rev()
        .find(|step| matches!(step, Step::Create(_) | Step::Delete | Step::Deleted));
    let alive_in_org = !record.org_rows.is_empty();
    match last_life {
        Some(Step::Delete) if alive_in_org => {
            findings.at(Promise::C4, case, "", "deleted by the product, alive in the org");
        }
        Some(Step::Deleted) if alive_in_org => {
            findings.at(
                Promise::C4,
                case,
                "",
                "the product was told of its deletion, alive in the org",
            );
        }
        Some(Step::Delete | Step::Deleted) if record.product_row.is_some() => {
            findings.at(Promise::C4, case, "", "deleted, alive in the product");
        }
        _ => {}
    }
    unseen_recreate(case, findings);
}

/// After a person's delete in the org, the engine made the row again although the product had not made it again.
fn unseen_recreate(case: &Case<'_>, findings: &mut Findings) {
    let record = case.record;
    let product_creates = record
        .steps
        .iter()
        .filter(|step| matches!(step, Step::Create(_)))
        .count();
    let engine_creates = record
        .commits
        .iter()
        .filter(|commit| commit.engine && commit.kind == CommitKind::Create);
    let deleted_by_people = record
        .commits
        .iter()
        .any(|commit| !commit.engine && commit.kind == CommitKind::Delete);
    if deleted_by_people && engine_creates.count() > product_creates {
        findings.at(
            Promise::C4,
            case,
            "",
            "made again in the org after a person had deleted it",
        );
    }
}
