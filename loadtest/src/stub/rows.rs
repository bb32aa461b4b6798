//! Bodies of collection calls: every row is taken apart and held against what its record should get.

use std::fmt::Write as _;

use serde::Deserialize;

use super::ids;
use super::ledger::Row;
use crate::sample::{self, FIELDS, SOBJECT, Tag};

/// Rows that one call may have (contract.md 3.2).
pub(super) const ROWS_MAX: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(rename = "allOrNone")]
    all_or_none: bool,
    #[serde(borrow)]
    records: Vec<RowBody<'a>>,
}

/// One row. None of the values has anything that JSON escapes, so all are borrowed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowBody<'a> {
    #[serde(borrow)]
    attributes: Attributes<'a>,
    #[serde(default)]
    id: Option<&'a str>,
    #[serde(default, rename = "Tandem_Key__c")]
    key: Option<&'a str>,
    #[serde(rename = "Tandem_Seq__c")]
    seq: u64,
    #[serde(rename = "Email")]
    email: &'a str,
    #[serde(rename = "LastName")]
    last_name: &'a str,
    #[serde(rename = "Phone")]
    phone: &'a str,
    #[serde(rename = "MobilePhone")]
    mobile: &'a str,
    #[serde(rename = "HomePhone")]
    home_phone: &'a str,
    #[serde(rename = "Fax")]
    fax: &'a str,
    #[serde(rename = "Title")]
    title: &'a str,
    #[serde(rename = "Department")]
    department: &'a str,
    #[serde(rename = "AssistantName")]
    assistant: &'a str,
    #[serde(rename = "AssistantPhone")]
    assistant_phone: &'a str,
}

#[derive(Deserialize)]
struct Attributes<'a> {
    r#type: &'a str,
}

/// The rows of a call, as the ledger takes them, and the ids that answer them.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// In the order of the call; `None` for a row that is wrong.
    pub(super) rows: Vec<Option<Row>>,
    /// What names each row's record in the answer.
    pub(super) ids: Vec<Option<String>>,
}

/// Takes a call apart; `None` when it is no collection of at most 200 rows of the stub's object.
pub(super) fn parse(tenant: usize, creates: bool, body: &[u8]) -> Option<Parsed> {
    let body: Body<'_> = serde_json::from_slice(body).ok()?;
    if body.all_or_none || body.records.is_empty() || body.records.len() > ROWS_MAX {
        return None;
    }
    let mut parsed = Parsed::default();
    for row in &body.records {
        let named = if creates { by_key(row) } else { by_id(tenant, row) };
        parsed.rows.push(named.and_then(|number| row.check(number)));
        parsed.ids.push(named.map(|number| ids::record(tenant, number)));
    }
    Some(parsed)
}

fn by_key(row: &RowBody<'_>) -> Option<u32> {
    row.key.filter(|_| row.id.is_none()).and_then(sample::number_of)
}

fn by_id(tenant: usize, row: &RowBody<'_>) -> Option<u32> {
    let (owner, number) = ids::record_of(row.id?)?;
    let same_key = row.key.is_none_or(|key| sample::number_of(key) == Some(number));
    (owner == tenant && same_key).then_some(number)
}

impl RowBody<'_> {
    /// The row, if every value is the record's value of one round.
    fn check(&self, number: u32) -> Option<Row> {
        let (of, round) = Tag::read(self.email)?;
        let tag = Tag::new(number, round);
        let values = [
            self.email,
            self.last_name,
            self.phone,
            self.mobile,
            self.home_phone,
            self.fax,
            self.title,
            self.department,
            self.assistant,
            self.assistant_phone,
        ];
        let right = FIELDS.iter().zip(values).all(|(field, value)| tag.fits(field, value));
        let seq = self.seq;
        (of == number && self.attributes.r#type == SOBJECT && right).then_some(Row { number, round, seq })
    }
}

/// The records of a delete.
#[derive(Debug)]
pub(super) struct Deleted {
    /// Their numbers; `None` for what is no record of the tenant.
    pub(super) numbers: Vec<Option<u32>>,
    /// What names each in the answer.
    pub(super) ids: Vec<Option<String>>,
}

/// Takes a delete apart; `None` when it names no ids, or more than 200.
pub(super) fn deleted(tenant: usize, query: &str) -> Option<Deleted> {
    let list = query.split('&').find_map(|part| part.strip_prefix("ids="))?;
    let texts: Vec<&str> = list.split(',').collect();
    if texts.len() > ROWS_MAX {
        return None;
    }
    let record = |id: &str| {
        let (owner, number) = ids::record_of(id)?;
        (owner == tenant).then_some(number)
    };
    Some(Deleted {
        numbers: texts.iter().map(|id| record(id)).collect(),
        ids: texts.iter().map(|id| Some((*id).to_owned())).collect(),
    })
}

/// The answer to a call that was taken (contract.md 3.2; observed.md): one result a row. `created` says for upserts
/// whether the row made its record; `right` says which rows were taken.
pub(super) fn answer(ids: &[Option<String>], right: impl Fn(usize) -> bool, created: Option<&[bool]>) -> String {
    let mut text = String::with_capacity(ids.len() * 72 + 2);
    text.push('[');
    for (at, id) in ids.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        match id.as_ref().filter(|_| right(at)) {
            // Writing to a string cannot fail.
            Some(id) => write!(text, r#"{{"id":"{id}","success":true,"errors":[]"#).unwrap_or_default(),
            None => text.push_str(
                r#"{"success":false,"errors":[{"statusCode":"INVALID_FIELD","message":"not what this record should get","fields":[]}]"#,
            ),
        }
        if let Some(created) = created.and_then(|all| all.get(at)) {
            write!(text, r#","created":{created}"#).unwrap_or_default();
        }
        text.push('}');
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn row(tenant: usize, number: u32, round: u8) -> Json {
        let tag = Tag::new(number, round);
        let mut row = json!({"attributes": {"type": SOBJECT}, "id": ids::record(tenant, number), "Tandem_Seq__c": 7});
        for field in &FIELDS {
            row[field.salesforce] = Json::from(tag.value(field));
        }
        row
    }

    fn parsed(creates: bool, row: Json) -> Option<Option<Row>> {
        let body = json!({"allOrNone": false, "records": [row]}).to_string();
        parse(3, creates, body.as_bytes()).map(|parsed| parsed.rows[0])
    }

    #[test]
    fn right_rows_are_read_and_wrong_ones_are_not() {
        let right = Row {
            number: 41,
            round: 6,
            seq: 7,
        };
        assert_eq!(parsed(false, row(3, 41, 6)), Some(Some(right)));
        let mut create = row(3, 41, 6);
        create.as_object_mut().expect("a row").remove("id");
        create["Tandem_Key__c"] = json!(sample::key(41));
        assert_eq!(parsed(true, create.clone()), Some(Some(right)));
        assert_eq!(parsed(false, create), Some(None), "an update names its record by id");
        assert_eq!(parsed(false, row(4, 41, 6)), Some(None), "another tenant's record");
        let mut mixed = row(3, 41, 6);
        mixed["Fax"] = row(3, 41, 5)["Fax"].clone();
        assert_eq!(parsed(false, mixed), Some(None), "values of two rounds");
        let mut more = row(3, 41, 6);
        more["OwnerId"] = json!("005000000000001AAA");
        assert_eq!(parsed(false, more), None, "a field that nobody mapped");
        assert!(parse(3, false, b"{").is_none());
    }

    #[test]
    fn answers_are_those_of_the_contract() {
        let ids = [Some("003000000000001AAA".to_owned()), None];
        let json: Json = serde_json::from_str(&answer(&ids, |_| true, Some(&[true, false]))).expect("JSON");
        assert_eq!(
            json[0],
            json!({"id": "003000000000001AAA", "success": true, "errors": [], "created": true})
        );
        assert_eq!(
            (&json[1]["success"], &json[1]["errors"][0]["statusCode"]),
            (&json!(false), &json!("INVALID_FIELD"))
        );
    }
}
