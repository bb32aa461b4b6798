//! The stack as a whole: start in order, watch, restart what a signal killed, stop in order.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::child::End;
use super::engine::{self, Engine};
use super::files::{Given, StateDir};
use super::org::{self, Simulator};
use super::redis::{self, Redis};
use super::words::Words;
use super::{Args, DevError};

/// How long the engine may take to end: its calls in flight have 5 s (files.rs).
const ENGINE_GRACE: Duration = Duration::from_secs(15);
/// How long the others may take.
const GRACE: Duration = Duration::from_secs(5);
/// First pause before a restart; doubles each time.
const RESTART_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause before a restart.
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(10);
/// A child that lived this long starts again without a history.
const PROVEN_AFTER: Duration = Duration::from_secs(60);
/// How often logs are looked at.
const LOG_INTERVAL: Duration = Duration::from_secs(10);
/// How often a free port is tried before giving up: someone may take it first.
const PORT_ATTEMPTS: usize = 3;

/// All processes of a stack, as far as they run.
pub(super) struct Stack {
    state: StateDir,
    server: PathBuf,
    orgsim: PathBuf,
    redis: Option<Redis>,
    simulator: Option<Simulator>,
    engine: Option<Engine>,
}

impl Stack {
    /// Finds the programs and takes the state directory; starts nothing.
    pub(super) fn open(args: &Args) -> Result<Self, DevError> {
        let (server, orgsim) = (redis::find_server()?, org::find()?);
        let state = StateDir::take(&args.state_dir)?;
        Ok(Self {
            state,
            server,
            orgsim,
            redis: None,
            simulator: None,
            engine: None,
        })
    }

    /// Starts all, tells what to type, and watches until something ends that cannot be restarted.
    pub(super) async fn run(&mut self, args: &Args) -> Result<(), DevError> {
        let config = self.start(args).await?;
        self.tell(Some(args.json))?;
        self.watch(&config).await
    }

    async fn start(&mut self, args: &Args) -> Result<PathBuf, DevError> {
        self.redis = Some(self.start_redis().await?);
        self.simulator = Some(org::start(&self.orgsim, args.seed, &self.state.at("logs")).await?);
        let objects = self.state.objects(args.objects.as_deref())?;
        let http_port = redis::free_port().map_err(DevError::file(&self.state.path))?;
        let (Some(redis), Some(simulator)) = (&self.redis, &self.simulator) else {
            return Err(DevError::Missing("the stack is not complete".to_owned()));
        };
        let given = Given {
            redis_url: &redis.url,
            http_port,
            objects: &objects,
            orgs: &simulator.ready,
        };
        let config = self.state.settings(&given)?;
        self.engine = Some(engine::start(&self.state, &config).await?);
        Ok(config)
    }

    async fn start_redis(&self) -> Result<Redis, DevError> {
        let (dir, logs) = (self.state.at("redis"), self.state.at("logs"));
        let mut attempt = 1;
        loop {
            let port = redis::free_port().map_err(DevError::file(&dir))?;
            match redis::start(&self.server, &dir, port, &logs).await {
                Err(DevError::Ended { .. }) if attempt < PORT_ATTEMPTS => attempt += 1,
                answer => return answer,
            }
        }
    }

    /// Writes the files with all addresses; the first time also the JSON line or the text to standard output.
    fn tell(&self, first: Option<bool>) -> Result<(), DevError> {
        let (Some(redis), Some(simulator), Some(engine)) = (&self.redis, &self.simulator, &self.engine) else {
            return Ok(());
        };
        let words = Words {
            redis_url: &redis.url,
            redis_pid: redis.pid,
            http_url: &engine.http_url,
            engine_pid: engine.child.pid(),
            orgsim_pid: simulator.child.pid(),
            state_dir: &self.state.path,
            orgs: &simulator.ready,
        };
        let line = words.json();
        self.state.private("stack.json", &format!("{line}\n"))?;
        self.state.private("env", &words.shell())?;
        match first {
            Some(true) => println!("{line}"),
            Some(false) => print!("{}", words.text()),
            None => {}
        }
        Ok(())
    }

    async fn watch(&mut self, config: &Path) -> Result<(), DevError> {
        let (mut engine_pause, mut redis_pause) = (Pause::new(), Pause::new());
        let mut logs = tokio::time::interval(LOG_INTERVAL);
        loop {
            let (Some(redis), Some(simulator), Some(engine)) = (&mut self.redis, &mut self.simulator, &mut self.engine)
            else {
                return Ok(());
            };
            tokio::select! {
                end = engine.child.ended() => {
                    let mut error = engine.child.gone(end);
                    loop {
                        restartable(error)?;
                        engine_pause.wait().await;
                        match engine::start(&self.state, config).await {
                            Ok(engine) => break self.engine = Some(engine),
                            Err(again) => error = again,
                        }
                    }
                    self.restarted("engine", self.engine.as_ref().map_or(0, |engine| engine.child.pid()))?;
                }
                end = redis.child.ended() => {
                    let (mut error, port) = (redis.child.gone(end), redis.port);
                    let (dir, logs) = (self.state.at("redis"), self.state.at("logs"));
                    loop {
                        restartable(error)?;
                        redis_pause.wait().await;
                        match redis::start(&self.server, &dir, port, &logs).await {
                            Ok(redis) => break self.redis = Some(redis),
                            Err(again) => error = again,
                        }
                    }
                    self.restarted("redis", self.redis.as_ref().map_or(0, |redis| redis.pid))?;
                }
                // Its orgs lived in its memory: there is nothing to go on with.
                end = simulator.child.ended() => return Err(simulator.child.gone(end)),
                _ = logs.tick() => {
                    for child in [&engine.child, &redis.child, &simulator.child] {
                        child.bound_log();
                    }
                }
            }
        }
    }

    fn restarted(&self, name: &str, pid: u32) -> Result<(), DevError> {
        self.tell(None)?;
        eprintln!(
            "{name} runs again, process {pid}; {} is up to date",
            self.state.at("stack.json").display()
        );
        Ok(())
    }

    /// Stops all, the engine first, so that it can hand over in peace.
    pub(super) async fn stop(&mut self) {
        if let Some(engine) = &mut self.engine {
            engine.child.stop(ENGINE_GRACE).await;
        }
        if let Some(simulator) = &mut self.simulator {
            simulator.child.stop(GRACE).await;
        }
        if let Some(redis) = &mut self.redis {
            redis.child.stop(GRACE).await;
        }
    }
}

/// What a signal killed is started again; anything else ends the stack.
fn restartable(error: DevError) -> Result<(), DevError> {
    match error {
        DevError::Ended {
            how: End::Signal(_), ..
        } => {
            eprintln!("{error}");
            Ok(())
        }
        other => Err(other),
    }
}

/// Pauses before restarts, each twice as long as the one before.
struct Pause {
    next: Duration,
    since: Instant,
}

impl Pause {
    fn new() -> Self {
        Self {
            next: RESTART_PAUSE,
            since: Instant::now(),
        }
    }

    async fn wait(&mut self) {
        if self.since.elapsed() > PROVEN_AFTER {
            self.next = RESTART_PAUSE;
        }
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(RESTART_PAUSE_MAX);
        self.since = Instant::now();
    }
}
