//! One Redis and one node of the engine that can be stopped and started, for scenarios that print figures.

use std::path::Path;
use std::sync::Arc;

use super::config::{ConfigText, TenantOrg, Wanted};
use super::engine::{Engine, EnginePlan};
use super::process::Warden;
use super::redis_server::RedisServer;
use crate::error::LoadError;
use crate::sample;

/// What the engine is started with.
#[derive(Debug)]
pub struct RigPlan<'a> {
    /// Scratch folder of the run.
    pub dir: &'a Path,
    /// The engine's program.
    pub tandem: &'a Path,
    /// All tenants and their orgs.
    pub tenants: &'a [TenantOrg],
    /// Settings by section that differ from their defaults.
    pub settings: toml::Table,
}

/// The running Redis, and the engine when it runs.
#[derive(Debug)]
pub struct Rig {
    /// The private Redis.
    pub redis: RedisServer,
    engine: Engine,
    warden: Arc<Warden>,
}

impl Rig {
    /// Starts the engine beside a Redis and waits until it is ready.
    ///
    /// # Errors
    /// When it does not start in time, with the end of its log.
    pub async fn start(plan: &RigPlan<'_>, redis: RedisServer, warden: Arc<Warden>) -> Result<Self, LoadError> {
        let objects = plan.dir.join("objects");
        std::fs::create_dir_all(&objects).map_err(LoadError::io("making the folder of objects"))?;
        std::fs::write(objects.join("contact.toml"), sample::MAPPING).map_err(LoadError::io("writing the mapping"))?;
        let text = ConfigText::prepare(&Wanted {
            dir: plan.dir,
            objects: &objects,
            redis_url: &redis.url,
            tenants: plan.tenants,
            receipts: false,
            settings: plan.settings.clone(),
        })?;
        let engine = EnginePlan {
            program: plan.tandem,
            dir: plan.dir,
            sabotage: None,
        };
        let engine = Engine::start(&engine, 1, &text, &warden).await?;
        Ok(Self { redis, engine, warden })
    }

    /// Stops the engine in peace: it gives its leases back.
    pub async fn stop_engine(&mut self) {
        self.engine.process.terminate().await;
    }

    /// Starts the engine again. Returns at once; what it does from then on can be watched.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_engine(&mut self) -> Result<(), LoadError> {
        self.engine.restart(&self.warden)
    }

    /// The engine's process.
    pub fn engine_pid(&self) -> u32 {
        self.engine.process.pid()
    }

    /// The process of Redis.
    pub fn redis_pid(&self) -> u32 {
        self.redis.process.pid()
    }

    /// Finds a process that has ended by itself.
    ///
    /// # Errors
    /// Which one, with the end of its log.
    pub fn check(&mut self) -> Result<(), LoadError> {
        self.redis.process.check()?;
        self.engine.process.check()
    }

    /// Stops all.
    pub async fn stop(mut self) {
        self.engine.process.terminate().await;
        self.redis.process.kill().await;
    }
}
