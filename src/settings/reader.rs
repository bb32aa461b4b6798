//! Takes values out of the tree one by one, notes every wrong one and goes on with the default, so that one look at the
//! answer is enough to mend them all. Also keeps the list of all settings that were asked for.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::problem::{Place, Problem};
use super::tree::{Node, Table, Value};
use super::units;

/// A setting as the code knows it; `*` stands for a name that the user chooses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    /// Full name, e.g. `tenants.*.fence`.
    pub name: String,
    /// The default in TOML; nothing where the setting is required or has none.
    pub default: Option<String>,
}

/// What reading came to so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) problems: RefCell<Vec<Problem>>,
    pub(super) known: RefCell<Vec<Known>>,
}

impl Report {
    pub(super) fn add(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }
}

/// One table while it is read.
pub(super) struct Section<'a> {
    report: &'a Report,
    /// Full name, as the user wrote it.
    name: String,
    /// Full name with `*` for chosen names.
    pattern: String,
    table: Option<&'a Table>,
    /// The table's own line: where what is missing belongs.
    pub(super) place: Place,
    asked: Vec<&'static str>,
}

/// The table inside a node.
pub(super) fn table_of(node: &Node) -> Option<&Table> {
    if let Value::Table(table) = &node.value {
        Some(table)
    } else {
        None
    }
}

impl<'a> Section<'a> {
    /// A section over a node; one that is no table is a problem and reads as empty.
    pub(super) fn over(report: &'a Report, name: &str, pattern: &str, node: Option<&'a Node>, parent: &Place) -> Self {
        let table = node.and_then(table_of);
        if let (Some(node), None) = (node, table) {
            report.add(Problem::value(
                &node.place,
                name,
                &node.shown(),
                "this must be a table: [name] or { … }",
            ));
        }
        Self {
            report,
            name: name.to_owned(),
            pattern: pattern.to_owned(),
            table,
            place: node.map_or_else(|| parent.clone(), |node| node.place.clone()),
            asked: Vec::new(),
        }
    }

    /// The full name of a key.
    pub(super) fn full(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }

    fn note(&mut self, key: &'static str, default: Option<String>) {
        self.asked.push(key);
        let name = if self.pattern.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.pattern)
        };
        self.report.known.borrow_mut().push(Known { name, default });
    }

    /// A key's node, as it is.
    pub(super) fn node(&mut self, key: &'static str, default: Option<&str>) -> Option<&'a Node> {
        self.note(key, default.map(str::to_owned));
        self.table.and_then(|table| table.get(key))
    }

    /// Whether the table holds the key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Notes a problem with a value.
    pub(super) fn wrong(&self, key: &str, node: &Node, allowed: impl Into<String>) {
        self.report
            .add(Problem::value(&node.place, &self.full(key), &node.shown(), allowed));
    }

    /// Notes a problem whose value may be a secret.
    pub(super) fn wrong_secret(&self, key: &str, place: &Place, why: impl Into<String>) {
        self.report.add(Problem::name(place, &self.full(key), why));
    }

    /// Notes that a key is missing.
    pub(super) fn missing(&self, key: &str, what: &str) {
        self.report.add(Problem::name(
            &self.place,
            &self.full(key),
            format!("is missing: {what}"),
        ));
    }

    /// Notes that a key's value does not go with another one.
    pub(super) fn unfit(&self, key: &str, why: &str) {
        self.report.add(Problem::name(&self.place, &self.full(key), why));
    }

    /// A whole number.
    pub(super) fn integer(&mut self, key: &'static str, default: u64, range: RangeInclusive<u64>, unit: &str) -> u64 {
        let Some(node) = self.node(key, Some(&default.to_string())) else {
            return default;
        };
        let number = match &node.value {
            Value::Integer(digits) => digits.parse().ok(),
            Value::Text(digits) if node.is_environment() => digits.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if range.contains(&number) => number,
            _ => {
                let (from, to) = (range.start(), range.end());
                self.wrong(
                    key,
                    node,
                    format!("allowed is a whole number from {from} to {to} ({unit})"),
                );
                default
            }
        }
    }

    /// A duration.
    pub(super) fn duration(&mut self, key: &'static str, default: &str, from: &str, to: &str) -> Duration {
        let fallback = units::duration(default).unwrap_or_default();
        let allowed = units::duration(from).unwrap_or_default()..=units::duration(to).unwrap_or(Duration::MAX);
        let Some(node) = self.node(key, Some(&format!("{default:?}"))) else {
            return fallback;
        };
        match as_text(node).and_then(units::duration) {
            Some(value) if allowed.contains(&value) => value,
            _ => {
                self.wrong(
                    key,
                    node,
                    format!("allowed is {from} to {to}: {}", units::DURATION_FORM),
                );
                fallback
            }
        }
    }

    /// A size in bytes.
    pub(super) fn size(&mut self, key: &'static str, default: &str, from: &str, to: &str) -> u64 {
        let fallback = units::size(default).unwrap_or_default();
        let allowed = units::size(from).unwrap_or_default()..=units::size(to).unwrap_or(u64::MAX);
        let Some(node) = self.node(key, Some(&format!("{default:?}"))) else {
            return fallback;
        };
        match as_text(node).and_then(units::size) {
            Some(value) if allowed.contains(&value) => value,
            _ => {
                self.wrong(key, node, format!("allowed is {from} to {to}: {}", units::SIZE_FORM));
                fallback
            }
        }
    }

    /// true or false.
    pub(super) fn boolean(&mut self, key: &'static str, default: bool) -> bool {
        let Some(node) = self.node(key, Some(if default { "true" } else { "false" })) else {
            return default;
        };
        match &node.value {
            Value::Boolean(flag) => *flag,
            Value::Text(text) if node.is_environment() && text == "true" => true,
            Value::Text(text) if node.is_environment() && text == "false" => false,
            _ => {
                self.wrong(key, node, "allowed are true and false");
                default
            }
        }
    }

    /// One of a few words. `default` must be one of them.
    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, default: &str, words: &[(&str, T)]) -> Option<T> {
        let fallback = words.iter().find(|(word, _)| *word == default).map(|(_, value)| *value);
        let shown = (!default.is_empty()).then(|| format!("{default:?}"));
        let Some(node) = self.node(key, shown.as_deref()) else {
            return fallback;
        };
        let found = as_text(node).and_then(|text| words.iter().find(|(word, _)| *word == text));
        if found.is_none() {
            let words = words.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>();
            self.wrong(key, node, format!("allowed are {}", words.join(", ")));
        }
        found.map(|(_, value)| *value).or(fallback)
    }

    /// Text; `check` says what is wrong with it.
    pub(super) fn text(
        &mut self,
        key: &'static str,
        default: &str,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> String {
        let shown = format!("{default:?}");
        self.checked(key, Some(&shown), check)
            .unwrap_or_else(|| default.to_owned())
    }

    /// Text that may be absent.
    pub(super) fn optional(&mut self, key: &'static str, check: impl Fn(&str) -> Result<(), String>) -> Option<String> {
        self.checked(key, None, check)
    }

    /// Text that must be there; empty where it was not.
    pub(super) fn required(
        &mut self,
        key: &'static str,
        what: &str,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> String {
        if !self.has(key) {
            self.missing(key, what);
        }
        self.checked(key, None, check).unwrap_or_default()
    }

    fn checked(
        &mut self,
        key: &'static str,
        default: Option<&str>,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Option<String> {
        let node = self.node(key, default)?;
        let Some(text) = as_text(node) else {
            self.wrong(key, node, "allowed is text in quotes");
            return None;
        };
        match check(text) {
            Ok(()) => Some(text.to_owned()),
            Err(allowed) => {
                self.wrong(key, node, allowed);
                None
            }
        }
    }

    /// A list of texts with their places; from the environment, separated by commas.
    pub(super) fn list(&mut self, key: &'static str, default: Option<&str>) -> Option<Vec<Node>> {
        let node = self.node(key, default)?;
        match &node.value {
            Value::List(items) => {
                for item in items.iter().filter(|item| as_text(item).is_none()) {
                    self.wrong(key, item, "allowed is a list of texts in quotes");
                }
                Some(items.iter().filter(|item| as_text(item).is_some()).cloned().collect())
            }
            Value::Text(text) if node.is_environment() => Some(
                text.split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(|item| Node {
                        place: node.place.clone(),
                        value: Value::Text(item.to_owned()),
                    })
                    .collect(),
            ),
            _ => {
                self.wrong(key, node, "allowed is a list of texts: [\"a\", \"b\"]");
                None
            }
        }
    }

    /// A table inside this one; reads as empty where it is absent.
    pub(super) fn child(&mut self, key: &'static str) -> Section<'a> {
        self.asked.push(key);
        let node = self.table.and_then(|table| table.get(key));
        let pattern = if self.pattern.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.pattern)
        };
        Section::over(self.report, &self.full(key), &pattern, node, &self.place)
    }

    /// The entries of a table whose keys the user chooses.
    pub(super) fn chosen(&mut self) -> impl Iterator<Item = (&'a str, &'a Node)> + use<'a> {
        let table = self.table;
        table.into_iter().flatten().map(|(key, node)| (key.as_str(), node))
    }

    /// A section over one of the chosen entries.
    pub(super) fn entry(&self, key: &str, node: &'a Node) -> Section<'a> {
        let pattern = if self.pattern.is_empty() {
            "*".to_owned()
        } else {
            format!("{}.*", self.pattern)
        };
        Section::over(self.report, &self.full(key), &pattern, Some(node), &self.place)
    }

    /// Names every key that nobody asked for.
    pub(super) fn finish(self) {
        for (key, node) in self.table.into_iter().flatten() {
            if self.asked.contains(&key.as_str()) {
                continue;
            }
            let near = self.asked.iter().min_by_key(|known| distance(known, key));
            let hint = match near {
                Some(near) if distance(near, key) <= 2 => format!("; did you mean '{near}'?"),
                _ => String::new(),
            };
            let mut known = self.asked.clone();
            known.sort_unstable();
            self.report.add(Problem::name(
                &node.place,
                &self.full(key),
                format!("is no setting{hint} (allowed here: {})", known.join(", ")),
            ));
        }
    }
}

/// The text of a node.
pub(super) fn as_text(node: &Node) -> Option<&str> {
    if let Value::Text(text) = &node.value {
        Some(text)
    } else {
        None
    }
}

/// How many letters must be added, taken away or changed to make one word the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut corner = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, right) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (above + 1).min(row[j] + 1).min(corner + usize::from(left != *right));
            corner = above;
        }
    }
    row.last().copied().unwrap_or_default()
}
