//! Formulas: of validation rules, formula fields and automations.
//!
//! A formula is text, is parsed, and is bound to an object; then it is evaluated for one row at a time. Parsing and binding
//! tell what is wrong and where; evaluation is total: what makes no sense at run time (a division by zero, `VALUE("x")`) is
//! null.

mod bind;
mod evaluate;
#[cfg(test)]
mod fuzz_test;
mod parser;
mod token;

use std::sync::Arc;

pub use bind::Kind;
pub(crate) use evaluate::{Now, Scope};

use crate::org::Cell;
use crate::schema::Schema;

/// Longest formula, characters [from memory: 3,900 as typed].
pub(crate) const MAX_CHARACTERS: usize = 3_900;
/// Deepest nesting of a formula.
pub(crate) const MAX_DEPTH: usize = 64;

/// What is wrong with a formula.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (character {at})")]
pub struct FormulaProblem {
    /// Characters before the place, plus one.
    pub at: usize,
    /// What is wrong, and what to do.
    pub problem: String,
}

/// A formula of an object's rows.
#[derive(Debug, Clone)]
pub struct Formula {
    /// As it was written.
    pub source: Arc<str>,
    /// What it gives.
    pub kind: Kind,
    root: Arc<bind::Node>,
}

impl Formula {
    /// Reads a formula of the rows of the object at `sobject`.
    ///
    /// # Errors
    /// The first thing that makes no sense.
    pub fn compile(source: &str, schema: &Schema, sobject: usize) -> Result<Self, FormulaProblem> {
        let (root, kind) = bind::bind(&parser::parse(source)?, schema, sobject)?;
        Ok(Self {
            source: source.into(),
            kind,
            root: Arc::new(root),
        })
    }

    /// Its value for a row.
    #[must_use]
    pub(crate) fn evaluate(&self, scope: &Scope<'_>) -> Cell {
        evaluate::evaluate(&self.root, scope)
    }

    /// Whether it is true for a row; null is not.
    #[must_use]
    pub(crate) fn holds(&self, scope: &Scope<'_>) -> bool {
        self.evaluate(scope) == Cell::Bool(true)
    }
}

#[cfg(test)]
mod tests;
