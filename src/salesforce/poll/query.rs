//! What one look asks, and what its rows say.

use std::fmt::Write;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use tandem_core::domain::ids::ReplayId;
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::domain::time::Timestamp;
use tandem_core::domain::value::parse_instant_ms;
use tandem_core::engine::inbound::{ChangeEvent, ChangeKind, SalesforceValue, row_values};

/// Rows that one call asks for: a page of the query API at most (contract.md 5).
pub(super) const ROWS_MAX: usize = 2_000;

/// A row, and where it stands in the order of looks.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) id: SalesforceId,
    /// `SystemModstamp` in seconds since 1970.
    pub(super) stamp: u32,
    /// Stands for all that the row says: two changes of one second have one stamp.
    pub(super) content: u64,
    pub(super) event: ChangeEvent,
}

/// After which row a look goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct After {
    /// Seconds since 1970.
    pub(super) stamp: u32,
    /// None: with the first row of that second.
    pub(super) id: Option<SalesforceId>,
}

/// SOQL for rows changed since, deleted ones too, in the order of stamp and id: many rows share one second, so neither
/// alone is a place to go on from (supaglue#532, airbyte#17148).
pub(super) fn soql(sobject: &str, columns: &[Arc<str>], after: After, most: usize) -> String {
    let mut text = String::from("SELECT Id,IsDeleted,SystemModstamp");
    for column in columns {
        // Writing to a string cannot fail, here and below.
        let _infallible = write!(text, ",{column}");
    }
    let stamp = literal(after.stamp);
    let _infallible = match after.id {
        None => write!(text, " FROM {sobject} WHERE SystemModstamp >= {stamp}"),
        Some(id) => write!(
            text,
            " FROM {sobject} WHERE SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > '{id}')"
        ),
    };
    let _infallible = write!(text, " ORDER BY SystemModstamp, Id LIMIT {most}");
    text
}

/// `2026-11-25T12:00:00Z`.
fn literal(seconds: u32) -> String {
    let instant = jiff::Timestamp::from_second(i64::from(seconds)).unwrap_or_default();
    instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    records: Vec<&'a RawValue>,
    done: bool,
}

/// The rows of an answer to a call that asked for `most`, and whether there may be more behind them. None where it is no answer to a query.
pub(super) fn rows(sobject: &Arc<str>, body: &Bytes, most: usize) -> Option<(Vec<Looked>, bool)> {
    let page: Page<'_> = serde_json::from_slice(body).ok()?;
    let rows: Vec<Looked> = page
        .records
        .iter()
        .map(|row| looked(sobject, row.get().as_bytes()))
        .collect::<Option<_>>()?;
    // Wide rows shrink a page below what was asked for.
    let more = !page.done || rows.len() >= most;
    Some((rows, more))
}

fn looked(sobject: &Arc<str>, row: &[u8]) -> Option<Looked> {
    let fields = row_values(row)?;
    let field = |name: &str| fields.iter().find(|(n, _)| n.as_ref() == name).map(|(_, v)| v);
    let text = |name: &str| match field(name)? {
        SalesforceValue::Text(text) => Some(Arc::clone(text)),
        _ => None,
    };
    let id = SalesforceId::parse(&text("Id")?).ok()?;
    let stamp_ms = parse_instant_ms(&text("SystemModstamp")?)?;
    let stamp = u32::try_from(stamp_ms.div_euclid(1_000)).ok()?;
    let deleted = matches!(field("IsDeleted"), Some(SalesforceValue::Bool(true)));
    let fields: Vec<_> = fields
        .into_iter()
        .filter(|(name, _)| !deleted && name.as_ref() != "Id" && name.as_ref() != "IsDeleted")
        .collect();
    let mut hasher = std::hash::DefaultHasher::new();
    row.hash(&mut hasher);
    Some(Looked {
        id,
        stamp,
        content: hasher.finish(),
        event: ChangeEvent {
            replay_id: ReplayId(Bytes::new()),
            sobject: Arc::clone(sobject),
            ids: vec![id],
            kind: if deleted { ChangeKind::Delete } else { ChangeKind::Seen },
            committed: Timestamp(u64::from(stamp) * 1_000),
            commit_number: i64::from(stamp),
            transaction_key: "".into(),
            sequence: 1,
            commit_user: "".into(),
            origin: "".into(),
            fields,
            unread: Vec::new(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "003000000000001AAA";

    #[test]
    fn a_look_goes_on_behind_the_last_row_of_a_second() {
        let columns = ["Email".into(), "Tandem_Key__c".into()];
        let first = After { stamp: 0, id: None };
        assert_eq!(
            soql("Contact", &columns, first, ROWS_MAX),
            "SELECT Id,IsDeleted,SystemModstamp,Email,Tandem_Key__c FROM Contact WHERE SystemModstamp >= \
             1970-01-01T00:00:00Z ORDER BY SystemModstamp, Id LIMIT 2000"
        );
        let after = After {
            stamp: 1_795_608_000,
            id: SalesforceId::parse(ID).ok(),
        };
        let text = soql("Contact", &columns, after, ROWS_MAX);
        let keyset = "WHERE SystemModstamp > 2026-11-25T12:00:00Z OR (SystemModstamp = 2026-11-25T12:00:00Z AND Id > \
                      '003000000000001AAA') ORDER BY";
        assert!(text.contains(keyset), "{text}");
    }

    #[test]
    fn rows_become_looks_and_deletes() {
        let row = |id: u8, deleted: bool| {
            format!(
                "{{\"attributes\":{{\"type\":\"Contact\"}},\"Id\":\"00300000000000{id}AAA\",\"IsDeleted\":{deleted},\
                 \"SystemModstamp\":\"2026-11-25T12:00:00.000+0000\",\"Email\":null,\"Tandem_Seq__c\":7}}"
            )
        };
        let body = format!(
            "{{\"totalSize\":2,\"done\":true,\"records\":[{},{}]}}",
            row(1, false),
            row(2, true)
        );
        let (rows, more) = rows(&"Contact".into(), &body.into(), ROWS_MAX).expect("an answer");
        assert!(!more);
        let [seen, gone] = &rows[..] else { panic!("two rows") };
        assert_eq!((seen.event.kind, seen.stamp), (ChangeKind::Seen, 1_795_608_000));
        assert_eq!(seen.event.field("Email"), Some(&SalesforceValue::Null));
        assert!(seen.event.field("Tandem_Seq__c").is_some());
        assert_eq!((gone.event.kind, gone.event.fields.len()), (ChangeKind::Delete, 0));
        for garbled in [
            "",
            "[]",
            "{\"records\":[{}],\"done\":true}",
            "{\"records\":[{\"Id\":\"x\"}],\"done\":true}",
        ] {
            assert!(
                super::rows(&"Contact".into(), &Bytes::from(garbled), ROWS_MAX).is_none(),
                "{garbled}"
            );
        }
    }

    #[test]
    fn a_page_that_was_shrunk_is_not_the_last() {
        let (rows, more) = rows(
            &"Contact".into(),
            &Bytes::from("{\"done\":false,\"records\":[]}"),
            ROWS_MAX,
        )
        .expect("an answer");
        assert!(rows.is_empty() && more);
    }
}
