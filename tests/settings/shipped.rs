//! The shipped `config/` documents every setting, and its values are the defaults.

use std::collections::BTreeMap;
use std::path::Path;

use tandem::settings::{Fence, Reading, known, load_with};

use crate::files::{COMPANY, Files, KEY, TENANT};

fn shipped() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/tandem.toml")).unwrap()
}

/// The file with its examples switched on: lines as `# [table]` and `# key = value`.
fn with_examples(text: &str) -> String {
    let is_example = |line: &str| {
        line.starts_with('[')
            || line
                .split_once(" = ")
                .is_some_and(|(key, _)| !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    };
    text.lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if is_example(rest) => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect()
}

/// Full names and values in TOML; tenants, objects and fields under `*`.
fn written(text: &str) -> BTreeMap<String, String> {
    fn walk(prefix: &str, table: &toml::Table, out: &mut BTreeMap<String, String>) {
        for (key, value) in table {
            let chosen = prefix == "tenants" || prefix == "tenants.*.fields" || prefix == "tenants.*.fields.*";
            let key = if chosen { "*" } else { key };
            let name = if prefix.is_empty() {
                key.to_owned()
            } else {
                format!("{prefix}.{key}")
            };
            match value {
                toml::Value::Table(table) if !name.ends_with(".values") => walk(&name, table, out),
                value => {
                    out.insert(name, value.to_string());
                }
            }
        }
    }
    let mut out = BTreeMap::new();
    walk("", &text.parse().unwrap(), &mut out);
    out
}

#[test]
fn every_setting_is_documented_with_its_default() {
    let text = shipped();
    let (active, all) = (written(&text), written(&with_examples(&text)));
    let known = known();
    assert!(
        known.len() > 50,
        "the list of settings is too short to be true: {}",
        known.len()
    );
    for setting in &known {
        // Refused wherever they stand in a file; the documents speak of the file or variable instead.
        let inline = ["password", "regional_key", "client_secret", "private_key"];
        if inline
            .iter()
            .any(|secret| setting.name.ends_with(&format!(".{secret}")))
        {
            continue;
        }
        let found = all.get(&setting.name);
        assert!(found.is_some(), "config/tandem.toml does not tell of {}", setting.name);
        if !setting.name.starts_with("tenants.") {
            assert_eq!(
                active.get(&setting.name),
                setting.default.as_ref(),
                "default of {}",
                setting.name
            );
        }
    }
    for name in all.keys() {
        assert!(
            known.iter().any(|setting| setting.name == *name),
            "{name} is no setting"
        );
    }
}

#[test]
fn the_shipped_mapping_compiles() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/tandem.toml");
    let environment = [("TANDEM_SECRETS__REGIONAL_KEY".to_owned(), KEY.to_owned())];
    let settings = load_with(&path, &environment, Reading::Full).unwrap();
    let objects: Vec<&str> = settings.mapping.objects.keys().map(String::as_str).collect();
    assert_eq!(objects, ["company", "contact", "deal"]);
}

#[test]
fn a_short_file_is_enough() {
    let settings = Files::new(TENANT).load().unwrap();
    let tenant = settings.tenants.values().next().unwrap();
    assert_eq!(
        (tenant.name.as_str(), tenant.fence, tenant.enabled),
        ("acme", Fence::Strict, true)
    );
    assert_eq!(tenant.plan.objects.len(), 1);
    assert_eq!(settings.node.workers, 8);
    assert_eq!(settings.secrets.regional_keys.len(), 1);
    assert_eq!(COMPANY.lines().count(), 4);
}

#[test]
fn the_environment_overrides() {
    let settings = Files::new(&format!("[node]\nworkers = 4\n{TENANT}"))
        .variable("TANDEM_NODE__WORKERS", "16")
        .variable("TANDEM_SALESFORCE__ALLOW_HOSTS", "127.0.0.1, localhost")
        .variable("TANDEM_TENANTS__ACME__RECEIPTS", "true")
        .variable("TANDEM_TENANTS__ACME__ORG__LOGIN_URL", "http://127.0.0.1:9")
        .variable("TANDEM_REDIS__URL", "redis://user:pass%40word@redis.internal:6380/2")
        .variable("TANDEM_ORGSIM", "/not/a/setting")
        .variable("TANDEM_HTTP_SERVICE_PORT", "8080")
        .load()
        .unwrap();
    assert_eq!(settings.node.workers, 16);
    assert_eq!(settings.salesforce.allow_hosts, ["127.0.0.1", "localhost"]);
    let tenant = settings.tenants.values().next().unwrap();
    assert!(tenant.receipts);
    assert_eq!(tenant.org.login_url, "http://127.0.0.1:9");
    assert_eq!(settings.redis.address, "redis://redis.internal:6380/2");
    assert!(
        !format!("{settings:?}").contains("pass%40word"),
        "debug output shows the password"
    );
}

#[test]
fn a_password_file_completes_the_address() {
    use secrecy::ExposeSecret as _;
    let settings = Files::new("[redis]\nurl = \"redis://redis.internal:6379/0\"\npassword_file = \"p\"\n")
        .with("p", "a/b@c\n")
        .load()
        .unwrap();
    assert_eq!(
        settings.redis.url.expose_secret(),
        "redis://:a%2Fb%40c@redis.internal:6379/0"
    );
    assert_eq!(settings.redis.address, "redis://redis.internal:6379/0");
}
