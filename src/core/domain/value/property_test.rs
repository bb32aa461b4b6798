//! What holds for every value: crossing changes nothing that the normal form shows, and crossing again changes nothing.

use proptest::prelude::*;

use super::golden_test::{field, rest};
use super::*;

/// Product values of every kind, with a field that takes them.
fn value() -> impl Strategy<Value = (FieldPlan, RawJson)> {
    let text = prop_oneof![Just(Kind::Text), Just(Kind::Email), Just(Kind::Phone), Just(Kind::Url)];
    prop_oneof![
        (text, "(?s)[ \\PC\r\n\t]{0,12}").prop_map(|(kind, text)| (field(kind), quote(&text))),
        any::<bool>().prop_map(|value| (field(Kind::Boolean), json(value.to_string()))),
        (-1_000_000_000_000_000_i64..1_000_000_000_000_000, 0_u8..4)
            .prop_map(|(number, exponent)| (field(Kind::Integer), json(format!("{number}e{exponent}")))),
        (any::<i64>(), -30_i32..20, prop::option::of(0_u8..10), any::<bool>()).prop_map(
            |(mantissa, exponent, scale, text)| {
                let number = format!("{mantissa}e{exponent}");
                let value = if text { quote(&number) } else { json(number) };
                (
                    FieldPlan {
                        scale,
                        ..field(Kind::Decimal)
                    },
                    value,
                )
            }
        ),
        (1700_i16..4000, 1_i8..=12, 1_i8..=28)
            .prop_map(|(y, m, d)| (field(Kind::Date), quote(&format!("{y:04}-{m:02}-{d:02}")))),
        (-8_000_000_000_i64..64_000_000_000, 0..1000).prop_map(|(seconds, ms)| {
            let text = jiff::Timestamp::new(seconds, ms * 1_000_000).unwrap().to_string();
            (field(Kind::Datetime), quote(&text))
        }),
        "[ a-d]{0,3}".prop_map(|text| (mapped(Kind::Picklist), quote(&text))),
        prop::collection::vec("[ a-d]{0,3}", 0..5).prop_map(|texts| {
            let items: Vec<String> = texts.iter().map(|text| format!("\"{text}\"")).collect();
            (mapped(Kind::Multipicklist), json(format!("[{}]", items.join(","))))
        }),
        (any::<u8>(), Just(())).prop_map(|(kind, ())| (field(KINDS[usize::from(kind) % KINDS.len()]), RawJson::null())),
    ]
}

const KINDS: [Kind; 4] = [Kind::Text, Kind::Boolean, Kind::Decimal, Kind::Multipicklist];

/// Maps some values; no Salesforce value is also the name of another product value.
fn mapped(kind: Kind) -> FieldPlan {
    let values = [("a", "A"), ("b", "B"), ("c", "B")];
    let values = values
        .into_iter()
        .map(|(here, there)| (here.to_owned(), there.to_owned()))
        .collect();
    FieldPlan { values, ..field(kind) }
}

fn json(text: String) -> RawJson {
    RawJson::from_checked(text)
}

fn quote(text: &str) -> RawJson {
    json(serde_json::to_string(text).unwrap())
}

fn any_kind() -> impl Strategy<Value = Kind> {
    use Kind::*;
    prop::sample::select(vec![
        Text,
        Email,
        Phone,
        Url,
        Boolean,
        Integer,
        Decimal,
        Date,
        Datetime,
        Picklist,
        Multipicklist,
        Reference,
    ])
}

fn salesforce_value() -> impl Strategy<Value = SalesforceValue> {
    prop_oneof![
        Just(SalesforceValue::Null),
        any::<bool>().prop_map(SalesforceValue::Bool),
        any::<i64>().prop_map(SalesforceValue::Int),
        any::<f64>().prop_map(SalesforceValue::Double),
        "(?s).{0,20}".prop_map(|text| SalesforceValue::Text(text.into())),
        "-?[0-9]{1,25}(\\.[0-9]{1,20})?(E-?[0-9]{1,2})?".prop_map(|text| SalesforceValue::Text(text.into())),
        "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\\.000\\+0000"
            .prop_map(|text| SalesforceValue::Text(text.into())),
        "[A-Da; ]{0,8}".prop_map(|text| SalesforceValue::Text(text.into())),
    ]
}

fn value_of(inbound: &Inbound) -> Option<&RawJson> {
    match &inbound.told {
        Told::Value(json) => Some(json),
        Told::ParentWithoutKey(_) => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// What is sent comes back, by REST, as the same value; so an own write is seen to be one.
    #[test]
    fn what_is_sent_comes_back_alike((field, raw) in value()) {
        let outbound = to_salesforce(&field, &raw).unwrap();
        let back = rest(std::str::from_utf8(&outbound.json).unwrap());
        let inbound = to_product(&field, &back, None).unwrap();
        prop_assert_eq!(inbound.normal.as_bytes(), outbound.normal.as_bytes());
        let again = to_salesforce(&field, value_of(&inbound).unwrap()).unwrap();
        prop_assert_eq!(again.normal.as_bytes(), outbound.normal.as_bytes());
    }

    /// A number that comes back as an event's double is the same number.
    #[test]
    fn numbers_come_back_alike_as_doubles(mantissa: i64, exponent in -30_i32..20, scale in prop::option::of(0_u8..10)) {
        let field = FieldPlan { scale, ..field(Kind::Decimal) };
        let outbound = to_salesforce(&field, &json(format!("{mantissa}e{exponent}"))).unwrap();
        let double: f64 = std::str::from_utf8(&outbound.json).unwrap().parse().unwrap();
        let inbound = to_product(&field, &SalesforceValue::Double(double), None).unwrap();
        prop_assert_eq!(inbound.normal.as_bytes(), outbound.normal.as_bytes());
    }

    /// What the product is told, it may send back: nothing changes.
    #[test]
    fn what_is_told_may_be_sent_back(kind in any_kind(), value in salesforce_value(), scale in prop::option::of(0_u8..10)) {
        let field = FieldPlan { scale, ..mapped(kind) };
        let told = to_product(&field, &value, Some("parent")).ok();
        // A choice that the map does not list passes as it is: one that is also a product's name of another says that.
        let is_name = |text: &str| field.values.contains_key(text.trim());
        let ambiguous = matches!(&value, SalesforceValue::Text(text) if text.split(';').any(is_name));
        let told = told.filter(|_| !ambiguous || !matches!(kind, Kind::Picklist | Kind::Multipicklist));
        if let Some(inbound) = told {
            let outbound = to_salesforce(&field, value_of(&inbound).unwrap()).unwrap();
            prop_assert_eq!(outbound.normal.as_bytes(), inbound.normal.as_bytes());
        }
    }

    #[test]
    fn nothing_panics(kind in any_kind(), noise: Vec<u8>, text in "(?s).{0,20}", value in salesforce_value()) {
        let field = mapped(kind);
        for raw in [RawJson::from_checked(noise), RawJson::from_checked(text.clone()), quote(&text)] {
            if let Ok(outbound) = to_salesforce(&field, &raw) {
                prop_assert!(outbound.json.is_empty() || serde_json::from_slice::<serde_json::Value>(&outbound.json).is_ok());
            }
        }
        if let Ok(inbound) = to_product(&field, &value, None) {
            let json = value_of(&inbound).map(|json| json.expose().clone());
            prop_assert!(json.is_none_or(|json| serde_json::from_slice::<serde_json::Value>(&json).is_ok()));
        }
    }
}
