//! A formula as a tree of calls; operators are calls too.

use super::token::{Token, Word, tokens};
use super::{FormulaProblem, MAX_DEPTH};
use crate::org::Cell;

/// A tree, and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tree {
    pub(super) at: usize,
    pub(super) part: Part,
    depth: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Value(Cell),
    Name(String),
    /// A function in capitals, or an operator.
    Call(String, Vec<Tree>),
}

/// The operators from the loosest to the tightest; those of one line bind alike.
const LEVELS: [&[&str]; 6] = [
    &["||"],
    &["&&"],
    &["=", "==", "<>", "!=", "<", "<=", ">", ">="],
    &["+", "-", "&"],
    &["*", "/"],
    &["^"],
];

/// # Errors
/// The first word that has no place where it stands.
pub(super) fn parse(source: &str) -> Result<Tree, FormulaProblem> {
    let tokens = tokens(source)?;
    let mut parser = Parser {
        tokens: &tokens,
        next: 0,
        end: source.chars().count() + 1,
    };
    let tree = parser.level(0, 0)?;
    match parser.peek() {
        None => Ok(tree),
        Some(_) => Err(parser.unexpected("an operator, or the end")),
    }
}

struct Parser<'t> {
    tokens: &'t [Token],
    next: usize,
    end: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Word> {
        self.tokens.get(self.next).map(|token| &token.word)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |token| token.at)
    }

    fn unexpected(&self, wanted: &str) -> FormulaProblem {
        let found = match self.peek() {
            Some(Word::Number(number)) => number.to_string(),
            Some(Word::Text(_)) => "a text".to_owned(),
            Some(Word::Name(name)) => name.clone(),
            Some(Word::Sign(sign)) => (*sign).to_owned(),
            None => "the end".to_owned(),
        };
        self.wrong(format!("{wanted} is wanted, not {found}"))
    }

    fn wrong(&self, problem: String) -> FormulaProblem {
        FormulaProblem { at: self.at(), problem }
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Word::Sign(found)) if *found == sign);
        self.next += usize::from(found);
        found
    }

    fn too_deep(&self) -> FormulaProblem {
        self.wrong(format!("the formula is nested deeper than {MAX_DEPTH}"))
    }

    /// A chain of operators is a tree as deep as it is long.
    fn called(&self, at: usize, function: &str, arguments: Vec<Tree>) -> Result<Tree, FormulaProblem> {
        let depth = 1 + arguments.iter().map(|argument| argument.depth).max().unwrap_or(0);
        let part = Part::Call(function.to_owned(), arguments);
        (depth <= MAX_DEPTH)
            .then_some(Tree { at, part, depth })
            .ok_or_else(|| self.too_deep())
    }

    /// Operators that bind at least as tightly as those of `lowest`.
    fn level(&mut self, lowest: usize, depth: usize) -> Result<Tree, FormulaProblem> {
        let mut left = self.unary(depth)?;
        while let Some(Word::Sign(sign)) = self.peek()
            && let Some(level) = LEVELS
                .iter()
                .position(|signs| signs.contains(sign))
                .filter(|level| *level >= lowest)
        {
            let sign = *sign;
            self.next += 1;
            let right = self.level(level + 1, depth)?;
            left = self.called(left.at, sign, vec![left, right])?;
        }
        Ok(left)
    }

    fn unary(&mut self, depth: usize) -> Result<Tree, FormulaProblem> {
        if depth > MAX_DEPTH {
            return Err(self.too_deep());
        }
        let at = self.at();
        for (sign, name) in [("-", "NEGATE"), ("+", "PLUS"), ("!", "NOT")] {
            if self.take(sign) {
                let inner = self.unary(depth + 1)?;
                return self.called(at, name, vec![inner]);
            }
        }
        self.primary(depth)
    }

    fn primary(&mut self, depth: usize) -> Result<Tree, FormulaProblem> {
        let at = self.at();
        let part = match self.peek().cloned() {
            Some(Word::Number(number)) => Part::Value(Cell::Number(number)),
            Some(Word::Text(text)) => Part::Value(Cell::text(&text)),
            Some(Word::Sign("(")) => {
                self.next += 1;
                let inner = self.level(0, depth + 1)?;
                if !self.take(")") {
                    return Err(self.unexpected(")"));
                }
                return Ok(inner);
            }
            Some(Word::Name(name)) => {
                self.next += 1;
                let called = matches!(self.peek(), Some(Word::Sign("(")));
                let part = match name.to_ascii_uppercase().as_str() {
                    function if called => {
                        let arguments = self.arguments(depth)?;
                        return self.called(at, function, arguments);
                    }
                    "TRUE" => Part::Value(Cell::Bool(true)),
                    "FALSE" => Part::Value(Cell::Bool(false)),
                    "NULL" => Part::Value(Cell::Null),
                    _ => Part::Name(name),
                };
                return Ok(Tree { at, part, depth: 0 });
            }
            _ => return Err(self.unexpected("a value")),
        };
        self.next += 1;
        Ok(Tree { at, part, depth: 0 })
    }

    fn arguments(&mut self, depth: usize) -> Result<Vec<Tree>, FormulaProblem> {
        let mut arguments = Vec::new();
        self.next += 1;
        if self.take(")") {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.level(0, depth + 1)?);
            if self.take(")") {
                return Ok(arguments);
            }
            if !self.take(",") {
                return Err(self.unexpected(", or )"));
            }
        }
    }
}
