//! One table for each kind: the same value as the product, REST, Bulk and events write it has one normal form, and
//! nothing else has it. Renditions are from contract.md 7.2–7.3 and change-events.md 2.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::domain::ids::FieldIdx;
use crate::domain::plan::{Direction, Policy};
use SalesforceValue::{Bool, Double, Int, Null};

pub(super) fn field(kind: Kind) -> FieldPlan {
    FieldPlan {
        idx: FieldIdx(0),
        name: "f".into(),
        salesforce: "F__c".into(),
        kind,
        direction: Direction::Both,
        on_conflict: Policy::Salesforce,
        personal: false,
        required: false,
        references: None,
        values: BTreeMap::new(),
        scale: None,
        group: None,
    }
}

pub(super) fn rest(json: &str) -> SalesforceValue {
    from_rest(serde_json::from_str(json).unwrap()).unwrap()
}

pub(super) fn text(text: &str) -> SalesforceValue {
    SalesforceValue::Text(Arc::from(text))
}

pub(super) fn raw(json: &str) -> RawJson {
    RawJson::from_checked(json.to_owned())
}

fn sent(field: &FieldPlan, product: &str) -> String {
    String::from_utf8(to_salesforce(field, &raw(product)).unwrap().json.to_vec()).unwrap()
}

fn told(field: &FieldPlan, value: &SalesforceValue) -> String {
    match to_product(field, value, None).unwrap().told {
        Told::Value(json) => String::from_utf8(json.expose().to_vec()).unwrap(),
        Told::ParentWithoutKey(id) => panic!("{id}"),
    }
}

/// One value: what the product may write, what Salesforce may answer, what is sent and what is told.
struct Value<'a> {
    product: &'a [&'a str],
    salesforce: Vec<SalesforceValue>,
    sent: &'a str,
    told: &'a str,
}

fn value<'a>(
    product: &'a [&'a str],
    salesforce: impl Into<Vec<SalesforceValue>>,
    sent: &'a str,
    told: &'a str,
) -> Value<'a> {
    Value {
        product,
        salesforce: salesforce.into(),
        sent,
        told,
    }
}

fn check(field: &FieldPlan, values: &[Value<'_>]) {
    let mut seen: Vec<Normal> = Vec::new();
    for value in values {
        let normal = to_salesforce(field, &raw(value.product[0])).unwrap().normal;
        assert!(!seen.contains(&normal), "{:?} is like another value", value.product);
        for product in value.product {
            let outbound = to_salesforce(field, &raw(product)).unwrap();
            assert_eq!(outbound.normal.as_bytes(), normal.as_bytes(), "product {product}");
        }
        assert_eq!(sent(field, value.product[0]), value.sent);
        for (at, salesforce) in value.salesforce.iter().enumerate() {
            let inbound = to_product(field, salesforce, None).unwrap();
            assert_eq!(
                inbound.normal.as_bytes(),
                normal.as_bytes(),
                "{:?} rendition {at}",
                value.product
            );
            assert_eq!(told(field, salesforce), value.told, "rendition {at}");
        }
        seen.push(normal);
    }
}

#[test]
fn texts() {
    for kind in [Kind::Text, Kind::Email, Kind::Phone, Kind::Url] {
        check(
            &field(kind),
            &[
                value(
                    &["null", "\"\"", "\"  \"", "\"\\t\\n\""],
                    [Null, rest("null"), text(""), text(" ")],
                    "null",
                    "null",
                ),
                value(
                    &["\"Ada\"", "\" Ada \"", " \"\\u0041da\" "],
                    [rest("\"Ada\""), text("Ada")],
                    "\"Ada\"",
                    "\"Ada\"",
                ),
                value(&["\"ada\""], [text("ada")], "\"ada\"", "\"ada\""),
                value(&["\"a  b\""], [text("a  b ")], "\"a  b\"", "\"a  b\""),
                value(
                    &["\"a\\r\\nb\"", "\"a\\nb\"", "\"\\ta\\rb\""],
                    [rest("\"a\\r\\nb\"")],
                    "\"a\\r\\nb\"",
                    "\"a\\r\\nb\"",
                ),
                value(
                    &["\"😀\"", "\"\\ud83d\\ude00\""],
                    [rest("\"\\uD83D\\uDE00\"")],
                    "\"😀\"",
                    "\"😀\"",
                ),
                value(&["\"null\""], [text("null")], "\"null\"", "\"null\""),
            ],
        );
    }
    assert_eq!(
        sent(&field(Kind::Email), "\"Ada@Example.ORG\""),
        "\"Ada@Example.ORG\"",
        "e-mail case is kept"
    );
}

#[test]
fn booleans() {
    check(
        &field(Kind::Boolean),
        &[
            value(
                &["false", "null"],
                [Null, Bool(false), rest("false"), rest("null"), text("false")],
                "false",
                "false",
            ),
            value(
                &["true", " true "],
                [Bool(true), rest("true"), text("true")],
                "true",
                "true",
            ),
        ],
    );
}

#[test]
fn integers() {
    check(
        &field(Kind::Integer),
        &[
            value(&["null", "\"\""], [Null, rest("null"), text("")], "null", "null"),
            value(
                &["23.0", "23", "2.3E1", "\"23.0\"", "\"23\""],
                [
                    Int(23),
                    Double(23.0),
                    rest("23"),
                    rest("23.0"),
                    rest("2.3E1"),
                    text("23"),
                ],
                "23",
                "23",
            ),
            value(&["0", "-0", "0.0"], [Int(0), Double(-0.0), rest("0.0")], "0", "0"),
            value(&["-7"], [Int(-7), Double(-7.0)], "-7", "-7"),
            value(
                &["139000000"],
                [Double(139e6), rest("1.39E8"), rest("139000000")],
                "139000000",
                "139000000",
            ),
        ],
    );
}

#[test]
fn decimals() {
    check(
        &field(Kind::Decimal),
        &[
            value(
                &["null", "\"\"", "\" \""],
                [Null, rest("null"), text("")],
                "null",
                "null",
            ),
            value(
                &["23.0", "23", "2.3E1", "\"23.0\"", "\" 23.00 \""],
                [
                    Int(23),
                    Double(23.0),
                    rest("23"),
                    rest("23.0"),
                    rest("2.3E1"),
                    text("23.0"),
                ],
                "23.0",
                "23",
            ),
            value(&["\"0.10\"", "0.1", "1e-1"], [Double(0.1), rest("0.1")], "0.10", "0.1"),
            value(
                &["12345678"],
                [rest("1.2345678E7"), Double(1.234_567_8E7)],
                "12345678",
                "12345678",
            ),
            value(
                &["999999999999999"],
                [Double(999_999_999_999_999.0)],
                "999999999999999",
                "999999999999999",
            ),
            // Sixteen digits and more: the sixteenth is not kept by a double, so it does not count.
            value(
                &["0.1234567890123456789"],
                [rest("0.123456789012346")],
                "0.1234567890123456789",
                "0.123456789012346",
            ),
            value(&["-2.5"], [Double(-2.5), rest("-2.50")], "-2.5", "-2.5"),
        ],
    );
}

#[test]
fn decimals_of_known_scale() {
    let field = FieldPlan {
        scale: Some(2),
        ..field(Kind::Decimal)
    };
    check(
        &field,
        &[
            value(
                &["2.675", "2.68", "2.6799", "\"2.675\""],
                [Double(2.68), rest("2.68")],
                "2.68",
                "2.68",
            ),
            value(&["-2.675"], [Double(-2.68)], "-2.68", "-2.68"),
            value(&["0.004", "0", "-0.001"], [Double(0.0), rest("0.0")], "0", "0"),
            value(&["23.0"], [Int(23), rest("23.0")], "23.0", "23"),
            value(&["1.5E3"], [rest("1500.0")], "1.5E3", "1500"),
        ],
    );
    let more = to_product(&field, &Double(2.6789), None).unwrap();
    assert_eq!(
        more.normal,
        to_salesforce(&field, &raw("2.68")).unwrap().normal,
        "others may write beyond the scale"
    );
    assert_eq!(told(&field, &Double(2.6789)), "2.6789");
}

#[test]
fn dates() {
    check(
        &field(Kind::Date),
        &[
            value(&["null", "\"\""], [Null, rest("null"), text("")], "null", "null"),
            value(
                &["\"2026-01-31\"", "\" 2026-01-31 \""],
                [rest("\"2026-01-31\""), Int(1_769_817_600_000)],
                "\"2026-01-31\"",
                "\"2026-01-31\"",
            ),
            value(
                &["\"1969-12-31\""],
                [Int(-86_400_000), Int(-1)],
                "\"1969-12-31\"",
                "\"1969-12-31\"",
            ),
            value(
                &["\"2024-02-29\""],
                [text("2024-02-29")],
                "\"2024-02-29\"",
                "\"2024-02-29\"",
            ),
        ],
    );
}

#[test]
fn datetimes() {
    check(
        &field(Kind::Datetime),
        &[
            value(&["null", "\"\""], [Null, rest("null"), text("")], "null", "null"),
            value(
                &[
                    "\"2022-03-17T16:21:26Z\"",
                    "\"2022-03-17T16:21:26.987Z\"",
                    "\"2022-03-17T17:21:26+01:00\"",
                    "\"2022-03-17T16:21:26.000+0000\"",
                ],
                [
                    rest("\"2022-03-17T16:21:26.000+0000\""),
                    text("2022-03-17T16:21:26.000Z"),
                    Int(1_647_534_086_000),
                    Int(1_647_534_086_999),
                ],
                "\"2022-03-17T16:21:26.000Z\"",
                "\"2022-03-17T16:21:26Z\"",
            ),
            value(
                &["\"1969-12-31T23:59:59.5Z\""],
                [Int(-1)],
                "\"1969-12-31T23:59:59.000Z\"",
                "\"1969-12-31T23:59:59Z\"",
            ),
        ],
    );
}

fn statuses(kind: Kind) -> FieldPlan {
    let values = [("active", "Active"), ("churned", "Former"), ("lost", "Former")];
    let values = values
        .into_iter()
        .map(|(here, there)| (here.to_owned(), there.to_owned()))
        .collect();
    FieldPlan { values, ..field(kind) }
}

#[test]
fn picklists() {
    check(
        &statuses(Kind::Picklist),
        &[
            value(
                &["null", "\"\"", "\" \""],
                [Null, rest("null"), text("")],
                "null",
                "null",
            ),
            value(
                &["\"active\"", "\"Active\"", "\" active \""],
                [text("Active")],
                "\"Active\"",
                "\"active\"",
            ),
            // Two product values for one of Salesforce: the first by name comes back.
            value(
                &["\"lost\"", "\"churned\""],
                [text("Former")],
                "\"Former\"",
                "\"churned\"",
            ),
            value(&["\"paused\""], [rest("\"paused\"")], "\"paused\"", "\"paused\""),
        ],
    );
}

#[test]
fn multipicklists() {
    check(
        &statuses(Kind::Multipicklist),
        &[
            value(
                &["null", "[]", "[\"\"]", "[\" \"]"],
                [Null, text(""), text(";")],
                "null",
                "null",
            ),
            value(
                &[
                    "[\"x\",\"active\"]",
                    "[\"active\",\"x\"]",
                    "[\"x\",\"active\",\"Active\",\" x\"]",
                ],
                [rest("\"Active;x\""), text("x;Active"), text("x; Active;")],
                "\"Active;x\"",
                "[\"active\",\"x\"]",
            ),
            value(
                &["[\"churned\"]", "[\"lost\",\"churned\"]"],
                [text("Former")],
                "\"Former\"",
                "[\"churned\"]",
            ),
        ],
    );
}

#[test]
fn references() {
    let field = field(Kind::Reference);
    for null in ["null", "\"\""] {
        let outbound = to_salesforce(&field, &raw(null)).unwrap();
        assert_eq!(
            (outbound.json.as_ref(), outbound.normal),
            (b"null".as_slice(), Normal::null())
        );
    }
    for value in [Null, text(""), rest("null")] {
        assert_eq!(to_product(&field, &value, Some("acme")).unwrap(), Inbound::null());
    }
    let outbound = to_salesforce(&field, &raw("\"acme\"")).unwrap();
    assert!(outbound.json.is_empty(), "the caller writes an id or an external id");
    let id = text("001D000000IRFmaIAH");
    let inbound = to_product(&field, &id, Some("acme")).unwrap();
    assert_eq!(inbound.normal, outbound.normal);
    assert_eq!(inbound.told, Told::Value(raw("\"acme\"")));

    let without = to_product(&field, &id, None).unwrap();
    assert_eq!(
        without.told,
        Told::ParentWithoutKey(SalesforceId::parse("001D000000IRFma").unwrap())
    );
    assert_eq!(
        without.normal,
        to_product(&field, &text("001D000000IRFma"), None).unwrap().normal
    );
    assert_ne!(
        without.normal,
        to_salesforce(&field, &raw("\"001D000000IRFmaIAH\"")).unwrap().normal
    );
}

#[test]
fn debug_shows_no_values() {
    let outbound = to_salesforce(&field(Kind::Text), &raw("\"secret\"")).unwrap();
    let inbound = to_product(&field(Kind::Text), &text("secret"), None).unwrap();
    assert!(!format!("{outbound:?}{:?}{inbound:?}{:?}", outbound.normal, inbound.told).contains("secret"));
}
