//! The parser, and what LIKE matches.

use proptest::prelude::*;

use super::ast::{Condition, Expr, Item, Literal, Operator, Path};
use super::filter::like;
use super::{bind, parse};
use crate::schema::standard_schema;

/// 2026-11-25T12:00:00Z.
const NOW: i64 = 1_795_608_000;

fn path(names: &[&str], place: usize) -> Path {
    Path {
        names: names.iter().map(|n| (*n).to_owned()).collect(),
        place,
    }
}

fn field(path: Path) -> Item {
    Item::Value {
        expr: Expr::Field(path),
        alias: None,
    }
}

#[test]
fn a_whole_query() {
    let query = parse(
        "SELECT Id, Account.Name FROM Contact WHERE Email = 'a\\'b' ORDER BY Name DESC NULLS LAST LIMIT 5 OFFSET 2",
    )
    .unwrap();
    assert_eq!(
        query.items,
        [field(path(&["Id"], 7)), field(path(&["Account", "Name"], 11))]
    );
    assert_eq!(query.from, "Contact");
    let wanted = Condition::Compare {
        expr: Expr::Field(path(&["Email"], 43)),
        operator: Operator::Equal,
        value: Literal::Text("a'b".into()),
    };
    assert_eq!(query.condition, Some(wanted));
    assert!(query.order[0].descending && query.order[0].nulls_last);
    assert_eq!((query.limit, query.offset), (Some(5), 2));
}

#[test]
fn what_is_taken_and_what_is_refused() {
    let schema = standard_schema();
    let code = |text: &str| {
        parse(text)
            .and_then(|q| bind(text, &q, &schema, NOW))
            .err()
            .map(|e| e.code)
    };
    for (text, expected) in [
        ("select count() from Account", None),
        ("SELECT COUNT(Id) n FROM Account", None),
        ("SELECT c.Id FROM Contact c", None),
        (
            "SELECT Id FROM Contact WHERE (Name LIKE 'a%' OR Email = null) AND NOT IsDeleted = true",
            None,
        ),
        (
            "SELECT Id FROM Contact WHERE SystemModstamp >= 2026-01-01T00:00:00Z AND Birthdate < 2000-01-01",
            None,
        ),
        (
            "SELECT Id FROM Contact WHERE SystemModstamp > 2026-01-01T00:00:00.000+0000",
            None,
        ),
        ("SELECT Id FROM Contact WHERE Tandem_Seq__c IN (1, -2.5, 1e3)", None),
        ("SELECT FIELDS(ALL) FROM Contact LIMIT 200", None),
        ("SELECT FIELDS(ALL) FROM Contact", Some("MALFORMED_QUERY")),
        (
            "SELECT Id FROM Contact WHERE Name = 'a' AND Name = 'b' OR Name = 'c'",
            Some("MALFORMED_QUERY"),
        ),
        ("SELECT Id FROM", Some("MALFORMED_QUERY")),
        ("SELECT FROM Contact", Some("MALFORMED_QUERY")),
        ("SELECT Id FROM Contact WHERE Name = 'a", Some("MALFORMED_QUERY")),
        ("SELECT Id FROM Contact LIMIT -1", Some("MALFORMED_QUERY")),
        ("SELECT Id FROM Contact OFFSET 2001", Some("NUMBER_OUTSIDE_VALID_RANGE")),
        (
            "SELECT Id, (SELECT Id, c.Name FROM Contacts c WHERE Name != null ORDER BY Name LIMIT 2) FROM Account",
            None,
        ),
        (
            "SELECT Id, (SELECT Id FROM Nobodies) FROM Account",
            Some("INVALID_TYPE"),
        ),
        (
            "SELECT Id, (SELECT Id, (SELECT Id FROM Opportunities) FROM Contacts) FROM Account",
            Some("MALFORMED_QUERY"),
        ),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE LastName = 'L')",
            None,
        ),
        (
            "SELECT Id FROM Account WHERE Id NOT IN (SELECT AccountId FROM Contact)",
            None,
        ),
        (
            "SELECT Id FROM Account WHERE Name IN (SELECT LastName FROM Contact)",
            Some("MALFORMED_QUERY"),
        ),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT Name FROM Account)",
            Some("MALFORMED_QUERY"),
        ),
        (
            "SELECT Id FROM Account WHERE Id IN (SELECT Id, Name FROM Account)",
            Some("MALFORMED_QUERY"),
        ),
        (
            "SELECT LeadSource, COUNT(Id) n, MAX(CreatedDate) FROM Contact GROUP BY LeadSource HAVING COUNT(Id) > 1 ORDER BY COUNT(Id) DESC NULLS LAST",
            None,
        ),
        (
            "SELECT Account.Name, COUNT(Id) FROM Contact GROUP BY Account.Name",
            None,
        ),
        (
            "SELECT CALENDAR_YEAR(CreatedDate), COUNT(Id) FROM Contact GROUP BY CALENDAR_YEAR(CreatedDate)",
            None,
        ),
        (
            "SELECT CALENDAR_YEAR(convertTimezone(CreatedDate)) y FROM Contact GROUP BY CALENDAR_YEAR(convertTimezone(CreatedDate))",
            None,
        ),
        (
            "SELECT COUNT_DISTINCT(AccountId) FROM Contact WHERE DAY_ONLY(CreatedDate) = TODAY",
            None,
        ),
        (
            "SELECT Name, COUNT(Id) FROM Contact GROUP BY LastName",
            Some("MALFORMED_QUERY"),
        ),
        ("SELECT Name FROM Contact HAVING COUNT(Id) > 1", Some("MALFORMED_QUERY")),
        ("SELECT Name n FROM Contact", Some("MALFORMED_QUERY")),
        ("SELECT Id FROM Contact WHERE COUNT(Id) > 1", Some("MALFORMED_QUERY")),
        ("SELECT SUM(Name) FROM Contact", Some("MALFORMED_QUERY")),
        (
            "SELECT CALENDAR_YEAR(Name) FROM Contact GROUP BY CALENDAR_YEAR(Name)",
            Some("INVALID_FIELD"),
        ),
        (
            "SELECT Id FROM Contact WHERE CreatedDate = LAST_N_DAYS:30 AND Birthdate < THIS_YEAR",
            None,
        ),
        (
            "SELECT Id FROM Contact WHERE CreatedDate = LAST_N_DAYS",
            Some("MALFORMED_QUERY"),
        ),
        ("SELECT Id FROM Contact WHERE Name = TODAY", Some("INVALID_FIELD")),
        (
            "SELECT Id FROM Contact WHERE Status__c INCLUDES ('Active')",
            Some("INVALID_QUERY_FILTER_OPERATOR"),
        ),
        (
            "SELECT toLabel(Status__c), FORMAT(CreatedDate) FROM Contact WITH SECURITY_ENFORCED LIMIT 1 FOR VIEW",
            None,
        ),
        ("SELECT nothing(Id) FROM Contact", Some("MALFORMED_QUERY")),
        ("SELECT Id FROM Nothing", Some("INVALID_TYPE")),
        ("SELECT nothing FROM Contact", Some("INVALID_FIELD")),
        ("SELECT Nothing.Name FROM Contact", Some("INVALID_FIELD")),
        ("SELECT Id FROM Contact WHERE Description = 'x'", Some("INVALID_FIELD")),
        ("SELECT Id FROM Contact WHERE Name = 5", Some("INVALID_FIELD")),
        (
            "SELECT Id FROM Contact WHERE SystemModstamp > '2026'",
            Some("INVALID_FIELD"),
        ),
        (
            "SELECT Id FROM Contact WHERE Id = 'x'",
            Some("INVALID_QUERY_FILTER_OPERATOR"),
        ),
    ] {
        assert_eq!(code(text), expected, "{text}");
    }
}

/// The words as recorded from a live org [R cci].
#[test]
fn an_unknown_object_is_named_with_its_place() {
    let text = "select count() from XYZZY";
    let error = parse(text)
        .and_then(|q| bind(text, &q, &standard_schema(), NOW))
        .unwrap_err();
    let start = "\nselect count() from XYZZY\n                    ^\nERROR at Row:1:Column:21\nsObject type 'XYZZY' is not supported.";
    assert!(error.message.starts_with(start), "{}", error.message);
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in "\\PC{0,80}") {
        if let Err(error) = parse(&text).and_then(|q| bind(&text, &q, &standard_schema(), NOW)) {
            prop_assert!(!error.message.is_empty());
        }
    }

    #[test]
    fn no_words_break_the_parser(words in proptest::collection::vec(
        prop_oneof!["select|from|where|and|or|not|in|like|order|by|limit|null|group|having|count|max|LAST_N_DAYS|TODAY|includes", "Id|Name|Account|Contact|é", "[(),.=<>!:]", "'[a%_\\\\']{0,3}'", "[0-9-]{1,12}"], 0..20)) {
        let text = words.join(" ");
        if let Err(error) = parse(&text).and_then(|q| bind(&text, &q, &standard_schema(), NOW)) {
            prop_assert!(!error.message.is_empty());
        }
    }

    #[test]
    fn like_agrees_with_trying_everything(text in "[ab]{0,6}", pattern in "[ab%_]{0,6}") {
        fn slow(t: &[u8], p: &[u8]) -> bool {
            match p.split_first() {
                None => t.is_empty(),
                Some((b'%', rest)) => (0..=t.len()).any(|i| slow(&t[i..], rest)),
                Some((b'_', rest)) => !t.is_empty() && slow(&t[1..], rest),
                Some((c, rest)) => t.first() == Some(c) && slow(&t[1..], rest),
            }
        }
        prop_assert_eq!(like(&text, &pattern), slow(text.as_bytes(), pattern.as_bytes()));
    }
}
