//! A query's text as tokens.

use jiff::civil::Date;

use super::QueryError;
use crate::org::{code, parse_date, parse_instant};

/// Longest text literal in characters (contract 5).
const MAX_LITERAL: usize = 4_000;

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Word(String),
    Text(String),
    Number(f64),
    Date(Date),
    Instant(i64),
    /// `( ) , . = != < <= > >=`
    Sign(&'static str),
    End,
}

impl Token {
    /// How an error names it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Word(w) => w.clone(),
            Self::Text(t) => t.clone(),
            Self::Number(n) => n.to_string(),
            Self::Date(d) => d.to_string(),
            Self::Instant(s) => crate::org::format_instant(*s),
            Self::Sign(s) => (*s).to_owned(),
            Self::End => "<EOF>".to_owned(),
        }
    }
}

const SIGNS: [&str; 12] = ["!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ",", ".", ":"];

/// All tokens with the bytes where they start; the last one is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, QueryError> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if c.is_whitespace() {
            at += c.len_utf8();
        } else if c == '\'' {
            let (value, length) = literal(text, at)?;
            out.push((Token::Text(value), at));
            at += length;
        } else if c.is_ascii_alphabetic() || c == '_' {
            let length = rest
                .bytes()
                .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
                .count();
            out.push((Token::Word(rest[..length].to_owned()), at));
            at += length;
        } else if c.is_ascii_digit() || ((c == '-' || c == '+') && rest[1..].starts_with(|d: char| d.is_ascii_digit()))
        {
            let length = rest
                .bytes()
                .take_while(|b| b.is_ascii_alphanumeric() || b"-+:.".contains(b))
                .count();
            out.push((number(text, at, &rest[..length])?, at));
            at += length;
        } else if let Some(sign) = SIGNS.into_iter().find(|s| rest.starts_with(s)) {
            out.push((Token::Sign(if sign == "<>" { "!=" } else { sign }), at));
            at += sign.len();
        } else {
            return Err(QueryError::at(
                code::MALFORMED_QUERY,
                text,
                at,
                &format!("unexpected token: '{c}'"),
            ));
        }
    }
    out.push((Token::End, text.len()));
    Ok(out)
}

fn number(text: &str, at: usize, piece: &str) -> Result<Token, QueryError> {
    if let Some(instant) = parse_instant(piece) {
        return Ok(Token::Instant(instant));
    }
    if let Some(date) = parse_date(piece) {
        return Ok(Token::Date(date));
    }
    match piece.parse::<f64>() {
        Ok(n) if n.is_finite() => Ok(Token::Number(n)),
        _ => Err(QueryError::at(
            code::MALFORMED_QUERY,
            text,
            at,
            &format!("unexpected token: '{piece}'"),
        )),
    }
}

/// A text in single quotes; `\%` and `\_` stay as they are, for LIKE.
fn literal(text: &str, at: usize) -> Result<(String, usize), QueryError> {
    let mut value = String::new();
    let mut chars = text[at + 1..].char_indices();
    let open = || {
        QueryError::at(
            code::MALFORMED_QUERY,
            text,
            at,
            "unexpected char: the string literal does not end",
        )
    };
    while let Some((i, c)) = chars.next() {
        match c {
            '\'' if value.chars().count() > MAX_LITERAL => {
                return Err(QueryError::at(
                    code::MALFORMED_QUERY,
                    text,
                    at,
                    "string literal is too long",
                ));
            }
            '\'' => return Ok((value, i + 2)),
            '\\' => match chars.next().ok_or_else(open)?.1 {
                'n' | 'N' => value.push('\n'),
                'r' | 'R' => value.push('\r'),
                't' | 'T' => value.push('\t'),
                'b' | 'B' => value.push('\u{8}'),
                'f' | 'F' => value.push('\u{c}'),
                'u' => {
                    let hex: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                    let c = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32);
                    value.push(
                        c.ok_or_else(|| QueryError::at(code::MALFORMED_QUERY, text, at, "invalid unicode escape"))?,
                    );
                }
                c @ ('%' | '_') => value.extend(['\\', c]),
                c @ ('\'' | '"' | '\\') => value.push(c),
                c => {
                    let words = format!("Illegal character sequence '\\{c}' in string literal");
                    return Err(QueryError::at(code::MALFORMED_QUERY, text, at, &words));
                }
            },
            c => value.push(c),
        }
    }
    Err(open())
}
