//! The whole story of the records that were found wrong, for the one who has to find out why.
//!
//! Values are shown: they are made up by the run.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::verdict::Verdict;
use crate::history::{Fields, History, RecordHistory, Step};
use crate::shape::Object;
use crate::value::Value;

/// Records whose story is told.
const RECORDS: usize = 30;
/// Steps and commits shown of one record: the newest.
const NEWEST: usize = 200;

/// One block a record: its findings, its steps in the product, its commits in the org, both ends.
pub fn evidence(history: &History, verdict: &Verdict) -> String {
    let mut text = String::new();
    let mut told = BTreeSet::new();
    for finding in &verdict.findings {
        let place = (&finding.tenant, &finding.record);
        if finding.record.is_empty() || told.len() >= RECORDS || !told.insert(place) {
            continue;
        }
        line(&mut text, &format!("== {} {}", finding.tenant, finding.record));
        for other in verdict
            .findings
            .iter()
            .filter(|other| (&other.tenant, &other.record) == place)
        {
            line(
                &mut text,
                &format!("{:?} {} {}", other.promise, other.field, other.what),
            );
        }
        if let Some((object, record)) = find(history, &finding.tenant, &finding.record) {
            tell(&mut text, object, record);
        }
    }
    text
}

fn find<'a>(history: &'a History, tenant: &str, name: &str) -> Option<(&'a Object, &'a RecordHistory)> {
    let (object_name, key) = name.split_once(' ')?;
    let at = history.shapes.object(object_name)?;
    let tenant = history.tenants.iter().find(|known| known.name == tenant)?;
    let record = tenant
        .records
        .iter()
        .find(|record| record.object == at && record.key == key)?;
    Some((history.shapes.objects.get(at)?, record))
}

fn tell(text: &mut String, object: &Object, record: &RecordHistory) {
    line(text, "product, in order:");
    for step in record.steps.iter().skip(record.steps.len().saturating_sub(NEWEST)) {
        let told = match step {
            Step::Create(fields) => format!("create   {}", named(object, fields)),
            Step::Edit(fields) => format!("edit     {}", named(object, fields)),
            Step::TakenIn(fields) => format!("taken in {}", named(object, fields)),
            Step::Changed(fields) => format!("changed  {}", named(object, fields)),
            Step::Conflict { fields, winner } => format!("conflict {} winner {winner:?}", names(object, fields)),
            Step::Rejected(fields) => format!("rejected {}", names(object, fields)),
            Step::Delete => "delete".to_owned(),
            Step::Deleted => "deleted event".to_owned(),
            Step::Wanted => "wanted, answered".to_owned(),
        };
        line(text, &format!("  {told}"));
    }
    line(text, "org, in order:");
    for commit in record.commits.iter().skip(record.commits.len().saturating_sub(NEWEST)) {
        let who = if commit.engine { "engine" } else { "person" };
        let seq = commit.seq.map_or_else(String::new, |seq| format!(" seq={seq}"));
        line(
            text,
            &format!("  {who} {:?}{seq} {}", commit.kind, named(object, &commit.fields)),
        );
    }
    let ends = record.product_row.iter().map(|row| ("product", row));
    for (side, row) in ends.chain(record.org_rows.iter().map(|row| ("org", row))) {
        line(text, &format!("{side} at the end: {}", named(object, &numbered(row))));
    }
}

fn numbered(row: &[Value]) -> Fields {
    row.iter()
        .enumerate()
        .map(|(at, value)| (at as u8, value.clone()))
        .collect()
}

fn named(object: &Object, fields: &Fields) -> String {
    let name = |at: u8| {
        object
            .fields
            .get(usize::from(at))
            .map_or("?", |field| field.name.as_str())
    };
    fields
        .iter()
        .map(|(at, value)| format!("{}={value:?}", name(*at)))
        .collect::<Vec<_>>()
        .join(" ")
}

fn names(object: &Object, fields: &[u8]) -> String {
    let known = fields.iter().filter_map(|at| object.fields.get(usize::from(*at)));
    known.map(|field| field.name.as_str()).collect::<Vec<_>>().join(",")
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    writeln!(text, "{line}").unwrap_or_default();
}
