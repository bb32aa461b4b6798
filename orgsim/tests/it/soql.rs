//! What SOQL can ask (contract 2.3; the reference's rules are V:SOQLPDF where not said otherwise).

use serde_json::{Value, json};

use crate::server::Server;

/// Two accounts, five contacts, on a clock that stands at 2026-11-25T12:00:00Z.
async fn furnished() -> Server {
    let options = orgsim::Options {
        stopped_at_ms: Some(1_795_608_000_000),
        ..orgsim::Options::default()
    };
    let server = Server::with(options).await;
    let acme = server
        .create("Account", json!({"Name": "Acme", "Industry": "Banking"}))
        .await;
    let blue = server.create("Account", json!({"Name": "Blue"})).await;
    server.create("Account", json!({"Name": "Empty"})).await;
    for (name, account, source, born, seq) in [
        ("a", Some(&acme), Some("Web"), Some("2026-11-24"), Some(1)),
        ("b", Some(&acme), Some("Web"), Some("2026-11-25"), Some(2)),
        ("c", Some(&blue), Some("Other"), Some("2025-12-31"), Some(4)),
        ("d", None, Some("WEB"), None, None),
        ("e", None, None, Some("2027-01-01"), Some(8)),
    ] {
        let row = json!({"LastName": name, "AccountId": account, "LeadSource": source, "Birthdate": born, "Tandem_Seq__c": seq});
        server.create("Contact", row).await;
    }
    server
}

async fn ask(server: &Server, soql: &str) -> Value {
    let answer = server.query(soql).await;
    assert_eq!(answer.status, 200, "{soql}: {}", answer.text);
    answer.body
}

fn records(body: &Value) -> Vec<Value> {
    let strip = |record: &Value| {
        let mut record = record.clone();
        record.as_object_mut().unwrap().remove("attributes");
        record
    };
    body["records"].as_array().unwrap().iter().map(strip).collect()
}

#[tokio::test]
async fn groups_with_their_numbers() {
    let server = furnished().await;
    for (soql, expected) in [
        (
            "SELECT LeadSource, COUNT(Id), SUM(Tandem_Seq__c) total FROM Contact GROUP BY LeadSource ORDER BY LeadSource NULLS LAST",
            json!([
                {"LeadSource": "Other", "expr0": 1, "total": 4},
                {"LeadSource": "Web", "expr0": 3, "total": 3},
                {"LeadSource": null, "expr0": 1, "total": 8},
            ]),
        ),
        (
            "SELECT Account.Name, MAX(LastName) last FROM Contact WHERE AccountId != null GROUP BY Account.Name HAVING COUNT(Id) > 1",
            json!([{"Name": "Acme", "last": "b"}]),
        ),
        (
            "SELECT CALENDAR_YEAR(Birthdate) y, COUNT(Id) n FROM Contact WHERE Birthdate != null GROUP BY CALENDAR_YEAR(Birthdate) ORDER BY CALENDAR_YEAR(Birthdate) DESC LIMIT 2",
            json!([{"y": 2027, "n": 1}, {"y": 2026, "n": 2}]),
        ),
        (
            "SELECT COUNT(LeadSource), COUNT_DISTINCT(LeadSource) d, AVG(Tandem_Seq__c), MIN(Birthdate) FROM Contact",
            json!([{"expr0": 4, "d": 2, "expr1": 3.75, "expr2": "2025-12-31"}]),
        ),
        (
            "SELECT COUNT(Id) n FROM Contact WHERE LastName = 'nobody'",
            json!([{"n": 0}]),
        ),
        (
            "SELECT LeadSource FROM Contact WHERE LastName = 'nobody' GROUP BY LeadSource",
            json!([]),
        ),
    ] {
        let body = ask(&server, soql).await;
        assert_eq!(json!(records(&body)), expected, "{soql}");
        assert_eq!(body["totalSize"], expected.as_array().unwrap().len(), "{soql}");
    }
    let body = ask(&server, "SELECT COUNT(Id) FROM Contact").await;
    assert_eq!(
        body["records"][0]["attributes"],
        json!({"type": "AggregateResult"}),
        "F restforce"
    );
}

#[tokio::test]
async fn groups_with_their_subtotals() {
    let server = furnished().await;
    let rollup = "SELECT LeadSource, Account.Name, COUNT(Id) n, GROUPING(Account.Name) g FROM Contact WHERE LeadSource != null GROUP BY ROLLUP(LeadSource, Account.Name) ORDER BY GROUPING(LeadSource), LeadSource, GROUPING(Account.Name), Account.Name NULLS LAST";
    let rows = records(&ask(&server, rollup).await);
    let web: f64 = rows
        .iter()
        .filter(|row| row["LeadSource"] != "Other" && row["g"] == 0)
        .map(|row| row["n"].as_f64().unwrap())
        .sum();
    let last = rows.last().unwrap();
    assert_eq!(
        (web, &last["LeadSource"], &last["Name"], &last["n"], &last["g"]),
        (3.0, &json!(null), &json!(null), &json!(4), &json!(1))
    );
    let totals: Vec<_> = rows
        .iter()
        .filter(|row| row["g"] == 1)
        .map(|row| (&row["LeadSource"], &row["n"]))
        .collect();
    assert_eq!(
        json!(totals),
        json!([["Other", 1], ["Web", 3], [null, 4]]),
        "the subtotals of one key and of both"
    );

    let cube = "SELECT GROUPING(LeadSource) a, GROUPING(Account.Name) b, COUNT(Id) n FROM Contact GROUP BY CUBE(LeadSource, Account.Name) HAVING COUNT(Id) > 0 AND GROUPING(LeadSource) = 1";
    let rows = records(&ask(&server, cube).await);
    let all: Vec<_> = rows.iter().filter(|row| row["b"] == 1).map(|row| &row["n"]).collect();
    assert_eq!(json!(all), json!([5]), "one row is the total of all");
    let by_account: f64 = rows
        .iter()
        .filter(|row| row["b"] == 0)
        .map(|row| row["n"].as_f64().unwrap())
        .sum();
    assert!(
        (by_account - 5.0).abs() < f64::EPSILON,
        "the accounts' own totals, which ROLLUP does not make: {rows:?}"
    );

    let nothing = "SELECT LeadSource, COUNT(Id) n FROM Contact WHERE LastName = 'nobody' GROUP BY ROLLUP(LeadSource)";
    assert_eq!(records(&ask(&server, nothing).await), Vec::<serde_json::Value>::new());
    for refused in [
        "SELECT LeadSource, GROUPING(LeadSource) FROM Contact GROUP BY LeadSource",
        "SELECT COUNT(Id) FROM Contact GROUP BY ROLLUP(LeadSource, LastName, FirstName, Email)",
        "SELECT COUNT(Id) FROM Contact GROUP BY CUBE()",
    ] {
        assert_eq!(
            server.query(refused).await.refusal(),
            (400, "MALFORMED_QUERY"),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn what_is_shown_of_a_parent_may_depend_on_its_object() {
    let server = furnished().await;
    let account = server.create("Account", json!({"Name": "Typed", "Phone": "12"})).await;
    let deal = json!({"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31", "Amount": 7});
    let deal = server.create("Opportunity", deal).await;
    let campaign = server.create("Campaign", json!({"Name": "Spring"})).await;
    for (subject, what) in [
        ("1", json!(account)),
        ("2", json!(deal)),
        ("3", json!(campaign)),
        ("4", json!(null)),
    ] {
        server.create("Task", json!({"Subject": subject, "WhatId": what})).await;
    }
    let soql = |otherwise: &str| {
        format!(
            "SELECT Subject, TYPEOF What WHEN Account THEN Phone, Owner.Username WHEN Opportunity THEN Amount {otherwise} END FROM Task ORDER BY Subject"
        )
    };
    let body = ask(&server, &soql("ELSE Name")).await;
    let what: Vec<_> = body["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["What"])
        .collect();
    assert_eq!(
        (&what[0]["attributes"]["type"], &what[0]["Phone"]),
        (&json!("Account"), &json!("12"))
    );
    assert_eq!(what[0]["Owner"]["Username"], server.orgs[0]["username"]);
    assert_eq!(
        (&what[1]["attributes"]["type"], &what[1]["Amount"]),
        (&json!("Opportunity"), &json!(7))
    );
    assert_eq!((&what[2]["Name"], what[3]), (&json!("Spring"), &json!(null)));
    let body = ask(&server, &soql("")).await;
    assert_eq!(
        body["records"][2]["What"],
        json!(null),
        "no WHEN and no ELSE for a campaign"
    );
    for (refused, code) in [
        (
            "SELECT TYPEOF Account WHEN Account THEN Name END FROM Contact",
            "INVALID_FIELD",
        ),
        ("SELECT TYPEOF What WHEN Lead THEN Name END FROM Task", "INVALID_TYPE"),
        (
            "SELECT TYPEOF What WHEN Account THEN Nothing END FROM Task",
            "INVALID_FIELD",
        ),
        (
            "SELECT TYPEOF What WHEN Account THEN Name ELSE Amount END FROM Task",
            "INVALID_FIELD",
        ),
        ("SELECT TYPEOF What ELSE Name END FROM Task", "MALFORMED_QUERY"),
        (
            "SELECT Id, (SELECT TYPEOF Owner WHEN User THEN Name END FROM Tasks) FROM Account",
            "MALFORMED_QUERY",
        ),
    ] {
        assert_eq!(server.query(refused).await.refusal(), (400, code), "{refused}");
    }
}

#[tokio::test]
async fn children_come_as_whole_results_inside_of_their_parents() {
    let server = furnished().await;
    let soql = "SELECT Name, (SELECT LastName, Account.Industry FROM Contacts WHERE LastName != 'a' ORDER BY LastName) FROM Account ORDER BY Name";
    let body = ask(&server, soql).await;
    let rows = records(&body);
    assert_eq!(rows[0]["Contacts"]["totalSize"], 1);
    assert_eq!(rows[0]["Contacts"]["done"], true);
    let child = &rows[0]["Contacts"]["records"][0];
    assert_eq!(child["attributes"]["type"], "Contact");
    assert_eq!(
        (&child["LastName"], &child["Account"]["Industry"]),
        (&json!("b"), &json!("Banking"))
    );
    assert_eq!(rows[2]["Contacts"], Value::Null, "M");
}

#[tokio::test]
async fn rows_are_found_by_what_other_rows_name() {
    let server = furnished().await;
    let names = |body: &Value| -> String {
        records(body)
            .iter()
            .map(|r| r["Name"].as_str().unwrap().to_owned() + " ")
            .collect()
    };
    for (condition, expected) in [
        ("Id IN (SELECT AccountId FROM Contact)", "Acme Blue "),
        (
            "Id IN (SELECT AccountId FROM Contact WHERE LastName IN ('c', 'd'))",
            "Blue ",
        ),
        (
            "Id NOT IN (SELECT AccountId FROM Contact WHERE AccountId != null)",
            "Empty ",
        ),
        (
            "Name LIKE '%e' AND Id IN (SELECT AccountId FROM Contact WHERE LastName = 'a')",
            "Acme ",
        ),
        (
            "(Industry = 'Banking' OR Id IN (SELECT AccountId FROM Contact WHERE LastName = 'c'))",
            "Acme Blue ",
        ),
    ] {
        let body = ask(
            &server,
            &format!("SELECT Name FROM Account WHERE {condition} ORDER BY Name"),
        )
        .await;
        assert_eq!(names(&body), expected, "{condition}");
    }
}

#[tokio::test]
async fn date_literals_and_functions_filter() {
    let server = furnished().await;
    for (condition, expected) in [
        ("Birthdate = TODAY", "b"),
        ("Birthdate < TODAY", "ac"),
        ("Birthdate <= TODAY", "abc"),
        ("Birthdate > TODAY", "e"),
        ("Birthdate >= TODAY", "be"),
        ("Birthdate != TODAY", "acde"),
        ("Birthdate = LAST_N_DAYS:1", "ab"),
        ("Birthdate = NEXT_YEAR", "e"),
        ("CreatedDate = TODAY", "abcde"),
        ("CreatedDate < TODAY", ""),
        ("CALENDAR_MONTH(Birthdate) = 12", "c"),
        ("DAY_ONLY(CreatedDate) = 2026-11-25", "abcde"),
        ("HOUR_IN_DAY(CreatedDate) IN (11, 12)", "abcde"),
    ] {
        let soql = format!("SELECT LastName FROM Contact WHERE {condition} ORDER BY LastName");
        let found = records(&ask(&server, &soql).await);
        let found: String = found.iter().map(|r| r["LastName"].as_str().unwrap()).collect();
        assert_eq!(found, expected, "{condition}");
    }
}

#[tokio::test]
async fn columns_are_described_when_asked_for() {
    let server = furnished().await;
    let request = server.request("GET", &format!("{}/query", crate::server::V)).query(&[
        ("q", "SELECT Id, LastName, Account.Name FROM Contact"),
        ("columns", "true"),
    ]);
    let body = server.send(request).await.body;
    assert_eq!(
        (&body["entityName"], &body["idSelected"], &body["groupBy"]),
        (&json!("Contact"), &json!(true), &json!(false))
    );
    let columns = body["columnMetadata"].as_array().unwrap();
    let names: Vec<&str> = columns.iter().map(|c| c["columnName"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["Id", "LastName", "Account"],
        "observed 2026: the sf CLI asks for this"
    );
    assert_eq!(columns[2]["joinColumns"][0]["columnName"], "Name");
}

#[tokio::test]
async fn a_parent_of_several_objects_is_asked_for_what_they_share() {
    let server = furnished().await;
    let lead = server.create("Lead", json!({"LastName": "Lea", "Company": "C"})).await;
    let found = ask(&server, "SELECT Id FROM Contact WHERE LastName = 'a'").await;
    let contact = &found["records"][0]["Id"];
    server.create("Task", json!({"Subject": "one", "WhoId": lead})).await;
    server.create("Task", json!({"Subject": "two", "WhoId": contact})).await;
    server.create("Task", json!({"Subject": "three"})).await;
    let body = ask(&server, "SELECT Subject, Who.Name, Who.Type FROM Task ORDER BY Subject").await;
    let whos: Vec<Value> = records(&body).iter().map(|r| r["Who"].clone()).collect();
    assert_eq!((&whos[0]["Type"], &whos[0]["Name"]), (&json!("Lead"), &json!("Lea")));
    assert_eq!((&whos[1], &whos[2]["Type"]), (&Value::Null, &json!("Contact")));
    assert_eq!(whos[0]["attributes"]["type"], "Name", "M");
    for (condition, expected) in [
        ("Who.Type = 'Lead'", 1),
        ("Who.Name = 'a'", 1),
        ("Who.LastName != null", 2),
    ] {
        let body = ask(&server, &format!("SELECT Id FROM Task WHERE {condition}")).await;
        assert_eq!(body["totalSize"], expected, "{condition}");
    }
    for path in ["Who.Tandem_Key__c", "Who.Account.Name", "What.Parent.Owner.Name"] {
        let refused = server.query(&format!("SELECT Id FROM Task WHERE {path} = 'l'")).await;
        assert_eq!(refused.refusal(), (400, "INVALID_FIELD"), "{path}");
    }
}
