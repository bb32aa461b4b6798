//! Starting and stopping a simulator.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::bulk::BulkLimits;
use crate::bus::{self, Bus};
use crate::commit::CommitSink;
use crate::directory::Directory;
use crate::org::{Restored, SnapshotProblem};
use crate::schema::{SchemaFile, SchemaProblem};
use crate::world::World;
use crate::{admin, http};

/// How long open connections may take to end at shutdown.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);

/// What to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address of the HTTP port.
    pub listen: SocketAddr,
    /// Address of the plain-text gRPC port.
    pub pubsub: SocketAddr,
    /// Address of the TLS gRPC port.
    pub pubsub_tls: SocketAddr,
    /// Address of the admin port; keep it on the loopback, it asks for no password.
    pub admin: SocketAddr,
    /// Names of the orgs.
    pub orgs: Vec<String>,
    /// Ids, tokens and dice come out the same for the same seed.
    pub seed: u64,
    /// How long a request may run, after its client left too.
    pub request_limit: Duration,
    /// Newest API version, e.g. `67.0`.
    pub api_version: String,
    /// API calls that an org allows in a rolling day.
    pub daily_calls: u64,
    /// What an org allows of its bulk jobs in a rolling day.
    pub bulk: BulkLimits,
    /// Whether the fence's validation rules are installed.
    pub fence: bool,
    /// Custom objects and fields of every org.
    pub schema: Vec<SchemaFile>,
    /// Snapshots that orgs begin with, each for the org of its name.
    pub restore: Vec<PathBuf>,
    /// When given, the clock stands at this time (milliseconds since 1970) and only the admin port moves it.
    pub stopped_at_ms: Option<i64>,
}

impl Default for Options {
    fn default() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            listen: any,
            pubsub: any,
            pubsub_tls: any,
            admin: any,
            orgs: vec!["acme".to_owned()],
            seed: 1,
            request_limit: Duration::from_secs(600),
            api_version: "67.0".to_owned(),
            daily_calls: 100_000,
            bulk: BulkLimits::default(),
            fence: true,
            schema: Vec::new(),
            restore: Vec::new(),
            stopped_at_ms: None,
        }
    }
}

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port could not be opened.
    #[error("cannot listen on {address}: {source}; choose another address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A listener could not be handed to the Pub/Sub server.
    #[error("cannot use a Pub/Sub listener: {0}")]
    PubSub(#[from] std::io::Error),
    /// A schema file makes no sense.
    #[error("a schema file is wrong at {0}")]
    Schema(#[from] SchemaProblem),
    /// A snapshot was not taken in.
    #[error("the snapshot {file} was not taken in: {source}")]
    Restore {
        /// Its file.
        file: PathBuf,
        /// Why.
        source: SnapshotProblem,
    },
    /// Two orgs have one name.
    #[error("the org name {0} was given twice; org names must differ")]
    TwoOrgs(String),
}

/// A running simulator; [`Simulator::shutdown`] stops it, dropping it does not wait.
pub struct Simulator {
    world: Arc<World>,
    http: SocketAddr,
    pubsub: SocketAddr,
    pubsub_tls: SocketAddr,
    admin: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Simulator {
    /// Opens the ports and serves; changes of rows become change events.
    ///
    /// # Errors
    /// When a port cannot be opened or two orgs have one name.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let (seed, mut made) = (options.seed, None);
        let (mut simulator, plain, tls) = Self::open(options, |directory| {
            let bus = Bus::new(directory, seed);
            made = Some(Arc::clone(&bus));
            bus
        })
        .await?;
        if let Some(bus) = made {
            simulator.world.set_bus(&bus);
            let mut stopped = simulator.stop.subscribe();
            let (plain, tls) = (plain.into_std()?, tls.into_std()?);
            simulator.tasks.push(tokio::spawn(async move {
                let stop = async move {
                    stopped.wait_for(|s| *s).await.ok();
                };
                if let Err(error) = bus::serve(bus, plain, Some(tls), stop).await {
                    tracing::error!(%error, "the Pub/Sub ports stopped");
                }
            }));
        }
        Ok(simulator)
    }

    /// As [`Self::start`], with another receiver of the commits and no Pub/Sub; it is given the directory of the orgs.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(
        options: Options,
        bus: impl FnOnce(Arc<dyn Directory>) -> Arc<dyn CommitSink>,
    ) -> Result<Self, StartError> {
        Self::open(options, bus).await.map(|(simulator, ..)| simulator)
    }

    /// The simulator with its HTTP and admin port served, and the two Pub/Sub listeners.
    async fn open(
        options: Options,
        bus: impl FnOnce(Arc<dyn Directory>) -> Arc<dyn CommitSink>,
    ) -> Result<(Self, TcpListener, TcpListener), StartError> {
        for (i, name) in options.orgs.iter().enumerate() {
            if options.orgs[..i].contains(name) {
                return Err(StartError::TwoOrgs(name.clone()));
            }
        }
        let http = listen(options.listen).await?;
        let admin = listen(options.admin).await?;
        let pubsub = listen(options.pubsub).await?;
        let pubsub_tls = listen(options.pubsub_tls).await?;
        let world = Arc::new(World::new(&options)?);
        for file in &options.restore {
            let refused = |source| StartError::Restore {
                file: file.clone(),
                source,
            };
            restore(&world, file).map_err(refused)?;
        }
        let directory: Arc<dyn Directory> = world.clone();
        world.connect(Some(bus(directory)));
        world.set_base_url(format!("http://{}", http.1));
        let (stop, stopped) = watch::channel(false);
        let tasks = vec![
            tokio::spawn(http::serve(
                Arc::clone(&world),
                http.0,
                options.request_limit,
                stopped.clone(),
            )),
            tokio::spawn(admin::serve(Arc::clone(&world), admin.0, stopped)),
        ];
        let simulator = Self {
            world,
            http: http.1,
            pubsub: pubsub.1,
            pubsub_tls: pubsub_tls.1,
            admin: admin.1,
            stop,
            tasks,
        };
        Ok((simulator, pubsub.0, pubsub_tls.0))
    }

    /// Base URL of the HTTP port: login and instance URL of every org.
    #[must_use]
    pub fn http_url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Base URL of the admin port.
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// URL of the plain-text gRPC port.
    #[must_use]
    pub fn pubsub_url(&self) -> String {
        format!("http://{}", self.pubsub)
    }

    /// URL of the TLS gRPC port.
    #[must_use]
    pub fn pubsub_tls_url(&self) -> String {
        format!("https://{}", self.pubsub_tls)
    }

    /// How to reach and log in to each org.
    #[must_use]
    pub fn orgs(&self) -> Vec<Value> {
        self.world.describe_orgs()
    }

    /// Stops serving; requests in work get half a second.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        for mut task in self.tasks {
            if tokio::time::timeout(SHUTDOWN_GRACE, &mut task).await.is_err() {
                task.abort();
            }
        }
        self.world.connect(None);
    }
}

fn restore(world: &World, file: &Path) -> Result<(), SnapshotProblem> {
    let first = world.orgs.first().map(|org| Arc::clone(&org.org().schema));
    let Some(schema) = first else { return Ok(()) };
    let restored = Restored::read(File::open(file)?, &schema, &[])?;
    let org = world.find(restored.name());
    let org = org.ok_or_else(|| SnapshotProblem::NoOrg(restored.name().to_owned()))?;
    let mut rows = org.org();
    rows.restore(restored)?;
    org.views.replace(Arc::clone(&rows.schema));
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let refused = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}
