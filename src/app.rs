//! Puts the concrete parts together: settings in, a running engine out. The only place that names the adapters.

mod home;

use std::collections::HashMap;
use std::future::Future;
use std::hash::{Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use secrecy::ExposeSecret;
use tandem_core::domain::time::Timestamp;
use tandem_core::engine::classify::CallFault;
use tandem_core::engine::tenant::settings::TenantSettings;
use tandem_core::engine::tenant::{Effect, Input, Machine, Phase, Snapshot};
use tokio::runtime::Handle;

use crate::actor::clock::{Dice, HostClock};
use crate::actor::connection::Decider;
use crate::actor::{self, Deps, Fatal, NodeSettings, Place, TenantSpec, runtime};
use crate::http;
use crate::port::Answer;
use crate::port::changes::ChangeFeed;
use crate::port::org::Org as _;
use crate::port::seal::{SealError, Sealer};
use crate::port::store::{Lane, StoreError};
use crate::salesforce::auth::{Login, LoginSettingsError};
use crate::salesforce::client::{Http, HttpSettings, HttpSetupError};
use crate::salesforce::hosts::{AllowedHosts, HostRefused, InvalidAllowedHost};
use crate::salesforce::org::{OrgSettings, OrgSettingsError, PaceSettings, TenantOrg};
use crate::salesforce::poll::feed::{PollFeed, PollSettings};
use crate::salesforce::pubsub::channels::{ChannelError, ChannelPool, StreamSettings};
use crate::salesforce::pubsub::feed::TenantFeed;
use crate::salesforce::session::SessionKeeper;
use crate::settings::{Changes, Fence, Flow, LogFormat, Settings, Tenant};
use crate::store::seal::{KeyringError, RegionalKey, RegionalSealer};
use crate::store::{LaneFactory, RedisCluster, RedisTokens, StoreSettings, StoreSetupError};
use crate::telemetry::{Telemetry, TelemetryError, log, panics};
use home::Home;

/// Topic that carries the changes of all objects selected for change data capture.
const TOPIC: &str = "/data/ChangeEvents";

/// Names the place of a tenant whose org is polled: never taken for one of a topic.
const POLL: &str = "poll";

/// The engine could not start or ended badly.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Threads, runtimes, files.
    #[error("{doing}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Logs.
    #[error(transparent)]
    Log(#[from] log::LogError),
    /// Metrics.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// Redis.
    #[error(transparent)]
    Store(#[from] StoreSetupError),
    /// Keys.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A tenant's key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The HTTP client.
    #[error(transparent)]
    Client(#[from] HttpSetupError),
    /// Change streams.
    #[error(transparent)]
    Channels(#[from] ChannelError),
    /// Hosts.
    #[error("salesforce.allow_hosts: {0}")]
    AllowedHosts(#[from] InvalidAllowedHost),
    /// The HTTP server.
    #[error(transparent)]
    Http(#[from] http::HttpError),
    /// A tenant's org section.
    #[error("tenants.{tenant}.org: {why}")]
    Tenant {
        /// Whose.
        tenant: String,
        /// What is wrong.
        why: OrgError,
    },
    /// The org did not describe an object.
    #[error("tenant {tenant}: the org did not describe {sobject}: {} ({})", .why.code, .why.detail)]
    Describe {
        /// Whose org.
        tenant: String,
        /// Which object.
        sobject: String,
        /// Its answer.
        why: CallFault,
    },
    /// The node's directory.
    #[error(transparent)]
    Home(#[from] home::HomeError),
    /// There are no keys.
    #[error("no regional key was read: give [secrets] regional_key_file")]
    NoKey,
}

/// What can be wrong with an org's section.
#[derive(Debug, thiserror::Error)]
pub enum OrgError {
    /// Its login.
    #[error(transparent)]
    Login(#[from] LoginSettingsError),
    /// Its host.
    #[error("pubsub_url: {0}")]
    Host(#[from] HostRefused),
    /// How it is called.
    #[error(transparent)]
    Settings(#[from] OrgSettingsError),
}

fn io(doing: &'static str) -> impl FnOnce(std::io::Error) -> AppError {
    move |source| AppError::Io { doing, source }
}

/// Runs the engine until `stop` completes. `announce` is called once, when it is ready, with the address of its HTTP
/// port.
pub fn serve(
    settings: Settings,
    announce: impl FnOnce(SocketAddr) -> std::io::Result<()> + Send + 'static,
    stop: impl Future<Output = &'static str> + Send + 'static,
) -> Result<(), AppError> {
    let format = match settings.log.format {
        LogFormat::Json => log::Format::Json,
        LogFormat::Text => log::Format::Text,
    };
    log::start(format, &settings.log.level)?;
    panics::log_places();
    // This handle outlives the actors: a runtime must not be dropped inside async code.
    let shared = runtime::io_runtime(io_threads()).map_err(io("starting the io runtime"))?;
    let inside = Arc::clone(&shared);
    runtime::run(&shared, async move { engine(settings, &inside, announce, stop).await })
}

/// One thread of I/O a core.
fn io_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

async fn engine(
    settings: Settings,
    shared: &Arc<tokio::runtime::Runtime>,
    announce: impl FnOnce(SocketAddr) -> std::io::Result<()>,
    stop: impl Future<Output = &'static str>,
) -> Result<(), AppError> {
    // Held until the end: it is what keeps a second process from being this node.
    let home = Home::take(&settings.node.state_dir, &settings.node.name)?;
    let telemetry = Arc::new(Telemetry::new()?);
    let store = store_settings(&settings);
    let sealer = sealer(&settings)?;
    let parts = Parts::new(&settings, &store, Arc::clone(&sealer))?;
    let mut tenants = Vec::new();
    for tenant in settings.tenants.values().filter(|tenant| tenant.enabled) {
        tenants.push(Arc::new(parts.tenant(&settings, tenant, sealer.as_ref())?));
    }
    let lanes = LaneFactory::new(store.clone(), sealer, shared.handle().clone())?;
    let cluster = RedisCluster::new(store, shared.handle().clone())?;
    let arbiters = runtime::arbiters(shared, settings.node.arbiters).map_err(io("starting the arbiters"))?;
    let running = actor::start(Deps {
        settings: node_settings(&settings, &home),
        places: arbiters
            .iter()
            .map(|arbiter| Place::Arbiter(arbiter.handle()))
            .collect(),
        lanes: Arc::new(Lanes(lanes)),
        cluster: Arc::new(cluster),
        tenants,
        telemetry: Arc::clone(&telemetry),
        clock: Arc::new(HostClock::new()),
        dice: Arc::new(Dice::from_host()),
        fatal: Fatal::exit(),
    });
    let state = http::State {
        directory: Arc::clone(&running.directory),
        telemetry,
    };
    let server = http::serve(settings.http.listen, state).await?;
    announce(server.address).map_err(io("writing the ready file"))?;
    tracing::info!(address = %server.address, redis = %settings.redis.address, "the engine is ready");
    let signal = stop.await;
    tracing::info!(signal, "draining");
    if !running.drain().await {
        tracing::warn!("not all leases were given back in time; they lapse by themselves");
    }
    server.stop().await;
    for arbiter in arbiters {
        arbiter.stop();
    }
    drop(home);
    Ok(())
}

fn node_settings(settings: &Settings, home: &Home) -> NodeSettings {
    NodeSettings {
        name: Arc::clone(&home.name),
        nonce: Arc::clone(&home.nonce),
        workers: settings.node.workers,
        sweep_interval: settings.redis.sweep_interval,
        drain_grace: settings.node.drain_grace,
    }
}

fn store_settings(settings: &Settings) -> StoreSettings {
    StoreSettings {
        url: settings.redis.url.clone(),
        connect_timeout: settings.redis.connect_timeout,
        response_timeout: settings.redis.response_timeout,
        pool_size: settings.redis.pool_size,
        record_buckets: settings.redis.record_buckets,
        feed_partitions: settings.redis.event_partitions,
    }
}

fn sealer(settings: &Settings) -> Result<Arc<dyn Sealer>, AppError> {
    let key = |id: &String| {
        let secret = settings.secrets.regional_keys.get(id).ok_or(AppError::NoKey)?;
        Ok::<_, AppError>(RegionalKey {
            id: id.clone(),
            secret: zeroize::Zeroizing::new(*secret.expose_secret()),
        })
    };
    let current = &settings.secrets.regional_key_id;
    let previous = settings.secrets.regional_keys.keys().filter(|id| *id != current);
    Ok(Arc::new(RegionalSealer::new(
        key(current)?,
        previous.map(key).collect::<Result<_, _>>()?,
    )?))
}

/// What all tenants' orgs share.
struct Parts {
    hosts: AllowedHosts,
    http: Arc<Http>,
    channels: Arc<ChannelPool>,
    tokens: Arc<RedisTokens>,
}

impl Parts {
    /// Call it on the io runtime.
    fn new(settings: &Settings, store: &StoreSettings, sealer: Arc<dyn Sealer>) -> Result<Self, AppError> {
        let hosts = AllowedHosts::new(&settings.salesforce.allow_hosts)?;
        let http = Http::new(&HttpSettings {
            hosts: hosts.clone(),
            connect_timeout: settings.salesforce.connect_timeout,
            call_timeout: settings.salesforce.call_timeout,
            client_name: settings.salesforce.client_name.clone(),
        })?;
        let streams = StreamSettings {
            connect_timeout: settings.salesforce.connect_timeout,
            ..StreamSettings::default()
        };
        Ok(Self {
            hosts,
            http: Arc::new(http),
            channels: Arc::new(ChannelPool::new(streams)?),
            tokens: Arc::new(RedisTokens::new(store, sealer, Handle::current())?),
        })
    }

    fn org(&self, settings: &Settings, tenant: &Tenant) -> Result<(Arc<SessionKeeper>, TenantOrg), OrgError> {
        let org = &tenant.org;
        let id = org.org_id.map(|id| id.to_string());
        let login = match &org.flow {
            Flow::ClientCredentials { client_secret } => Login::client_credentials(
                &self.hosts,
                &org.login_url,
                &org.client_id,
                client_secret.clone(),
                id.as_deref(),
            ),
            Flow::Jwt {
                username,
                private_key,
                audience,
            } => Login::jwt_bearer(
                &self.hosts,
                &org.login_url,
                &org.client_id,
                username,
                audience,
                private_key,
                id.as_deref(),
            ),
        }?;
        let keeper = SessionKeeper::new(tenant.name.clone(), login, Arc::clone(&self.http), self.tokens.clone());
        let keeper = Arc::new(keeper);
        let objects = tenant.plan.objects.iter();
        let sequence_fields: HashMap<_, _> = objects
            .filter_map(|object| Some((Arc::clone(&object.sobject), object.sequence.clone()?)))
            .collect();
        let calls = OrgSettings {
            api_version: settings.salesforce.api_version.clone(),
            pace: PaceSettings::default(),
            duplicate_rule: None,
            sequence_fields,
        };
        let rest = TenantOrg::new(Arc::clone(&self.http), Arc::clone(&keeper), calls)?;
        Ok((keeper, rest))
    }

    fn tenant(&self, settings: &Settings, tenant: &Tenant, sealer: &dyn Sealer) -> Result<TenantSpec, AppError> {
        let named = |why| AppError::Tenant {
            tenant: tenant.name.to_string(),
            why,
        };
        let (keeper, org) = self.org(settings, tenant).map_err(named)?;
        let (topic, changes): (Arc<str>, Arc<dyn ChangeFeed>) = match tenant.changes {
            Changes::Events => {
                let (channels, url) = (Arc::clone(&self.channels), &tenant.org.pubsub_url);
                let feed = TenantFeed::new(channels, keeper, &self.hosts, url).map_err(|why| named(why.into()))?;
                (TOPIC.into(), Arc::new(feed))
            }
            Changes::Poll(every) => {
                let phase = phase(tenant.name.as_str());
                (
                    POLL.into(),
                    Arc::new(PollFeed::new(&org, &tenant.plan, PollSettings { every, phase })),
                )
            }
        };
        let born = TenantSettings {
            strict: tenant.fence == Fence::Strict,
            receipts: tenant.receipts,
            freshness: settings.sync.freshness,
            batch_rows: settings.sync.batch_rows,
            in_flight_batches: settings.sync.in_flight_batches,
            table_records: settings.sync.table_records,
            table_bytes: usize::try_from(settings.sync.table_bytes).unwrap_or(usize::MAX),
            compact_after_age: settings.sync.compact_after_age,
            compact_after_entries: usize::try_from(settings.sync.compact_after_entries).unwrap_or(usize::MAX),
            request_limit: settings.salesforce.request_limit,
            topic: Arc::clone(&topic),
            #[cfg(feature = "sabotage")]
            sabotage: sabotage(),
            ..TenantSettings::new(tenant.name.clone())
        };
        let (plan, digest_key) = (Arc::clone(&tenant.plan), sealer.digest_key(&tenant.name)?);
        let decider =
            move || Box::new(Decides(Machine::new(born.clone(), Arc::clone(&plan), digest_key))) as Box<dyn Decider>;
        Ok(TenantSpec {
            name: tenant.name.clone(),
            topic,
            org: Arc::new(org),
            changes,
            decider: Arc::new(decider),
        })
    }
}

/// Where in an interval a tenant's turn lies, 0 to 1: the same for as long as it has its name.
fn phase(name: &str) -> f64 {
    let mut hasher = std::hash::DefaultHasher::new();
    name.hash(&mut hasher);
    f64::from(u32::try_from(hasher.finish() >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

/// The deliberate fault that a test of the oracle asks for.
#[cfg(feature = "sabotage")]
fn sabotage() -> Option<tandem_core::engine::tenant::settings::Sabotage> {
    use tandem_core::engine::tenant::settings::Sabotage;
    let named = std::env::var("TANDEM_SABOTAGE").ok()?;
    let known = [
        ("settle", Sabotage::Settle),
        ("echo", Sabotage::Echo),
        ("order", Sabotage::Order),
        ("drop-event", Sabotage::DropEvent),
    ];
    known
        .into_iter()
        .find(|(name, _)| *name == named)
        .map(|(_, sabotage)| sabotage)
}

/// The tenant machine, as its shell sees it.
struct Decides(Machine);

impl Decider for Decides {
    fn step(&mut self, now: Timestamp, dice: u64, input: Input, out: &mut Vec<Effect>) {
        self.0.step(now, dice, input, out);
    }

    fn snapshot(&self) -> Snapshot {
        self.0.snapshot()
    }

    fn wake_at(&self) -> Option<Timestamp> {
        self.0.wake_at()
    }

    fn phase(&self) -> Phase {
        self.0.shown_phase()
    }

    fn has_work(&self) -> bool {
        self.0.has_work()
    }
}

/// Lanes of Redis, as the actors ask for them.
struct Lanes(LaneFactory);

impl actor::LaneFactory for Lanes {
    fn open(&self) -> Answer<Arc<dyn Lane>, StoreError> {
        let lane: Arc<dyn Lane> = Arc::new(self.0.open());
        Box::pin(std::future::ready(Ok(lane)))
    }
}

/// Asks a tenant's org to describe one sObject: the answer's body.
pub async fn describe(settings: &Settings, tenant: &Tenant, sobject: Arc<str>) -> Result<Bytes, AppError> {
    let parts = Parts::new(settings, &store_settings(settings), sealer(settings)?)?;
    let (_, org) = parts.org(settings, tenant).map_err(|why| AppError::Tenant {
        tenant: tenant.name.to_string(),
        why,
    })?;
    org.describe(Arc::clone(&sobject))
        .await
        .map_err(|why| AppError::Describe {
            tenant: tenant.name.to_string(),
            sobject: sobject.to_string(),
            why,
        })
}
