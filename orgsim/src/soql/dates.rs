//! Date literals (`LAST_N_DAYS:30`) and date functions (`CALENDAR_YEAR`). The org's time zone is GMT, its fiscal year the
//! calendar's, and its week begins on Sunday [V:SOQLPDF; the user's locale decides there].

use jiff::civil::{Date, Weekday};
use jiff::{SignedDuration, Span};

use crate::org::Cell;

const DAY_SECONDS: i64 = 86_400;

/// What a literal counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

/// Days that a literal stands for: `count` units from the `from`th after the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DateLiteral {
    unit: Unit,
    from: i32,
    count: i32,
}

/// Largest number after a colon.
const MAX_N: u32 = 9_999;

impl DateLiteral {
    /// The literal of a word in upper case, and of the number after a colon where there is one.
    pub(super) fn read(word: &str, n: Option<u32>) -> Option<Self> {
        let literal = |unit, from, count| Some(Self { unit, from, count });
        if let Some(n) = n {
            let n = i32::try_from(n.min(MAX_N)).ok()?;
            let (direction, unit) = word
                .strip_prefix("LAST_N_")
                .map(|unit| (-1, unit))
                .or_else(|| word.strip_prefix("NEXT_N_").map(|unit| (1, unit)))
                .or_else(|| {
                    word.strip_prefix("N_")
                        .and_then(|w| w.strip_suffix("_AGO"))
                        .map(|unit| (0, unit))
                })?;
            let unit = match unit.strip_prefix("FISCAL_").unwrap_or(unit) {
                "DAYS" => Unit::Day,
                "WEEKS" => Unit::Week,
                "MONTHS" => Unit::Month,
                "QUARTERS" => Unit::Quarter,
                "YEARS" => Unit::Year,
                _ => return None,
            };
            return match (direction, unit) {
                // The last n days end with today [V:SOQLPDF]; longer units leave the current one out.
                (-1, Unit::Day) => literal(unit, -n, n + 1),
                (-1, _) => literal(unit, -n, n),
                (1, _) => literal(unit, 1, n),
                _ => literal(unit, -n, 1),
            };
        }
        match word {
            "YESTERDAY" => literal(Unit::Day, -1, 1),
            "TODAY" => literal(Unit::Day, 0, 1),
            "TOMORROW" => literal(Unit::Day, 1, 1),
            "LAST_90_DAYS" => literal(Unit::Day, -90, 91),
            "NEXT_90_DAYS" => literal(Unit::Day, 1, 90),
            _ => {
                let (which, unit) = word.split_once('_')?;
                let from = match which {
                    "LAST" => -1,
                    "THIS" => 0,
                    "NEXT" => 1,
                    _ => return None,
                };
                let unit = match unit.strip_prefix("FISCAL_").unwrap_or(unit) {
                    "WEEK" => Unit::Week,
                    "MONTH" => Unit::Month,
                    "QUARTER" => Unit::Quarter,
                    "YEAR" => Unit::Year,
                    _ => return None,
                };
                literal(unit, from, 1)
            }
        }
    }

    /// The first day, and the first one after the last; none where the calendar ends before.
    pub(super) fn days(self, today: Date) -> Option<(Date, Date)> {
        let begun = match self.unit {
            Unit::Day => today,
            Unit::Week => today
                .checked_sub(Span::new().days(i64::from(today.weekday().since(Weekday::Sunday))))
                .ok()?,
            Unit::Month => today.first_of_month(),
            Unit::Quarter => Date::new(today.year(), (today.month() - 1) / 3 * 3 + 1, 1).ok()?,
            Unit::Year => today.first_of_year(),
        };
        let step = |n: i32| {
            let n = i64::from(n);
            match self.unit {
                Unit::Day => Span::new().days(n),
                Unit::Week => Span::new().days(7 * n),
                Unit::Month => Span::new().months(n),
                Unit::Quarter => Span::new().months(3 * n),
                Unit::Year => Span::new().years(n),
            }
        };
        let first = begun.checked_add(step(self.from)).ok()?;
        Some((first, first.checked_add(step(self.count)).ok()?))
    }
}

/// What is taken of a date or of a date and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DateFunction {
    Year,
    Quarter,
    Month,
    DayInMonth,
    DayInWeek,
    DayInYear,
    DayOnly,
    HourInDay,
    WeekInMonth,
    WeekInYear,
}

impl DateFunction {
    /// The function of a name in upper case.
    pub(super) fn read(name: &str) -> Option<Self> {
        Some(match name {
            "CALENDAR_YEAR" | "FISCAL_YEAR" => Self::Year,
            "CALENDAR_QUARTER" | "FISCAL_QUARTER" => Self::Quarter,
            "CALENDAR_MONTH" | "FISCAL_MONTH" => Self::Month,
            "DAY_IN_MONTH" => Self::DayInMonth,
            "DAY_IN_WEEK" => Self::DayInWeek,
            "DAY_IN_YEAR" => Self::DayInYear,
            "DAY_ONLY" => Self::DayOnly,
            "HOUR_IN_DAY" => Self::HourInDay,
            "WEEK_IN_MONTH" => Self::WeekInMonth,
            "WEEK_IN_YEAR" => Self::WeekInYear,
            _ => return None,
        })
    }

    /// Whether it needs a time of day.
    pub(super) fn needs_time(self) -> bool {
        matches!(self, Self::DayOnly | Self::HourInDay)
    }

    /// Its value of a cell; null of anything that is no date.
    pub(super) fn of(self, cell: &Cell) -> Cell {
        let (date, hour) = match cell {
            Cell::Date(date) => (*date, 0),
            Cell::Instant(seconds) => match date_of(*seconds) {
                Some(date) => (date, seconds.rem_euclid(DAY_SECONDS) / 3_600),
                None => return Cell::Null,
            },
            _ => return Cell::Null,
        };
        let number = match self {
            Self::Year => i64::from(date.year()),
            Self::Quarter => i64::from((date.month() - 1) / 3 + 1),
            Self::Month => i64::from(date.month()),
            Self::DayInMonth => i64::from(date.day()),
            Self::DayInWeek => i64::from(date.weekday().since(Weekday::Sunday)) + 1,
            Self::DayInYear => i64::from(date.day_of_year()),
            Self::WeekInMonth => i64::from((date.day() - 1) / 7 + 1),
            Self::WeekInYear => i64::from((date.day_of_year() - 1) / 7 + 1),
            Self::HourInDay => hour,
            Self::DayOnly => return Cell::Date(date),
        };
        #[expect(clippy::cast_precision_loss, reason = "years and smaller numbers")]
        Cell::Number(number as f64)
    }
}

/// The day of an instant in GMT.
pub(super) fn date_of(seconds: i64) -> Option<Date> {
    let epoch = Date::new(1970, 1, 1).ok()?;
    epoch
        .checked_add(Span::new().try_days(seconds.div_euclid(DAY_SECONDS)).ok()?)
        .ok()
}

/// The first second of a day in GMT, since 1970.
pub(super) fn seconds_of(date: Date) -> i64 {
    let midnight = date.at(0, 0, 0, 0);
    let epoch = Date::constant(1970, 1, 1).at(0, 0, 0, 0);
    midnight.duration_since(epoch).max(SignedDuration::MIN).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn days(word: &str, n: Option<u32>) -> Option<(String, String)> {
        // A Wednesday.
        let (from, until) = DateLiteral::read(word, n)?.days(Date::constant(2026, 11, 25))?;
        Some((from.to_string(), until.to_string()))
    }

    /// Each literal with its first day and the first one after it, as the SOQL reference defines them [V:SOQLPDF].
    #[test]
    fn literals_stand_for_days() {
        for (word, n, from, until) in [
            ("TODAY", None, "2026-11-25", "2026-11-26"),
            ("YESTERDAY", None, "2026-11-24", "2026-11-25"),
            ("TOMORROW", None, "2026-11-26", "2026-11-27"),
            ("LAST_WEEK", None, "2026-11-15", "2026-11-22"),
            ("THIS_WEEK", None, "2026-11-22", "2026-11-29"),
            ("NEXT_WEEK", None, "2026-11-29", "2026-12-06"),
            ("LAST_MONTH", None, "2026-10-01", "2026-11-01"),
            ("THIS_MONTH", None, "2026-11-01", "2026-12-01"),
            ("NEXT_MONTH", None, "2026-12-01", "2027-01-01"),
            ("LAST_90_DAYS", None, "2026-08-27", "2026-11-26"),
            ("NEXT_90_DAYS", None, "2026-11-26", "2027-02-24"),
            ("LAST_N_DAYS", Some(1), "2026-11-24", "2026-11-26"),
            ("NEXT_N_DAYS", Some(2), "2026-11-26", "2026-11-28"),
            ("N_DAYS_AGO", Some(3), "2026-11-22", "2026-11-23"),
            ("LAST_N_WEEKS", Some(1), "2026-11-15", "2026-11-22"),
            ("NEXT_N_MONTHS", Some(2), "2026-12-01", "2027-02-01"),
            ("N_MONTHS_AGO", Some(1), "2026-10-01", "2026-11-01"),
            ("THIS_QUARTER", None, "2026-10-01", "2027-01-01"),
            ("LAST_QUARTER", None, "2026-07-01", "2026-10-01"),
            ("LAST_N_QUARTERS", Some(2), "2026-04-01", "2026-10-01"),
            ("THIS_YEAR", None, "2026-01-01", "2027-01-01"),
            ("NEXT_FISCAL_YEAR", None, "2027-01-01", "2028-01-01"),
            ("LAST_N_YEARS", Some(2), "2024-01-01", "2026-01-01"),
        ] {
            let expected = Some((from.to_owned(), until.to_owned()));
            assert_eq!(days(word, n), expected, "{word}:{n:?}");
        }
        for word in ["LAST", "LAST_DAY", "THIS_FORTNIGHT", "LAST_N_DAYS", "DAYS_AGO"] {
            assert_eq!(DateLiteral::read(word, None), None, "{word}");
        }
        assert_eq!(DateLiteral::read("TODAY", Some(1)), None);
    }

    #[test]
    fn functions_take_parts() {
        let instant = Cell::Instant(seconds_of(Date::constant(2026, 11, 25)) + 13 * 3_600);
        for (name, expected) in [
            ("CALENDAR_YEAR", 2026.0),
            ("CALENDAR_QUARTER", 4.0),
            ("FISCAL_MONTH", 11.0),
            ("DAY_IN_MONTH", 25.0),
            ("DAY_IN_WEEK", 4.0),
            ("DAY_IN_YEAR", 329.0),
            ("HOUR_IN_DAY", 13.0),
            ("WEEK_IN_MONTH", 4.0),
            ("WEEK_IN_YEAR", 47.0),
        ] {
            let function = DateFunction::read(name).expect(name);
            assert_eq!(function.of(&instant), Cell::Number(expected), "{name}");
        }
        assert_eq!(
            DateFunction::DayOnly.of(&instant),
            Cell::Date(Date::constant(2026, 11, 25))
        );
        assert_eq!(DateFunction::Year.of(&Cell::Null), Cell::Null);
    }

    proptest! {
        #[test]
        fn days_and_seconds_agree(seconds in -8_000_000_000_i64..60_000_000_000) {
            let date = date_of(seconds).expect("in the calendar");
            prop_assert_eq!(seconds_of(date), seconds - seconds.rem_euclid(DAY_SECONDS));
        }

        #[test]
        fn no_number_breaks_a_literal(word in "(LAST|NEXT)_N_(DAYS|WEEKS|MONTHS|QUARTERS|YEARS)", n in any::<u32>()) {
            let literal = DateLiteral::read(&word, Some(n)).expect("a literal");
            if let Some((from, until)) = literal.days(Date::constant(2026, 2, 28)) {
                prop_assert!(from <= until);
            }
        }
    }
}
