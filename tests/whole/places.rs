//! Every place where a mark could lie: logs, answers, commands, Redis in memory and on disk.

use redis::Value;

use crate::stack::{Stack, tandem, until};

/// A place and what it holds.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Place {
    fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        let (name, bytes) = (name.into(), bytes.into());
        Self { name, bytes }
    }
}

/// What the engine says by itself and when asked.
pub(crate) async fn said(stack: &Stack) -> Vec<Place> {
    let mut places = Vec::new();
    for file in ["logs/engine.log", "logs/redis.log", "dev.err"] {
        places.push(Place::new(file, std::fs::read(stack.file(file)).unwrap()));
    }
    for path in [
        "/metrics",
        "/livez",
        "/readyz",
        "/v1/tenants",
        "/v1/tenants/acme",
        "/v1/tenants/globex",
        "/v1/tenants/nobody",
    ] {
        places.push(Place::new(path, stack.engine(path).await));
    }
    let url = stack.now()["http_url"].as_str().unwrap().to_owned();
    let config = stack.file("tandem.toml").display().to_string();
    for args in [
        &["status", "--url", &url][..],
        &["status", "--url", &url, "--json"],
        &["status", "acme", "--url", &url],
        &["status", "globex", "--url", &url, "--json"],
        &["check", "--config", &config],
        &["check", "--config", &config, "--org", "acme", "--json"],
        &["check", "--config", &config, "--org", "globex"],
    ] {
        let output = tandem(args).output().unwrap();
        places.push(Place::new(args.join(" "), [output.stdout, output.stderr].concat()));
    }
    for place in places
        .iter()
        .filter(|place| !place.name.ends_with(".log") && place.name != "dev.err")
    {
        assert!(!place.bytes.is_empty(), "{} says nothing", place.name);
    }
    places
}

/// What Redis holds in memory, key by key, as Redis stores it: entries that were deleted but not yet freed included.
pub(crate) async fn keys(stack: &Stack) -> Vec<Place> {
    let mut places = vec![Place::new(
        "SLOWLOG",
        printed(&stack.ask(&["SLOWLOG", "GET", "-1"]).await),
    )];
    for name in stack.key_names().await {
        // A key may go between the two looks.
        if let Value::BulkString(dump) = stack.ask(&["DUMP", &name]).await {
            let bytes = [name.as_bytes(), b"\n", &dump].concat();
            places.push(Place::new(name, bytes));
        }
    }
    places
}

/// What the append-only file holds after it was rewritten.
pub(crate) async fn disk(stack: &Stack) -> Vec<Place> {
    let before = std::time::SystemTime::now();
    stack.ask(&["BGREWRITEAOF"]).await;
    let dir = stack.file("redis/appendonlydir");
    until("the append-only file is rewritten", async || {
        let Value::BulkString(info) = stack.ask(&["INFO", "persistence"]).await else {
            return false;
        };
        let info = String::from_utf8_lossy(&info).into_owned();
        let base = std::fs::read_dir(&dir).unwrap().map(|file| file.unwrap().path());
        let fresh = base
            .filter(|path| path.to_string_lossy().contains(".base."))
            .all(|path| std::fs::metadata(path).is_ok_and(|about| about.modified().unwrap() >= before));
        fresh && info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0")
    })
    .await;
    let files = std::fs::read_dir(&dir).unwrap().map(|file| file.unwrap().path());
    files
        .map(|path| {
            Place::new(
                path.file_name().unwrap().to_string_lossy(),
                std::fs::read(&path).unwrap(),
            )
        })
        .collect()
}

impl Stack {
    async fn key_names(&self) -> Vec<String> {
        let (mut names, mut cursor) = (Vec::new(), "0".to_owned());
        loop {
            let Value::Array(mut page) = self.ask(&["SCAN", &cursor, "COUNT", "1000"]).await else {
                panic!("no page of keys");
            };
            let Some(Value::Array(keys)) = page.pop() else {
                panic!("no keys")
            };
            names.extend(keys.iter().map(printed));
            cursor = page.pop().as_ref().map(printed).unwrap();
            if cursor == "0" {
                return names;
            }
        }
    }
}

fn printed(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        Value::Array(items) => items.iter().map(printed).collect::<Vec<_>>().join(" "),
        other => format!("{other:?}"),
    }
}
