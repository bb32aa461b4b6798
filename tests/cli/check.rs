//! `tandem check` and the settings check of `tandem serve`.

use std::path::Path;

use serde_json::{Value, json};

use crate::process::{err, out, run};

const SETTINGS: &str = "[tenants.acme]\nobjects = [\"company\"]\n[tenants.acme.org]\nflow = \"client_credentials\"\n\
    login_url = \"https://acme.my.salesforce.com\"\nclient_id = \"c\"\nclient_secret_file = \"not-there\"\n\
    [objects]\ndir = \"OBJECTS\"\n";

fn shipped(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name).display().to_string()
}

/// A settings file with a tenant, over the shipped object files.
fn settings() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tandem.toml");
    std::fs::write(&path, SETTINGS.replace("OBJECTS", &shipped("config/objects"))).unwrap();
    (dir, path.display().to_string())
}

#[test]
fn what_is_shipped_is_right() {
    let output = run(&["check", "--config", &shipped("config/tandem.toml")]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(out(&output), "3 objects, 24 fields, 0 tenants: nothing wrong\n");
}

#[test]
fn without_an_org_no_secret_is_wanted() {
    let (_dir, path) = settings();
    assert_eq!(run(&["check", "--config", &path]).status.code(), Some(0));
    let output = run(&["serve", "--config", &path]);
    assert_eq!(output.status.code(), Some(2), "serve wants its secrets");
    let said = err(&output);
    assert!(
        said.contains("tandem.toml:7: tenants.acme.org.client_secret_file: names "),
        "{said}"
    );
    assert!(said.contains("secrets.regional_key_file: is missing"), "{said}");
}

#[test]
fn problems_are_told_one_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tandem.toml");
    let objects = shipped("config/objects");
    std::fs::write(
        &path,
        format!("[node]\nworkers = 0\n[objects]\ndir = {objects:?}\n[log]\nlevl = 1\n"),
    )
    .unwrap();
    let path = path.display().to_string();
    let output = run(&["check", "--config", &path]);
    assert_eq!(output.status.code(), Some(1));
    let text = out(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with(&format!("{path}:2: node.workers = 0: ")),
        "{lines:?}"
    );
    let output = run(&["check", "--json", "--config", &path]);
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(answer["ok"], json!(false));
    assert_eq!(answer["problems"][1]["line"], json!(6));
    assert_eq!(answer["problems"][1]["name"], json!("log.levl"));
    assert_eq!(answer["problems"][0]["value"], json!("0"));
}

#[test]
fn an_org_is_compared_by_its_describe() {
    let (dir, path) = settings();
    let field = |name: &str, kind: &str| {
        json!({"name": name, "type": kind, "length": 255, "precision": 15,
        "nillable": true, "createable": true, "updateable": true, "externalId": true, "unique": true, "caseSensitive": true})
    };
    let fields = [
        ("Name", "string"),
        ("Website", "url"),
        ("Phone", "phone"),
        ("Industry", "picklist"),
        ("BillingStreet", "textarea"),
        ("BillingCity", "string"),
        ("BillingPostalCode", "string"),
        ("BillingCountry", "string"),
        ("Tandem_Key__c", "string"),
        ("Tandem_Seq__c", "double"),
    ];
    let mut body = json!({"name": "Account", "createable": true, "updateable": true, "queryable": true,
        "deletable": true, "fields": fields.map(|(name, kind)| field(name, kind))});
    let answers = dir.path().join("Account.json");
    std::fs::write(&answers, body.to_string()).unwrap();
    let directory = dir.path().display().to_string();
    let args = ["check", "--config", &path, "--org", "acme", "--describe", &directory];
    let output = run(&args);
    assert_eq!(output.status.code(), Some(0), "{}{}", out(&output), err(&output));
    assert_eq!(out(&output), "the org of acme fits 1 objects\n");

    body["fields"][1]["type"] = json!("double");
    std::fs::write(&answers, body.to_string()).unwrap();
    let output = run(&args);
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "{}/company.toml:8: company.website: Account.Website is a double there and url here: use kind = \"decimal\"\n",
        shipped("config/objects")
    );
    assert_eq!(out(&output), expected);
}

#[test]
fn an_unknown_tenant_is_told_with_those_there_are() {
    let (dir, path) = settings();
    let output = run(&[
        "check",
        "--config",
        &path,
        "--org",
        "acne",
        "--describe",
        &dir.path().display().to_string(),
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("there is no tenant 'acne'") && err(&output).contains("there are: acme"));
}
