//! C10: what was added to the log is settled, dropped with a reason, or still there.

use super::verdict::{Findings, Promise};
use crate::history::TenantHistory;

/// The counters that say where an entry went. `compacted` is a gauge of what is folded away but not yet sent.
pub(super) const FATES: [&str; 7] = [
    "settled",
    "duplicate",
    "stale",
    "refused",
    "dead",
    "compacted",
    "trimmed",
];

pub(super) fn tenant(tenant: &TenantHistory, findings: &mut Findings) {
    let log = &tenant.log;
    let fates: u64 = FATES.iter().filter_map(|fate| tenant.counters.get(*fate)).sum();
    if log.added != fates + log.length {
        let what = format!(
            "{} entries added, {fates} accounted for, {} in the log",
            log.added, log.length
        );
        findings.tenant(Promise::C10, 1, tenant, what);
    }
    if log.added < tenant.acknowledged || log.last_id < tenant.last_acknowledged {
        let what = format!(
            "{} appends were acknowledged, the log counts {}",
            tenant.acknowledged, log.added
        );
        findings.tenant(Promise::C10, 1, tenant, what);
    }
    if tenant.counters.get("trimmed").is_some_and(|&trimmed| trimmed > 0) {
        findings.tenant(
            Promise::C10,
            1,
            tenant,
            "entries were trimmed away, and this product never trims",
        );
    }
}
