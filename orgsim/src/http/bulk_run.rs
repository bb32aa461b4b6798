//! The work of bulk jobs: one task each, which lets others in after every chunk.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::data::Session;
use crate::bulk::{BATCH_ROWS, CHUNK_ROWS, NO_BATCHES, Selection, SharedJob, Sheet, State, Work, hold};
use crate::org::{Batch, Row};
use crate::world::{OrgHandle, World};

/// Rows of a query that are written before others are let in.
const SLICE_ROWS: usize = 2_000;
/// How often the platform tries a batch before it gives the job up [V:D-BULKING2].
const RETRIES: u32 = 20;
/// `errorMessage` of a job that the fault `bulk_fail_after` ends without a text of its own [from memory].
const GIVEN_UP: &str = "InternalServerError : The batch was retried more than 20 times";

/// What a task works on. A world that is gone ends it.
struct Task {
    world: Weak<World>,
    org: Arc<OrgHandle>,
    job: SharedJob,
    /// Path of the job, as fault rules name it.
    path: String,
}

/// Whether there is more to do.
#[derive(PartialEq, Eq)]
enum Step {
    More,
    Done,
}

fn task(session: &Session<'_>, kind: &str, job: SharedJob) -> Task {
    let path = format!("{}/jobs/{kind}/{}", session.base, hold(&job).id);
    Task {
        world: Arc::downgrade(session.world),
        org: Arc::clone(&session.org),
        job,
        path,
    }
}

/// Does the work. A fault of the simulator itself ends the job: whoever waits for it should not wait for ever.
fn start(job: SharedJob, work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(error) = tokio::spawn(work).await {
            tracing::error!(%error, "a bulk job failed inside the simulator");
            let mut job = hold(&job);
            let changed_ms = job.changed_ms;
            job.fail("InternalServerError : An unexpected error occurred.", changed_ms);
        }
    });
}

/// Works on the rows of an upload.
pub(super) fn ingest(session: &Session<'_>, job: SharedJob) {
    let task = task(session, "ingest", Arc::clone(&job));
    start(job, async move {
        task.wait().await;
        let Some(mut work) = task.begin() else { return };
        let fail_after = task
            .org
            .faults()
            .bulk_fail_after(&task.path, task.now_ms().unwrap_or(0));
        let begun = task.now_ms().unwrap_or_default();
        while task.chunk(&mut work, fail_after.as_ref(), begun) == Step::More {
            task.wait().await;
        }
    });
}

/// Works on a query.
pub(super) fn query(session: &Session<'_>, job: SharedJob) {
    let task = task(session, "query", Arc::clone(&job));
    start(job, async move {
        task.wait().await;
        let fails = task
            .org
            .faults()
            .bulk_fail_after(&task.path, task.now_ms().unwrap_or(0))
            .is_some();
        let Some((selection, rows)) = task.select() else { return };
        let begun = task.now_ms().unwrap_or_default();
        let mut sheet = Sheet::new(selection.header(hold(&task.job).made.dialect));
        for slice in rows.chunks(SLICE_ROWS) {
            task.wait().await;
            if !task.write(&selection, &mut sheet, slice) {
                return;
            }
        }
        task.wait().await;
        task.complete(sheet, fails, begun);
    });
}

impl Task {
    fn now_ms(&self) -> Option<i64> {
        Some(self.world.upgrade()?.clock.now_ms())
    }

    /// As long as the fault `bulk_delay` says, and long enough for others to get their turn.
    async fn wait(&self) {
        let ms = self.org.faults().bulk_delay(&self.path, self.now_ms().unwrap_or(0));
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        } else {
            tokio::task::yield_now().await;
        }
    }

    /// Reads the upload; None when there is nothing to do.
    fn begin(&self) -> Option<Work> {
        let world = self.world.upgrade()?;
        let now_ms = world.clock.now_ms();
        let mut job = hold(&self.job);
        if job.state != State::UploadComplete {
            return None;
        }
        job.go(State::InProgress, now_ms);
        let dialect = job.made.dialect;
        let schema = Arc::clone(&self.org.org_as(&job.created_by, world.clock.now()).schema);
        match Work::begin(job.ingest()?, dialect, &schema) {
            Ok(work) => Some(work),
            Err(error) => {
                job.fail(error, now_ms);
                None
            }
        }
    }

    /// Works on one chunk. The job is locked meanwhile: an abort comes before or after it.
    fn chunk(&self, work: &mut Work, fail_after: Option<&(usize, Option<String>)>, begun_ms: i64) -> Step {
        let Some(world) = self.world.upgrade() else {
            return Step::Done;
        };
        let now_ms = world.clock.now_ms();
        let mut job = hold(&self.job);
        if job.state != State::InProgress {
            return Step::Done;
        }
        let Some(ingest) = job.ingest() else {
            return Step::Done;
        };
        let (worked, caller) = (ingest.done.len(), ingest.caller.clone());
        let mut most = CHUNK_ROWS;
        if let Some((rows, error)) = fail_after {
            most = most.min(rows.saturating_sub(worked));
            if most == 0 {
                job.retries = RETRIES;
                job.fail(error.as_deref().unwrap_or(GIVEN_UP), now_ms);
                return Step::Done;
            }
        }
        // No chunk is in two batches, however a fault cut the ones before.
        let lines = work.lines(most.min(BATCH_ROWS - worked % BATCH_ROWS));
        if lines.is_empty() {
            job.go(State::JobComplete, now_ms);
            return Step::Done;
        }
        if worked.is_multiple_of(BATCH_ROWS) && !self.org.jobs().take_batch(now_ms) {
            job.fail(NO_BATCHES, now_ms);
            return Step::Done;
        }
        let refused = self.org.faults().bulk_refused(&self.path, lines.len(), now_ms);
        self.org.usage().count_rows(work.counted_as(), lines.len());
        let batch = Batch {
            caller: &caller,
            now: world.clock.now(),
            all_or_none: false,
            refused: &refused,
        };
        let rows = work.write(&mut self.org.org_as(&batch.caller.user, batch.now), batch, &lines);
        if let Some(ingest) = job.ingest() {
            ingest.record(rows, work);
        }
        let spent = (world.clock.now_ms() - now_ms).max(0);
        job.active_ms += spent;
        job.total_ms = (world.clock.now_ms() - begun_ms).max(job.active_ms);
        Step::More
    }

    /// Finds the rows of a query; None when there is nothing to do.
    fn select(&self) -> Option<(Selection, Vec<Arc<Row>>)> {
        let world = self.world.upgrade()?;
        let mut job = hold(&self.job);
        if job.state != State::UploadComplete {
            return None;
        }
        job.go(State::InProgress, world.clock.now_ms());
        let user = Arc::clone(&job.created_by);
        let query = job.query()?;
        let org = self.org.org_as(&user, world.clock.now());
        match Selection::new(&query.text, &org.schema, world.clock.now()) {
            Ok(selection) => {
                let rows = selection.rows(&org, query.all);
                Some((selection, rows))
            }
            // It was fine when the job was made: the schema changed.
            Err(_) => {
                job.go(State::Failed, world.clock.now_ms());
                None
            }
        }
    }

    /// Writes some rows; false when the job has ended meanwhile.
    fn write(&self, selection: &Selection, sheet: &mut Sheet, rows: &[Arc<Row>]) -> bool {
        let (state, dialect) = {
            let job = hold(&self.job);
            (job.state, job.made.dialect)
        };
        let org = self.org.org();
        for row in rows {
            sheet.add(|out| selection.write_row(out, &org, row, dialect));
        }
        state == State::InProgress
    }

    fn complete(&self, sheet: Sheet, fails: bool, begun_ms: i64) {
        let Some(now_ms) = self.now_ms() else { return };
        let mut job = hold(&self.job);
        if job.state != State::InProgress {
            return;
        }
        job.total_ms = (now_ms - begun_ms).max(0);
        if fails {
            return job.go(State::Failed, now_ms);
        }
        self.org.jobs().count_result(sheet.text_bytes(), now_ms);
        if let Some(query) = job.query() {
            query.sheet = Some(Arc::new(sheet));
        }
        job.go(State::JobComplete, now_ms);
    }
}
