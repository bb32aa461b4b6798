use serde_json::json;

use super::{Faults, Rule, catalogue};
use crate::org::Stream;

fn faults(rules: serde_json::Value) -> Faults {
    let rules: Vec<Rule> = serde_json::from_value(rules).unwrap();
    assert!(rules.iter().all(|rule| rule.problem().is_none()));
    let mut faults = Faults::new(Stream::new(1, "faults"));
    faults.set(rules);
    faults
}

#[test]
fn a_rule_strikes_when_its_turn_comes() {
    let mut faults = faults(json!([{"kind": "status", "after": 2, "every": 3, "times": 2}]));
    let struck: Vec<usize> = (0..20)
        .filter(|_| faults.fate("GET", "/x", 0).answer.is_some())
        .collect();
    assert_eq!(struck, [4, 7]);
}

#[test]
fn a_rule_means_calls_by_method_path_and_time() {
    let mut faults = faults(
        json!([{"kind": "error", "code": "SERVER_UNAVAILABLE", "method": "patch", "path": "/Contact",
        "from_ms": 100, "until_ms": 200}]),
    );
    for (method, path, now, struck) in [
        ("PATCH", "/sobjects/Contact/1", 100, true),
        ("PATCH", "/sobjects/Contact/1", 199, true),
        ("PATCH", "/sobjects/Contact/1", 200, false),
        ("PATCH", "/sobjects/Contact/1", 99, false),
        ("GET", "/sobjects/Contact/1", 100, false),
        ("PATCH", "/sobjects/Account/1", 100, false),
    ] {
        assert_eq!(
            faults.fate(method, path, now).answer.is_some(),
            struck,
            "{method} {path} {now}"
        );
    }
}

#[test]
fn every_code_may_come_upon_a_row() {
    let mut seen = std::collections::BTreeSet::new();
    for code in catalogue::codes() {
        assert!(seen.insert(code), "{code} is there twice");
        let mut faults = faults(json!([{"kind": "row", "code": code, "fields": ["Email"], "percent": 100}]));
        let fate = faults.fate("POST", "/x", 0);
        let refused = faults.refused(&fate, 2);
        let error = refused[1].as_ref().unwrap();
        assert_eq!((error.code, &*error.fields[0]), (code, "Email"));
        assert!(!error.message.is_empty());
    }
    assert!(seen.len() > 150, "{}", seen.len());
}

#[test]
fn what_makes_no_sense_is_told() {
    for (rule, words) in [
        (
            json!({"kind": "status", "percent": 101}),
            "percent must be from 0 to 100",
        ),
        (
            json!({"kind": "status", "status": 99}),
            "status must be from 200 to 599",
        ),
        (json!({"kind": "row"}), "code is missing"),
        (
            json!({"kind": "row", "code": "NOTHING"}),
            "there is no error code NOTHING",
        ),
        (json!({"kind": "delay", "ms": 600_001}), "ms must be at most"),
        (json!({"kind": "status", "every": 0}), "every must be at least 1"),
    ] {
        let rule: Rule = serde_json::from_value(rule).unwrap();
        let problem = rule.problem().unwrap();
        assert!(problem.contains(words), "{problem}");
    }
}

#[test]
fn the_readme_lists_every_code_once() {
    let readme = include_str!("../../README.md");
    let from = readme.find("### Error codes and how to get them").unwrap();
    let mut listed: Vec<&str> = readme[from..]
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| !word.starts_with('{'))
        .collect();
    let mut known: Vec<&str> = catalogue::codes().collect();
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known);
}
