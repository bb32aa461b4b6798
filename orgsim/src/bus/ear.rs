//! A subscriber that comes to ask: what CometD needs of the bus.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::look::{Cursor, Look, Portion, Sight};
use super::org::OrgLog;
use super::topic::Topic;
use super::{Bus, Shared, json as rendition};

/// Bytes of events that one answer brings at most, before they are written as JSON.
const ANSWER_BYTES: usize = 1_000_000;

/// Why nothing can be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deaf {
    /// There is no such channel.
    NoChannel,
    /// The replay id was never given away, or is no longer kept.
    Replay(i64),
    /// The org's delivery allowance is used up.
    Exhausted,
    /// As many subscribers as allowed are there.
    Full,
}

/// A place in a channel.
pub(crate) struct Ear {
    shared: Arc<Shared>,
    org: Arc<OrgLog>,
    user: Arc<str>,
    topic: Topic,
    cursor: Cursor,
}

impl Bus {
    /// Begins to listen: after the event with this replay id, to new events (-1), or to all that are kept (-2).
    ///
    /// # Errors
    /// [`Deaf::NoChannel`], [`Deaf::Replay`], [`Deaf::Full`].
    pub(crate) async fn ear(&self, org_id: &str, user: &Arc<str>, channel: &str, replay: i64) -> Result<Ear, Deaf> {
        let org = self.shared.org(org_id);
        let topic = self.shared.topic(org_id, channel).map_err(|_| Deaf::NoChannel)?;
        self.shared.barrier().await;
        if org.is_full() {
            return Err(Deaf::Full);
        }
        let cursor = match replay {
            -1 => org.latest(),
            -2 => org.earliest(),
            id => u64::try_from(id)
                .ok()
                .and_then(|id| org.custom(id))
                .ok_or(Deaf::Replay(id))?,
        };
        Ok(Ear {
            shared: Arc::clone(&self.shared),
            org,
            user: Arc::clone(user),
            topic,
            cursor,
        })
    }
}

impl Ear {
    /// Wakes whenever there may be something new.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.org.changes()
    }

    /// The next events, at most so many, each as the `data` of a message.
    ///
    /// # Errors
    /// [`Deaf::Replay`] when events between are gone, [`Deaf::Exhausted`].
    pub(crate) fn hear(&mut self, most: usize) -> Result<Vec<Value>, Deaf> {
        if self.org.is_silent() {
            return Ok(Vec::new());
        }
        let sight = Sight {
            directory: &*self.shared.directory,
            org_id: &self.org.id,
            user: Some(&self.user),
        };
        let portion = Portion {
            events: most,
            bytes: ANSWER_BYTES,
        };
        match self.org.look(&self.topic, &sight, self.cursor, portion) {
            Look::Events(deliveries, cursor) => {
                self.cursor = cursor;
                let shown = deliveries.into_iter().filter_map(|delivery| {
                    let payload = rendition::payload(&delivery.schema, &delivery.payload)?;
                    Some(json!({"schema": delivery.schema.id, "payload": payload, "event": {"replayId": delivery.replay}}))
                });
                Ok(shown.collect())
            }
            Look::Nothing { cursor, .. } => {
                self.cursor = cursor;
                Ok(Vec::new())
            }
            Look::Lost => Err(Deaf::Replay(i64::try_from(self.cursor.id).unwrap_or(i64::MAX))),
            Look::Exhausted => Err(Deaf::Exhausted),
        }
    }
}
