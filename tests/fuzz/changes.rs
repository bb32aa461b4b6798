//! The product's entries.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use tandem::settings::{Reading, load_with};
use tandem_core::domain::change_parse::Parser;
use tandem_core::domain::digest::Digester;
use tandem_core::domain::event::{EventId, Says};
use tandem_core::domain::ids::TenantName;
use tandem_core::domain::plan::TenantPlan;
use tandem_core::domain::stream::{EntryRef, Log, RawEntry, StreamId};
use tandem_core::domain::time::Timestamp;
use tandem_core::domain::value;

use crate::mutate::Fuzz;

/// An object with fields of all kinds, both of a group, and one of each direction.
const EVERYTHING: &str = r#"
object = "thing"
salesforce = "Thing__c"
[match]
fields = ["email"]
[fields]
text = "A__c"
long = { salesforce = "B__c", kind = "url" }
phone = { salesforce = "M__c", kind = "phone" }
email = { salesforce = "C__c", kind = "email" }
flag = { salesforce = "D__c", kind = "boolean" }
count = { salesforce = "E__c", kind = "integer" }
amount = { salesforce = "F__c", kind = "decimal" }
day = { salesforce = "G__c", kind = "date" }
moment = { salesforce = "H__c", kind = "datetime" }
one = { salesforce = "I__c", values = { active = "Active", churned = "Former" } }
many = { salesforce = "J__c", kind = "multipicklist" }
parent = { salesforce = "K__c", references = "owner" }
told = { salesforce = "L__c", direction = "to_product" }
[[group]]
fields = ["text", "long"]
"#;

/// What a thing may refer to.
const OWNER: &str = "object = \"owner\"\nsalesforce = \"Owner__c\"\n[fields]\nname = \"Name\"\n";

const SETTINGS: &str = "[tenants.acme.org]\nflow = \"client_credentials\"\n\
    login_url = \"https://acme.my.salesforce.com\"\nclient_id = \"c\"\nclient_secret_env = \"S\"\n";

static PLAN: LazyLock<Arc<TenantPlan>> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tandem.toml");
    std::fs::create_dir(dir.path().join("objects")).unwrap();
    std::fs::write(dir.path().join("objects/thing.toml"), EVERYTHING).unwrap();
    std::fs::write(dir.path().join("objects/owner.toml"), OWNER).unwrap();
    std::fs::write(&path, SETTINGS).unwrap();
    let mut settings = load_with(&path, &[], Reading::WithoutSecrets).unwrap();
    settings.tenants.pop_first().unwrap().1.plan
});

fn event_id() -> String {
    let id = EventId {
        tenant: TenantName::new("acme").unwrap(),
        outbox: StreamId { ms: 7, seq: 1 },
        revision: 3,
        says: Says::default(),
    };
    id.encode()
}

const DATA: [&str; 8] = [
    r#"{"text":"Ada","long":"Love\nlace"}"#,
    r#"{"email":"ada@example.org","flag":true}"#,
    r#"{"count":-12,"amount":1.50}"#,
    r#"{"amount":"12345678901234567.123456789e-3"}"#,
    r#"{"day":"2026-01-31","moment":"2026-01-31T10:00:00.123Z"}"#,
    r#"{"one":"active","many":["a","b;c","d"]}"#,
    r#"{"parent":"42","told":1}"#,
    r#"{"text":null,"long":null,"many":null,"parent":null}"#,
];

/// Names and values, each after its length.
fn packed(fields: &[(&str, &str)]) -> Vec<u8> {
    let texts = fields.iter().flat_map(|(name, value)| [name, value]);
    texts
        .flat_map(|text| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat())
        .collect()
}

fn unpacked(mut input: &[u8]) -> Vec<(Bytes, Bytes)> {
    let mut texts = Vec::new();
    while let Some((length, rest)) = input.split_first() {
        let (text, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        texts.push(Bytes::copy_from_slice(text));
        input = rest;
    }
    texts
        .chunks_exact(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect()
}

/// Parses, and holds what comes of it against what is promised.
fn check(fields: Vec<(Bytes, Bytes)>) -> (&'static str, usize) {
    let (tenant, digest) = (TenantName::new("acme").unwrap(), Digester::new([7; 32]));
    let parser = Parser {
        plan: &PLAN,
        digest: &digest,
        tenant: &tenant,
    };
    let id = StreamId {
        ms: 1_790_000_000_000,
        seq: 0,
    };
    let at = EntryRef { log: Log::Changes, id };
    let entry = RawEntry { at, fields };
    match parser.parse(&entry, Timestamp(id.ms)) {
        Ok(change) => {
            let object = PLAN.object(&change.record.object).unwrap();
            for (idx, raw) in &change.fields {
                let sent = value::to_salesforce(object.at(*idx).unwrap(), raw).unwrap();
                // A reference to a parent is written by the caller.
                if !sent.json.is_empty() {
                    serde_json::from_slice::<&serde_json::value::RawValue>(&sent.json).unwrap();
                }
            }
            assert!(
                change.fields.is_sorted_by(|(a, _), (b, _)| a < b),
                "each field once, in order"
            );
            let again = parser.parse(&entry, Timestamp(id.ms)).unwrap();
            assert_eq!(format!("{change:?}"), format!("{again:?}"), "the same again");
            ("a change", change.fields.len())
        }
        Err(rejection) => {
            assert!(!rejection.code.is_empty() && rejection.remedy.len() > 9);
            assert!((10..4_000).contains(&rejection.message.expose().len()));
            assert!(rejection.fields.len() <= 50 && rejection.fields.iter().all(|name| name.len() <= 255));
            (rejection.code, rejection.fields.len())
        }
    }
}

#[test]
fn fuzz_entries() {
    let id = event_id();
    let base = [("object", "thing"), ("key", "42"), ("op", "upsert")];
    let mut corpus: Vec<Vec<u8>> = DATA
        .iter()
        .map(|data| packed(&[&base[..], &[("data", data)]].concat()))
        .collect();
    let more = [
        ("data", DATA[0]),
        ("version", "7"),
        ("at", "2026-01-31T10:00:00Z"),
        ("seen_revision", "3"),
        ("caused_by", &id),
        ("answers", &id),
        ("idempotency_key", "row 7"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("origin", "engine"),
    ];
    corpus.push(packed(&[&base[..], &more].concat()));
    let record = [("object", "thing"), ("key", "ключ")];
    let delete = [("op", "delete")];
    let link = [
        ("op", "link"),
        ("salesforce_id", "003000000000001AAA"),
        ("answers", id.as_str()),
    ];
    let refuse = [("op", "refuse"), ("reason", "it is closed"), ("answers", id.as_str())];
    corpus.extend([&delete[..], &link, &refuse].map(|rest| packed(&[&record[..], rest].concat())));
    let words = [
        "object",
        "key",
        "op",
        "data",
        "salesforce_id",
        "reason",
        "version",
        "at",
        "seen_revision",
        "caused_by",
        "answers",
        "idempotency_key",
        "traceparent",
        "origin",
        "upsert",
        "delete",
        "link",
        "refuse",
        "thing",
        "engine",
    ];
    let fuzz = Fuzz {
        name: "entries",
        corpus,
        words: &words,
        cases: 20_000,
    };
    fuzz.run(|input| check(unpacked(input)));
}

#[test]
fn fuzz_data() {
    let words = [
        "\"text\":",
        "\"long\":",
        "\"email\":",
        "\"flag\":",
        "\"count\":",
        "\"amount\":",
        "\"day\":",
        "\"moment\":",
        "\"one\":",
        "\"many\":",
        "\"parent\":",
        "null",
        "true",
        "[",
        "]",
        "{",
        "}",
        ",",
        "1e400",
        "-0",
        "0.1",
        "\\u0000",
        "\\ud800",
        "\"2024-02-29\"",
        "\"2026-01-31T23:59:60Z\"",
        "9007199254740993",
        "\u{feff}",
        "\u{a0}",
    ];
    let fuzz = Fuzz {
        name: "data",
        corpus: DATA.iter().map(|data| data.as_bytes().to_vec()).collect(),
        words: &words,
        cases: 20_000,
    };
    fuzz.run(|data| {
        let text = |text: &'static str| Bytes::from_static(text.as_bytes());
        check(vec![
            (text("object"), text("thing")),
            (text("key"), text("42")),
            (text("op"), text("upsert")),
            (text("data"), Bytes::copy_from_slice(data)),
        ])
    });
}
