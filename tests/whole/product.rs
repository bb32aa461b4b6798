//! The product's side: appends changes, reads the feed.

use redis::Value;

use crate::stack::{Stack, until};

/// An event of the feed, by name.
#[derive(Debug, Clone)]
pub(crate) struct Event(Vec<(String, String)>);

impl Event {
    pub(crate) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn holds(&self, text: &str) -> bool {
        self.0.iter().any(|(_, value)| value.contains(text))
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("no text: {other:?}"),
    }
}

fn items(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        other => panic!("no list: {other:?}"),
    }
}

impl Stack {
    /// Appends to a log of the tenant.
    pub(crate) async fn append(&self, log: &str, fields: &[(&str, &str)]) {
        let key = format!("tandem:{{acme}}:{log}");
        let mut command = vec!["XADD", key.as_str(), "*"];
        command.extend(fields.iter().flat_map(|(name, value)| [*name, *value]));
        self.ask(&command).await;
    }

    /// Appends an upsert of a contact.
    pub(crate) async fn upsert(&self, key: &str, data: &serde_json::Value) {
        let data = data.to_string();
        self.append(
            "changes",
            &[("object", "contact"), ("key", key), ("op", "upsert"), ("data", &data)],
        )
        .await;
    }

    /// All events so far.
    pub(crate) async fn events(&self) -> Vec<Event> {
        let feed = items(self.ask(&["XRANGE", "tandem:events:{0}", "-", "+"]).await);
        feed.into_iter()
            .map(|entry| {
                let fields = items(items(entry).swap_remove(1));
                Event(fields.chunks(2).map(|pair| (text(&pair[0]), text(&pair[1]))).collect())
            })
            .collect()
    }

    /// Waits for an event of this type that holds the text.
    pub(crate) async fn told(&self, kind: &str, holding: &str) -> Event {
        let mut found = None;
        until(&format!("the event {kind} with {holding}"), async || {
            let events = self.events().await;
            found = events
                .into_iter()
                .rfind(|event| event.get("type") == kind && event.holds(holding));
            found.is_some()
        })
        .await;
        found.unwrap()
    }
}
