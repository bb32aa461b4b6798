//! Settings and object files, as people write them.

use tandem::settings::{Reading, load_with};

use crate::mutate::Fuzz;

const SETTINGS: &str = "tandem.toml";
const OBJECT: &str = "objects/company.toml";

const TENANTS: &str = r#"
[tenants.acme]
fence = "soft"
objects = ["company"]
[tenants.acme.org]
flow = "client_credentials"
login_url = "https://acme.my.salesforce.com"
client_id = "consumer"
client_secret_env = "ACME"
[tenants.acme.fields.company.name]
salesforce = "Name"
values = { a = "b" }
[tenants.globex.org]
flow = "jwt"
login_url = "https://login.salesforce.com"
client_id = "c"
username = "u@globex.example"
private_key_file = "key.pem"
"#;

/// A directory with these files.
fn files(settings: &[u8], object: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("objects")).unwrap();
    std::fs::write(dir.path().join(OBJECT), object).unwrap();
    std::fs::write(dir.path().join(SETTINGS), settings).unwrap();
    dir
}

/// Puts a text into one of the files and loads them; what came of it: the problems, each by its first words.
fn load(dir: &std::path::Path, file: &str, text: &[u8]) -> Vec<String> {
    std::fs::write(dir.join(file), text).unwrap();
    let problems = match load_with(&dir.join(SETTINGS), &[], Reading::WithoutSecrets) {
        Ok(settings) => {
            assert!(
                settings.tenants.values().all(|tenant| !tenant.plan.objects.is_empty()),
                "a tenant has objects"
            );
            return vec!["fine".to_owned()];
        }
        Err(problems) => problems.0,
    };
    assert!(!problems.is_empty(), "an error says what it is");
    for problem in &problems {
        let line = problem.to_string();
        assert!(!line.trim().is_empty() && !line.contains('\0'), "{line:?}");
    }
    // What is allowed, without what was written: one behaviour a kind of problem.
    problems
        .into_iter()
        .map(|problem| problem.allowed.chars().take(24).collect())
        .collect()
}

#[test]
fn fuzz_settings() {
    let dir = files(b"", include_bytes!("../../config/objects/company.toml"));
    let shipped = include_str!("../../config/tandem.toml");
    let example: String = shipped
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line)))
        .collect();
    let words = [
        "[tenants.",
        "[",
        "]",
        "{",
        "}",
        "=",
        "\"",
        "'''",
        "\"\"\"",
        "\n",
        "#",
        ",",
        "redis",
        "url",
        "sync",
        "node",
        "secrets",
        "\"5s\"",
        "\"64MiB\"",
        "true",
        "-1",
        "0x7f",
        "1e400",
        "nan",
        "1979-05-27",
        "\\u0000",
        "\\U0010FFFF",
    ];
    let fuzz = Fuzz {
        name: "settings",
        corpus: [shipped, &example, TENANTS, "", "a.b.c = [1, 2]\n"]
            .map(|text| text.as_bytes().to_vec())
            .to_vec(),
        words: &words,
        cases: 300,
    };
    fuzz.run(|text| load(dir.path(), SETTINGS, text));
}

#[test]
fn fuzz_mappings() {
    let dir = files(TENANTS.as_bytes(), b"");
    let words = [
        "object",
        "salesforce",
        "external_id",
        "sequence",
        "direction",
        "on_conflict",
        "[match]",
        "[fields]",
        "[[group]]",
        "fields",
        "kind",
        "values",
        "references",
        "required",
        "personal",
        "\"company\"",
        "\"contact\"",
        "\"Name\"",
        "\"both\"",
        "\"to_product\"",
        "\"latest\"",
        "\"ask\"",
        "{",
        "}",
        "[",
        "]",
        "=",
        "\"",
        "\n",
        "true",
        "1",
    ];
    let corpus = [
        include_str!("../../config/objects/company.toml"),
        include_str!("../../config/objects/contact.toml"),
        include_str!("../../config/objects/deal.toml"),
        "object = \"company\"\nsalesforce = \"Account\"\n[fields]\nname = \"Name\"\n",
    ];
    let fuzz = Fuzz {
        name: "mappings",
        corpus: corpus.map(|text| text.as_bytes().to_vec()).to_vec(),
        words: &words,
        cases: 250,
    };
    fuzz.run(|text| load(dir.path(), OBJECT, text));
}

#[test]
fn a_file_that_nests_without_end_is_a_problem_like_any_other() {
    let dir = files(b"", b"");
    for deep in ["[".repeat(100_000), "{a=".repeat(100_000), "a.".repeat(100_000)] {
        for file in [SETTINGS, OBJECT] {
            for text in [format!("a = {deep}"), format!("{deep}b = 1"), format!("[{deep}")] {
                assert_ne!(load(dir.path(), file, text.as_bytes()), ["fine"]);
            }
        }
    }
}
