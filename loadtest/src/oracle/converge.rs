//! C1: both sides are equal in normal form, and then nothing more is written.

use super::Case;
use super::verdict::{Findings, Promise};
use crate::history::TenantHistory;

/// The tenant as a whole came to rest and stayed there.
pub(super) fn rest(tenant: &TenantHistory, findings: &mut Findings) {
    if !tenant.rested {
        findings.tenant(
            Promise::C1,
            1,
            tenant,
            "not at rest within the bound after edits and faults stopped",
        );
    }
    if tenant.written_at_rest > 0 {
        let what = format!(
            "{} rows written after the tenant had come to rest",
            tenant.written_at_rest
        );
        findings.tenant(Promise::C1, 1, tenant, what);
    }
}

/// Whoever people made in the org is in the product too, where the product is asked.
pub(super) fn strangers(tenant: &TenantHistory, findings: &mut Findings) {
    if tenant.unasked_rows > 0 {
        findings.divergences += tenant.unasked_rows;
        let what = "rows that people made in the org, without a key and so not in the product";
        findings.tenant(Promise::C1, tenant.unasked_rows, tenant, what);
    }
}

/// One record is there on both sides or on neither, with equal fields.
pub(super) fn record(case: &Case<'_>, findings: &mut Findings) {
    let differ = |findings: &mut Findings, field: &str, what: &str| {
        findings.divergences += 1;
        findings.at(Promise::C1, case, field, what);
    };
    match (&case.record.product_row, case.record.org_rows.as_slice()) {
        (None, []) => {}
        (Some(_), []) => differ(findings, "", "in the product, not in the org"),
        (None, [_, ..]) => differ(findings, "", "in the org, not in the product"),
        (Some(product), rows) => {
            for row in rows {
                for (at, field) in case.fields() {
                    let at = usize::from(at);
                    if product.get(at) != row.get(at) {
                        differ(findings, &field.name, "the sides differ");
                    }
                }
            }
        }
    }
}
