//! The settings as the rest of the engine sees them: typed, checked, with secrets that cannot be printed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{SecretBox, SecretString};
use tandem_core::domain::ids::TenantName;
use tandem_core::domain::plan::TenantPlan;
use tandem_core::domain::salesforce_id::SalesforceId;

use super::mapping::Mapping;

/// Everything `config/tandem.toml` says.
#[derive(Debug)]
pub struct Settings {
    /// This process.
    pub node: Node,
    /// The shared store.
    pub redis: Redis,
    /// The HTTP port.
    pub http: Http,
    /// Logs.
    pub log: Log,
    /// The object files, checked, before tenants' overrides.
    pub mapping: Mapping,
    /// Keys for what is kept sealed.
    pub secrets: Secrets,
    /// What holds for all orgs.
    pub salesforce: Salesforce,
    /// Pace and bounds of syncing.
    pub sync: Sync,
    /// The tenants, by name.
    pub tenants: BTreeMap<TenantName, Tenant>,
}

/// `[node]`
#[derive(Debug, Clone)]
pub struct Node {
    /// Name among the nodes; empty means host name and a random part.
    pub name: String,
    /// Where this node keeps files.
    pub state_dir: PathBuf,
    /// Arbiters; 0 means one less than there are cores.
    pub arbiters: usize,
    /// How long calls in flight may take after SIGTERM.
    pub drain_grace: Duration,
    /// Batches that one arbiter has in flight at most.
    pub workers: usize,
}

/// `[redis]`
#[derive(Debug)]
pub struct Redis {
    /// `redis://` or `rediss://`, with the password if there is one.
    pub url: SecretString,
    /// The same without the password, for logs.
    pub address: String,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for an answer.
    pub response_timeout: Duration,
    /// Connections for calls that block.
    pub pool_size: usize,
    /// How many streams the product's feed is split into; fixed at install.
    pub event_partitions: u16,
    /// How often quiet tenants' logs are looked at.
    pub sweep_interval: Duration,
    /// Hash buckets that a tenant's rows are spread over; fixed at install.
    pub record_buckets: u32,
}

/// `[http]`
#[derive(Debug, Clone)]
pub struct Http {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
}

/// `[log]`
#[derive(Debug, Clone)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// What is said, in the form of `tracing_subscriber::EnvFilter`.
    pub level: String,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// `[secrets]`
#[derive(Debug)]
pub struct Secrets {
    /// Id of the key that new blobs are sealed under.
    pub regional_key_id: String,
    /// All keys by id, the current one among them (empty when secrets were not read).
    pub regional_keys: BTreeMap<String, SecretBox<[u8; 32]>>,
}

/// `[salesforce]`
#[derive(Debug, Clone)]
pub struct Salesforce {
    /// e.g. `67.0`.
    pub api_version: String,
    /// After this long the platform has ended any request: unknown outcomes are settled then.
    pub request_limit: Duration,
    /// Longest wait for an answer of a data call.
    pub call_timeout: Duration,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Hosts allowed beside Salesforce's own; loopback hosts named here may speak plain http.
    pub allow_hosts: Vec<String>,
    /// Sent in `Sforce-Call-Options: client=`.
    pub client_name: String,
}

/// `[sync]`
#[derive(Debug, Clone)]
pub struct Sync {
    /// At most one call an object and operation in this time, unless a call is full.
    pub freshness: Duration,
    /// Rows in a batch.
    pub batch_rows: usize,
    /// Batches in flight a tenant.
    pub in_flight_batches: usize,
    /// Folded records in memory a tenant.
    pub table_records: usize,
    /// Bytes of folded records in memory a tenant.
    pub table_bytes: u64,
    /// Log entries after which the log is compacted.
    pub compact_after_entries: u64,
    /// Age of the oldest entry after which the log is compacted.
    pub compact_after_age: Duration,
}

/// How late writes of a node that lost its lease are kept out of an org.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// A validation rule in the org refuses them.
    Strict,
    /// Quarantine and repair; take-over waits up to `salesforce.request_limit`.
    Soft,
}

/// `[tenants.NAME]`
#[derive(Debug)]
pub struct Tenant {
    /// Its name.
    pub name: TenantName,
    /// Whether it syncs.
    pub enabled: bool,
    /// Strict or soft.
    pub fence: Fence,
    /// Whether the product wants `applied` events.
    pub receipts: bool,
    /// How its org's changes are learnt.
    pub changes: Changes,
    /// Its mapping, overrides done.
    pub plan: Arc<TenantPlan>,
    /// Its org.
    pub org: Org,
}

/// How an org's changes are learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changes {
    /// By its change events.
    Events,
    /// By looking every so often.
    Poll(Duration),
}

/// `[tenants.NAME.org]`
#[derive(Debug)]
pub struct Org {
    /// Where tokens come from, without a path.
    pub login_url: String,
    /// The Pub/Sub API's address.
    pub pubsub_url: String,
    /// The org that must answer; any if nothing.
    pub org_id: Option<SalesforceId>,
    /// The app's consumer key.
    pub client_id: String,
    /// How tokens are got.
    pub flow: Flow,
}

/// How tokens are got.
#[derive(Debug)]
pub enum Flow {
    /// OAuth client credentials.
    ClientCredentials {
        /// The app's consumer secret.
        client_secret: SecretString,
    },
    /// OAuth JWT bearer.
    Jwt {
        /// Who the app acts as.
        username: String,
        /// RSA private key, PEM.
        private_key: SecretString,
        /// `aud` of the assertion.
        audience: String,
    },
}
