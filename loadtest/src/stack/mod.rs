//! The processes of a run: a private Redis, the simulated orgs and the engine. All die with the run.

mod binaries;
mod config;
mod engine;
mod orgs;
mod pauses;
mod process;
mod redis_server;
mod rig;
mod scratch;

pub use binaries::{Binaries, repository};
pub use config::{EVERY_TENANT, TenantOrg};
pub use engine::Engine;
pub use orgs::{Orgs, OrgsPlan};
pub use process::{Process, Warden};
pub use redis_server::{RedisServer, RedisSettings, connect, connect_for_blocking, free_port};
pub use rig::{Rig, RigPlan};
pub use scratch::Scratch;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cli::Sabotage;
use crate::error::LoadError;
use crate::report::say;
use config::{ConfigText, Wanted};
use engine::EnginePlan;
use pauses::Pauses;

/// The request limit of the org and of the engine: how long a request may go on after its client left.
pub const REQUEST_LIMIT_SECONDS: u64 = 5;

/// What to start.
#[derive(Debug)]
pub struct StackPlan<'a> {
    /// Scratch folder of the run.
    pub dir: &'a Path,
    /// The programs.
    pub binaries: &'a Binaries,
    /// The declared objects.
    pub objects: &'a Path,
    /// Names of tenants, and so of orgs.
    pub tenants: &'a [String],
    /// Seed of the org.
    pub seed: u64,
    /// A fault built into the engine, to see the oracle find it.
    pub sabotage: Option<Sabotage>,
}

/// The running processes.
#[derive(Debug)]
pub struct Stack {
    /// The private Redis.
    pub redis: RedisServer,
    /// The simulated orgs.
    pub orgs: Orgs,
    engines: Vec<Engine>,
    /// Of the first node, where it is the owner that does not know that it is none.
    pauses: Option<Pauses>,
    warden: Arc<Warden>,
    killed: Option<Instant>,
    restarts: u32,
}

/// A node that ends by itself so soon after a kill is started again, as a process manager would: it may have found no
/// Redis when it started.
const RESTARTED_AFTER_KILL: Duration = Duration::from_secs(60);
/// So often, over the whole run.
const RESTARTS: u32 = 20;

impl Stack {
    /// Starts all and waits until each is ready.
    ///
    /// # Errors
    /// When a part does not start in time, with the end of its log.
    pub async fn start(plan: &StackPlan<'_>) -> Result<Self, LoadError> {
        let warden = Arc::new(Warden::start()?);
        let redis = RedisServer::start(plan.dir, RedisSettings::default(), &warden).await?;
        let two_owners = plan.sabotage == Some(Sabotage::Fence);
        let orgs = OrgsPlan {
            program: &plan.binaries.orgsim,
            dir: plan.dir,
            names: plan.tenants,
            seed: plan.seed,
            fence: !two_owners,
        };
        let orgs = Orgs::start(&orgs, &warden).await?;
        let text = ConfigText::prepare(&Wanted {
            dir: plan.dir,
            objects: plan.objects,
            redis_url: &redis.url,
            tenants: &orgs.tenants(),
            receipts: true,
            settings: toml::Table::new(),
        })?;
        let engine = EnginePlan {
            program: &plan.binaries.tandem,
            dir: plan.dir,
            sabotage: plan.sabotage,
        };
        let mut stack = Self {
            redis,
            orgs,
            engines: Vec::new(),
            pauses: None,
            warden,
            killed: None,
            restarts: 0,
        };
        let first = Engine::start(&engine, 1, &text, &stack.warden).await?;
        if two_owners {
            stack.pauses = Some(Pauses::start(first.process.pid()));
        }
        stack.engines.push(first);
        if two_owners {
            // The rightful owner, with nothing wrong in it.
            let right = EnginePlan {
                sabotage: None,
                ..engine
            };
            let second = Engine::start(&right, 2, &text, &stack.warden).await?;
            stack.engines.push(second);
        }
        Ok(stack)
    }

    /// `kill -9` for the first engine, and a new one at once.
    ///
    /// # Errors
    /// When it does not start again.
    pub async fn kill_engine(&mut self) -> Result<(), LoadError> {
        self.killed = Some(Instant::now());
        self.end_pauses().await;
        match self.engines.first_mut() {
            Some(engine) => engine.kill_and_restart(&self.warden).await,
            None => Ok(()),
        }
    }

    async fn end_pauses(&mut self) {
        if let Some(pauses) = self.pauses.take() {
            pauses.end().await;
        }
    }

    /// `kill -9` for Redis, and a new one at once on the same files.
    ///
    /// # Errors
    /// When it does not start again.
    pub async fn kill_redis(&mut self) -> Result<(), LoadError> {
        self.killed = Some(Instant::now());
        self.redis.kill_and_restart(&self.warden).await
    }

    /// Finds a process that ended although nobody killed it; starts a node again that ended soon after a kill.
    ///
    /// # Errors
    /// The part that died, with the end of its log.
    pub fn check(&mut self) -> Result<(), LoadError> {
        self.redis.process.check()?;
        self.orgs.process.check()?;
        let shaken = self
            .killed
            .is_some_and(|killed| killed.elapsed() < RESTARTED_AFTER_KILL);
        for engine in &mut self.engines {
            match engine.process.check() {
                Ok(()) => {}
                Err(error) if shaken && self.restarts < RESTARTS => {
                    self.restarts += 1;
                    say(&format!("started again: {error}"));
                    engine.restart(&self.warden)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Stops all: the engine first and in peace, so that it can release what it holds.
    pub async fn stop(mut self) {
        self.end_pauses().await;
        for engine in &mut self.engines {
            engine.process.terminate().await;
        }
        self.orgs.process.terminate().await;
        self.redis.process.kill().await;
    }
}
