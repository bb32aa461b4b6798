//! `@{referenceId.path}` in the URL and body of a subrequest: values of earlier answers (contract 3.1).

use std::collections::HashMap;

use serde_json::Value;

use crate::org::{Json, write_string};

/// Answers so far, by reference id; both it and field names have case [V:D-COMPREQ-JA].
pub(super) type Answers = HashMap<String, Value>;

/// A reference that names nothing, as it was written without `@{` and `}`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unresolved(pub(super) String);

/// The text with every reference replaced.
pub(super) fn fill(text: &str, answers: &Answers) -> Result<String, Unresolved> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once("@{") {
        filled.push_str(before);
        let Some((path, after)) = reference.split_once('}') else {
            return Err(Unresolved(reference.to_owned()));
        };
        match resolve(path, answers) {
            Some(Value::String(text)) => filled.push_str(text),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => filled.push_str(&value.to_string()),
            _ => return Err(Unresolved(path.to_owned())),
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Writes a value with every reference in its texts replaced. Names of members are left alone, and their order is kept:
/// it counts (observed 2026: `attributes` comes first).
pub(super) fn write_filled(out: &mut String, value: &Json<'_>, answers: &Answers) -> Result<(), Unresolved> {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Json::Number(number) => out.push_str(&Value::from(*number).to_string()),
        Json::Text(text) => write_string(out, &fill(text, answers)?),
        Json::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_filled(out, item, answers)?;
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (i, (name, member)) in members.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_string(out, name);
                out.push(':');
                write_filled(out, member, answers)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// `refA.records[0].Id`: a dot walks into a member, brackets into an array.
fn resolve<'a>(path: &str, answers: &'a Answers) -> Option<&'a Value> {
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (reference, mut rest) = path.split_at(end);
    let mut value = answers.get(reference)?;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (index, after) = inner.split_once(']')?;
            value = value.get(index.trim().parse::<usize>().ok()?)?;
            rest = after;
        } else {
            let member = rest.strip_prefix('.')?;
            let end = member.find(['.', '[']).unwrap_or(member.len());
            value = value.get(&member[..end])?;
            rest = &member[end..];
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn answers() -> Answers {
        [
            ("a".to_owned(), json!({"id": "001", "n": 3, "gone": null})),
            (
                "q".to_owned(),
                json!({"records": [{"Id": "003"}, {"Id": "004", "Owner": {"Name": "N"}}]}),
            ),
            ("c".to_owned(), json!([{"id": "005"}])),
        ]
        .into()
    }

    #[test]
    fn texts_are_filled_wherever_a_reference_stands() {
        for (text, expected) in [
            ("@{a.id}", "001"),
            ("/x/@{a.id}/y@{a.n}", "/x/001/y3"),
            ("@{q.records[1].Owner.Name}", "N"),
            ("@{c[0].id}", "005"),
            ("none", "none"),
        ] {
            assert_eq!(fill(text, &answers()).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_names_nothing_is_told() {
        for path in [
            "a.Id",
            "b.id",
            "a.gone",
            "q.records[9].Id",
            "q.records[x]",
            "a",
            "",
            "a.id[0]",
        ] {
            let text = format!("@{{{path}}}");
            assert_eq!(fill(&text, &answers()), Err(Unresolved(path.to_owned())), "{path}");
        }
        assert_eq!(fill("@{a.id", &answers()), Err(Unresolved("a.id".to_owned())));
    }

    #[test]
    fn a_body_is_filled_in_depth_and_keeps_the_order_of_its_members() {
        let body = r#"{"z":"@{a.id}","a":[{"attributes":{"type":"T"},"X":"@{c[0].id}"}],"n":1.5,"t":true,"e":null}"#;
        let parsed: Json<'_> = serde_json::from_str(body).expect("JSON");
        let mut out = String::new();
        assert_eq!(write_filled(&mut out, &parsed, &answers()), Ok(()));
        assert_eq!(out, body.replace("@{a.id}", "001").replace("@{c[0].id}", "005"));
    }

    proptest! {
        #[test]
        fn any_text_is_filled_or_refused(text in "[@{}a-c.\\[\\]0-9id]{0,40}") {
            if let Ok(filled) = fill(&text, &answers()) {
                let left = filled.contains("@{");
                prop_assert!(!left, "{}", filled);
            }
        }
    }
}
