//! Who takes the calls of a drain, and what it says about the rows in the end.

use std::collections::HashSet;

use serde_json::Value as Json;

use crate::backlog::Fleet;
use crate::bench::Base;
use crate::cli::OrgKind;
use crate::error::LoadError;
use crate::org::Admin;
use crate::sample::{self, FIELDS, Tag};
use crate::stack::{Orgs, OrgsPlan, TenantOrg};
use crate::stub::Stub;

/// The orgs of a run.
#[derive(Debug)]
pub(super) enum Org {
    Stub(Stub),
    Sim(Box<Orgs>, Admin),
}

impl Org {
    pub(super) async fn start(kind: OrgKind, fleet: &Fleet, base: &Base) -> Result<Self, LoadError> {
        match kind {
            OrgKind::Stub => {
                let most = fleet.records.iter().max().copied().unwrap_or(0);
                Ok(Self::Stub(Stub::start(&fleet.names, most, None).await?))
            }
            OrgKind::Sim => {
                let plan = OrgsPlan {
                    program: &base.binaries.orgsim,
                    dir: base.scratch.path(),
                    names: &fleet.names,
                    seed: 1,
                    fence: true,
                };
                let orgs = Orgs::start(&plan, &base.warden).await?;
                let admin = Admin::new(&orgs.admin_url)?;
                Ok(Self::Sim(Box::new(orgs), admin))
            }
        }
    }

    pub(super) fn tenants(&self) -> Vec<TenantOrg> {
        match self {
            Self::Stub(stub) => stub.tenants(),
            Self::Sim(orgs, _) => orgs.tenants(),
        }
    }

    /// Processes of its own.
    pub(super) fn parts(&self) -> Vec<u32> {
        match self {
            Self::Stub(_) => Vec::new(),
            Self::Sim(orgs, _) => vec![orgs.pid()],
        }
    }

    /// The simulated org always tells its writes.
    pub(super) fn set_echoes(&self, on: bool) {
        if let Self::Stub(stub) = self {
            stub.set_echoes(on);
        }
    }

    /// Calls so far, over all orgs.
    pub(super) async fn calls(&self) -> Result<u64, LoadError> {
        match self {
            Self::Stub(stub) => Ok(stub.counts().calls),
            Self::Sim(orgs, admin) => {
                let mut calls = 0;
                for org in &orgs.infos {
                    calls += admin.calls(&org.name).await?.total;
                }
                Ok(calls)
            }
        }
    }

    /// Records that have not got exactly their two writes, the newer one last; rows that were wrong when they came.
    pub(super) async fn divergences(&self, fleet: &Fleet) -> Result<u64, LoadError> {
        match self {
            Self::Stub(stub) => {
                let (counts, verdict) = (stub.counts(), stub.judge(&fleet.records, 1, 2));
                Ok(counts.wrong + counts.strange + verdict.missing + verdict.repeated)
            }
            Self::Sim(orgs, admin) => {
                let mut found = 0;
                for (org, records) in orgs.infos.iter().zip(&fleet.records) {
                    found += admin.calls(&org.name).await?.fence_refusals;
                    let rows = admin.records(&org.name, sample::SOBJECT, false).await?;
                    found += wrong_rows(&rows, *records);
                }
                Ok(found)
            }
        }
    }
}

/// Rows that are not the second round of their record, and records without a row.
fn wrong_rows(rows: &[Json], records: u32) -> u64 {
    let mut right = HashSet::new();
    let mut wrong = 0;
    for row in rows {
        let text = |name: &str| row.get(name).and_then(Json::as_str).unwrap_or_default();
        // Rows that the simulator has from the beginning, and the engine's own, have no key of the product's.
        let Some(number) = sample::number_of(text("Tandem_Key__c")) else {
            continue;
        };
        let tag = Tag::new(number, 1);
        let good = number < records && FIELDS.iter().all(|field| tag.fits(field, text(field.salesforce)));
        if !good || !right.insert(number) {
            wrong += 1;
        }
    }
    wrong + u64::from(records).saturating_sub(right.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(number: u32, round: u8) -> Json {
        let mut row = json!({"Tandem_Key__c": sample::key(number)});
        for field in &FIELDS {
            row[field.salesforce] = Json::from(Tag::new(number, round).value(field));
        }
        row
    }

    #[test]
    fn rows_that_lag_behind_are_missing_or_too_many_are_counted() {
        let foreign = json!({"LastName": "Somebody"});
        assert_eq!(wrong_rows(&[row(0, 1), row(1, 1), foreign], 2), 0);
        assert_eq!(wrong_rows(&[row(0, 1)], 2), 1, "one is missing");
        assert_eq!(wrong_rows(&[row(0, 1), row(1, 0)], 2), 2, "wrong, and so missing");
        assert_eq!(wrong_rows(&[row(0, 1), row(0, 1)], 1), 1, "twice");
    }
}
