//! Carries one batch at a time from request to answer.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use actix::{Actor, Context, Handler};
use futures::FutureExt;
use tandem_core::engine::call::WriteAnswer;
use tandem_core::engine::classify::{CallFault, Class};

use super::messages::{Done, Job};
use crate::telemetry::panics;

/// A batch that has not ended by then has an unknown outcome. The adapter's own deadlines come first; this one is for
/// an adapter that hangs. It covers a call, a refresh of the token and the repeat, 60 s each.
pub(super) const BATCH_DEADLINE: Duration = Duration::from_secs(240);

/// A worker. It holds nothing between batches.
#[derive(Debug)]
pub(super) struct Worker;

impl Actor for Worker {
    type Context = Context<Self>;
}

impl Handler<Job> for Worker {
    type Result = ();
    fn handle(&mut self, job: Job, _: &mut Self::Context) {
        tokio::spawn(async move {
            let started = tokio::time::Instant::now();
            let call = AssertUnwindSafe(async { job.org.write(job.call).await }).catch_unwind();
            let answer = match tokio::time::timeout(BATCH_DEADLINE, call).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(payload)) => unknown("PANIC", panics::words(payload.as_ref()).to_owned(), started.elapsed()),
                Err(_) => unknown("TIMEOUT", "the call did not end".to_owned(), BATCH_DEADLINE),
            };
            job.done.do_send(Done {
                ticket: job.ticket,
                answer,
            });
        });
    }
}

/// Nobody knows whether the batch was written.
pub(super) fn unknown(code: &'static str, detail: String, took: Duration) -> WriteAnswer {
    WriteAnswer {
        outcome: Err(CallFault {
            class: Class::Unknown,
            status: 0,
            code: code.into(),
            detail,
            retry_after: None,
        }),
        usage: None,
        took,
        requests: 1,
    }
}
