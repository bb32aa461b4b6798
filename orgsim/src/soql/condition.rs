//! Conditions and the values in them.

use super::QueryError;
use super::ast::{Condition, Expr, Literal, Operator, Path};
use super::dates::DateLiteral;
use super::lexer::Token;
use super::parser::{MAX_DEPTH, Parser};

/// Largest number after the colon of a date literal.
const MAX_N: f64 = 1_000_000.0;

impl Parser<'_> {
    pub(super) fn condition(&mut self) -> Result<Condition, QueryError> {
        self.deeper()?;
        let first = self.term()?;
        let joined = if self.is_word("and") {
            Condition::And(self.joined("and", first)?)
        } else if self.is_word("or") {
            Condition::Or(self.joined("or", first)?)
        } else {
            first
        };
        self.depth -= 1;
        Ok(joined)
    }

    fn deeper(&mut self) -> Result<(), QueryError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fail("the condition is nested too deeply"));
        }
        Ok(())
    }

    fn joined(&mut self, word: &str, first: Condition) -> Result<Vec<Condition>, QueryError> {
        let mut parts = vec![first];
        while self.word(word) {
            parts.push(self.term()?);
        }
        Ok(parts)
    }

    fn term(&mut self) -> Result<Condition, QueryError> {
        if self.word("not") {
            self.deeper()?;
            let inner = self.term()?;
            self.depth -= 1;
            return Ok(Condition::Not(Box::new(inner)));
        }
        if self.sign("(") {
            let inner = self.condition()?;
            self.expect_sign(")")?;
            return Ok(inner);
        }
        let expr = self.expr()?;
        let negated = self.word("not");
        if self.word("in") {
            if self.opens_query() {
                return Ok(Condition::InQuery {
                    path: self.plain(expr)?,
                    query: Box::new(self.bracketed()?),
                    negated,
                });
            }
            return Ok(Condition::In {
                expr,
                values: self.list()?,
                negated,
            });
        }
        if negated {
            return Err(self.unexpected());
        }
        let excludes = self.is_word("excludes");
        if excludes || self.is_word("includes") {
            self.advance();
            return Ok(Condition::Includes {
                path: self.plain(expr)?,
                values: self.list()?,
                negated: excludes,
            });
        }
        let operator = if self.word("like") {
            Operator::Like
        } else {
            let operator = match self.peek() {
                Token::Sign("=") => Operator::Equal,
                Token::Sign("!=") => Operator::NotEqual,
                Token::Sign("<") => Operator::Less,
                Token::Sign("<=") => Operator::LessOrEqual,
                Token::Sign(">") => Operator::Greater,
                Token::Sign(">=") => Operator::GreaterOrEqual,
                _ => return Err(self.unexpected()),
            };
            self.advance();
            operator
        };
        let value = self.literal()?;
        Ok(Condition::Compare { expr, operator, value })
    }

    /// A field, where functions are not taken.
    fn plain(&self, expr: Expr) -> Result<Path, QueryError> {
        match expr {
            Expr::Field(path) => Ok(path),
            _ => Err(self.unexpected()),
        }
    }

    fn list(&mut self) -> Result<Vec<Literal>, QueryError> {
        self.expect_sign("(")?;
        let mut values = vec![self.literal()?];
        while self.sign(",") {
            values.push(self.literal()?);
        }
        self.expect_sign(")")?;
        Ok(values)
    }

    fn literal(&mut self) -> Result<Literal, QueryError> {
        let literal = match self.peek() {
            Token::Text(t) => Literal::Text(t.clone()),
            Token::Number(n) => Literal::Number(*n),
            Token::Date(d) => Literal::Date(*d),
            Token::Instant(s) => Literal::Instant(*s),
            Token::Word(w) if w.eq_ignore_ascii_case("null") => Literal::Null,
            Token::Word(w) if w.eq_ignore_ascii_case("true") => Literal::Bool(true),
            Token::Word(w) if w.eq_ignore_ascii_case("false") => Literal::Bool(false),
            Token::Word(w) => return self.days(&w.to_uppercase()),
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(literal)
    }

    /// `LAST_N_DAYS:30` and the like.
    fn days(&mut self, word: &str) -> Result<Literal, QueryError> {
        let unexpected = self.unexpected();
        self.advance();
        let n = if self.sign(":") {
            let n = self.whole(MAX_N).ok_or_else(|| self.unexpected())?;
            Some(u32::try_from(n).unwrap_or(u32::MAX))
        } else {
            None
        };
        DateLiteral::read(word, n).map(Literal::Days).ok_or(unexpected)
    }
}
