//! A wrong setting, said so that it can be mended without looking anything up.

use std::fmt;
use std::sync::Arc;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A line of a file, counted from 1.
    File {
        /// The file, as it was named on the command line or reached from there.
        file: Arc<str>,
        /// The line.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// One wrong setting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// The setting's full name, e.g. `redis.pool_size`; empty where the file itself is wrong.
    pub name: String,
    /// What was written; nothing where a value is missing or may be a secret.
    pub value: Option<String>,
    /// What is wrong and what is allowed.
    pub allowed: String,
}

/// Longest part of a wrong value that is repeated, in characters.
const SHOWN_MAX: usize = 80;

impl Problem {
    /// A value that is not allowed.
    pub fn value(place: &Place, name: &str, value: &str, allowed: impl Into<String>) -> Self {
        let value = if value.chars().count() > SHOWN_MAX {
            format!("{}…", value.chars().take(SHOWN_MAX).collect::<String>())
        } else {
            value.to_owned()
        };
        Self {
            place: place.clone(),
            name: name.to_owned(),
            value: Some(value),
            allowed: allowed.into(),
        }
    }

    /// A setting that is missing, or whose value must not be shown.
    pub fn name(place: &Place, name: &str, allowed: impl Into<String>) -> Self {
        Self {
            place: place.clone(),
            name: name.to_owned(),
            value: None,
            allowed: allowed.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        match (&self.value, self.name.is_empty()) {
            (Some(value), _) => write!(f, "{} = {value}: {}", self.name, self.allowed),
            (None, false) => write!(f, "{}: {}", self.name, self.allowed),
            (None, true) => f.write_str(&self.allowed),
        }
    }
}

/// All that is wrong with the settings, in the order of files and lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "{problem}")?;
        }
        match self.0.len() {
            1 => f.write_str("1 setting is wrong"),
            n => write!(f, "{n} settings are wrong"),
        }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}
