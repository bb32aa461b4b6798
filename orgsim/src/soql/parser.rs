//! Tokens to a tree. Keywords have no case; AND and OR do not mix without brackets, as in Salesforce.

use super::QueryError;
use super::ast::{Expr, Function, Group, Item, Order, Path, Query, Totals, TypeOf};
use super::dates::DateFunction;
use super::lexer::{Token, tokens};
use crate::org::code;

/// Longest query in characters (contract 5).
const MAX_QUERY: usize = 100_000;
/// Deepest nesting of brackets.
pub(super) const MAX_DEPTH: usize = 100;
/// Largest OFFSET (contract 5).
const MAX_OFFSET: usize = 2_000;
/// Most keys of a grouping with subtotals [V:SOQLPDF].
const MAX_TOTALLED: usize = 3;
/// Words that are no alias.
const KEYWORDS: [&str; 13] = [
    "from", "where", "order", "limit", "offset", "using", "group", "having", "for", "with", "all", "update", "as",
];

pub(super) struct Parser<'t> {
    text: &'t str,
    tokens: Vec<(Token, usize)>,
    next: usize,
    pub(super) depth: usize,
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
    pub(super) fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |(t, _)| t)
    }

    pub(super) fn place(&self) -> usize {
        self.tokens.get(self.next).map_or(self.text.len(), |(_, p)| *p)
    }

    pub(super) fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    pub(super) fn unexpected(&self) -> QueryError {
        self.fail(&format!("unexpected token: '{}'", self.peek().shown()))
    }

    pub(super) fn fail(&self, words: &str) -> QueryError {
        QueryError::at(code::MALFORMED_QUERY, self.text, self.place(), words)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(w) if w.eq_ignore_ascii_case(word))
    }

    pub(super) fn word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.next += usize::from(found);
        found
    }

    pub(super) fn sign(&mut self, sign: &str) -> bool {
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

    pub(super) fn expect_sign(&mut self, sign: &str) -> Result<(), QueryError> {
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

    pub(super) fn path(&mut self) -> Result<Path, QueryError> {
        let place = self.place();
        let mut names = vec![self.name()?];
        while self.sign(".") {
            names.push(self.name()?);
        }
        Ok(Path { names, place })
    }

    /// Whether a bracket begins a query.
    pub(super) fn opens_query(&self) -> bool {
        let after = self.tokens.get(self.next + 1);
        matches!(self.peek(), Token::Sign("("))
            && matches!(after, Some((Token::Word(w), _)) if w.eq_ignore_ascii_case("select"))
    }

    /// A query in brackets.
    pub(super) fn bracketed(&mut self) -> Result<Query, QueryError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fail("the query is nested too deeply"));
        }
        self.expect_sign("(")?;
        let query = self.query()?;
        self.expect_sign(")")?;
        self.depth -= 1;
        Ok(query)
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
        self.word("as");
        let alias = if self.is_name() { Some(self.name()?) } else { None };
        if self.word("using") {
            self.expect_word("scope")?;
            self.name()?;
        }
        let condition = if self.word("where") {
            Some(self.condition()?)
        } else {
            None
        };
        // SECURITY_ENFORCED, USER_MODE, SYSTEM_MODE: there is no field-level security to enforce.
        if self.word("with") {
            self.name()?;
        }
        let (totals, group) = if self.word("group") {
            self.group()?
        } else {
            (Totals::None, Vec::new())
        };
        let having = if self.word("having") {
            Some(self.condition()?)
        } else {
            None
        };
        let order = if self.word("order") { self.order()? } else { Vec::new() };
        let limit = if self.word("limit") { Some(self.count()?) } else { None };
        let offset = if self.word("offset") { self.count()? } else { 0 };
        if self.word("for") {
            self.name()?;
        }
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
            alias,
            condition,
            group,
            totals,
            having,
            order,
            limit,
            offset,
        })
    }

    /// Whether a word that is no keyword follows: an alias.
    fn is_name(&self) -> bool {
        matches!(self.peek(), Token::Word(w) if !KEYWORDS.iter().any(|k| w.eq_ignore_ascii_case(k)))
    }

    /// One SELECT item; None for `count()`.
    fn item(&mut self) -> Result<Option<Item>, QueryError> {
        if self.opens_query() {
            return Ok(Some(Item::Children(Box::new(self.bracketed()?))));
        }
        if self.is_word("fields") && matches!(self.tokens.get(self.next + 1), Some((Token::Sign("("), _))) {
            self.next += 2;
            let group = match self.name()?.to_lowercase().as_str() {
                "all" => Group::All,
                "standard" => Group::Standard,
                "custom" => Group::Custom,
                _ => return Err(self.unexpected()),
            };
            self.expect_sign(")")?;
            return Ok(Some(Item::Fields(group)));
        }
        if self.is_word("typeof") && matches!(self.tokens.get(self.next + 1), Some((Token::Word(_), _))) {
            self.next += 1;
            return Ok(Some(Item::TypeOf(self.type_of()?)));
        }
        let expr = self.expr()?;
        if expr == Expr::Aggregate(Function::Count, None, expr.place()) && self.is_word("from") {
            return Ok(None);
        }
        let alias = if self.is_name() { Some(self.name()?) } else { None };
        Ok(Some(Item::Value { expr, alias }))
    }

    fn type_of(&mut self) -> Result<TypeOf, QueryError> {
        let path = self.path()?;
        let mut cases = Vec::new();
        while self.word("when") {
            let object = self.path()?;
            self.expect_word("then")?;
            cases.push((object, self.paths()?));
        }
        let otherwise = if self.word("else") { self.paths()? } else { Vec::new() };
        if cases.is_empty() {
            return Err(self.unexpected());
        }
        self.expect_word("end")?;
        Ok(TypeOf { path, cases, otherwise })
    }

    fn paths(&mut self) -> Result<Vec<Path>, QueryError> {
        let mut paths = vec![self.path()?];
        while self.sign(",") {
            paths.push(self.path()?);
        }
        Ok(paths)
    }

    /// A field, or a function of one.
    pub(super) fn expr(&mut self) -> Result<Expr, QueryError> {
        let path = self.path()?;
        if !self.sign("(") {
            return Ok(Expr::Field(path));
        }
        let name = path.names.join(".").to_uppercase();
        let aggregate = match name.as_str() {
            "COUNT" => Some(Function::Count),
            "COUNT_DISTINCT" => Some(Function::CountDistinct),
            "MIN" => Some(Function::Min),
            "MAX" => Some(Function::Max),
            "SUM" => Some(Function::Sum),
            "AVG" => Some(Function::Avg),
            _ => None,
        };
        if let Some(function) = aggregate {
            if function == Function::Count && self.sign(")") {
                return Ok(Expr::Aggregate(function, None, path.place));
            }
            let inner = self.path()?;
            self.expect_sign(")")?;
            return Ok(Expr::Aggregate(function, Some(inner), path.place));
        }
        if name == "GROUPING" {
            let inner = self.path()?;
            self.expect_sign(")")?;
            return Ok(Expr::Grouping(inner));
        }
        // A label is the value, and the org has one currency and one time zone.
        if matches!(name.as_str(), "TOLABEL" | "FORMAT" | "CONVERTCURRENCY") {
            let inner = self.path()?;
            self.expect_sign(")")?;
            return Ok(Expr::Field(inner));
        }
        let Some(function) = DateFunction::read(&name) else {
            let words = format!("unknown function: {}", path.names.join("."));
            return Err(QueryError::at(code::MALFORMED_QUERY, self.text, path.place, &words));
        };
        let mut inner = self.path()?;
        if self.sign("(") && inner.names.join(".").eq_ignore_ascii_case("convertTimezone") {
            inner = self.path()?;
            self.expect_sign(")")?;
        }
        self.expect_sign(")")?;
        Ok(Expr::Part(function, inner))
    }

    fn group(&mut self) -> Result<(Totals, Vec<Expr>), QueryError> {
        self.expect_word("by")?;
        let opens = matches!(self.tokens.get(self.next + 1), Some((Token::Sign("("), _)));
        let totals = match () {
            () if opens && self.word("rollup") => Totals::Rollup,
            () if opens && self.word("cube") => Totals::Cube,
            () => Totals::None,
        };
        if totals != Totals::None {
            self.expect_sign("(")?;
        }
        let mut group = vec![self.expr()?];
        while self.sign(",") {
            group.push(self.expr()?);
        }
        if totals != Totals::None {
            if group.len() > MAX_TOTALLED {
                return Err(self.fail(&format!("ROLLUP and CUBE take at most {MAX_TOTALLED} fields")));
            }
            self.expect_sign(")")?;
        }
        Ok((totals, group))
    }

    fn order(&mut self) -> Result<Vec<Order>, QueryError> {
        self.expect_word("by")?;
        let mut order = Vec::new();
        loop {
            let expr = self.expr()?;
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
                expr,
                descending,
                nulls_last,
            });
            if !self.sign(",") {
                return Ok(order);
            }
        }
    }

    fn count(&mut self) -> Result<usize, QueryError> {
        match self.whole(1e9) {
            Some(n) => Ok(n),
            None => Err(self.unexpected()),
        }
    }

    /// A whole number of at most `most`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole and in range"
    )]
    pub(super) fn whole(&mut self, most: f64) -> Option<usize> {
        match self.peek() {
            Token::Number(n) if n.fract() == 0.0 && (0.0..=most).contains(n) => {
                let n = *n as usize;
                self.next += 1;
                Some(n)
            }
            _ => None,
        }
    }
}
