//! What a kind does not take, from either side.

use super::golden_test::{field, raw, text};
use super::*;
use SalesforceValue::{Bool, Double, Int};

#[test]
fn what_a_kind_does_not_take() {
    use Kind::*;
    for (kind, product, code) in [
        (Text, "1", "wrong_type"),
        (Email, "true", "wrong_type"),
        (Phone, "{}", "wrong_type"),
        (Url, "[]", "wrong_type"),
        (Text, "\"\\ud800\"", "bad_text"),
        (Boolean, "\"true\"", "wrong_type"),
        (Boolean, "0", "wrong_type"),
        (Integer, "2.5", "not_whole"),
        (Integer, "\"x\"", "bad_number"),
        (Integer, "true", "wrong_type"),
        (Decimal, "\"1,5\"", "bad_number"),
        (Decimal, "1e309", "number_out_of_range"),
        (Decimal, "[1]", "wrong_type"),
        (Date, "\"2026-02-30\"", "bad_date"),
        (Date, "\"31.01.2026\"", "bad_date"),
        (Date, "\"2026-01-31T00:00:00Z\"", "bad_date"),
        (Date, "\"1699-12-31\"", "year_out_of_range"),
        (Date, "20260131", "wrong_type"),
        (Datetime, "\"2026-01-31\"", "bad_datetime"),
        (Datetime, "\"2026-01-31T10:00:00\"", "bad_datetime"),
        (Datetime, "\"4001-01-01T00:00:00Z\"", "year_out_of_range"),
        (Picklist, "[\"a\"]", "wrong_type"),
        (Multipicklist, "\"a;b\"", "wrong_type"),
        (Multipicklist, "[\"a;b\"]", "semicolon_in_choice"),
        (Multipicklist, "[1]", "wrong_type"),
        (Multipicklist, "[null]", "wrong_type"),
        (Reference, "\" a\"", "bad_reference"),
        (Reference, "7", "wrong_type"),
    ] {
        let error = to_salesforce(&field(kind), &raw(product)).unwrap_err();
        assert_eq!(error.code(), code, "{kind:?} {product}");
        assert!(error.remedy().ends_with('.'));
    }
    let many: Vec<String> = (0..101).map(|n| format!("\"{n}\"")).collect();
    let many = raw(&format!("[{}]", many.join(",")));
    assert_eq!(
        to_salesforce(&field(Multipicklist), &many).unwrap_err(),
        ValueError::TooManyChoices
    );

    for (kind, salesforce, code) in [
        (Text, Int(1), "wrong_type"),
        (Boolean, Int(1), "wrong_type"),
        (Boolean, text("yes"), "wrong_type"),
        (Integer, Double(2.5), "not_whole"),
        (Decimal, Double(f64::NAN), "bad_number"),
        (Decimal, Bool(true), "wrong_type"),
        (Date, Double(1.0), "wrong_type"),
        (Date, text("yesterday"), "bad_date"),
        (Datetime, Int(i64::MAX), "year_out_of_range"),
        (Datetime, Bool(true), "wrong_type"),
        (Reference, text("acme"), "bad_salesforce_id"),
        (Reference, Int(1), "wrong_type"),
    ] {
        assert_eq!(
            to_product(&field(kind), &salesforce, None).unwrap_err().code(),
            code,
            "{kind:?}"
        );
    }
    assert!(from_rest(serde_json::from_str("{\"city\":\"Bonn\"}").unwrap()).is_err());
}
