//! Dates and times as the REST API writes and reads them (contract 7.2): whole seconds, UTC, `+0000` without a colon.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

/// `2022-03-17T16:21:26.000+0000`.
#[must_use]
pub fn format_instant(epoch_seconds: i64) -> String {
    let (days, second) = (epoch_seconds.div_euclid(86_400), epoch_seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let mut out = String::with_capacity(28);
    push_digits(&mut out, year, 4);
    for (sign, value) in [
        ('-', month),
        ('-', day),
        ('T', second / 3_600),
        (':', second / 60 % 60),
        (':', second % 60),
    ] {
        out.push(sign);
        push_digits(&mut out, value, 2);
    }
    out.push_str(".000+0000");
    out
}

/// Year, month and day of a day since 1970, by eras of 400 years: written out as each row shows several stamps.
fn civil(days: i64) -> (i64, i64, i64) {
    let since_march_0000 = days + 719_468;
    let (era, day_of_era) = (
        since_march_0000.div_euclid(146_097),
        since_march_0000.rem_euclid(146_097),
    );
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn push_digits(out: &mut String, value: i64, width: u32) {
    for place in (0..width).rev() {
        let digit = u8::try_from(value / 10i64.pow(place) % 10).unwrap_or(0);
        out.push(char::from(b'0' + digit));
    }
}

/// `2010-01-01`.
#[must_use]
pub fn format_date(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

/// A date `YYYY-MM-DD` from 1700-01-01 to 4000-12-31.
#[must_use]
pub fn parse_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (number(&text[..4])?, number(&text[5..7])?, number(&text[8..])?);
    let date = Date::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
    )
    .ok()?;
    (1700..=4000).contains(&date.year()).then_some(date)
}

/// Seconds since 1970 of an ISO 8601 date and time with `Z`, `+hh:mm` or `+hhmm`; a fraction of a second is dropped.
#[must_use]
pub fn parse_instant(text: &str) -> Option<i64> {
    if !text.is_ascii() || text.len() < 20 || text.as_bytes()[10] != b'T' {
        return None;
    }
    let date = parse_date(&text[..10])?;
    let time = &text[11..];
    if time.as_bytes().get(2) != Some(&b':') || time.as_bytes().get(5) != Some(&b':') {
        return None;
    }
    let (hour, minute, second) = (number(&time[..2])?, number(&time[3..5])?, number(time.get(6..8)?)?);
    let mut rest = &time[8..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return None;
        }
        rest = &fraction[digits..];
    }
    let offset = match rest.as_bytes() {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), tail @ ..] if matches!(tail.len(), 4 | 5) => {
            let tail = std::str::from_utf8(tail).ok()?;
            let (h, m) = (number(&tail[..2])?, number(tail[2..].trim_start_matches(':'))?);
            let seconds = i32::try_from(h * 3600 + m * 60).ok()?;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let clock = jiff::civil::time(
        i8::try_from(hour).ok().filter(|h| *h < 24)?,
        i8::try_from(minute).ok().filter(|m| *m < 60)?,
        i8::try_from(second).ok().filter(|s| *s < 60)?,
        0,
    );
    let local = DateTime::from_parts(date, clock);
    let utc = Offset::UTC
        .to_timestamp(local)
        .ok()?
        .checked_sub(SignedDuration::from_secs(i64::from(offset)))
        .ok()?;
    Some(utc.as_second())
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms_that_are_read() {
        // contract 7.2: Z, offsets with and without a colon, fractions.
        for text in [
            "2022-03-17T16:21:26.000+0000",
            "2022-03-17T16:21:26Z",
            "2022-03-17T17:21:26.999+01:00",
            "2022-03-17T11:21:26-0500",
        ] {
            assert_eq!(parse_instant(text), Some(1_647_534_086), "{text}");
        }
        for text in [
            "2022-03-17",
            "2022-03-17T16:21:26",
            "2022-13-17T16:21:26Z",
            "2022-03-17 16:21:26Z",
            "1600-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
        assert_eq!(parse_date("2024-02-30"), None);
        assert_eq!(parse_date("2024-02-29").map(format_date).as_deref(), Some("2024-02-29"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in -8_000_000_000i64..60_000_000_000) {
            prop_assert_eq!(parse_instant(&format_instant(seconds)), Some(seconds));
        }
    }
}
