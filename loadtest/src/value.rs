//! Values in normal form: the form in which both sides are compared.

use serde_json::Value as Json;

/// A value in normal form. Empty means: no value (null, "" and absent are one).
pub type Value = Box<str>;

/// How two writings of one value are recognised as equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Compared as trimmed text.
    Text,
    /// Compared as a number: `10`, `10.0` and `"10.00"` are one.
    Number,
    /// Text of a fixed list.
    Choice,
    /// A day, compared as text.
    Date,
    /// The key of another record of this object (index in the shapes).
    Reference(usize),
}

/// The normal form of a JSON value of this kind.
pub fn normal(kind: Kind, value: &Json) -> Value {
    let text = match value {
        Json::Null => return Value::default(),
        Json::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    match kind {
        Kind::Number => match text.parse::<f64>() {
            Ok(0.0) => "0".into(),
            Ok(number) => number.to_string().into(),
            Err(_) => text.into(),
        },
        Kind::Text | Kind::Choice | Kind::Date | Kind::Reference(_) => text.into(),
    }
}

/// Which side made an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The product's users.
    Product,
    /// People in the org.
    Org,
}

/// The mark that makes an edit's values unique over the run: tenant, side and a running number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// Index of the tenant.
    pub tenant: usize,
    /// The side that made the edit.
    pub side: Side,
    /// Number of the edit, unique within tenant and side.
    pub number: u64,
}

impl Mark {
    /// The mark as it stands inside values, such as `q3p17z`.
    pub fn text(self) -> String {
        let side = match self.side {
            Side::Product => 'p',
            Side::Org => 'h',
        };
        format!("q{}{side}{}z", self.tenant, self.number)
    }

    /// Finds a mark inside a value.
    pub fn find(value: &str) -> Option<Self> {
        let bytes = value.as_bytes();
        (0..bytes.len())
            .filter(|&at| bytes.get(at) == Some(&b'q'))
            .find_map(|at| Self::read(value.get(at + 1..)?))
    }

    fn read(rest: &str) -> Option<Self> {
        let side_at = rest.find(|c: char| !c.is_ascii_digit())?;
        let (tenant, rest) = rest.split_at(side_at);
        let side = match rest.chars().next()? {
            'p' => Side::Product,
            'h' => Side::Org,
            _ => return None,
        };
        let rest = rest.get(1..)?;
        let end = rest.find('z')?;
        Some(Self {
            tenant: tenant.parse().ok()?,
            side,
            number: rest.get(..end)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn null_empty_and_blank_are_one_and_numbers_compare_by_amount() {
        for nothing in [json!(null), json!(""), json!("  ")] {
            assert_eq!(&*normal(Kind::Text, &nothing), "");
        }
        for ten in [json!(10), json!(10.0), json!("10.00"), json!(" 1e1 ")] {
            assert_eq!(&*normal(Kind::Number, &ten), "10");
        }
        assert_eq!(normal(Kind::Number, &json!(-0.0)), normal(Kind::Number, &json!(0)));
        assert_ne!(normal(Kind::Text, &json!("10")), normal(Kind::Text, &json!("10.0")));
    }

    #[test]
    fn a_mark_is_found_in_each_kind_of_text() {
        let mark = Mark {
            tenant: 12,
            side: Side::Org,
            number: 9,
        };
        for value in [
            "First q12h9z",
            "q12h9z@example.org",
            "https://q12h9z.example.org",
            "quick q q12h9z",
        ] {
            assert_eq!(Mark::find(value), Some(mark), "{value}");
        }
        for value in ["", "Active", "q12x9z", "q12h9", "qz"] {
            assert_eq!(Mark::find(value), None, "{value}");
        }
    }
}
