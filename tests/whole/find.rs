//! Which mark may lie where, and the search.

use crate::marks::{Kind, Mark};
use crate::places::Place;

/// Streams and folds of what travels: the log, what it was compacted to, and the events on their way to the product.
const TRAVELS: [&str; 5] = [":changes", ":backfill", ":compacted", ":outbox", ":events:{0}"];
/// Where a record's key stands for the record: events of Salesforce carry no key, so the index must hold it in clear
/// (key → record and back is what `ids` is for), and what is indexed by record is named by it.
const INDEXED: [&str; 5] = [":records:", ":ids:", ":dead", ":questions", ":batches"];

/// When it is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Changes are on their way.
    Travelling,
    /// Nothing is.
    Drained,
}

fn allowed(mark: &Mark, place: &str, when: When) -> bool {
    let tenants = ["tandem:{acme}", "tandem:{globex}", "tandem"];
    let rest = tenants.iter().find_map(|tenant| place.strip_prefix(tenant));
    let among = |names: &[&str]| rest.is_some_and(|rest| names.iter().any(|name| rest.starts_with(name)));
    let on_disk = place.starts_with("appendonly");
    match mark.kind {
        Kind::Secret => false,
        Kind::Value => when == When::Travelling && among(&TRAVELS),
        Kind::Key => on_disk || among(&INDEXED) || (when == When::Travelling && among(&TRAVELS)),
    }
}

/// Searches places for marks; how often one was found where it may be.
#[track_caller]
pub(crate) fn search(marks: &[Mark], places: &[Place], when: When) -> usize {
    let (mut seen, mut leaks) = (0, Vec::new());
    for place in places {
        for mark in marks {
            let Some(at) = position(&place.bytes, &mark.bytes) else {
                continue;
            };
            if allowed(mark, &place.name, when) {
                seen += 1;
            } else {
                leaks.push(format!("{} in {}: {}", mark.name, place.name, around(&place.bytes, at)));
            }
        }
    }
    assert!(leaks.is_empty(), "{when:?}:\n{}", leaks.join("\n"));
    seen
}

fn position(bytes: &[u8], part: &[u8]) -> Option<usize> {
    let first = *part.first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(part) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

fn around(bytes: &[u8], at: usize) -> String {
    let part = &bytes[at.saturating_sub(300)..bytes.len().min(at + 120)];
    String::from_utf8_lossy(part).escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(kind: Kind) -> Mark {
        let (name, bytes) = ("it".to_owned(), b"zqzq1".to_vec());
        Mark { name, bytes, kind }
    }

    fn place(name: &str) -> Place {
        let (name, bytes) = (name.to_owned(), b"zqz zqzqzq1!".to_vec());
        Place { name, bytes }
    }

    #[test]
    fn a_mark_is_found_where_it_may_be() {
        let seen = search(&[mark(Kind::Value)], &[place("tandem:events:{0}")], When::Travelling);
        assert_eq!(seen, 1);
        let seen = search(&[mark(Kind::Key)], &[place("tandem:{acme}:ids:3")], When::Drained);
        assert_eq!(seen, 1);
    }

    #[test]
    #[should_panic(expected = "it in tandem:events:{0}")]
    fn a_value_at_rest_is_a_leak() {
        search(&[mark(Kind::Value)], &[place("tandem:events:{0}")], When::Drained);
    }

    #[test]
    #[should_panic(expected = "it in /metrics")]
    fn a_key_in_an_answer_is_a_leak() {
        search(&[mark(Kind::Key)], &[place("/metrics")], When::Travelling);
    }

    #[test]
    #[should_panic(expected = "it in tandem:{acme}:token")]
    fn a_secret_is_a_leak_everywhere() {
        search(&[mark(Kind::Secret)], &[place("tandem:{acme}:token")], When::Travelling);
    }
}
