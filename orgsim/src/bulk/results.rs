//! The three result files of an ingest job (contract 4.1).

use super::dialect::Dialect;
use super::job::{Ingest, Outcome};
use super::reader::{Line, Reader};
use super::writer::{write_value, write_values};
use crate::org::IdSpace;

/// Rows that were written: id and whether they are new, then what was uploaded. Ids are made of the object's key prefix.
#[must_use]
pub(crate) fn written(ingest: &Ingest, dialect: Dialect, ids: &IdSpace, prefix: &str, job_id: &str) -> String {
    file(
        ingest,
        dialect,
        ["sf__Id", "sf__Created"],
        job_id,
        |outcome| match outcome {
            Outcome::Written(slot, created) => Some((ids.id(prefix, *slot), created.to_string())),
            Outcome::Refused(_) => None,
        },
    )
}

/// Rows that were refused: their id where they named one, the error, then what was uploaded.
#[must_use]
pub(crate) fn refused(ingest: &Ingest, dialect: Dialect, job_id: &str) -> String {
    file(
        ingest,
        dialect,
        ["sf__Id", "sf__Error"],
        job_id,
        |outcome| match outcome {
            Outcome::Refused(error) => Some((String::new(), error.to_string())),
            Outcome::Written(..) => None,
        },
    )
}

/// Rows that were not worked on, as they were uploaded.
#[must_use]
pub(crate) fn unprocessed(ingest: &Ingest, dialect: Dialect) -> String {
    let Some(text) = &ingest.upload else {
        return String::new();
    };
    let mut header = Line::default();
    match ingest.next {
        Some(next) if Reader::new(text, 0, dialect).read(&mut header) == Ok(true) => {
            let head = text.get(..header.end).unwrap_or_default();
            format!("{head}{}", text.get(next..).unwrap_or_default())
        }
        _ => text.to_string(),
    }
}

/// Header, and the rows of which `lead` makes the first two values.
fn file(
    ingest: &Ingest,
    dialect: Dialect,
    names: [&str; 2],
    job_id: &str,
    lead: impl Fn(&Outcome) -> Option<(String, String)>,
) -> String {
    let text = ingest.upload.as_ref().map_or("", |t| t.as_str());
    let (mut line, mut out) = (Line::default(), String::new());
    let mut columns = Vec::new();
    if Reader::new(text, 0, dialect).read(&mut line) == Ok(true) {
        columns = line.values(text).collect();
    }
    let header = names.into_iter().chain(columns.iter().map(AsRef::as_ref));
    write_values(&mut out, dialect, header);
    let id_column = columns.iter().position(|c| c.eq_ignore_ascii_case("Id"));
    for row in shuffled(ingest.done.len(), job_id) {
        let row = &ingest.done[row];
        let Some((first, second)) = lead(&row.outcome) else {
            continue;
        };
        let start = usize::try_from(row.start).unwrap_or(usize::MAX);
        if Reader::new(text, start, dialect).read(&mut line) != Ok(true) {
            continue;
        }
        let named = id_column.and_then(|place| line.values(text).nth(place));
        let first = if first.is_empty() {
            named.as_deref().unwrap_or_default()
        } else {
            &first
        };
        let delimiter = char::from(dialect.delimiter.byte());
        write_value(&mut out, first);
        out.push(delimiter);
        write_value(&mut out, &second);
        for value in line.values(text) {
            out.push(delimiter);
            write_value(&mut out, &value);
        }
        out.push_str(dialect.ending.text());
    }
    out
}

/// All numbers below `n` in an order that is not theirs: results come in another order than the upload [from memory], and
/// a client that counts on it should fail here. The same for the same job.
fn shuffled(n: usize, job_id: &str) -> impl Iterator<Item = usize> {
    let hash = job_id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = usize::try_from(hash >> 32).unwrap_or(0);
    // Steps of a length that shares no divisor with n meet every number once; the first is never 0.
    let step = (n / 2..n).chain(1..2).find(|s| *s > 0 && gcd(*s, n) == 1).unwrap_or(1);
    let first = if n > 1 { 1 + hash % (n - 1) } else { 0 };
    let mut at = first;
    (0..n).map(move |_| {
        let this = at;
        at = (at + step) % n;
        this
    })
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_once_and_not_in_order() {
        for n in 0..200 {
            let order: Vec<usize> = shuffled(n, "750000000000001AAA").collect();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..n).collect::<Vec<_>>());
            assert!(n < 2 || order != sorted, "{n}");
        }
    }
}
