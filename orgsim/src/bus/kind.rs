//! How one field's value travels: its Avro type, the `doc` that names its Salesforce type, and its encoding.
//!
//! Types and docs are those of the schemas of a live developer org (AccountChangeEvent, ContactChangeEvent and a
//! custom object with one field of each type; public repository Valeriyyy/SalesforceGRPC).

use std::borrow::Cow;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::avro::Datum;
use crate::org::{Cell, value_of};

/// The wire form of a single value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// Text that may travel as a diff.
    LongText,
    Double,
    Integer,
    Boolean,
    DateTime,
    DateOnly,
    TimeOnly,
}

/// A value ready to be written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar<'a> {
    Text(Cow<'a, str>),
    Double(f64),
    Long(i64),
    Boolean(bool),
}

impl Kind {
    /// Wire form of a describe type, and the type's name in the schema's `doc`.
    pub(crate) fn of(sf_type: &str) -> (Self, &'static str) {
        match sf_type {
            "textarea" => (Self::LongText, "Data:StringPlusClob"),
            "picklist" | "combobox" => (Self::Text, "Data:DynamicEnum"),
            "multipicklist" => (Self::Text, "Data:MultiEnum"),
            "reference" => (Self::Text, "ForeignKey:EntityId"),
            "phone" => (Self::Text, "Data:Phone"),
            "url" => (Self::Text, "Data:Url"),
            "email" => (Self::Text, "Data:Email"),
            "encryptedstring" => (Self::Text, "Data:EncryptedText"),
            "double" => (Self::Double, "Data:Double"),
            "currency" => (Self::Double, "Data:Currency"),
            "percent" => (Self::Double, "Data:Percent"),
            "int" => (Self::Integer, "Data:Integer"),
            "boolean" => (Self::Boolean, "Data:Boolean"),
            "datetime" => (Self::DateTime, "Data:DateTime"),
            "date" => (Self::DateOnly, "Data:DateOnly"),
            "time" => (Self::TimeOnly, "Data:TimeOnly"),
            _ => (Self::Text, "Data:Text"),
        }
    }

    /// Name of the Avro type.
    pub(crate) fn avro(self) -> &'static str {
        match self {
            Self::Text | Self::LongText => "string",
            Self::Double => "double",
            Self::Integer => "int",
            Self::Boolean => "boolean",
            Self::DateTime | Self::DateOnly | Self::TimeOnly => "long",
        }
    }

    /// The value of a row's field in this form; None for null and for what is no value of this kind.
    pub(crate) fn read(self, cell: &Cell) -> Option<Scalar<'_>> {
        let scalar = match (self, cell) {
            (_, Cell::Null) => return None,
            (Self::Text | Self::LongText, Cell::Text(text)) => Some(Scalar::Text(Cow::Borrowed(text))),
            (Self::Text | Self::LongText, other) => Some(Scalar::Text(Cow::Owned(value_of(other).to_string()))),
            (Self::Double, Cell::Number(number)) => Some(Scalar::Double(*number)),
            (Self::Integer, Cell::Number(number)) => integer(*number).map(Scalar::Long),
            (Self::Boolean, Cell::Bool(flag)) => Some(Scalar::Boolean(*flag)),
            (Self::DateTime, Cell::Instant(seconds)) => Some(Scalar::Long(seconds.saturating_mul(1_000))),
            (Self::DateOnly, Cell::Date(date)) => date_only(*date).map(Scalar::Long),
            (Self::TimeOnly, Cell::Text(text)) => time_only(text).map(Scalar::Long),
            _ => None,
        };
        if scalar.is_none() {
            tracing::warn!(kind = ?self, "a field's value has not the form of its type: sent as null");
        }
        scalar
    }
}

impl Scalar<'_> {
    pub(crate) fn write(&self, datum: &mut Datum) {
        match self {
            Self::Text(text) => datum.string(text),
            Self::Double(number) => datum.double(*number),
            Self::Long(number) => datum.long(*number),
            Self::Boolean(flag) => datum.boolean(*flag),
        }
    }
}

/// Avro's `int` has 32 bits.
fn integer(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "whole, and checked against i32 below")]
    let whole = (number.fract() == 0.0).then_some(number as i64)?;
    i32::try_from(whole).ok().map(i64::from)
}

/// Milliseconds between 1970 and the day's start in UTC.
fn date_only(date: Date) -> Option<i64> {
    let start = date.to_zoned(TimeZone::UTC).ok()?;
    Some(start.timestamp().as_millisecond())
}

/// `07:25:37.000Z`, as milliseconds since midnight.
fn time_only(text: &str) -> Option<i64> {
    let time = text.strip_suffix('Z').unwrap_or(text).parse::<Time>().ok()?;
    let seconds = i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    Some(seconds * 1000 + i64::from(time.millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_form_of_their_type() {
        let date = |year, month, day| Cell::Date(jiff::civil::date(year, month, day));
        let cases = [
            (
                Kind::DateTime,
                Cell::Instant(1_779_607_537),
                Some(Scalar::Long(1_779_607_537_000)),
            ),
            (Kind::DateTime, Cell::text("soon"), None),
            (Kind::DateOnly, date(1970, 1, 2), Some(Scalar::Long(86_400_000))),
            (Kind::DateOnly, date(1969, 12, 31), Some(Scalar::Long(-86_400_000))),
            (
                Kind::TimeOnly,
                Cell::text("07:25:37.001Z"),
                Some(Scalar::Long(26_737_001)),
            ),
            (Kind::Integer, Cell::Number(3.0), Some(Scalar::Long(3))),
            (Kind::Integer, Cell::Number(3.5), None),
            (Kind::Integer, Cell::Number(3e9), None),
            (
                Kind::Double,
                Cell::Number(139_000_000.0),
                Some(Scalar::Double(139_000_000.0)),
            ),
            (Kind::Boolean, Cell::Bool(false), Some(Scalar::Boolean(false))),
            (Kind::Text, Cell::text("a;b"), Some(Scalar::Text("a;b".into()))),
            (Kind::Text, Cell::Number(7.0), Some(Scalar::Text("7".into()))),
            (Kind::Text, Cell::Null, None),
        ];
        for (kind, cell, scalar) in cases {
            assert_eq!(kind.read(&cell), scalar, "{kind:?} {cell:?}");
        }
    }
}
