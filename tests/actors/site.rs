//! The fake org and its change stream.

use std::sync::Arc;

use futures::future::BoxFuture;
use tandem::port::Answer;
use tandem::port::changes::{ChangeFeed, ChangeStream, ChangesError, EventBatch, From};
use tandem::port::org::{FindCall, Org, ReadRow, Session, WriteAnswer, WriteCall};
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::engine::classify::{CallFault, RowOutcome};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::world::{World, replay_number};

/// A tenant's org and its change stream.
pub(crate) struct Site {
    pub(crate) world: World,
    pub(crate) tenant: String,
}

impl Org for Site {
    fn write(&self, call: WriteCall) -> BoxFuture<'static, WriteAnswer> {
        let (takes, panics) = self.world.with(&self.tenant, |t| (t.org_takes, t.org_panics));
        let (world, tenant) = (self.world.clone(), self.tenant.clone());
        Box::pin(async move {
            assert!(!panics, "the org's client panics");
            let begun = Instant::now();
            tokio::time::sleep(takes).await;
            world.state().calls.push((tenant, begun, Instant::now()));
            let id = SalesforceId::parse("001D000000IRFmaIAH").unwrap();
            let outcome = Ok(call
                .rows
                .iter()
                .map(|_| RowOutcome::Done { id, created: false })
                .collect());
            WriteAnswer {
                outcome,
                usage: None,
                took: takes,
                requests: 1,
            }
        })
    }

    fn read(&self, _: Arc<str>, _: Vec<SalesforceId>, _: Vec<Arc<str>>) -> Answer<Vec<ReadRow>, CallFault> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn find(&self, _: FindCall) -> Answer<Vec<ReadRow>, CallFault> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn describe(&self, _: Arc<str>) -> Answer<bytes::Bytes, CallFault> {
        Box::pin(async { Ok(bytes::Bytes::new()) })
    }

    fn session(&self) -> Answer<Session, CallFault> {
        unreachable!("the fake feed needs no session")
    }
}

impl ChangeFeed for Site {
    fn subscribe(&self, _: Arc<str>, from: From) -> Answer<Box<dyn ChangeStream>, ChangesError> {
        let (world, tenant) = (self.world.clone(), self.tenant.clone());
        Box::pin(async move {
            let (events, heard) = mpsc::unbounded_channel();
            world.with(&tenant, |t| {
                t.subscribed += 1;
                t.open += 1;
                t.events = Some(events);
                t.told.push(match from {
                    From::Earliest => "from earliest".to_owned(),
                    From::After(id) => format!("from {}", replay_number(&id)),
                });
            });
            Ok(Box::new(FakeStream { world, tenant, heard }) as Box<dyn ChangeStream>)
        })
    }
}

struct FakeStream {
    world: World,
    tenant: String,
    heard: mpsc::UnboundedReceiver<Result<EventBatch, ChangesError>>,
}

impl ChangeStream for FakeStream {
    fn next(&mut self) -> BoxFuture<'_, Result<EventBatch, ChangesError>> {
        Box::pin(async {
            let broken = ChangesError::Broken {
                topic: "t".into(),
                detail: "closed".to_owned(),
            };
            self.heard.recv().await.unwrap_or(Err(broken))
        })
    }
}

impl Drop for FakeStream {
    fn drop(&mut self) {
        self.world.with(&self.tenant, |t| t.open -= 1);
    }
}
