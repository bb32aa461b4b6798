//! Queries of any bytes: read, bound, run over some rows, and written out.
#![allow(clippy::indexing_slicing, clippy::panic, reason = "a test may end by panicking")]

use std::sync::Arc;

use serde_json::{Value, json};

use crate::commit::{Commit, CommitSink, Disturbance};
use crate::mutate::Fuzz;
use crate::org::{Caller, Json, Org, Transaction};
use crate::schema::standard_schema;
use crate::soql;

/// 2026-11-25T12:00:00Z.
const NOW: i64 = 1_795_608_000;

struct Deaf;

impl CommitSink for Deaf {
    fn publish(&self, _commit: Commit) {}
    fn disturb(&self, _org_id: &str, _disturbance: Disturbance) {}
}

/// Some rows that name each other.
fn furnished() -> Org {
    let mut org = Org::new("fuzz", Arc::new(standard_schema()), Arc::new(Deaf), 1, true, NOW);
    let caller = Caller {
        user: (*org.identity.integration.id).into(),
        bypass: false,
        origin: "".into(),
        manner: Default::default(),
    };
    let mut make = |entity: &str, fields: Value| {
        let sobject = org.schema.place(entity).unwrap();
        let text = fields.to_string();
        let Json::Object(members) = serde_json::from_str::<Json<'_>>(&text).unwrap() else {
            panic!("a row is an object");
        };
        let mut transaction = Transaction::begin(&mut org, &caller, NOW);
        let record = transaction.create(sobject, &members).unwrap();
        let id = transaction.row(record).unwrap().id().to_owned();
        transaction.commit();
        id
    };
    let account = make("Account", json!({"Name": "Acme", "Industry": "Banking"}));
    for (name, born) in [("a", "2026-11-25"), ("b", "1999-12-31")] {
        let row = json!({"LastName": name, "Birthdate": born, "AccountId": account, "LeadSource": "Web"});
        let contact = make("Contact", row);
        make("Task", json!({"Subject": name, "WhoId": contact, "WhatId": account}));
    }
    org
}

/// What a query comes to: its refusal, or the kind and number of its rows.
fn ask(org: &Org, text: &str) -> String {
    let refused = |error: soql::QueryError| {
        assert!(error.message.len() < 4_096, "an error shows a part of the query only");
        let words: String = error.message.chars().filter(|c| !c.is_ascii_digit()).collect();
        format!("{} {}", error.code, words.lines().last().unwrap_or_default())
    };
    let query = match soql::parse(text) {
        Ok(query) => query,
        Err(error) => return refused(error),
    };
    let plan = match soql::bind(text, &query, &org.schema, NOW) {
        Ok(plan) => plan,
        Err(error) => return refused(error),
    };
    let rows = soql::run(org, &plan, text.len().is_multiple_of(2));
    let mut shown = Vec::new();
    if let Some(grouping) = &plan.grouping {
        for group in soql::groups(org, &plan, grouping, &rows) {
            let mut out = String::new();
            soql::write_group(&mut out, grouping, &group);
            shown.push(out);
        }
    } else {
        for row in &rows {
            let mut out = String::new();
            soql::write_row(&mut out, org, &plan, row, "/services/data/v67.0");
            shown.push(out);
        }
    }
    for row in &shown {
        assert!(serde_json::from_str::<Value>(row).is_ok(), "no JSON: {row}");
    }
    format!("{} {}", plan.sobject, shown.len())
}

#[test]
fn fuzz_queries() {
    let words = [
        "SELECT ",
        " FROM ",
        " WHERE ",
        " AND ",
        " OR ",
        " NOT ",
        " LIKE ",
        " IN ",
        " NOT IN ",
        "INCLUDES",
        "EXCLUDES",
        " GROUP BY ",
        "ROLLUP(",
        "CUBE(",
        "GROUPING(",
        " HAVING ",
        " ORDER BY ",
        " DESC",
        " NULLS LAST",
        " LIMIT ",
        " OFFSET ",
        "TYPEOF ",
        " WHEN ",
        " THEN ",
        " ELSE ",
        " END",
        "COUNT()",
        "count(",
        "SUM(",
        "FIELDS(ALL)",
        "CALENDAR_YEAR(",
        "DAY_ONLY(",
        "convertTimezone(",
        "toLabel(",
        "Id",
        "Name",
        "Account.Name",
        "Who.Name",
        "What",
        "Owner.Username",
        "CreatedDate",
        "Birthdate",
        "LeadSource",
        "Contacts",
        "Task",
        "Contact",
        "Account",
        "LAST_N_DAYS:",
        "NEXT_N_FISCAL_YEARS:99999999999",
        "TODAY",
        "2026-02-30",
        "2026-11-25T12:00:00Z",
        "'",
        "\\'",
        "\\u00e9",
        "(",
        ")",
        ",",
        ".",
        "null",
        "true",
        "-1e400",
        "9999999999999999999",
        "%",
        "_",
    ];
    let corpus = [
        "SELECT Id, Account.Name FROM Contact WHERE (LastName LIKE 'a%' OR Email = null) AND Birthdate < TODAY ORDER BY LastName DESC NULLS LAST LIMIT 5 OFFSET 1",
        "SELECT Id, (SELECT LastName FROM Contacts WHERE LeadSource IN ('Web')) FROM Account",
        "SELECT LeadSource, Account.Name, COUNT(Id) n FROM Contact GROUP BY ROLLUP(LeadSource, Account.Name) HAVING COUNT(Id) > 0",
        "SELECT TYPEOF What WHEN Account THEN Phone, Industry ELSE Name END, Who.LastName FROM Task",
        "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE CreatedDate = LAST_N_DAYS:30)",
        "SELECT CALENDAR_YEAR(CreatedDate) y, MAX(LastName) FROM Contact GROUP BY CALENDAR_YEAR(CreatedDate)",
        "select count() from Contact c where c.Id != '003000000000000AAA' with SECURITY_ENFORCED",
        "SELECT FIELDS(ALL) FROM Contact LIMIT 200",
    ];
    let org = furnished();
    let fuzz = Fuzz {
        name: "queries",
        corpus: corpus.map(|text| text.as_bytes().to_vec()).to_vec(),
        words: &words,
        cases: 2_000,
    };
    fuzz.run(|bytes| ask(&org, &String::from_utf8_lossy(bytes)));
}

#[test]
fn a_furnished_org_answers_the_first_queries() {
    let org = furnished();
    assert!(ask(&org, "SELECT Id FROM Contact WHERE Account.Name = 'Acme'").ends_with(" 2"));
    assert!(ask(&org, "SELECT Id FROM").starts_with("MALFORMED_QUERY"));
}
