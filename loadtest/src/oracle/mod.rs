//! The oracle: judges a recorded [`History`] by the promises C1–C7, C9 and C10.
//!
//! It is pure code, one file a promise, and shares nothing with the engine. Where the order of two edits cannot be
//! known from the two logs it says nothing; what it reports, it is sure of.

mod conserve;
mod converge;
mod create;
mod echo;
mod evidence;
mod invention;
mod isolation;
mod life;
mod loss;
mod order;
#[cfg(test)]
mod tests;
mod verdict;

pub use evidence::evidence;
pub use verdict::{Finding, Promise, Verdict};

use crate::history::{History, RecordHistory, TenantHistory};
use crate::shape::{Object, Shapes};
use verdict::Findings;

/// One record with what is needed to judge it.
struct Case<'a> {
    shapes: &'a Shapes,
    object: &'a Object,
    tenant: &'a TenantHistory,
    tenant_index: usize,
    record: &'a RecordHistory,
}

impl Case<'_> {
    /// Field indexes as the history counts them.
    fn fields(&self) -> impl Iterator<Item = (u8, &crate::shape::Field)> {
        self.object
            .fields
            .iter()
            .enumerate()
            .map(|(at, field)| (at as u8, field))
    }

    /// One field a group, and every field without a group: edits of a group are judged once.
    fn judged_once(&self) -> impl Iterator<Item = (u8, &crate::shape::Field)> {
        self.fields().filter(
            |(at, field)| match field.group.and_then(|group| self.object.groups.get(group)) {
                Some(members) => members.first() == Some(&usize::from(*at)),
                None => true,
            },
        )
    }
}

/// Judges a run.
pub fn judge(history: &History) -> Verdict {
    let mut findings = Findings::default();
    for (tenant_index, tenant) in history.tenants.iter().enumerate() {
        converge::rest(tenant, &mut findings);
        converge::strangers(tenant, &mut findings);
        invention::tenant(tenant, &mut findings);
        create::tenant(tenant, &mut findings);
        conserve::tenant(tenant, &mut findings);
        for record in &tenant.records {
            let Some(object) = history.shapes.objects.get(record.object) else {
                continue;
            };
            let case = Case {
                shapes: &history.shapes,
                object,
                tenant,
                tenant_index,
                record,
            };
            converge::record(&case, &mut findings);
            invention::record(&case, &mut findings);
            loss::record(&case, &mut findings);
            life::record(&case, &mut findings);
            create::record(&case, &mut findings);
            order::record(&case, &mut findings);
            echo::record(&case, &mut findings);
            isolation::record(&case, &mut findings);
        }
    }
    findings.into_verdict(history)
}
