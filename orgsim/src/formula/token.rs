//! A formula's words.

use super::{FormulaProblem, MAX_CHARACTERS};

/// One word, and where it begins (characters before it, plus one).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) word: Word,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    Number(f64),
    Text(String),
    /// `Name`, `Account.Name`, `$Permission.X`.
    Name(String),
    Sign(&'static str),
}

/// Longer ones first.
const SIGNS: [&str; 20] = [
    "<=", ">=", "<>", "!=", "==", "&&", "||", "+", "-", "*", "/", "^", "&", "=", "<", ">", "!", "(", ")", ",",
];

/// The words of a formula.
///
/// # Errors
/// A text or comment without end, or a character that no formula has.
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, FormulaProblem> {
    let letters: Vec<char> = source.chars().take(MAX_CHARACTERS + 1).collect();
    if letters.len() > MAX_CHARACTERS {
        return Err(wrong(
            MAX_CHARACTERS,
            format!("a formula has at most {MAX_CHARACTERS} characters"),
        ));
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(letter) = letters.get(at).copied() {
        let start = at;
        if letter.is_whitespace() {
            at += 1;
            continue;
        }
        if letters[at..].starts_with(&['/', '*']) {
            let end = letters[at + 2..].windows(2).position(|pair| pair == ['*', '/']);
            at += 4 + end.ok_or_else(|| wrong(start, "a comment has no end: */ is missing"))?;
            continue;
        }
        let word =
            if letter.is_ascii_digit() || (letter == '.' && letters.get(at + 1).is_some_and(char::is_ascii_digit)) {
                let end = run(&letters, at, |c| c.is_ascii_digit() || c == '.');
                at = end;
                let text: String = letters[start..end].iter().collect();
                let number = text.parse().ok().filter(|number: &f64| number.is_finite());
                Word::Number(number.ok_or_else(|| wrong(start, format!("{text} is no number")))?)
            } else if letter == '"' || letter == '\'' {
                let (text, end) = quoted(&letters, at)?;
                at = end;
                Word::Text(text)
            } else if letter.is_alphabetic() || letter == '$' || letter == '_' {
                at = run(&letters, at + 1, |c| c.is_alphanumeric() || c == '_' || c == '.');
                Word::Name(letters[start..at].iter().collect())
            } else {
                let sign = SIGNS.iter().find(|sign| {
                    let length = sign.len();
                    letters
                        .get(at..at + length)
                        .is_some_and(|found| found.iter().copied().eq(sign.chars()))
                });
                let sign = sign.ok_or_else(|| wrong(start, format!("{letter} has no place in a formula")))?;
                at += sign.len();
                Word::Sign(sign)
            };
        tokens.push(Token { at: start + 1, word });
    }
    Ok(tokens)
}

fn run(letters: &[char], from: usize, fits: impl Fn(char) -> bool) -> usize {
    let length = letters[from..].iter().take_while(|letter| fits(**letter)).count();
    from + length
}

/// A text with its quotes at `at`, and the place after it. A backslash takes the next letter as it is; `\n` is a line's end.
fn quoted(letters: &[char], at: usize) -> Result<(String, usize), FormulaProblem> {
    let quote = letters[at];
    let mut text = String::new();
    let mut rest = letters.iter().copied().enumerate().skip(at + 1);
    while let Some((place, letter)) = rest.next() {
        match letter {
            '\\' => match rest.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, other)) => text.push(other),
                None => break,
            },
            _ if letter == quote => return Ok((text, place + 1)),
            _ => text.push(letter),
        }
    }
    Err(wrong(at, format!("a text has no end: {quote} is missing")))
}

fn wrong(at: usize, problem: impl Into<String>) -> FormulaProblem {
    FormulaProblem {
        at: at + 1,
        problem: problem.into(),
    }
}
