//! Rules of the house that can be checked by reading: who may import whom, how long a file may be, what no file says.
#![allow(clippy::unwrap_used, reason = "a test may end by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Lines that a source file may have.
const LINES_MAX: usize = 500;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files below the root, as the repository holds them, with their paths from there.
fn files() -> Vec<(String, PathBuf)> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if [".git", ".tandem"].contains(&name.as_str()) || name == "target" || path.join("CACHEDIR.TAG").is_file() {
                continue;
            }
            if path.is_dir() {
                walk(&path, found)
            } else {
                found.push(path)
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| (path.strip_prefix(root()).unwrap().to_string_lossy().into_owned(), path))
        .collect()
}

fn with_ending(endings: &[&str]) -> Vec<(String, String)> {
    files()
        .into_iter()
        .filter(|(name, _)| endings.iter().any(|ending| name.ends_with(ending)))
        .map(|(name, path)| (name, std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// Fails with one line a finding.
#[track_caller]
fn none(found: &[String]) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// What each module of the engine may import (design: imports point one way). `lib.rs` and `main.rs` are free.
fn allowed() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("settings", &["settings"][..]),
        ("telemetry", &["telemetry", "settings"][..]),
        ("port", &["port", "settings", "telemetry"][..]),
        ("salesforce", &["salesforce", "port", "settings", "telemetry"][..]),
        ("store", &["store", "port", "settings", "telemetry"][..]),
        ("sink", &["sink", "port", "settings", "telemetry"][..]),
        // `sink` is a road over ports; `salesforce` and `store` are adapters, which actors must not know.
        ("actor", &["actor", "sink", "port", "settings", "telemetry"][..]),
        ("http", &["http", "actor", "port", "settings", "telemetry"][..]),
        (
            "app",
            &[
                "app",
                "http",
                "actor",
                "salesforce",
                "store",
                "sink",
                "port",
                "settings",
                "telemetry",
            ][..],
        ),
        ("cli", &["cli", "app", "settings", "telemetry"][..]),
        ("bin", &[][..]),
    ])
}

/// The modules that a text names after `crate::` (also in braces).
fn imported(text: &str) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        // `$crate` and names that end in "crate" are something else.
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        let word = |text: &str| {
            text.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        };
        match rest.strip_prefix('{') {
            None => {
                modules.insert(word(rest));
            }
            Some(list) => {
                let mut depth = 0;
                let mut item = String::new();
                for c in list.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            modules.insert(word(item.trim()));
                            item.clear();
                            continue;
                        }
                        _ => {}
                    }
                    item.push(c);
                }
                modules.insert(word(item.trim()));
            }
        }
    }
    modules.remove("");
    modules
}

/// Code without comment lines: documents may speak of any module.
fn code(text: &str) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn imports_are_found_in_all_their_forms() {
    let text = "use crate::port::{store::X, org};\nuse crate::{actor::{a, b}, http};\npub(crate) fn f() { crate::cli::run() }\n";
    let found: Vec<String> = imported(text).into_iter().collect();
    assert_eq!(found, ["actor", "cli", "http", "port"]);
}

#[test]
fn imports_point_one_way() {
    let (allowed, mut found) = (allowed(), Vec::new());
    let mut seen = 0;
    for (name, text) in with_ending(&[".rs"]) {
        let Some(rest) = name.strip_prefix("src/") else {
            continue;
        };
        if rest.starts_with("core/") || ["lib.rs", "main.rs"].contains(&rest) {
            continue;
        }
        let module = rest.split(['/', '.']).next().unwrap();
        let Some(may) = allowed.get(module) else {
            found.push(format!(
                "{name}: the module '{module}' has no place yet: give it one in tests/tidy.rs"
            ));
            continue;
        };
        seen += 1;
        for import in imported(&code(&text)) {
            // Names at the crate's root that are no modules (macros, re-exports) are not there by rule.
            if !may.contains(&import.as_str()) {
                found.push(format!(
                    "{name}: '{module}' must not import '{import}'; it may: {}",
                    may.join(", ")
                ));
            }
        }
    }
    assert!(seen > 10, "only {seen} files were looked at");
    none(&found);
}

#[test]
fn the_core_imports_the_engine_never_from_the_domain() {
    let mut found = Vec::new();
    for (name, text) in with_ending(&[".rs"]) {
        if !name.starts_with("src/core/") {
            continue;
        }
        let text = code(&text);
        if name.starts_with("src/core/domain/") && imported(&text).contains("engine") {
            found.push(format!("{name}: the domain must not import the engine"));
        }
        for word in [
            "std::time::Instant",
            "SystemTime",
            "std::net",
            "std::fs",
            "std::thread",
            "std::env",
            "Timestamp::now",
        ] {
            if text.contains(word) {
                found.push(format!(
                    "{name}: the core has no {word}: time and chance are arguments, the world is outside"
                ));
            }
        }
    }
    none(&found);
}

#[test]
fn the_core_cannot_reach_the_world() {
    let text = std::fs::read_to_string(root().join("src/core/Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let dependencies: Vec<&String> = manifest["dependencies"].as_table().unwrap().keys().collect();
    let forbidden = [
        "tokio",
        "actix",
        "actix-rt",
        "redis",
        "deadpool-redis",
        "reqwest",
        "tonic",
        "axum",
        "futures",
        "tracing",
    ];
    let found: Vec<String> = dependencies
        .into_iter()
        .filter(|name| forbidden.contains(&name.as_str()))
        .map(|name| format!("src/core/Cargo.toml: {name} has no place in the core"))
        .collect();
    none(&found);
}

#[test]
fn files_are_short() {
    let found: Vec<String> = with_ending(&[".rs", ".lua"])
        .into_iter()
        .filter_map(|(name, text)| {
            let lines = text.lines().count();
            (lines > LINES_MAX)
                .then(|| format!("{name}: {lines} lines, at most {LINES_MAX}: it holds more than one idea"))
        })
        .collect();
    none(&found);
}

#[test]
fn scripts_of_redis_say_their_contract() {
    let mut found = Vec::new();
    for (name, text) in with_ending(&[".lua"]) {
        // Parts that are put into other scripts have no shebang of their own.
        let is_part = name.contains("/include/");
        if !is_part && !text.starts_with("#!lua") {
            found.push(format!("{name}: the first line must be a shebang: #!lua"));
        }
        let head: String = text
            .lines()
            .take_while(|line| line.starts_with("#!") || line.starts_with("--"))
            .collect();
        for word in ["KEYS", "ARGV", "eturns"] {
            if !is_part && !head.contains(word) {
                found.push(format!(
                    "{name}: the header must say KEYS, ARGV and what it returns; '{word}' is missing"
                ));
            }
        }
    }
    none(&found);
}

#[test]
fn no_file_speaks_of_one_machine_or_of_work_to_do() {
    // Written in two parts, so that this file passes.
    let banned = [
        concat!("/ho", "me/"),
        concat!("/Use", "rs/"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
        concat!("XX", "X "),
        concat!("db", "g!("),
        concat!("allow(dead", "_code)"),
    ];
    let mut found = Vec::new();
    let endings = [
        ".rs",
        ".lua",
        ".md",
        ".toml",
        ".proto",
        "justfile",
        "script/test",
        "script/dev",
        "script/setup",
        ".sh",
    ];
    for (name, text) in with_ending(&endings) {
        for (number, line) in text.lines().enumerate() {
            if line.trim().starts_with("-----BEGIN") && line.contains("PRIVATE KEY") {
                found.push(format!(
                    "{name}:{}: keys are made when they are needed, never kept",
                    number + 1
                ));
            }
            if let Some(word) = banned.iter().find(|word| line.contains(**word)) {
                found.push(format!("{name}:{}: '{word}' must not be in the repository", number + 1));
            }
        }
    }
    none(&found);
}

#[test]
fn decisions_are_numbered_without_gaps() {
    let mut names: Vec<String> = std::fs::read_dir(root().join("docs/decisions"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(!names.is_empty());
    for (at, name) in names.iter().enumerate() {
        let number = format!("{:04}-", at + 1);
        assert!(
            name.starts_with(&number) && name.ends_with(".md"),
            "docs/decisions/{name} should begin with {number}"
        );
    }
}

#[test]
fn modules_say_what_they_are_for() {
    let found: Vec<String> = with_ending(&[".rs"])
        .into_iter()
        .filter(|(name, text)| !name.ends_with("/tests.rs") && !text.trim_start().starts_with("//!"))
        .map(|(name, _)| format!("{name}: the first line must say what the file is for (//!)"))
        .collect();
    none(&found);
}
