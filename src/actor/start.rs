//! Starting the tree, and stopping it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use actix_rt::ArbiterHandle;
use tandem_core::engine::lease::Rules;
use tokio::sync::watch;

use super::clock::{Clock, Dice};
use super::directory::Board;
use super::node::{Drain, Node};
use super::tenant::TenantSpec;
use super::watch::{Exit, Watched, spawn_watched};
use crate::port::Answer;
use crate::port::cluster::Cluster;
use crate::port::directory::Directory;
use crate::port::store::{Lane, StoreError};
use crate::telemetry::Telemetry;

/// Exit code of a process whose root actor panicked (`EX_SOFTWARE`).
pub const EXIT_PANICKED: i32 = 70;

/// Opens lanes to the store. The connection's driver must run on the io runtime.
pub trait LaneFactory: Send + Sync {
    /// A new lane on a new connection.
    fn open(&self) -> Answer<Arc<dyn Lane>, StoreError>;
}

/// Where a shard lives.
#[derive(Debug, Clone)]
pub enum Place {
    /// On the calling thread (tests, one-core machines).
    Here,
    /// On an arbiter made by [`super::runtime::arbiters`].
    Arbiter(ArbiterHandle),
}

/// What is called when the process cannot go on.
#[derive(Clone)]
pub struct Fatal(Arc<dyn Fn(&str) + Send + Sync>);

impl Fatal {
    /// Ends the process with [`EXIT_PANICKED`]; its leases lapse and other nodes take over.
    #[must_use]
    pub fn exit() -> Self {
        Self::new(|why| {
            tracing::error!(why, "this node cannot go on; the process ends");
            std::process::exit(EXIT_PANICKED);
        })
    }

    /// Calls something else.
    pub fn new(call: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(call))
    }

    pub(super) fn call(&self, why: &str) {
        (self.0)(why);
    }
}

/// This node's own settings.
#[derive(Debug, Clone)]
pub struct NodeSettings {
    /// Its name, unique in the cluster.
    pub name: Arc<str>,
    /// Names the holder of its leases: the same after a restart, if no other process can have it.
    pub nonce: Arc<str>,
    /// Workers of each arbiter.
    pub workers: usize,
    /// How often the logs of all tenants are looked at for appends that nobody told of.
    pub sweep_interval: Duration,
    /// How long tenants get to finish when the node stops or a partition moves.
    pub drain_grace: Duration,
}

/// All that the actors work with.
pub struct Deps {
    /// This node.
    pub settings: NodeSettings,
    /// Where shards live, one each; none means [`Place::Here`].
    pub places: Vec<Place>,
    /// Lanes to the store.
    pub lanes: Arc<dyn LaneFactory>,
    /// What nodes share.
    pub cluster: Arc<dyn Cluster>,
    /// Declared tenants.
    pub tenants: Vec<Arc<TenantSpec>>,
    /// Counts and logs.
    pub telemetry: Arc<Telemetry>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Random numbers.
    pub dice: Arc<Dice>,
    /// What to do when the root dies.
    pub fatal: Fatal,
}

pub(super) struct NodeDeps {
    pub(super) node: Arc<str>,
    /// Names the holder of its leases.
    pub(super) nonce: Arc<str>,
    pub(super) workers: usize,
    pub(super) sweep_interval: Duration,
    pub(super) rules: Rules,
    pub(super) places: Vec<Place>,
    pub(super) lanes: Arc<dyn LaneFactory>,
    pub(super) cluster: Arc<dyn Cluster>,
    pub(super) tenants: Vec<Arc<TenantSpec>>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) dice: Arc<Dice>,
    pub(super) fatal: Fatal,
}

/// How far the node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Serving,
    Draining,
    Stopped,
}

/// A running tree. Dropping it ends everything at once, as a crash would.
pub struct Running {
    /// For the admin API.
    pub directory: Arc<dyn Directory>,
    node: Watched<Node>,
    stage: watch::Receiver<Stage>,
    name: Arc<str>,
    grace: Duration,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Running({})", self.name)
    }
}

/// Beyond the grace: releases on their way, and the next tick.
const DRAIN_SLACK: Duration = Duration::from_secs(5);

impl Running {
    /// Leaves the cluster, stops claiming, lets tenants finish and gives leases back; bounded by `drain_grace` and
    /// five seconds. `true` when all leases were given back: otherwise they lapse by themselves.
    pub async fn drain(mut self) -> bool {
        let node: &Addr<Node> = &self.node.addr;
        node.do_send(Drain);
        let stopped = self.stage.wait_for(|s| *s == Stage::Stopped);
        tokio::time::timeout(self.grace + DRAIN_SLACK, stopped)
            .await
            .is_ok_and(|s| s.is_ok())
    }
}

/// Starts the tree on this thread's arbiter (or `LocalSet`) and the given places.
#[must_use]
pub fn start(deps: Deps) -> Running {
    let Deps {
        settings,
        mut places,
        lanes,
        cluster,
        tenants,
        telemetry,
        clock,
        dice,
        fatal,
    } = deps;
    if places.is_empty() {
        places.push(Place::Here);
    }
    let name = Arc::clone(&settings.name);
    let declared = tenants.iter().map(|t| t.name.clone());
    let board = Board::new(
        Arc::clone(&name),
        declared,
        places.len(),
        Arc::clone(&clock),
        Arc::clone(&lanes),
    );
    let board = Arc::new(board);
    telemetry.watch(Arc::clone(&board) as Arc<dyn crate::telemetry::Gauges>);
    let (stage, watched_stage) = watch::channel(Stage::Serving);
    let node_deps = NodeDeps {
        node: Arc::clone(&name),
        nonce: settings.nonce,
        workers: settings.workers,
        sweep_interval: settings.sweep_interval,
        rules: Rules {
            drain_grace: settings.drain_grace,
            ..Rules::default()
        },
        places,
        lanes,
        cluster,
        tenants,
        telemetry,
        clock,
        dice,
        fatal: fatal.clone(),
    };
    let of_node = Arc::clone(&board);
    let on_exit = move |exited: super::watch::ChildExited<()>| {
        if let Exit::Panicked(text) = exited.exit {
            fatal.call(&format!("the node actor panicked: {text}"));
        }
    };
    let node = spawn_watched((), 0, on_exit, move |_| Node::new(node_deps, of_node, stage));
    Running {
        directory: board,
        node,
        stage: watched_stage,
        name,
        grace: settings.drain_grace,
    }
}
