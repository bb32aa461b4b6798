//! What the scenarios that print figures have in common: a stub org, a Redis set up as recommended, and an engine.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;
use toml::Table;

use crate::cli::Programs;
use crate::error::LoadError;
use crate::figures::Figures;
use crate::report::say;
use crate::stack::{Binaries, RedisServer, RedisSettings, Rig, RigPlan, Scratch, TenantOrg, Warden};
use crate::stub::{Arrival, Stub};
use crate::usage::Used;

/// `record_buckets` as recommended (docs/decisions/0003).
const RECORD_BUCKETS: i64 = 1_024;

/// The settings of the engine that all scenarios share, and those of one section that differ.
pub fn settings(section: &str, differing: Table) -> Table {
    let mut redis = Table::new();
    redis.insert("record_buckets".to_owned(), RECORD_BUCKETS.into());
    let mut all = Table::new();
    all.insert("redis".to_owned(), redis.into());
    if !differing.is_empty() {
        all.insert(section.to_owned(), differing.into());
    }
    all
}

/// A scratch folder, the programs, and a Redis.
#[derive(Debug)]
pub struct Base {
    /// The run's folder.
    pub scratch: Scratch,
    /// The programs.
    pub binaries: Binaries,
    /// Kills what is left over.
    pub warden: Arc<Warden>,
    /// The private Redis.
    pub redis: RedisServer,
}

impl Base {
    /// Finds or builds the programs and starts Redis.
    ///
    /// # Errors
    /// When a part cannot be had.
    pub async fn start(programs: &Programs, redis: RedisSettings) -> Result<Self, LoadError> {
        let binaries = Binaries::find(programs.bin_dir.as_deref(), programs.build, false).await?;
        let scratch = Scratch::new(programs.keep.as_deref())?;
        let warden = Arc::new(Warden::start()?);
        let redis = RedisServer::start(scratch.path(), redis, &warden).await?;
        Ok(Self {
            scratch,
            binaries,
            warden,
            redis,
        })
    }

    /// Starts the engine.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn engine(self, tenants: &[TenantOrg], settings: Table) -> Result<(Scratch, Rig), LoadError> {
        say(&format!(
            "starting the engine for {} tenants in {}",
            tenants.len(),
            self.scratch.path().display()
        ));
        let started = start(
            self.scratch.path(),
            &self.binaries,
            tenants,
            settings,
            self.redis,
            self.warden,
        )
        .await;
        match started {
            Ok(rig) => Ok((self.scratch, rig)),
            Err(error) => {
                self.scratch.keep();
                Err(error)
            }
        }
    }
}

async fn start(
    dir: &Path,
    binaries: &Binaries,
    tenants: &[TenantOrg],
    settings: Table,
    redis: RedisServer,
    warden: Arc<Warden>,
) -> Result<Rig, LoadError> {
    let plan = RigPlan {
        dir,
        tandem: &binaries.tandem,
        tenants,
        settings,
    };
    Rig::start(&plan, redis, warden).await
}

/// Engine, Redis and stub org of one run.
#[derive(Debug)]
pub struct Bench {
    /// Engine and Redis.
    pub rig: Rig,
    /// The org.
    pub stub: Stub,
    scratch: Scratch,
}

impl Bench {
    /// Starts all.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn start(
        programs: &Programs,
        redis: RedisSettings,
        names: &[String],
        records: u32,
        settings: Table,
        arrivals: Option<mpsc::UnboundedSender<Arrival>>,
    ) -> Result<Self, LoadError> {
        let base = Base::start(programs, redis).await?;
        let stub = Stub::start(names, records, arrivals).await?;
        let (scratch, rig) = base.engine(&stub.tenants(), settings).await?;
        Ok(Self { rig, stub, scratch })
    }

    /// Stops all; the files of a run that failed are left.
    pub async fn end(self, outcome: Result<Figures, LoadError>) -> Result<Figures, LoadError> {
        end(self.rig, &self.scratch, outcome).await
    }
}

/// Stops the processes; the files of a run that failed are left.
pub async fn end(rig: Rig, scratch: &Scratch, outcome: Result<Figures, LoadError>) -> Result<Figures, LoadError> {
    rig.stop().await;
    if outcome.is_err() {
        scratch.keep();
    }
    outcome
}

/// Says how long a span was and how busy others kept the machine.
pub fn note_span(figures: &mut Figures, used: &Used) {
    figures.note("seconds", format!("{:.2}", used.seconds));
    figures.note("others_cores", format!("{:.2}", used.others_cores));
}
