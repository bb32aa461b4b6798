//! One JSON value of a product, looked at once.

use std::borrow::Cow;

use super::ValueError;

/// What a JSON value is. Lists keep their text: only multi-picklists look inside.
pub(super) enum Json<'a> {
    Null,
    Boolean(bool),
    /// Not yet checked to be a number.
    Number(&'a str),
    Text(Cow<'a, str>),
    List(&'a [u8]),
    Object,
}

impl<'a> Json<'a> {
    /// Total: what is no JSON value is an error.
    pub(super) fn read(raw: &'a [u8]) -> Result<Self, ValueError> {
        let raw = raw.trim_ascii();
        match raw.first() {
            Some(b'"') => serde_json::from_slice(raw)
                .map(|Text(text)| Self::Text(text))
                .map_err(|_| ValueError::BadText),
            Some(b'[') => Ok(Self::List(raw)),
            Some(b'{') => Ok(Self::Object),
            _ => match raw {
                b"null" => Ok(Self::Null),
                b"true" => Ok(Self::Boolean(true)),
                b"false" => Ok(Self::Boolean(false)),
                number => std::str::from_utf8(number)
                    .map(Self::Number)
                    .map_err(|_| ValueError::BadText),
            },
        }
    }

    /// The error that something else was expected.
    pub(super) fn not(&self, expected: &'static str) -> ValueError {
        let got = match self {
            Self::Null => "null",
            Self::Boolean(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object => "an object",
        };
        ValueError::WrongType { expected, got }
    }
}

/// A JSON string, borrowed where it holds no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// An array of strings.
pub(super) fn strings(list: &[u8]) -> Result<Vec<Cow<'_, str>>, ValueError> {
    let wrong = ValueError::WrongType {
        expected: "an array of strings",
        got: "an array of something else",
    };
    let items: Vec<Text<'_>> = serde_json::from_slice(list).map_err(|_| wrong)?;
    Ok(items.into_iter().map(|Text(text)| text).collect())
}

/// A text as a JSON string.
pub(super) fn quoted(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    out.push(b'"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..=0x1f => b'u',
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[plain..at]);
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            out.extend_from_slice(format!("{byte:04x}").as_bytes());
        }
        plain = at + 1;
    }
    out.extend_from_slice(&text.as_bytes()[plain..]);
    out.push(b'"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quoting_is_json(text in "(?s).{0,30}") {
            prop_assert_eq!(serde_json::from_slice::<String>(&quoted(&text)).unwrap(), text);
        }

        #[test]
        fn reading_never_panics(bytes: Vec<u8>) {
            if let Ok(Json::List(list)) = Json::read(&bytes) {
                prop_assert!(strings(list).is_ok() == serde_json::from_slice::<Vec<String>>(&bytes).is_ok());
            }
        }
    }

    #[test]
    fn deep_nesting_is_refused_not_followed() {
        let deep = "[".repeat(1 << 20);
        assert!(strings(deep.as_bytes()).is_err());
        assert_eq!(quoted("\u{1}\t\"").as_slice(), br#""\u0001\t\"""#);
    }
}
