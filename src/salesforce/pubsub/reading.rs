//! From responses to batches: schemas are fetched as they are met, events that cannot be read are replaced, not dropped.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tandem_core::domain::ids::ReplayId;
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::inbound::{ChangeEvent, ChangeKind};
use tokio::time::timeout;
use tonic::Request;

use super::channels::ChannelPool;
use super::decode;
use super::ending::{self, Ending};
use super::schemas::{Known, OrgSchemas};
use super::session_metadata::with_session;
use super::wire::pub_sub_client::PubSubClient;
use super::wire::{ConsumerEvent, SchemaRequest};
use crate::port::changes::{ChangesError, EventBatch};
use crate::salesforce::session::{Held, SessionKeeper};

/// Lengths that a replay id can have, in bytes (change-events.md 1: 10, never less than 8).
pub(super) const REPLAY_ID_BYTES: std::ops::RangeInclusive<usize> = 8..=64;
/// How far back an event that cannot be read may lie, in milliseconds: retention is 72 h and can lag.
const RETENTION_MS: u64 = 96 * 3_600 * 1_000;

pub(super) type Client = PubSubClient<tonic::transport::Channel>;

/// Reads the events of one stream.
pub(super) struct Reader {
    pub(super) pool: Arc<ChannelPool>,
    pub(super) keeper: Arc<SessionKeeper>,
    pub(super) schemas: Arc<OrgSchemas>,
    pub(super) topic: Arc<str>,
}

/// What a schema is fetched with.
pub(super) struct Through<'a> {
    pub(super) client: &'a mut Client,
    pub(super) session: &'a Held,
}

impl Reader {
    /// One batch of one response's events, in their order.
    pub(super) async fn batch(
        &self,
        through: &mut Through<'_>,
        events: Vec<ConsumerEvent>,
    ) -> Result<EventBatch, ChangesError> {
        let mut decoded = Vec::with_capacity(events.len());
        let mut latest = None;
        for event in events {
            let replay_id = ReplayId(event.replay_id);
            if !REPLAY_ID_BYTES.contains(&replay_id.0.len()) {
                return Err(ending::broken(&self.topic, "an event came without a usable replay id"));
            }
            let produced = event.event.unwrap_or_default();
            let schema = self.schema(through, &produced.schema_id).await?;
            latest = Some(replay_id.clone());
            decoded.push(self.decode(&schema, &produced.payload, replay_id));
        }
        match latest {
            Some(latest) => Ok(EventBatch {
                events: decoded,
                latest,
            }),
            None => Err(ending::broken(
                &self.topic,
                "a response without events was taken for one with events",
            )),
        }
    }

    fn decode(&self, schema: &Known, payload: &[u8], replay_id: ReplayId) -> ChangeEvent {
        let (sobject, why) = match schema {
            Known::Good(schema) => match decode::event(schema, payload, replay_id.clone()) {
                Ok(event) => return event,
                Err(error) => (&schema.sobject, error.to_string()),
            },
            Known::Bad { sobject, why } => (sobject, why.clone()),
        };
        tracing::error!(
            tenant = %self.keeper.tenant(), topic = %self.topic, %sobject,
            "a change event cannot be read: {why}; the object is read again as after an overflow"
        );
        unreadable(Arc::clone(sobject), replay_id)
    }

    async fn schema(&self, through: &mut Through<'_>, id: &str) -> Result<Arc<Known>, ChangesError> {
        if let Some(known) = self.schemas.get(id) {
            return Ok(known);
        }
        let request = with_session(
            Request::new(SchemaRequest {
                schema_id: id.to_owned(),
            }),
            through.session,
        )
        .map_err(|status| ending::error(&self.topic, &status))?;
        let answer = timeout(self.pool.settings.schema_timeout, through.client.get_schema(request)).await;
        let text = match answer {
            Ok(Ok(answer)) => answer.into_inner().schema_json,
            Ok(Err(status)) if ending::of(&status) == Ending::Unauthorised => {
                // A stream outlives its token, a schema call does not: the next stream begins with a new session.
                if let Err(fault) = self.keeper.renew(through.session).await.held {
                    return Err(ending::no_session(&self.topic, &fault));
                }
                return Err(ending::error(&self.topic, &status));
            }
            Ok(Err(status)) => {
                return Err(ending::broken(
                    &self.topic,
                    format!("no schema: {}", ending::words(&status)),
                ));
            }
            Err(_) => return Err(ending::broken(&self.topic, "no schema: timed out")),
        };
        let known = self.pool.schemas.parse(&text);
        let known = known.ok_or_else(|| ending::broken(&self.topic, "an event's schema is no schema"))?;
        if let Known::Bad { why, sobject } = known.as_ref() {
            tracing::error!(tenant = %self.keeper.tenant(), %sobject, "an event schema is not understood: {why}");
        }
        self.schemas.put(id, &known);
        Ok(known)
    }
}

/// Stands for an event that cannot be read: something of this object changed, within what is retained.
fn unreadable(sobject: Arc<str>, replay_id: ReplayId) -> ChangeEvent {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(0));
    ChangeEvent {
        replay_id,
        sobject,
        ids: Vec::new(),
        kind: ChangeKind::Overflow,
        committed: Timestamp(now.saturating_sub(RETENTION_MS)),
        commit_number: 0,
        transaction_key: "".into(),
        sequence: 0,
        commit_user: "".into(),
        origin: "".into(),
        fields: Vec::new(),
        unread: Vec::new(),
    }
}
