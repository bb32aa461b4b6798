//! A formula's value for a row.

use std::cmp::Ordering;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::bind::{Node, Path, Permission};
use crate::org::{Cell, Cells, Org, parse_date, parse_instant, text_of};

/// Seconds of a day: dates and moments are counted in days.
const DAY: f64 = 86_400.0;

/// The values of the row as it is now: kept, or about to be.
#[derive(Clone, Copy)]
pub(crate) enum Now<'a> {
    Kept(&'a Cells),
    Open(&'a [Cell]),
}

impl<'a> Now<'a> {
    pub(crate) fn cell(self, place: usize) -> &'a Cell {
        match self {
            Self::Kept(cells) => &cells[place],
            Self::Open(cells) => cells.get(place).unwrap_or(&Cell::Null),
        }
    }
}

/// What a formula may look at.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// For the parents' rows.
    pub(crate) org: &'a Org,
    pub(crate) row: Now<'a>,
    /// The row before the change; None for a new row, and outside of changes.
    pub(crate) before: Option<&'a Cells>,
    pub(crate) is_new: bool,
    /// Seconds since 1970.
    pub(crate) now: i64,
    /// 18-character id of the user, where there is one.
    pub(crate) user: &'a str,
    /// Whether the user has the permission to pass the fence.
    pub(crate) bypass: bool,
}

/// Total: what makes no sense is null.
pub(super) fn evaluate(node: &Node, scope: &Scope<'_>) -> Cell {
    match node {
        Node::Value(cell) => cell.clone(),
        Node::Field(path) => field(path, scope),
        // On a new row the value before is the value now [from memory].
        Node::Prior(place) => scope
            .before
            .map_or_else(|| scope.row.cell(*place), |before| &before[*place])
            .clone(),
        Node::Changed(place) => {
            let before = scope.before.filter(|_| !scope.is_new);
            Cell::Bool(before.is_some_and(|before| before[*place] != *scope.row.cell(*place)))
        }
        Node::IsNew => Cell::Bool(scope.is_new),
        Node::Permission(permission) => Cell::Bool(*permission == Permission::FenceBypass && scope.bypass),
        Node::UserId => Cell::text(scope.user),
        Node::Call(function, arguments) => call(function, arguments, scope).unwrap_or(Cell::Null),
    }
}

fn field(path: &Path, scope: &Scope<'_>) -> Cell {
    let Some((first, rest)) = path.hops.split_first() else {
        return scope.row.cell(path.field).clone();
    };
    let row_of = |id: &Cell| scope.org.row(scope.org.locate(id.as_text()?)?).cloned();
    let mut parent = row_of(scope.row.cell(*first));
    for hop in rest {
        parent = parent.and_then(|row| row_of(&row.cells[*hop]));
    }
    parent.map_or(Cell::Null, |row| row.cells[path.field].clone())
}

fn call(function: &str, arguments: &[Node], scope: &Scope<'_>) -> Option<Cell> {
    let value = |place: usize| arguments.get(place).map_or(Cell::Null, |node| evaluate(node, scope));
    let truth = |node: &Node| evaluate(node, scope) == Cell::Bool(true);
    // A null text is an empty one.
    let text = |place: usize| match value(place) {
        Cell::Text(text) => text.to_string(),
        _ => String::new(),
    };
    let number = |place: usize| value(place).as_number();
    let numbers = || {
        arguments
            .iter()
            .map(|node| evaluate(node, scope).as_number())
            .collect::<Option<Vec<f64>>>()
    };
    let cell = match function {
        "AND" | "&&" => Cell::Bool(arguments.iter().all(truth)),
        "OR" | "||" => Cell::Bool(arguments.iter().any(truth)),
        "NOT" => Cell::Bool(!truth(arguments.first()?)),
        "IF" => value(if truth(arguments.first()?) { 1 } else { 2 }),
        "CASE" => case(arguments, scope),
        "BLANKVALUE" => Some(value(0))
            .filter(|cell| !is_blank(cell))
            .unwrap_or_else(|| value(1)),
        "ISBLANK" | "ISNULL" => Cell::Bool(is_blank(&value(0))),
        "ISPICKVAL" => Cell::Bool(text(0) == text(1)),
        "INCLUDES" => Cell::Bool(text(0).split(';').any(|part| part == text(1))),
        "TEXT" => match value(0) {
            Cell::Null => Cell::Null,
            other => Cell::text(&text_of(&other)),
        },
        "VALUE" => finite(text(0).trim().parse().ok()?)?,
        "ISNUMBER" => Cell::Bool(text(0).trim().parse::<f64>().is_ok_and(f64::is_finite)),
        "LEN" => length(text(0).chars().count()),
        "LEFT" => written(text(0).chars().take(count(number(1)?)).collect()),
        "RIGHT" => {
            let text = text(0);
            let skipped = text.chars().count().saturating_sub(count(number(1)?));
            written(text.chars().skip(skipped).collect())
        }
        "MID" => {
            let first = count(number(1)?).saturating_sub(1);
            written(text(0).chars().skip(first).take(count(number(2)?)).collect())
        }
        "UPPER" => written(text(0).to_uppercase()),
        "LOWER" => written(text(0).to_lowercase()),
        "TRIM" => written(text(0).trim().to_owned()),
        "CONTAINS" => Cell::Bool(text(0).contains(&text(1))),
        "BEGINS" => Cell::Bool(text(0).starts_with(&text(1))),
        "FIND" => {
            let (part, text) = (text(0), text(1));
            length(
                text.find(&part)
                    .filter(|_| !part.is_empty())
                    .map_or(0, |at| text[..at].chars().count() + 1),
            )
        }
        "SUBSTITUTE" => substituted(&text(0), &text(1), &text(2))?,
        "&" => joined(text(0), &text(1))?,
        "ABS" => finite(number(0)?.abs())?,
        "ROUND" => round(number(0)?, number(1)?)?,
        "FLOOR" => finite(number(0)?.floor())?,
        "CEILING" => finite(number(0)?.ceil())?,
        "MOD" => finite(number(0)?.rem_euclid(number(1)?))?,
        "SQRT" => finite(number(0)?.sqrt())?,
        "MIN" => finite(numbers()?.into_iter().fold(f64::INFINITY, f64::min))?,
        "MAX" => finite(numbers()?.into_iter().fold(f64::NEG_INFINITY, f64::max))?,
        "NEGATE" => finite(-number(0)?)?,
        "PLUS" => finite(number(0)?)?,
        "*" => finite(number(0)? * number(1)?)?,
        "/" => finite(number(0)? / number(1)?)?,
        "^" => finite(number(0)?.powf(number(1)?))?,
        "+" | "-" => sum(&value(0), &value(1), function == "-")?,
        "=" | "==" => Cell::Bool(equal(&value(0), &value(1))),
        "<>" | "!=" => Cell::Bool(!equal(&value(0), &value(1))),
        "<" => ordered(&value(0), &value(1), Ordering::is_lt),
        "<=" => ordered(&value(0), &value(1), Ordering::is_le),
        ">" => ordered(&value(0), &value(1), Ordering::is_gt),
        ">=" => ordered(&value(0), &value(1), Ordering::is_ge),
        "TODAY" => Cell::Date(day_of(scope.now)?),
        "NOW" => Cell::Instant(scope.now),
        "DATE" => {
            let part = |n: f64| whole(n).and_then(|n| i8::try_from(n).ok());
            let year = whole(number(0)?).and_then(|n| i16::try_from(n).ok())?;
            Cell::Date(Date::new(year, part(number(1)?)?, part(number(2)?)?).ok()?)
        }
        "DATEVALUE" => match value(0) {
            Cell::Instant(at) => Cell::Date(day_of(at)?),
            Cell::Text(text) => Cell::Date(parse_date(&text).or_else(|| day_of(parse_instant(&text)?))?),
            Cell::Date(date) => Cell::Date(date),
            _ => return None,
        },
        "YEAR" | "MONTH" | "DAY" => match (value(0), function) {
            (Cell::Date(date), "YEAR") => Cell::Number(date.year().into()),
            (Cell::Date(date), "MONTH") => Cell::Number(date.month().into()),
            (Cell::Date(date), _) => Cell::Number(date.day().into()),
            _ => return None,
        },
        _ => return None,
    };
    Some(cell)
}

fn case(arguments: &[Node], scope: &Scope<'_>) -> Cell {
    let Some((asked, rest)) = arguments.split_first() else {
        return Cell::Null;
    };
    let asked = evaluate(asked, scope);
    for pair in rest.chunks(2) {
        match pair {
            [when, then] if equal(&asked, &evaluate(when, scope)) => return evaluate(then, scope),
            [otherwise] => return evaluate(otherwise, scope),
            _ => {}
        }
    }
    Cell::Null
}

fn is_blank(cell: &Cell) -> bool {
    cell.is_null() || cell.as_text() == Some("")
}

/// Null and an empty text are one; other texts are compared with their case.
fn equal(one: &Cell, other: &Cell) -> bool {
    one == other || (is_blank(one) && is_blank(other))
}

/// With null nothing is smaller or larger [from memory].
fn ordered(one: &Cell, other: &Cell, fits: impl Fn(Ordering) -> bool) -> Cell {
    Cell::Bool(one.compare(other).is_some_and(fits))
}

fn finite(number: f64) -> Option<Cell> {
    number.is_finite().then_some(Cell::Number(number))
}

fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "small, as checked")]
    let whole = number.trunc() as i64;
    (number.abs() < 1e15).then_some(whole)
}

/// How many letters a number asks for.
fn count(number: f64) -> usize {
    whole(number).and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
}

fn length(letters: usize) -> Cell {
    u32::try_from(letters).map_or(Cell::Null, |letters| Cell::Number(letters.into()))
}

fn written(text: String) -> Cell {
    if text.is_empty() {
        Cell::Null
    } else {
        Cell::Text(text.into())
    }
}

/// Longest text that a formula makes, bytes [from memory: 3,900 characters].
const MAX_TEXT: usize = 15_600;

fn joined(mut left: String, right: &str) -> Option<Cell> {
    left.push_str(right);
    (left.len() <= MAX_TEXT).then(|| written(left))
}

fn substituted(text: &str, old: &str, new: &str) -> Option<Cell> {
    if old.is_empty() {
        return Some(written(text.to_owned()));
    }
    let found = text.matches(old).count();
    let longest = text.len().saturating_add(found.saturating_mul(new.len()));
    (longest <= MAX_TEXT.max(text.len())).then(|| written(text.replace(old, new)))
}

/// Half goes away from zero.
fn round(number: f64, places: f64) -> Option<Cell> {
    let places = i32::try_from(whole(places)?).ok().filter(|places| places.abs() <= 18)?;
    let factor = 10_f64.powi(places);
    finite((number * factor).round() / factor)
}

fn day_of(seconds: i64) -> Option<Date> {
    Some(Timestamp::from_second(seconds).ok()?.to_zoned(TimeZone::UTC).date())
}

/// Numbers, or a date or moment and days.
fn sum(left: &Cell, right: &Cell, minus: bool) -> Option<Cell> {
    let sign = if minus { -1.0 } else { 1.0 };
    let later = |date: Date, days: f64| {
        Some(Cell::Date(
            date.checked_add(Span::new().try_days(whole(days)?).ok()?).ok()?,
        ))
    };
    match (left, right) {
        (Cell::Number(left), Cell::Number(right)) => finite(left + sign * right),
        (Cell::Date(left), Cell::Date(right)) if minus => {
            let days = right.until(*left).ok()?.get_days();
            Some(Cell::Number(days.into()))
        }
        #[expect(clippy::cast_precision_loss, reason = "seconds of the years that a date can have")]
        (Cell::Instant(left), Cell::Instant(right)) if minus => finite(left.checked_sub(*right)? as f64 / DAY),
        (Cell::Date(date), Cell::Number(days)) => later(*date, sign * days),
        (Cell::Number(days), Cell::Date(date)) if !minus => later(*date, *days),
        (Cell::Instant(at), Cell::Number(days)) => Some(Cell::Instant(at.checked_add(whole(sign * days * DAY)?)?)),
        (Cell::Number(days), Cell::Instant(at)) if !minus => Some(Cell::Instant(at.checked_add(whole(days * DAY)?)?)),
        _ => None,
    }
}
