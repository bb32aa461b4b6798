//! Tokens to a tree. Keywords have no case; AND and OR do not mix without brackets, as in Salesforce.

use super::QueryError;
use super::ast::{Condition, Function, Group, Item, Literal, Operator, Order, Path, Query};
use super::lexer::{Token, tokens};
use crate::org::code;

/// Longest query in characters (contract 5).
const MAX_QUERY: usize = 100_000;
/// Deepest nesting of brackets.
const MAX_DEPTH: usize = 100;
/// Largest OFFSET (contract 5).
const MAX_OFFSET: usize = 2_000;

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<(Token, usize)>,
    next: usize,
    depth: usize,
}

/// Reads a query.
pub(crate) fn parse(text: &str) -> Result<Query, QueryError> {
    if text.chars().count() > MAX_QUERY {
        return Err(QueryError::new(
            code::MALFORMED_QUERY,
            "SOQL statements cannot be longer than 100000 characters.",
        ));
    }
    let mut parser = Parser {
        text,
        tokens: tokens(text)?,
        next: 0,
        depth: 0,
    };
    let query = parser.query()?;
    match parser.peek() {
        Token::End => Ok(query),
        _ => Err(parser.unexpected()),
    }
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |(t, _)| t)
    }

    fn place(&self) -> usize {
        self.tokens.get(self.next).map_or(self.text.len(), |(_, p)| *p)
    }

    fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn unexpected(&self) -> QueryError {
        self.fail(&format!("unexpected token: '{}'", self.peek().shown()))
    }

    fn fail(&self, words: &str) -> QueryError {
        QueryError::at(code::MALFORMED_QUERY, self.text, self.place(), words)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(w) if w.eq_ignore_ascii_case(word))
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.next += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(s) if *s == sign);
        self.next += usize::from(found);
        found
    }

    fn expect_word(&mut self, word: &str) -> Result<(), QueryError> {
        if self.word(word) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), QueryError> {
        if self.sign(sign) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn name(&mut self) -> Result<String, QueryError> {
        match self.peek() {
            Token::Word(_) => Ok(self.advance().shown()),
            _ => Err(self.unexpected()),
        }
    }

    fn path(&mut self) -> Result<Path, QueryError> {
        let place = self.place();
        let mut names = vec![self.name()?];
        while self.sign(".") {
            names.push(self.name()?);
        }
        Ok(Path { names, place })
    }

    fn query(&mut self) -> Result<Query, QueryError> {
        self.expect_word("select")?;
        let mut items = Vec::new();
        loop {
            if let Some(item) = self.item()? {
                items.push(item);
            } else if !items.is_empty() || !self.is_word("from") {
                return Err(self.unexpected());
            }
            if !self.sign(",") {
                break;
            }
        }
        self.expect_word("from")?;
        let from_place = self.place();
        let from = self.name()?;
        if self.is_name() {
            let alias = self.name()?;
            strip_alias(&mut items, &alias);
        }
        if self.word("using") {
            self.expect_word("scope")?;
            self.name()?;
        }
        let condition = if self.word("where") {
            Some(self.condition()?)
        } else {
            None
        };
        let order = if self.word("order") { self.order()? } else { Vec::new() };
        let limit = if self.word("limit") { Some(self.count()?) } else { None };
        let offset = if self.word("offset") { self.count()? } else { 0 };
        if offset > MAX_OFFSET {
            return Err(QueryError::new(
                code::NUMBER_RANGE,
                "Maximum SOQL offset allowed is 2000",
            ));
        }
        Ok(Query {
            items,
            from,
            from_place,
            condition,
            order,
            limit,
            offset,
        })
    }

    /// Whether a word that is no keyword follows: an alias.
    fn is_name(&self) -> bool {
        const KEYWORDS: [&str; 10] = [
            "where", "order", "limit", "offset", "using", "group", "having", "for", "with", "all",
        ];
        matches!(self.peek(), Token::Word(w) if !KEYWORDS.iter().any(|k| w.eq_ignore_ascii_case(k)))
    }

    /// One SELECT item; None for `count()`.
    fn item(&mut self) -> Result<Option<Item>, QueryError> {
        let path = self.path()?;
        if !self.sign("(") {
            return Ok(Some(Item::Field(path)));
        }
        let function = path.names.join(".").to_lowercase();
        if function == "count" && self.sign(")") {
            return Ok(None);
        }
        let inner = self.path()?;
        self.expect_sign(")")?;
        if function == "fields" {
            let group = match inner.names.join(".").to_lowercase().as_str() {
                "all" => Group::All,
                "standard" => Group::Standard,
                "custom" => Group::Custom,
                _ => return Err(self.unexpected()),
            };
            return Ok(Some(Item::Fields(group)));
        }
        let function = match function.as_str() {
            "count" => Function::Count,
            "min" => Function::Min,
            "max" => Function::Max,
            "sum" => Function::Sum,
            "avg" => Function::Avg,
            _ => {
                return Err(QueryError::at(
                    code::MALFORMED_QUERY,
                    self.text,
                    path.place,
                    &format!("unknown function: {function}"),
                ));
            }
        };
        let alias = if self.is_name() && !self.is_word("from") {
            Some(self.name()?)
        } else {
            None
        };
        Ok(Some(Item::Aggregate {
            function,
            path: inner,
            alias,
        }))
    }

    fn condition(&mut self) -> Result<Condition, QueryError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fail("the condition is nested too deeply"));
        }
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

    fn joined(&mut self, word: &str, first: Condition) -> Result<Vec<Condition>, QueryError> {
        let mut parts = vec![first];
        while self.word(word) {
            parts.push(self.term()?);
        }
        Ok(parts)
    }

    fn term(&mut self) -> Result<Condition, QueryError> {
        if self.word("not") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(self.fail("the condition is nested too deeply"));
            }
            let inner = self.term()?;
            self.depth -= 1;
            return Ok(Condition::Not(Box::new(inner)));
        }
        if self.sign("(") {
            let inner = self.condition()?;
            self.expect_sign(")")?;
            return Ok(inner);
        }
        let path = self.path()?;
        if self.word("in") {
            return Ok(Condition::In {
                path,
                values: self.list()?,
                negated: false,
            });
        }
        if self.word("not") {
            self.expect_word("in")?;
            return Ok(Condition::In {
                path,
                values: self.list()?,
                negated: true,
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
            self.next += 1;
            operator
        };
        let value = self.literal()?;
        Ok(Condition::Compare { path, operator, value })
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
            _ => return Err(self.unexpected()),
        };
        self.next += 1;
        Ok(literal)
    }

    fn order(&mut self) -> Result<Vec<Order>, QueryError> {
        self.expect_word("by")?;
        let mut order = Vec::new();
        loop {
            let path = self.path()?;
            let descending = self.word("desc");
            if !descending {
                self.word("asc");
            }
            let nulls_last = if self.word("nulls") {
                let last = self.word("last");
                if !last {
                    self.expect_word("first")?;
                }
                last
            } else {
                false
            };
            order.push(Order {
                path,
                descending,
                nulls_last,
            });
            if !self.sign(",") {
                return Ok(order);
            }
        }
    }

    fn count(&mut self) -> Result<usize, QueryError> {
        match self.peek() {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked to be whole and in range"
            )]
            Token::Number(n) if n.fract() == 0.0 && (0.0..=1e9).contains(n) => {
                let n = *n as usize;
                self.next += 1;
                Ok(n)
            }
            _ => Err(self.unexpected()),
        }
    }
}

/// `SELECT a.Id FROM Account a` says the same as without the alias.
fn strip_alias(items: &mut [Item], alias: &str) {
    for item in items {
        let (Item::Field(path) | Item::Aggregate { path, .. }) = item else {
            continue;
        };
        if path.names.len() > 1 && path.names[0].eq_ignore_ascii_case(alias) {
            path.names.remove(0);
        }
    }
}
