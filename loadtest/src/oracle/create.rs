//! C5: at most one record a key, and one key a Salesforce record, ever.

use std::collections::HashSet;

use super::Case;
use super::verdict::{Findings, Promise};
use crate::history::{CommitKind, Step, TenantHistory};

/// Rows that the engine made without a key, and Salesforce ids that were given to two keys.
pub(super) fn tenant(tenant: &TenantHistory, findings: &mut Findings) {
    let extra = tenant.unkeyed_rows.saturating_sub(tenant.unlinked);
    if extra > 0 {
        findings.duplicates += extra;
        findings.tenant(Promise::C5, extra, tenant, "rows without a key that no person made");
    }
    let shared = tenant
        .named_ids
        .values()
        .filter(|records| records.iter().collect::<HashSet<_>>().len() > 1);
    let shared = shared.count() as u64;
    if shared > 0 {
        findings.duplicates += shared;
        findings.tenant(
            Promise::C5,
            shared,
            tenant,
            "Salesforce ids that events named for more than one key",
        );
    }
}

/// Two live rows of one key, or more creates than the product asked for.
pub(super) fn record(case: &Case<'_>, findings: &mut Findings) {
    let record = case.record;
    for _ in record.org_rows.iter().skip(1) {
        findings.duplicates += 1;
        findings.at(Promise::C5, case, "", "two live rows with one key");
    }
    let asked = record
        .steps
        .iter()
        .filter(|step| matches!(step, Step::Create(_)))
        .count();
    let made = record
        .commits
        .iter()
        .filter(|commit| commit.engine && commit.kind == CommitKind::Create)
        .count();
    let deleted_by_people = record
        .commits
        .iter()
        .any(|commit| !commit.engine && commit.kind == CommitKind::Delete);
    if made > asked && !deleted_by_people {
        findings.duplicates += (made - asked) as u64;
        findings.at(Promise::C5, case, "", "made more often than the product made it");
    }
}
