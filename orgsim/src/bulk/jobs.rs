//! All jobs of an org, how long they live, and what a day allows of them (contract 4.3).

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use super::job::{Job, Kind, NewJob, State};
use super::quota::Daily;
use super::{BulkLimits, Refusal};
use crate::org::{IdSpace, normalise};

/// First three characters of a job's id [R cci].
const PREFIX: &str = "750";
/// How long a job waits for its data, and how long it is kept when it ended, in milliseconds [V:D-BULKLIM].
const OPEN_MS: i64 = 24 * 60 * 60 * 1_000;
const KEPT_MS: i64 = 7 * OPEN_MS;
/// Bytes of uploads and results that are kept; beyond, the oldest ended jobs go. The platform has no such bound.
const KEPT_BYTES: usize = 2 * 1024 * 1024 * 1024;
/// Bytes of a megabyte, as `/limits` counts.
const MB: u64 = 1_000_000;
/// Jobs of one page of a list [from memory].
const PAGE_JOBS: usize = 1_000;

/// A job that the one who works on it and those who look at it share. Its lock may be held while the org or the jobs are
/// locked, not the other way round.
pub(crate) type SharedJob = Arc<Mutex<Job>>;

/// The job, locked. A panic under a lock is a test's failure already.
pub(crate) fn hold(job: &SharedJob) -> MutexGuard<'_, Job> {
    job.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The job, locked, unless somebody works on it.
fn idle(job: &SharedJob) -> Option<MutexGuard<'_, Job>> {
    match job.try_lock() {
        Ok(job) => Some(job),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// The jobs of one org.
#[derive(Debug)]
pub(crate) struct Jobs {
    ids: IdSpace,
    next: u32,
    all: BTreeMap<u32, SharedJob>,
    batches: Daily,
    query_jobs: Daily,
    result_bytes: Daily,
    swept_minute: i64,
}

impl Jobs {
    /// None yet.
    #[must_use]
    pub(crate) fn new(ids: IdSpace, limits: BulkLimits) -> Self {
        Self {
            ids,
            next: 0,
            all: BTreeMap::new(),
            batches: Daily::new(limits.batches),
            query_jobs: Daily::new(limits.query_jobs),
            result_bytes: Daily::new(limits.result_mb.saturating_mul(MB)),
            swept_minute: i64::MIN,
        }
    }

    /// Makes a job of a user with an 18-character id, with a whole API version; `now_ms` since 1970.
    ///
    /// # Errors
    /// What a day allows is used up.
    pub(crate) fn add(
        &mut self,
        made: NewJob,
        user: &Arc<str>,
        version: u32,
        now_ms: i64,
    ) -> Result<SharedJob, Refusal> {
        self.sweep(now_ms);
        self.make_room();
        let state = match made.kind {
            Kind::Ingest(_) if self.batches.left(now_ms) == 0 => {
                return Err(Refusal::new("EXCEEDEDQUOTA", NO_BATCHES));
            }
            Kind::Ingest(_) => State::Open,
            Kind::Query(_) => {
                let max = self.query_jobs.max();
                if self.result_bytes.left(now_ms) == 0 {
                    let words = "Max bulk v2 query result size per 24 hrs has been reached";
                    return Err(Refusal::new("LIMIT_EXCEEDED", words));
                }
                if !self.query_jobs.take(now_ms) {
                    // [V: I-airbyte-26520]
                    let words = format!("Max bulk v2 query jobs ({max}) per 24 hrs has been reached");
                    return Err(Refusal::new("LIMIT_EXCEEDED", words));
                }
                State::UploadComplete
            }
        };
        let job = Arc::new(Mutex::new(Job {
            id: self.ids.id(PREFIX, self.next),
            created_by: Arc::clone(user),
            created_ms: now_ms,
            changed_ms: now_ms,
            version,
            state,
            retries: 0,
            total_ms: 0,
            active_ms: 0,
            error: None,
            made,
        }));
        self.all.insert(self.next, Arc::clone(&job));
        self.next += 1;
        Ok(job)
    }

    /// The job with this 15- or 18-character id.
    pub(crate) fn get(&mut self, id: &str, now_ms: i64) -> Option<SharedJob> {
        self.sweep(now_ms);
        self.all.get(&self.number(id)?).cloned()
    }

    /// Forgets a job.
    pub(crate) fn remove(&mut self, id: &str) {
        if let Some(number) = self.number(id) {
            self.all.remove(&number);
        }
    }

    /// The next jobs behind the one with this id, oldest first, and whether there are more: look at each outside of the
    /// jobs' lock.
    ///
    /// # Errors
    /// `INVALID_LOCATOR` for an id that no job of this org ever had.
    pub(crate) fn page(&mut self, after: Option<&str>, now_ms: i64) -> Result<(Vec<SharedJob>, bool), Refusal> {
        self.sweep(now_ms);
        let from = match after {
            None => Bound::Unbounded,
            Some(id) => {
                let number = self.number(id).filter(|n| *n < self.next);
                let number = number.ok_or_else(|| Refusal::new("INVALID_LOCATOR", "invalid query locator"))?;
                Bound::Excluded(number)
            }
        };
        let mut behind = self.all.range((from, Bound::Unbounded)).map(|(_, job)| Arc::clone(job));
        let page: Vec<_> = behind.by_ref().take(PAGE_JOBS).collect();
        Ok((page, behind.next().is_some()))
    }

    /// Uses one batch of the day, if there is one.
    pub(crate) fn take_batch(&mut self, now_ms: i64) -> bool {
        self.batches.take(now_ms)
    }

    /// Counts the bytes of a result.
    pub(crate) fn count_result(&mut self, bytes: usize, now_ms: i64) {
        self.result_bytes.add(u64::try_from(bytes).unwrap_or(u64::MAX), now_ms);
    }

    /// `(name, max, remaining)` of what `/limits` shows of bulk jobs.
    pub(crate) fn limits(&mut self, now_ms: i64) -> [(&'static str, u64, u64); 3] {
        let result = (self.result_bytes.max() / MB, self.result_bytes.left(now_ms) / MB);
        [
            ("DailyBulkApiBatches", self.batches.max(), self.batches.left(now_ms)),
            (
                "DailyBulkV2QueryJobs",
                self.query_jobs.max(),
                self.query_jobs.left(now_ms),
            ),
            ("DailyBulkV2QueryFileStorageMB", result.0, result.1),
        ]
    }

    fn number(&self, id: &str) -> Option<u32> {
        let id = normalise(id)?;
        let (prefix, number) = self.ids.parse(&id)?;
        (prefix == PREFIX).then_some(number)
    }

    /// Ends what was open for too long and forgets what was kept for long enough; looks once a minute.
    fn sweep(&mut self, now_ms: i64) {
        let minute = now_ms.div_euclid(60_000);
        if minute == self.swept_minute {
            return;
        }
        self.swept_minute = minute;
        self.all.retain(|_, job| {
            let Some(mut job) = idle(job) else { return true };
            if job.state == State::Open && now_ms - job.created_ms >= OPEN_MS {
                let ended = job.created_ms + OPEN_MS;
                job.fail("InvalidJob : The job was open for more than 24 hours", ended);
            }
            !(job.state.is_terminal() && now_ms - job.changed_ms >= KEPT_MS)
        });
    }

    fn make_room(&mut self) {
        let sizes = self.all.iter().filter_map(|(n, job)| {
            let job = idle(job)?;
            Some((*n, job.kept_bytes(), job.state.is_terminal()))
        });
        let sizes: Vec<_> = sizes.collect();
        let mut kept: usize = sizes.iter().map(|(_, bytes, _)| bytes).sum();
        for (number, bytes, _) in sizes.iter().filter(|(_, bytes, ended)| *ended && *bytes > 0) {
            if kept <= KEPT_BYTES {
                return;
            }
            self.all.remove(number);
            kept -= bytes;
        }
    }
}

/// What a job without a batch left says [from memory].
pub(crate) const NO_BATCHES: &str = "ExceededQuota : ApiBatchItems Limit exceeded.";
