//! Numbers as decimals: what a value says must not depend on whether it came as `23`, `23.0`, `2.3E1`, `"23.0"` or as a
//! double.
//!
//! Salesforce keeps IEEE doubles, exact to 15 digits (KB 000394530), and API writes are not rounded to the field's scale
//! (KB 000387302). So what is sent is rounded to scale first, and what is compared is rounded to scale, then to 15 digits.

use bytes::Bytes;

use super::json::Json;
use super::text::not;
use super::{Inbound, Normal, Outbound, ValueError};
use crate::domain::salesforce_value::SalesforceValue;

/// Characters that a number takes at most.
const NUMBER_CHARS_MAX: usize = 400;
/// A number's leading digit stands at most this many places from the point (IEEE doubles end at 1e308).
const PLACES_MAX: i64 = 307;
/// Digits that a double keeps.
const DIGITS_EXACT: usize = 15;
/// Whole numbers of at most this many digits are written without an exponent.
const PLAIN_PLACES_MAX: i64 = 21;

/// `± digits × 10^exponent`; no zero digit at either end, zero has no digits.
#[derive(Clone, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// Takes a number as JSON writes it.
    fn parse(text: &str) -> Result<Self, ValueError> {
        if text.len() > NUMBER_CHARS_MAX {
            return Err(ValueError::NumberOutOfRange);
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (text, None),
        };
        let exponent = exponent.map_or(Ok(0), parse_exponent)?;
        let (negative, unsigned) = match mantissa.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, mantissa),
        };
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(ValueError::BadNumber),
            None => (unsigned, ""),
        };
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        let all_digits = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || leading_zero || !all_digits {
            return Err(ValueError::BadNumber);
        }
        let digits = whole.bytes().chain(fraction.bytes()).collect();
        let decimal = Self {
            negative,
            digits,
            exponent: exponent - fraction.len() as i64,
        }
        .trimmed();
        if decimal.places().abs() > PLACES_MAX {
            return Err(ValueError::NumberOutOfRange);
        }
        Ok(decimal)
    }

    fn of_double(double: f64) -> Result<Self, ValueError> {
        if !double.is_finite() {
            return Err(ValueError::BadNumber);
        }
        // The shortest text that gives this double again: what a person typed, if it had at most 15 digits.
        Self::parse(&format!("{double:e}"))
    }

    /// Digits before the point; negative for zeros after it.
    fn places(&self) -> i64 {
        self.digits.len() as i64 + self.exponent
    }

    fn trimmed(mut self) -> Self {
        let zeros = self.digits.iter().take_while(|digit| **digit == b'0').count();
        self.digits.drain(..zeros);
        while self.digits.last() == Some(&b'0') {
            self.digits.pop();
            self.exponent += 1;
        }
        if self.digits.is_empty() {
            return Self {
                negative: false,
                digits: Vec::new(),
                exponent: 0,
            };
        }
        self
    }

    /// Without its last digits, rounded half away from zero.
    fn without_last(mut self, count: usize) -> Self {
        let Some(kept) = self.digits.len().checked_sub(count) else {
            return Self {
                negative: false,
                digits: Vec::new(),
                exponent: 0,
            };
        };
        let up = self.digits.get(kept).is_some_and(|digit| *digit >= b'5');
        self.digits.truncate(kept);
        self.exponent += count as i64;
        if up {
            while self.digits.last() == Some(&b'9') {
                self.digits.pop();
                self.exponent += 1;
            }
            match self.digits.last_mut() {
                Some(last) => *last += 1,
                None => self.digits.push(b'1'),
            }
        }
        self.trimmed()
    }

    /// Rounded to this many digits after the point.
    fn to_scale(&self, scale: u8) -> Self {
        let surplus = -i64::from(scale) - self.exponent;
        match usize::try_from(surplus) {
            Ok(surplus) => self.clone().without_last(surplus),
            Err(_) => self.clone(),
        }
    }

    fn is_whole(&self) -> bool {
        self.exponent >= 0
    }

    /// A JSON number; the same value always gives the same text.
    fn json(&self) -> String {
        let digits: String = self.digits.iter().map(|digit| char::from(*digit)).collect();
        let sign = if self.negative { "-" } else { "" };
        let places = self.places();
        if digits.is_empty() {
            return "0".to_owned();
        }
        if !(-6..=PLAIN_PLACES_MAX).contains(&places) {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            return format!("{sign}{first}{point}{rest}e{}", places - 1);
        }
        let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
        if self.exponent >= 0 {
            return format!("{sign}{digits}{}", zeros(self.exponent));
        }
        match usize::try_from(places) {
            Ok(whole) if whole > 0 => format!("{sign}{}.{}", &digits[..whole], &digits[whole..]),
            _ => format!("{sign}0.{}{digits}", zeros(-places)),
        }
    }

    /// What a double keeps of it.
    fn normal(&self) -> Normal {
        let kept = self.as_kept().unwrap_or_else(|| self.clone());
        let digits: String = kept.digits.iter().map(|digit| char::from(*digit)).collect();
        let sign = if kept.negative { "-" } else { "" };
        Normal::number(&format!("{sign}{digits}e{}", kept.exponent))
    }

    /// Through a double, as Salesforce does, then cut to the digits that are exact; none where nothing is lost.
    fn as_kept(&self) -> Option<Self> {
        if self.digits.len() <= DIGITS_EXACT {
            return None;
        }
        let through = Self::of_double(self.json().parse().ok()?).ok()?;
        let surplus = through.digits.len().saturating_sub(DIGITS_EXACT);
        Some(if surplus > 0 {
            through.without_last(surplus)
        } else {
            through
        })
    }
}

/// Far exponents become the nearest that `PLACES_MAX` refuses (unless the number is zero).
fn parse_exponent(text: &str) -> Result<i64, ValueError> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ValueError::BadNumber);
    }
    let size = unsigned.parse().unwrap_or(1_000_000_i64).min(1_000_000);
    Ok(if text.starts_with('-') { -size } else { size })
}

/// Sent as digits only: an integer field takes no `23.0`.
pub(super) fn integer_to_salesforce(json: &Json<'_>) -> Result<Outbound, ValueError> {
    let Some(text) = number_text(json)? else {
        return Ok(Outbound::null());
    };
    let decimal = Decimal::parse(text)?;
    if !decimal.is_whole() {
        return Err(ValueError::NotWhole);
    }
    Ok(Outbound::new(decimal.json(), decimal.normal()))
}

pub(super) fn integer_to_product(value: &SalesforceValue) -> Result<Inbound, ValueError> {
    let Some(decimal) = decimal_of(value)? else {
        return Ok(Inbound::null());
    };
    if !decimal.is_whole() {
        return Err(ValueError::NotWhole);
    }
    Ok(Inbound::new(decimal.json(), decimal.normal()))
}

/// Byte-exact unless the scale is known and the number has more digits after the point.
pub(super) fn decimal_to_salesforce(raw: &Bytes, json: &Json<'_>, scale: Option<u8>) -> Result<Outbound, ValueError> {
    let Some(text) = number_text(json)? else {
        return Ok(Outbound::null());
    };
    let decimal = Decimal::parse(text)?;
    let rounded = scale.map_or_else(|| decimal.clone(), |scale| decimal.to_scale(scale));
    let json = if rounded != decimal {
        rounded.json().into()
    } else if matches!(json, Json::Number(_)) {
        raw.slice_ref(raw.trim_ascii())
    } else {
        Bytes::copy_from_slice(text.as_bytes())
    };
    Ok(Outbound::new(json, rounded.normal()))
}

/// Told with all its digits; only compared rounded.
pub(super) fn decimal_to_product(value: &SalesforceValue, scale: Option<u8>) -> Result<Inbound, ValueError> {
    let Some(decimal) = decimal_of(value)? else {
        return Ok(Inbound::null());
    };
    let normal = match scale {
        Some(scale) => decimal.to_scale(scale).normal(),
        None => decimal.normal(),
    };
    Ok(Inbound::new(decimal.json(), normal))
}

/// Products may write numbers as strings, to keep them from becoming doubles on their way.
fn number_text<'a>(json: &'a Json<'_>) -> Result<Option<&'a str>, ValueError> {
    match json {
        Json::Null => Ok(None),
        Json::Number(text) => Ok(Some(text)),
        Json::Text(text) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
        other => Err(other.not("a number, a string that holds one, or null")),
    }
}

fn decimal_of(value: &SalesforceValue) -> Result<Option<Decimal>, ValueError> {
    match value {
        SalesforceValue::Null => Ok(None),
        SalesforceValue::Int(number) => Decimal::parse(&number.to_string()).map(Some),
        SalesforceValue::Double(number) => Decimal::of_double(*number).map(Some),
        SalesforceValue::Text(text) if text.trim().is_empty() => Ok(None),
        SalesforceValue::Text(text) => Decimal::parse(text.trim()).map(Some),
        SalesforceValue::Bool(_) => Err(not(value, "a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_json_numbers_are_numbers() {
        for text in [
            "", "-", "+1", ".5", "5.", "01", "1e", "1e+", "1.2.3", "0x1", "NaN", "1 2", "١", "--1", "1e1.0",
        ] {
            assert_eq!(Decimal::parse(text).err(), Some(ValueError::BadNumber), "{text:?}");
        }
        for text in ["1e308", "1e-400", "1e99999999999999999999", &"9".repeat(401)] {
            assert_eq!(
                Decimal::parse(text).err(),
                Some(ValueError::NumberOutOfRange),
                "{text:?}"
            );
        }
        assert_eq!(Decimal::parse("-0e999999").unwrap().json(), "0");
    }

    #[test]
    fn numbers_have_one_text() {
        for (text, json) in [
            ("0.0", "0"),
            ("-0", "0"),
            ("23.0", "23"),
            ("2.3E1", "23"),
            ("1.2345678E7", "12345678"),
            ("-0.050", "-0.05"),
            ("1e-6", "0.000001"),
            ("1e-8", "1e-8"),
            ("123456789012345678901", "123456789012345678901"),
            ("1.5e30", "1.5e30"),
            ("120e-1", "12"),
        ] {
            assert_eq!(Decimal::parse(text).unwrap().json(), json, "{text}");
        }
    }

    #[test]
    fn rounding_is_half_away_from_zero() {
        for (text, scale, json) in [
            ("2.675", 2, "2.68"),
            ("-2.675", 2, "-2.68"),
            ("2.674999", 2, "2.67"),
            ("0.005", 2, "0.01"),
            ("0.0049", 2, "0"),
            ("-0.004", 2, "0"),
            ("0.5", 0, "1"),
            ("0.05", 0, "0"),
            ("99.995", 2, "100"),
            ("9.99", 1, "10"),
            ("1234", 2, "1234"),
        ] {
            assert_eq!(
                Decimal::parse(text).unwrap().to_scale(scale).json(),
                json,
                "{text} to {scale}"
            );
        }
    }

    proptest! {
        #[test]
        fn json_text_says_the_same_number(mantissa: i64, exponent in -320_i32..300) {
            if let Ok(decimal) = Decimal::parse(&format!("{mantissa}e{exponent}")) {
                prop_assert!(Decimal::parse(&decimal.json()).unwrap() == decimal);
            }
        }

        #[test]
        fn doubles_keep_their_value(double: f64) {
            if let Ok(decimal) = Decimal::of_double(double) {
                prop_assert_eq!(decimal.json().parse::<f64>().unwrap(), double);
            }
        }

        #[test]
        fn fifteen_digits_survive_a_double(mantissa in -999_999_999_999_999_i64..=999_999_999_999_999, exponent in -20_i32..20) {
            let decimal = Decimal::parse(&format!("{mantissa}e{exponent}")).unwrap();
            let double: f64 = decimal.json().parse().unwrap();
            prop_assert!(Decimal::of_double(double).unwrap() == decimal);
        }

        #[test]
        fn longer_numbers_are_alike_after_a_double(text in "-?[1-9][0-9]{15,40}(\\.[0-9]{1,20})?") {
            let decimal = Decimal::parse(&text).unwrap();
            let double: f64 = text.parse().unwrap();
            prop_assert!(Decimal::of_double(double).unwrap().normal() == decimal.normal());
        }

        #[test]
        fn rounding_twice_is_rounding_once(mantissa: i64, exponent in -20_i32..5, scale in 0_u8..18) {
            let once = Decimal::parse(&format!("{mantissa}e{exponent}")).unwrap().to_scale(scale);
            prop_assert!(once.to_scale(scale) == once);
        }
    }
}
