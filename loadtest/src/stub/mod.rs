//! An org that stores no values: it speaks the protocols that the engine needs, checks every row that comes, and
//! counts.
//!
//! It logs in by client credentials, takes collections (contract.md 3.2), tells its limits, and streams change events
//! over Pub/Sub. Whoever needs a whole org takes `orgsim`; this one exists to be much cheaper than what it measures.

mod avro;
mod event;
mod ids;
mod ledger;
mod listen;
mod pubsub;
mod rest;
mod rows;
mod told;

pub use ledger::{Counts, Verdict};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::error::LoadError;
use crate::sample;
use crate::stack::TenantOrg;
use ledger::Ledger;
use told::Told;

/// The secret of every org's app: it protects nothing.
const SECRET: &str = "stub-secret";

/// A request that reached the stub with one record's change.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// The tenant's number.
    pub tenant: usize,
    /// The record's number.
    pub number: u32,
    /// The round of its change.
    pub round: u8,
    /// When the request's head had arrived.
    pub at: Instant,
}

/// What the listeners share.
#[derive(Debug)]
struct Orgs {
    ledger: Ledger,
    told: Vec<Told>,
    /// Milliseconds that data calls take.
    latency_ms: AtomicU64,
    /// Whether writes through the API are told on the change streams.
    echoes: AtomicBool,
    /// Where requests of the data API are told of.
    arrivals: Option<mpsc::UnboundedSender<Arrival>>,
    /// Change streams that are open.
    streams: AtomicU64,
    /// Looks of pollers, by tenant.
    looks: Vec<AtomicU64>,
}

/// A running stub with any number of orgs.
#[derive(Debug)]
pub struct Stub {
    orgs: Arc<Orgs>,
    names: Vec<String>,
    rest_url: String,
    pubsub_url: String,
    listeners: [tokio::task::JoinHandle<()>; 2],
}

impl Stub {
    /// Starts listening on two free ports of the loopback address, with one org a name. Each org has room for so many
    /// records.
    ///
    /// # Errors
    /// When no ports can be had, or records have no room in keys.
    pub async fn start(
        names: &[String],
        records: u32,
        arrivals: Option<mpsc::UnboundedSender<Arrival>>,
    ) -> Result<Self, LoadError> {
        if records > sample::NUMBERS {
            let most = sample::NUMBERS;
            return Err(LoadError::Usage(format!(
                "at most {most} records a tenant, not {records}"
            )));
        }
        let orgs = Arc::new(Orgs {
            ledger: Ledger::new(names.len(), records),
            told: (0..names.len()).map(|_| Told::default()).collect(),
            latency_ms: AtomicU64::new(0),
            echoes: AtomicBool::new(true),
            arrivals,
            streams: AtomicU64::new(0),
            looks: names.iter().map(|_| AtomicU64::new(0)).collect(),
        });
        let (rest_url, rest) = listen::rest(Arc::clone(&orgs)).await?;
        let (pubsub_url, pubsub) = listen::pubsub(Arc::clone(&orgs)).await?;
        Ok(Self {
            orgs,
            names: names.to_vec(),
            rest_url,
            pubsub_url,
            listeners: [rest, pubsub],
        })
    }

    /// What the engine is told of each org.
    pub fn tenants(&self) -> Vec<TenantOrg> {
        let all = self.names.iter().enumerate();
        all.map(|(tenant, name)| TenantOrg {
            name: name.clone(),
            login_url: self.rest_url.clone(),
            pubsub_url: self.pubsub_url.clone(),
            client_id: ids::client(tenant),
            client_secret: SECRET.to_owned(),
        })
        .collect()
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        self.orgs.ledger.counts()
    }

    /// Looks of pollers so far, and how many orgs were looked at.
    pub fn looks(&self) -> (u64, u64) {
        let looks = self.orgs.looks.iter().map(|looks| looks.load(Ordering::Relaxed));
        looks.fold((0, 0), |(all, orgs), looks| (all + looks, orgs + u64::from(looks > 0)))
    }

    /// Judges all records: every one of `written` a tenant must have got this round as its last, and as many writes.
    pub fn judge(&self, written: &[u32], round: u8, writes: u32) -> Verdict {
        self.orgs.ledger.judge(written, round, writes)
    }

    /// From now on data calls take so long.
    pub fn set_latency(&self, latency: Duration) {
        let millis = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        self.orgs.latency_ms.store(millis, Ordering::Relaxed);
    }

    /// Whether writes through the API are told on the change streams from now on.
    pub fn set_echoes(&self, on: bool) {
        self.orgs.echoes.store(on, Ordering::Relaxed);
    }

    /// Open change streams.
    pub fn open_streams(&self) -> u64 {
        self.orgs.streams.load(Ordering::Relaxed)
    }

    /// A person edits one field of a record. Answers when the event was handed to the stream.
    pub fn edit(&self, tenant: usize, number: u32, round: u8) -> Instant {
        let at = Instant::now();
        if let Some(told) = self.orgs.told.get(tenant) {
            told.push([told::Change {
                number,
                round,
                kind: told::Kind::Edit,
            }]);
        }
        at
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}
