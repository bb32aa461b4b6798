//! Custom channels: which objects they carry, whether they are enriched, and what they filter out.

use serde_json::{Value, json};

use crate::org::Cell;

/// Longest filter, bytes, and deepest nesting.
const MAX_FILTER: usize = 4_000;
const MAX_DEPTH: usize = 32;

/// A custom channel, `/data/<name>`.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// Ends in `__chn`.
    pub name: String,
    /// API names of the objects; all captured ones when empty.
    pub entities: Vec<String>,
    /// Whether updates and deletes carry the key, and merged events come apart.
    pub enriched: bool,
    /// What events must be like.
    pub filter: Option<Filter>,
}

impl Channel {
    /// As the admin port shows it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({"name": self.name, "entities": self.entities, "enriched": self.enriched,
            "filter": self.filter.as_ref().map(|filter| &filter.text)})
    }
}

/// A filter over fields of the event's header and of the record, as far as the event tells them.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    text: String,
    root: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    Is(Subject, Cell),
}

/// What a test looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    Header(Header),
    /// A field of the record.
    Field(String),
}

/// The header's fields that a filter may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    EntityName,
    ChangeType,
    ChangeOrigin,
    CommitUser,
}

impl Header {
    fn named(name: &str) -> Option<Self> {
        match name.strip_prefix("ChangeEventHeader.")? {
            "entityName" => Some(Self::EntityName),
            "changeType" => Some(Self::ChangeType),
            "changeOrigin" => Some(Self::ChangeOrigin),
            "commitUser" => Some(Self::CommitUser),
            _ => None,
        }
    }
}

impl Filter {
    /// Reads `ChangeEventHeader.changeType = 'CREATE' AND NOT (Industry = 'Media' OR AnnualRevenue = 5)`; `=`, `!=`, AND, OR,
    /// NOT and parentheses; texts, numbers, `true`, `false` and `null`.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_FILTER {
            return Err(format!("a filter has at most {MAX_FILTER} bytes"));
        }
        let words = words(text)?;
        let mut parser = Parser { words: &words, next: 0 };
        let root = parser.any(0)?;
        match parser.words.get(parser.next) {
            None => Ok(Self {
                text: text.to_owned(),
                root,
            }),
            Some(word) => Err(format!("AND or OR is wanted, not {word}")),
        }
    }

    /// Whether an event with these values passes.
    pub(crate) fn passes(&self, of: &dyn Fn(&Subject) -> Cell) -> bool {
        self.root.holds(of)
    }
}

impl Test {
    fn holds(&self, of: &dyn Fn(&Subject) -> Cell) -> bool {
        match self {
            Self::All(tests) => tests.iter().all(|test| test.holds(of)),
            Self::Any(tests) => tests.iter().any(|test| test.holds(of)),
            Self::Not(test) => !test.holds(of),
            Self::Is(subject, value) => of(subject) == *value,
        }
    }
}

/// Names, signs, and texts with their opening quote.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '\'' => match rest[1..].find('\'') {
                Some(end) => {
                    words.push(rest[..=end].to_owned());
                    rest = rest[end + 2..].trim_start();
                    continue;
                }
                None => return Err("a text has no end: ' is missing".to_owned()),
            },
            '(' | ')' | '=' => 1,
            '!' if rest.starts_with("!=") => 2,
            c if c.is_ascii_alphanumeric() || c == '-' => {
                let part = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
                rest.find(part).unwrap_or(rest.len())
            }
            other => return Err(format!("{other} has no place in a filter")),
        };
        words.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    Ok(words)
}

fn literal(word: &str) -> Option<Cell> {
    if let Some(text) = word.strip_prefix('\'') {
        return Some(Cell::text(text));
    }
    match word.to_ascii_lowercase().as_str() {
        "true" => Some(Cell::Bool(true)),
        "false" => Some(Cell::Bool(false)),
        "null" => Some(Cell::Null),
        number => number.parse().ok().filter(|n: &f64| n.is_finite()).map(Cell::Number),
    }
}

struct Parser<'w> {
    words: &'w [String],
    next: usize,
}

impl Parser<'_> {
    fn take(&mut self, word: &str) -> bool {
        let found = self.words.get(self.next).is_some_and(|w| w.eq_ignore_ascii_case(word));
        self.next += usize::from(found);
        found
    }

    fn any(&mut self, depth: usize) -> Result<Test, String> {
        let mut tests = vec![self.all(depth)?];
        while self.take("OR") {
            tests.push(self.all(depth)?);
        }
        Ok(Test::Any(tests))
    }

    fn all(&mut self, depth: usize) -> Result<Test, String> {
        let mut tests = vec![self.one(depth)?];
        while self.take("AND") {
            tests.push(self.one(depth)?);
        }
        Ok(Test::All(tests))
    }

    fn one(&mut self, depth: usize) -> Result<Test, String> {
        if depth > MAX_DEPTH {
            return Err(format!("the filter is nested deeper than {MAX_DEPTH}"));
        }
        if self.take("NOT") {
            return Ok(Test::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.take("(") {
            let inner = self.any(depth + 1)?;
            return if self.take(")") {
                Ok(inner)
            } else {
                Err(") is missing".to_owned())
            };
        }
        let name = self.words.get(self.next).cloned().unwrap_or_default();
        let subject = match name.split_once('.') {
            Some(_) => Subject::Header(Header::named(&name).ok_or_else(|| {
                format!("{name:.100} is no field of the header: entityName, changeType, changeOrigin or commitUser")
            })?),
            None if name.starts_with(|c: char| c.is_ascii_alphabetic()) => Subject::Field(name.clone()),
            None => return Err(format!("a field is wanted, not {name:.100}")),
        };
        self.next += 1;
        let not = self.take("!=");
        if !not && !self.take("=") {
            return Err(format!("= or != is wanted after {name:.100}"));
        }
        let value = self.words.get(self.next).map(String::as_str).unwrap_or_default();
        let value = literal(value)
            .ok_or_else(|| format!("a text in quotes, a number, true, false or null is wanted after {name:.100}"))?;
        self.next += 1;
        let test = Test::Is(subject, value);
        Ok(if not { Test::Not(Box::new(test)) } else { test })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutate::Fuzz;

    fn of(subject: &Subject) -> Cell {
        match subject {
            Subject::Header(Header::EntityName) => Cell::text("Account"),
            Subject::Header(Header::ChangeType) => Cell::text("UPDATE"),
            Subject::Header(Header::ChangeOrigin) => Cell::text("com/salesforce/api/rest/67.0;client=tandem"),
            Subject::Header(Header::CommitUser) => Cell::text("005000000000001AAA"),
            Subject::Field(name) if name == "Industry" => Cell::text("Media"),
            Subject::Field(name) if name == "AnnualRevenue" => Cell::Number(-1.5),
            Subject::Field(_) => Cell::Null,
        }
    }

    #[test]
    fn filters_look_at_the_header() {
        for (text, passes) in [
            ("ChangeEventHeader.changeType = 'UPDATE'", true),
            ("ChangeEventHeader.changeType != 'UPDATE'", false),
            (
                "ChangeEventHeader.entityName='Account' and ChangeEventHeader.changeType='CREATE'",
                false,
            ),
            (
                "ChangeEventHeader.entityName='Contact' OR ChangeEventHeader.changeType='UPDATE'",
                true,
            ),
            ("NOT (ChangeEventHeader.commitUser = '005000000000001AAA')", false),
            (
                "ChangeEventHeader.changeOrigin != 'com/salesforce/api/rest/67.0;client=tandem'",
                false,
            ),
            ("Industry = 'Media' AND AnnualRevenue = -1.5", true),
            ("Phone = null AND Active__c != true", true),
        ] {
            assert_eq!(Filter::parse(text).unwrap().passes(&of), passes, "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let deep = "(".repeat(40);
        for (text, words) in [
            ("", "a field is wanted"),
            ("ChangeEventHeader.nothing = 'x'", "is no field of the header"),
            ("ChangeEventHeader.changeType 'x'", "= or != is wanted"),
            ("Name = x", "a text in quotes, a number"),
            ("ChangeEventHeader.changeType = 'x", "a text has no end"),
            ("ChangeEventHeader.changeType = 'x' 'y'", "AND or OR is wanted"),
            ("(ChangeEventHeader.changeType = 'x'", ") is missing"),
            ("é", "é has no place in a filter"),
            (&deep, "nested deeper than 32"),
        ] {
            let said = Filter::parse(text).unwrap_err();
            assert!(said.contains(words), "{text}: {said}");
        }
    }

    #[test]
    fn fuzz_filters() {
        let corpus = [
            "NOT (ChangeEventHeader.changeType = 'CREATE' OR ChangeEventHeader.commitUser != '005') AND ChangeEventHeader.entityName = 'A'",
        ];
        let words = [
            "ChangeEventHeader.",
            "changeType",
            " AND ",
            " OR ",
            "NOT ",
            "(",
            ")",
            "=",
            "!=",
            "'",
            "é",
        ];
        let fuzz = Fuzz {
            name: "filters",
            corpus: corpus.map(|text| text.as_bytes().to_vec()).to_vec(),
            words: &words,
            cases: 5_000,
        };
        fuzz.run(|bytes| match Filter::parse(&String::from_utf8_lossy(bytes)) {
            Ok(filter) => filter.passes(&of).to_string(),
            Err(words) => words.chars().take(12).collect(),
        });
    }
}
