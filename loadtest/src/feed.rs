//! The product's stream as a scenario reads it: each event that says what a person edited, with the time it was read.

use std::time::Instant;

use redis::streams::StreamReadReply;
use serde_json::Value as Json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::error::LoadError;
use crate::sample::{self, EDITED, FIELDS, Tag};
use crate::stack::connect_for_blocking;

/// The stream.
const FEED: &str = "tandem:events:{0}";
/// Entries read at once.
const ENTRIES: usize = 1_000;

/// A value that reached the product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Whose.
    pub tenant: String,
    /// Which record.
    pub number: u32,
    /// The round of its value.
    pub round: u8,
    /// When it was read.
    pub at: Instant,
}

/// Reads the stream from now on, blocking, until it is dropped.
#[derive(Debug)]
pub struct Feed {
    /// What was heard.
    pub heard: mpsc::UnboundedReceiver<Heard>,
    task: JoinHandle<()>,
}

impl Feed {
    /// Begins to read after what the stream holds now.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn open(redis_url: &str) -> Result<Self, LoadError> {
        let mut connection = connect_for_blocking(redis_url).await?;
        let newest: Vec<(String, redis::Value)> = redis::cmd("XREVRANGE")
            .arg((FEED, "+", "-", "COUNT", 1))
            .query_async(&mut connection)
            .await?;
        let mut after = newest.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id);
        let (tell, heard) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            loop {
                let mut read = redis::cmd("XREAD");
                read.arg(("COUNT", ENTRIES, "BLOCK", 0, "STREAMS", FEED)).arg(&after);
                let Ok(Some(reply)) = read.query_async::<Option<StreamReadReply>>(&mut connection).await else {
                    return;
                };
                let at = Instant::now();
                for entry in reply.keys.into_iter().flat_map(|key| key.ids) {
                    let text = |name: &str| entry.get::<String>(name).unwrap_or_default();
                    if let Some((number, round)) = edit(&text("type"), &text("key"), &text("data")) {
                        let tenant = text("tenant");
                        // Nobody listens any more: the run is at its end.
                        tell.send(Heard {
                            tenant,
                            number,
                            round,
                            at,
                        })
                        .unwrap_or_default();
                    }
                    after.clone_from(&entry.id);
                }
            }
        });
        Ok(Self { heard, task })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Record and round of a `changed` event that says exactly the edited field's value.
fn edit(kind: &str, key: &str, data: &str) -> Option<(u32, u8)> {
    let data: Json = serde_json::from_str(data).ok().filter(|_| kind == "changed")?;
    let field = FIELDS.get(EDITED)?;
    let value = data.get(field.name)?.as_str()?;
    let (number, round) = Tag::read(value)?;
    let right = sample::number_of(key) == Some(number) && Tag::new(number, round).fits(field, value);
    right.then_some((number, round))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_right_values_of_edits_count() {
        let value = Tag::new(7, 2).value(&FIELDS[EDITED]);
        let data = serde_json::json!({FIELDS[EDITED].name: value}).to_string();
        assert_eq!(edit("changed", &sample::key(7), &data), Some((7, 2)));
        assert_eq!(edit("changed", &sample::key(8), &data), None);
        assert_eq!(edit("linked", &sample::key(7), &data), None);
        assert_eq!(edit("changed", &sample::key(7), r#"{"fax":"1"}"#), None);
    }
}
