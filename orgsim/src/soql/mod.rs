//! SOQL: text to tree, tree to plan, plan to rows.

mod ast;
mod bind;
mod bind_condition;
mod bind_group;
mod bind_several;
mod columns;
mod condition;
mod dates;
mod filter;
mod group;
mod lexer;
mod parser;
mod plan;
mod run;
mod show;

pub(crate) use ast::{Expr, Item, Path};
pub(crate) use bind::{bind, bind_path};
pub(crate) use columns::columns;
pub(crate) use filter::value;
pub(crate) use group::groups;
pub(crate) use parser::parse;
pub(crate) use plan::{BoundPath, Plan};
pub(crate) use run::run;
pub(crate) use show::{shown_fields, write_group, write_row};

/// Why a query was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryError {
    /// Error code, e.g. `MALFORMED_QUERY`.
    pub(crate) code: &'static str,
    /// In Salesforce's words.
    pub(crate) message: String,
}

/// Longest piece of a query that an error shows; of longer ones the part around the place is shown.
const SHOWN: usize = 120;
/// Longest words of an error in characters: they may repeat a name out of the query.
const WORDS: usize = 1_000;

impl QueryError {
    /// An error of the whole query; words that are too long are cut off.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if let Some((end, _)) = message.char_indices().nth(SHOWN + WORDS) {
            message.truncate(end);
        }
        Self { code, message }
    }

    /// An error at a byte of the query: the text, a caret, row and column, then the words [V:CCI-CASS].
    pub(crate) fn at(code: &'static str, text: &str, place: usize, words: &str) -> Self {
        let before = text.get(..place).unwrap_or(text);
        let (row, line_start) = (
            before.matches('\n').count() + 1,
            before.rfind('\n').map_or(0, |i| i + 1),
        );
        let column = before[line_start..].chars().count() + 1;
        let line: Vec<char> = text[line_start..].lines().next().unwrap_or_default().chars().collect();
        let skip = if line.len() > SHOWN {
            (column - 1).saturating_sub(SHOWN / 4)
        } else {
            0
        };
        let shown: String = line.iter().skip(skip).take(SHOWN).collect();
        let caret = " ".repeat(column - 1 - skip);
        Self::new(
            code,
            format!("\n{shown}\n{caret}^\nERROR at Row:{row}:Column:{column}\n{words}"),
        )
    }
}

#[cfg(test)]
mod fuzz_test;
#[cfg(test)]
mod tests;
