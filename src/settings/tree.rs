//! TOML as a tree in which every value knows its line. Environment variables replace values in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problem};

/// Largest settings or mapping file, in bytes. A tenant takes some 300 bytes: room for 50,000 of them.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// A value and where it was written.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// A TOML value. Numbers keep their text until someone asks for a number.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    /// Digits in base ten.
    Integer(String),
    Float(String),
    Boolean(bool),
    Datetime(String),
    List(Vec<Node>),
    Table(Table),
}

/// Keys and their values.
pub(super) type Table = BTreeMap<String, Node>;

impl Node {
    /// The value as it would be written in the file; tables and lists in short.
    pub(super) fn shown(&self) -> String {
        match &self.value {
            Value::Text(text) => format!("{text:?}"),
            Value::Integer(text) | Value::Float(text) | Value::Datetime(text) => text.clone(),
            Value::Boolean(flag) => flag.to_string(),
            Value::List(items) => {
                format!("[{}]", items.iter().map(Self::shown).collect::<Vec<_>>().join(", "))
            }
            Value::Table(_) => "{…}".to_owned(),
        }
    }

    /// Whether it came from the environment, where everything is text.
    pub(super) fn is_environment(&self) -> bool {
        matches!(self.place, Place::Environment(_))
    }
}

/// Reads and parses a file. What could be parsed is returned beside what could not, so that all problems are told at once.
pub(super) fn read(path: &Path) -> (Node, Vec<Problem>) {
    let file: Arc<str> = path.display().to_string().into();
    let place = Place::File {
        file: file.clone(),
        line: 1,
    };
    let empty = Node {
        place: place.clone(),
        value: Value::Table(Table::new()),
    };
    let text = std::fs::metadata(path).and_then(|about| {
        if about.len() > FILE_BYTES_MAX {
            return Err(std::io::Error::other(format!(
                "it has more than {FILE_BYTES_MAX} bytes"
            )));
        }
        std::fs::read_to_string(path)
    });
    match text {
        Ok(text) => parse(&file, &text),
        Err(why) => (
            empty,
            vec![Problem::name(&place, "", format!("the file cannot be read: {why}"))],
        ),
    }
}

/// Parses a file's text.
pub(super) fn parse(file: &Arc<str>, text: &str) -> (Node, Vec<Problem>) {
    let lines = Lines {
        file,
        starts: text.match_indices('\n').map(|(at, _)| at + 1).collect(),
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    let problems = errors
        .iter()
        .map(|error| {
            let at = error.span().map_or(0, |span| span.start);
            Problem::name(
                &lines.place(at),
                "",
                format!("this is not TOML: {}", error.message().trim()),
            )
        })
        .collect();
    let root = Node {
        place: Place::File {
            file: file.clone(),
            line: 1,
        },
        value: Value::Table(lines.table(document.get_ref())),
    };
    (root, problems)
}

struct Lines<'a> {
    file: &'a Arc<str>,
    starts: Vec<usize>,
}

impl Lines<'_> {
    fn place(&self, offset: usize) -> Place {
        Place::File {
            file: self.file.clone(),
            line: self.starts.partition_point(|start| *start <= offset) + 1,
        }
    }

    fn table(&self, table: &DeTable<'_>) -> Table {
        table
            .iter()
            .map(|(key, value)| {
                // The line of the key: the reader looks for the name first.
                let node = Node {
                    place: self.place(key.span().start),
                    value: self.value(value),
                };
                (key.get_ref().to_string(), node)
            })
            .collect()
    }

    fn value(&self, value: &Spanned<DeValue<'_>>) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => Value::Integer(
                i128::from_str_radix(number.as_str(), number.radix())
                    .map_or_else(|_| number.to_string(), |n| n.to_string()),
            ),
            DeValue::Float(number) => Value::Float(number.to_string()),
            DeValue::Boolean(flag) => Value::Boolean(*flag),
            DeValue::Datetime(time) => Value::Datetime(time.to_string()),
            DeValue::Array(items) => Value::List(
                items
                    .iter()
                    .map(|item| Node {
                        place: self.place(item.span().start),
                        value: self.value(item),
                    })
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(self.table(table)),
        }
    }
}

/// Puts `TANDEM_SECTION__KEY=value` over the tree. Names in the tree are found without regard to case, and `-` in a
/// tenant's name is `_` in the variable's.
pub(super) fn overlay(root: &mut Node, environment: impl IntoIterator<Item = (String, String)>) {
    for (variable, text) in environment {
        let Some(path) = variable.strip_prefix("TANDEM_") else {
            continue;
        };
        if !path.contains("__") {
            continue;
        }
        let steps: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
        let place = Place::Environment(variable);
        put(root, &steps, &place, text);
    }
}

fn put(node: &mut Node, steps: &[String], place: &Place, text: String) {
    let Some((step, rest)) = steps.split_first() else {
        *node = Node {
            place: place.clone(),
            value: Value::Text(text),
        };
        return;
    };
    // A path through something that is no table replaces it: the reader then says what it should be.
    if !matches!(node.value, Value::Table(_)) {
        *node = Node {
            place: place.clone(),
            value: Value::Table(Table::new()),
        };
    }
    if let Value::Table(table) = &mut node.value {
        let known = table
            .keys()
            .find(|key| key.to_ascii_lowercase().replace('-', "_") == *step)
            .cloned();
        let child = table
            .entry(known.unwrap_or_else(|| step.clone()))
            .or_insert_with(|| Node {
                place: place.clone(),
                value: Value::Table(Table::new()),
            });
        put(child, rest, place, text);
    }
}
