//! Dates and times. The product writes RFC 3339, REST `2026-01-31T10:00:00.000+0000`, events milliseconds since 1970
//! for dates and times alike (change-events.md 2). Salesforce keeps whole seconds (contract.md 7.2).

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

use super::json::Json;
use super::text::{not, text_of};
use super::{Inbound, Normal, Outbound, ValueError};
use crate::domain::salesforce_value::SalesforceValue;

/// The years that Salesforce keeps (contract.md 7.2).
const YEARS: std::ops::RangeInclusive<i16> = 1700..=4000;

pub(super) fn date_to_salesforce(json: &Json<'_>) -> Result<Outbound, ValueError> {
    let Some(text) = moment_text(json, "a string like \"2026-01-31\", or null")? else {
        return Ok(Outbound::null());
    };
    let text = date_text(in_range(parse_date(text).ok_or(ValueError::BadDate)?)?);
    Ok(Outbound::new(format!("\"{text}\""), Normal::date(&text)))
}

pub(super) fn date_to_product(value: &SalesforceValue) -> Result<Inbound, ValueError> {
    let date = match value {
        SalesforceValue::Int(ms) => utc(*ms)?.date(),
        value => match text_of(value).map_err(|_| not(value, "a date"))? {
            Some(text) => parse_date(text).ok_or(ValueError::BadDate)?,
            None => return Ok(Inbound::null()),
        },
    };
    let text = date_text(in_range(date)?);
    Ok(Inbound::new(format!("\"{text}\""), Normal::date(&text)))
}

pub(super) fn datetime_to_salesforce(json: &Json<'_>) -> Result<Outbound, ValueError> {
    let Some(text) = moment_text(json, "a string like \"2026-01-31T10:00:00Z\", or null")? else {
        return Ok(Outbound::null());
    };
    let ms = parse_instant_ms(text).ok_or(ValueError::BadDatetime)?;
    Ok(Outbound::new(
        format!("\"{}.000Z\"", whole_seconds(ms)?),
        Normal::datetime(ms.div_euclid(1000)),
    ))
}

pub(super) fn datetime_to_product(value: &SalesforceValue) -> Result<Inbound, ValueError> {
    let ms = match value {
        SalesforceValue::Int(ms) => *ms,
        value => match text_of(value).map_err(|_| not(value, "a time"))? {
            Some(text) => parse_instant_ms(text).ok_or(ValueError::BadDatetime)?,
            None => return Ok(Inbound::null()),
        },
    };
    Ok(Inbound::new(
        format!("\"{}Z\"", whole_seconds(ms)?),
        Normal::datetime(ms.div_euclid(1000)),
    ))
}

/// A time as RFC 3339 or REST writes it, in milliseconds since 1970; finer parts are cut off.
///
/// Stricter than jiff's own parser, which takes many more forms: what is accepted here is the product's contract.
pub fn parse_instant_ms(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let date = parse_date(date)?;
    let clock = rest.strip_prefix(['T', 't'])?;
    let (clock, rest) = clock.split_at_checked(8)?;
    let [h1, h2, b':', m1, m2, b':', s1, s2] = clock.as_bytes() else {
        return None;
    };
    let number = |tens: &u8, ones: &u8| number(&[*tens, *ones]).and_then(|n| i8::try_from(n).ok());
    let time = Time::new(number(h1, h2)?, number(m1, m2)?, number(s1, s2)?, 0).ok()?;
    let (fraction_ms, offset) = parse_fraction(rest)?;
    let offset = parse_offset(offset)?;
    let instant = offset.to_timestamp(DateTime::from_parts(date, time)).ok()?;
    instant.as_millisecond().checked_add(fraction_ms)
}

fn parse_fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = rest.split_at_checked(length).filter(|_| length > 0)?;
    let ms = digits
        .bytes()
        .chain([b'0', b'0'])
        .take(3)
        .fold(0, |ms, digit| ms * 10 + i64::from(digit - b'0'));
    Some((ms, rest))
}

fn parse_offset(text: &str) -> Option<Offset> {
    if matches!(text, "Z" | "z") {
        return Some(Offset::UTC);
    }
    let (sign, digits) = match text.as_bytes() {
        [sign, h1, h2, b':', m1, m2] | [sign, h1, h2, m1, m2] => (sign, [*h1, *h2, *m1, *m2]),
        _ => return None,
    };
    let (hours, minutes) = (number(&digits[..2])?, number(&digits[2..])?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = i32::from(hours) * 3600 + i32::from(minutes) * 60;
    match sign {
        b'+' => Offset::from_seconds(seconds).ok(),
        b'-' => Offset::from_seconds(-seconds).ok(),
        _ => None,
    }
}

fn parse_date(text: &str) -> Option<Date> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else {
        return None;
    };
    let (month, day) = (number(&[*m1, *m2])?, number(&[*d1, *d2])?);
    Date::new(
        number(&[*y1, *y2, *y3, *y4])?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
    )
    .ok()
}

/// Up to four digits.
fn number(digits: &[u8]) -> Option<i16> {
    digits.iter().try_fold(0_i16, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number.saturating_mul(10).saturating_add(i16::from(digit - b'0')))
    })
}

fn utc(ms: i64) -> Result<DateTime, ValueError> {
    let instant = jiff::Timestamp::from_millisecond(ms).map_err(|_| ValueError::YearOutOfRange)?;
    Ok(Offset::UTC.to_datetime(instant))
}

fn in_range(date: Date) -> Result<Date, ValueError> {
    if YEARS.contains(&date.year()) {
        Ok(date)
    } else {
        Err(ValueError::YearOutOfRange)
    }
}

fn date_text(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

/// `2026-01-31T10:00:00`, UTC.
fn whole_seconds(ms: i64) -> Result<String, ValueError> {
    let utc = utc(ms)?;
    let date = date_text(in_range(utc.date())?);
    Ok(format!(
        "{date}T{:02}:{:02}:{:02}",
        utc.hour(),
        utc.minute(),
        utc.second()
    ))
}

fn moment_text<'a>(json: &'a Json<'_>, expected: &'static str) -> Result<Option<&'a str>, ValueError> {
    match json {
        Json::Null => Ok(None),
        Json::Text(text) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
        other => Err(other.not(expected)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn instants_of_both_worlds() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2022-03-17T16:21:26.000+0000", 1_647_534_086_000),
            ("2022-03-17T17:21:26.123+01:00", 1_647_534_086_123),
            ("2022-03-17T10:51:26.9999999-05:30", 1_647_534_086_999),
            ("2022-03-17t16:21:26.5z", 1_647_534_086_500),
            ("1969-12-31T23:59:59.999Z", -1),
        ] {
            assert_eq!(parse_instant_ms(text), Some(ms), "{text}");
        }
        for text in [
            "",
            "2022-03-17",
            "2022-03-17T16:21:26",
            "2022-03-17 16:21:26Z",
            "2022-03-17T16:21Z",
            "2022-03-17T24:00:00Z",
            "2022-03-17T16:21:60Z",
            "2022-02-29T16:21:26Z",
            "2022-03-17T16:21:26.Z",
            "2022-03-17T16:21:26+1",
            "2022-03-17T16:21:26+24:00",
            "2022-03-17T16:21:26Z[UTC]",
            "20220317T162126Z",
            "2022-03-17T16:21:2éZ",
        ] {
            assert_eq!(parse_instant_ms(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn times_survive(ms in -8_000_000_000_000_i64..64_000_000_000_000) {
            let text = format!("{}Z", whole_seconds(ms).unwrap());
            prop_assert_eq!(parse_instant_ms(&text), Some(ms.div_euclid(1000) * 1000));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            prop_assert!(parse_instant_ms(&text).is_none() || text.len() >= 20);
        }
    }
}
