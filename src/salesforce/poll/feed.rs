//! A tenant's changes by polling, behind the same port as the event stream.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::Method;
use percent_encoding::utf8_percent_encode;
use tandem_core::domain::plan::{ObjectPlan, TenantPlan};
use tandem_core::domain::salesforce_id::SalesforceId;
use tandem_core::engine::classify::{CallFault, Class};
use tokio::time::Instant;

use super::place::PollPlace;
use super::query::{After, Looked, ROWS_MAX, rows, soql};
use crate::port::Answer;
use crate::port::changes::{ChangeFeed, ChangeStream, ChangesError, EventBatch, From};
use crate::salesforce::find::ESCAPED;
use crate::salesforce::org::TenantOrg;
use crate::salesforce::request::{Call, Caller};

/// How far a look goes back behind the newest stamp that was seen: a row is stamped before its transaction commits, so it
/// can become visible after later ones (change-events.md 8, airbyte#27146).
const OVERLAP: Duration = Duration::from_mins(10);
/// How far back the first look of a tenant goes: as far as the event bus keeps events.
const FIRST_LOOK: Duration = Duration::from_hours(72);
/// The first look after a start comes within this time, spread over the tenants.
const START_WITHIN: Duration = Duration::from_secs(30);
/// Fewest rows that one call asks for: more are halved when an answer is too large to be read.
const ROWS_MIN: usize = 25;
/// Rows remembered as told, of each sObject; what falls out is told again, which changes nothing.
const TOLD_MAX: usize = 10_000;

/// How one tenant's org is polled.
#[derive(Debug, Clone)]
pub struct PollSettings {
    /// Between the starts of two rounds.
    pub every: Duration,
    /// Where in its interval this tenant's rounds lie, 0 to 1: tenants are spread by it.
    pub phase: f64,
}

/// One sObject, with what is read of it.
#[derive(Debug)]
struct Polled {
    sobject: Arc<str>,
    columns: Vec<Arc<str>>,
}

/// Looks at one tenant's org.
pub struct PollFeed {
    caller: Arc<Caller>,
    objects: Arc<[Polled]>,
    settings: PollSettings,
}

impl PollFeed {
    /// Nothing is called until a stream is opened.
    pub fn new(org: &TenantOrg, plan: &TenantPlan, settings: PollSettings) -> Self {
        let objects = plan.objects.iter().filter(|plan| plan.direction.tells_product());
        Self {
            caller: org.caller(),
            objects: objects.map(|plan| polled(plan)).collect(),
            settings,
        }
    }
}

fn polled(plan: &ObjectPlan) -> Polled {
    let mapped = plan.fields.iter().map(|field| Arc::clone(&field.salesforce));
    let mut columns: Vec<Arc<str>> = mapped
        .chain([Arc::clone(&plan.external_id)])
        .chain(plan.sequence.clone())
        .collect();
    columns.sort_unstable();
    columns.dedup();
    Polled {
        sobject: Arc::clone(&plan.sobject),
        columns,
    }
}

impl ChangeFeed for PollFeed {
    fn subscribe(&self, topic: Arc<str>, from: From) -> Answer<Box<dyn ChangeStream>, ChangesError> {
        let place = match from {
            From::Earliest => Ok(PollPlace::default()),
            From::After(place) => PollPlace::decode(&place).ok_or(ChangesError::CursorLost {
                topic: Arc::clone(&topic),
            }),
        };
        let phase = self.settings.phase.clamp(0.0, 1.0);
        let first = START_WITHIN.min(self.settings.every).mul_f64(phase);
        let (caller, objects, every) = (Arc::clone(&self.caller), Arc::clone(&self.objects), self.settings.every);
        async move {
            Ok(Box::new(Polling {
                topic,
                told: objects.iter().map(|_| HashMap::new()).collect(),
                caller,
                objects,
                every,
                phase,
                place: place?,
                due: Instant::now() + first,
                round: None,
                rows: ROWS_MAX,
            }) as Box<dyn ChangeStream>)
        }
        .boxed()
    }
}

/// How long it is until this tenant's next turn: turns lie evenly over the interval, whenever tenants were started.
/// `now` since 1970.
fn until_turn(now: Duration, every: Duration, phase: f64) -> Duration {
    let every_ns = every.as_nanos().max(1);
    let turn_ns = every.mul_f64(phase).as_nanos() % every_ns;
    let into_ns = (now.as_nanos() % every_ns + every_ns - turn_ns) % every_ns;
    Duration::from_nanos(u64::try_from(every_ns - into_ns).unwrap_or(u64::MAX))
}

/// A round under way.
#[derive(Debug, Clone, Copy)]
struct Round {
    object: usize,
    after: After,
}

/// An open subscription.
struct Polling {
    topic: Arc<str>,
    caller: Arc<Caller>,
    objects: Arc<[Polled]>,
    every: Duration,
    phase: f64,
    place: PollPlace,
    due: Instant,
    round: Option<Round>,
    /// Rows that one call asks for.
    rows: usize,
    /// Rows told of each sObject that the next look may find again, with their stamps and what stands for their content.
    told: Vec<HashMap<SalesforceId, (u32, u64)>>,
}

impl ChangeStream for Polling {
    /// A call that is dropped before it answers loses nothing: the same look is made again.
    fn next(&mut self) -> BoxFuture<'_, Result<EventBatch, ChangesError>> {
        async move {
            loop {
                let round = match self.round {
                    Some(round) => round,
                    None => {
                        tokio::time::sleep_until(self.due).await;
                        self.begin(0)
                    }
                };
                let Some(object) = self.objects.get(round.object) else {
                    self.round = None;
                    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
                    self.due = Instant::now() + until_turn(now, self.every, self.phase);
                    return Ok(self.batch(Vec::new()));
                };
                let text = soql(&object.sobject, &object.columns, round.after, self.rows);
                let path = format!("/queryAll?q={}", utf8_percent_encode(&text, ESCAPED));
                let call = Call {
                    method: Method::GET,
                    path,
                    body: None,
                    writes: false,
                };
                let body = match self.caller.call(call).await.body {
                    Ok(body) => body,
                    // Long texts: fewer rows fit into an answer that is read.
                    Err(fault) if &*fault.code == "TOO_LARGE" && self.rows > ROWS_MIN => {
                        self.rows = (self.rows / 2).max(ROWS_MIN);
                        continue;
                    }
                    Err(fault) => return Err(self.ended(&fault)),
                };
                let (found, more) = rows(&object.sobject, &body, self.rows)
                    .ok_or_else(|| self.broken("the answer is no page of rows"))?;
                let news = self.take(round, found, more);
                if !news.is_empty() {
                    return Ok(self.batch(news));
                }
            }
        }
        .boxed()
    }
}

impl Polling {
    fn begin(&mut self, object: usize) -> Round {
        let seen = self
            .objects
            .get(object)
            .and_then(|object| self.place.seen(&object.sobject));
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        // Only the very first look goes by this machine's clock: a wrong one makes it longer or shorter.
        let (from, back) = seen.map_or((now, FIRST_LOOK), |seen| (Duration::from_secs(seen.into()), OVERLAP));
        let stamp = u32::try_from(from.saturating_sub(back).as_secs()).unwrap_or(u32::MAX);
        let round = Round {
            object,
            after: After { stamp, id: None },
        };
        self.round = Some(round);
        round
    }

    /// Takes a page in: what of it is news, and where to go on.
    fn take(&mut self, round: Round, found: Vec<Looked>, more: bool) -> Vec<Looked> {
        let Some((object, told)) = self.objects.get(round.object).zip(self.told.get_mut(round.object)) else {
            return Vec::new();
        };
        let last = found.last().map(|row| After {
            stamp: row.stamp,
            id: Some(row.id),
        });
        let mut news = Vec::with_capacity(found.len());
        for row in found {
            self.place.see(&object.sobject, row.stamp);
            let told_as = (row.stamp, row.content);
            if told.insert(row.id, told_as) != Some(told_as) {
                news.push(row);
            }
        }
        match last.filter(|_| more) {
            Some(after) => self.round = Some(Round { after, ..round }),
            None => {
                let newest = self.place.seen(&object.sobject).unwrap_or_default();
                let oldest = newest.saturating_sub(u32::try_from(OVERLAP.as_secs()).unwrap_or(u32::MAX));
                told.retain(|_, (stamp, _)| *stamp >= oldest);
                if told.len() > TOLD_MAX {
                    told.clear();
                }
                told.shrink_to_fit();
                self.begin(round.object + 1);
            }
        }
        news
    }

    fn batch(&self, news: Vec<Looked>) -> EventBatch {
        let latest = self.place.encode();
        let events = news.into_iter().map(|row| tandem_core::engine::inbound::ChangeEvent {
            replay_id: latest.clone(),
            ..row.event
        });
        EventBatch {
            events: events.collect(),
            latest: latest.clone(),
        }
    }

    fn ended(&self, fault: &CallFault) -> ChangesError {
        if fault.class == Class::Reauthorise {
            return ChangesError::Unauthorised {
                topic: Arc::clone(&self.topic),
            };
        }
        if fault.class == Class::SlowDown {
            return ChangesError::CallLimit {
                topic: Arc::clone(&self.topic),
                detail: format!("{} ({})", fault.code, fault.detail),
            };
        }
        self.broken(&format!("a poll failed: {} ({})", fault.code, fault.detail))
    }

    fn broken(&self, detail: &str) -> ChangesError {
        ChangesError::Broken {
            topic: Arc::clone(&self.topic),
            detail: detail.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn turns_come_once_an_interval_at_their_phase(
            now_ms in 0_u64..10_000_000,
            every_ms in 1_u64..100_000,
            phase in 0.0..1.0,
        ) {
            let (now, every) = (Duration::from_millis(now_ms), Duration::from_millis(every_ms));
            let wait = until_turn(now, every, phase);
            prop_assert!(!wait.is_zero() && wait <= every);
            let again = until_turn(now + wait, every, phase);
            prop_assert_eq!(again, every, "the next one is an interval later");
        }
    }
}
