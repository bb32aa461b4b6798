//! The README's fidelity table names tests that there are.

use std::path::Path;

/// The rows of the table: all cells.
fn rows(readme: &str) -> Vec<Vec<&str>> {
    let from = readme.find("## Fidelity").unwrap();
    let lines = readme[from..]
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| behaviour"));
    lines
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

/// The text of the file that a test is named after.
fn source(file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = match file.strip_prefix("src/") {
        Some(_) => vec![root.join(file)],
        None => vec![
            root.join(format!("tests/it/{file}.rs")),
            root.join(format!("tests/bus/{file}.rs")),
        ],
    };
    places
        .iter()
        .filter_map(|place| std::fs::read_to_string(place).ok())
        .collect()
}

#[test]
fn every_row_has_a_test_or_says_that_it_is_not_built() {
    let readme = include_str!("../../README.md");
    let rows = rows(readme);
    assert!(rows.len() > 130, "{}", rows.len());
    for row in rows {
        let [behaviour, source_of, mark, test] = row.as_slice() else {
            panic!("{row:?}");
        };
        assert!(!behaviour.is_empty() && !source_of.is_empty(), "{row:?}");
        match test.trim_matches('`').rsplit_once("::") {
            None => assert!(mark.starts_with("not built"), "{behaviour}"),
            Some((file, name)) => {
                assert!(!mark.starts_with("not built:") || file == "calls", "{behaviour}");
                assert!(
                    source(file).contains(&format!("fn {name}(")),
                    "{behaviour}: there is no {test}"
                );
            }
        }
    }
}

#[test]
fn no_section_is_missing() {
    let readme = include_str!("../../README.md");
    let sections = [
        "1. OAuth",
        "2. REST",
        "3. Composite",
        "4. Bulk API 2.0",
        "5. Limits",
        "6. Error codes",
        "7. Data",
        "8. What practitioners met",
    ];
    let places: Vec<usize> = sections
        .iter()
        .map(|section| readme.find(&format!("### {section}\n")).unwrap())
        .collect();
    assert!(places.is_sorted());
}
