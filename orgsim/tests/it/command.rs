//! The command as a script uses it: one line of JSON, then a working org.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// The command, stopped when this goes.
struct Running {
    child: Child,
    ready: Value,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn start(arguments: &[&str]) -> Running {
    let mut child = Command::new(env!("CARGO_BIN_EXE_orgsim"))
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let ready = serde_json::from_str(&line).unwrap();
    Running { child, ready }
}

fn schema(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[tokio::test]
async fn a_script_reads_one_line_and_uses_its_own_fields() {
    let fields = schema(
        r#"
        [[object]]
        name = "Invoice__c"
        auto_number = "INV-{0000}"
        [[field]]
        object = "Account"
        name = "Ext_Id__c"
        type = "string"
        length = 80
        external_id = true
        unique = true
        "#,
    );
    let children = schema(
        r#"
        [[field]]
        object = "Invoice__c"
        name = "Account__c"
        type = "masterdetail"
        reference_to = ["Account"]
        child_relationship = "Invoices__r"
        [[field]]
        object = "Invoice__c"
        name = "Tags__c"
        type = "multipicklist"
        values = ["red", "green", "blue"]
        restricted = true
        "#,
    );
    let (fields, children) = (fields.path().to_str().unwrap(), children.path().to_str().unwrap());
    let running = start(&[
        "--schema",
        fields,
        "--schema",
        children,
        "--orgs",
        "2",
        "--http-port",
        "0",
    ]);
    let ready = &running.ready;
    for name in ["login_url", "instance_url", "pubsub", "pubsub_tls", "admin"] {
        assert!(ready[name].is_string(), "{name}");
    }
    let orgs = ready["orgs"].as_array().unwrap();
    assert_eq!(orgs.len(), 2);
    for name in [
        "org_id",
        "username",
        "password",
        "client_id",
        "client_secret",
        "access_token",
    ] {
        assert!(orgs[1][name].is_string(), "{name}");
    }
    let base = format!("{}/services/data/v67.0", ready["instance_url"].as_str().unwrap());
    let client = reqwest::Client::new();
    let send = |method: reqwest::Method, path: &str, body: Value| {
        let request = client
            .request(method, format!("{base}{path}"))
            .bearer_auth(orgs[0]["access_token"].as_str().unwrap())
            .json(&body);
        async { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let made = send(
        reqwest::Method::PATCH,
        "/sobjects/Account/Ext_Id__c/7",
        json!({"Name": "Acme"}),
    )
    .await;
    assert_eq!(made["created"], true, "{made}");
    let invoice = json!({"Account__r": {"Ext_Id__c": "7"}, "Tags__c": "blue;red"});
    let made = send(reqwest::Method::POST, "/sobjects/Invoice__c", invoice).await;
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("a00"), "{made}");
    let row = send(reqwest::Method::GET, &format!("/sobjects/Invoice__c/{id}"), Value::Null).await;
    assert_eq!(
        (&row["Name"], row.get("OwnerId")),
        (&json!("INV-0001"), None),
        "a detail has no owner"
    );
    let refused = send(
        reqwest::Method::POST,
        "/sobjects/Invoice__c",
        json!({"Tags__c": "black"}),
    )
    .await;
    assert!(refused[0]["errorCode"].is_string());
    let soql = "/query?q=SELECT+Name,(SELECT+Name+FROM+Invoices__r+WHERE+Tags__c+INCLUDES('red'))+FROM+Account";
    let found = send(reqwest::Method::GET, soql, Value::Null).await;
    assert_eq!(found["records"][0]["Invoices__r"]["totalSize"], 1, "{found}");
}

#[test]
fn a_wrong_schema_file_stops_the_start_with_its_place() {
    let wrong = schema("[[field]]\nobject = \"Account\"\nname = \"A__c\"\ntype = \"blob\"\n");
    let output = Command::new(env!("CARGO_BIN_EXE_orgsim"))
        .args(["--schema", wrong.path().to_str().unwrap()])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("field Account.A__c: there is no type blob"), "{said}");
}
