//! A running product over all tenants: appenders and the reader, and the plans of edits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::task::JoinHandle;

use super::drive::Load;
use crate::dice::Dice;
use crate::org::{Admin, OrgInfo};
use crate::product::{Appender, Identity, LANES, Plan, Product, Reader, Tenant};
use crate::shape::Shapes;

/// Fewest records a tenant.
const FEWEST_RECORDS: u64 = 20;

/// Questions of a hundred that the product answers twice, with two keys.
const DOUBLES_PERCENT: f64 = 1.0;

/// How the product is staffed.
#[derive(Debug, Clone, Copy)]
pub struct Staff {
    /// Records that a tenant's plan of edits grows to.
    pub records: usize,
    /// Consumers of the feed; each event goes to one of them.
    pub workers: usize,
    /// Questions of a hundred that are answered twice, with two keys.
    pub doubles_percent: f64,
}

/// What a run runs against.
#[derive(Debug, Clone)]
pub struct World {
    /// The Redis that product and engine share.
    pub redis_url: String,
    /// The orgs' admin port.
    pub admin: Admin,
    /// The orgs; an org's name is its tenant's.
    pub orgs: Vec<OrgInfo>,
    /// The declared objects.
    pub shapes: Arc<Shapes>,
    /// Seed of the edits.
    pub seed: u64,
}

/// One tenant with its plan of edits.
#[derive(Debug)]
pub struct Seat {
    /// The product's part.
    pub tenant: Arc<Tenant>,
    /// Rows people made in the org that stay without a key: of objects that are not matched.
    pub unlinked: AtomicU64,
    plan: Mutex<Plan>,
}

impl Seat {
    /// The plan, for a short time.
    pub fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The product at work.
#[derive(Debug)]
pub struct Session {
    /// One a tenant, in the order of the orgs.
    pub seats: Vec<Arc<Seat>>,
    /// Edits that people made in the orgs.
    pub org_edits: Arc<AtomicU64>,
    /// Events applied.
    pub applied: Arc<AtomicU64>,
    /// How often an appender found its log closed by back-pressure.
    pub held: Arc<AtomicUsize>,
    /// Of each reader: it found nothing at its last read.
    idle: Vec<Arc<AtomicBool>>,
    stop: Arc<AtomicBool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Session {
    /// Starts appenders and one reader, for this load.
    pub fn start(world: &World, load: &Load) -> Self {
        let tenants = world.orgs.len().max(1) as u64;
        let records = load.changes / tenants / load.changes_a_record.max(1);
        let staff = Staff {
            records: records.max(FEWEST_RECORDS) as usize,
            workers: 1,
            doubles_percent: DOUBLES_PERCENT,
        };
        Self::staffed(world, &staff)
    }

    /// Starts appenders and readers.
    pub fn staffed(world: &World, staff: &Staff) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let held = Arc::new(AtomicUsize::new(0));
        let applied = Arc::new(AtomicU64::new(0));
        let mut tasks = Vec::new();
        let mut seats = Vec::new();
        for (at, org) in world.orgs.iter().enumerate() {
            let mut product = Product::new(world.shapes.clone(), at);
            product.identity = Identity::new(world.seed ^ at as u64, staff.doubles_percent);
            product.workers = staff.workers > 1;
            let tenant = Arc::new(Tenant::new(&org.name, product));
            for lane in 0..LANES {
                let appender = Appender {
                    tenant: tenant.clone(),
                    lane,
                    redis_url: world.redis_url.clone(),
                    stop: stop.clone(),
                    held: held.clone(),
                    dice: Dice::new(world.seed, (at * LANES + lane + 1_000_000) as u64),
                };
                tasks.push(tokio::spawn(appender.run()));
            }
            let plan = Mutex::new(Plan::new(world.seed, at, staff.records, world.shapes.objects.len()));
            seats.push(Arc::new(Seat {
                tenant,
                unlinked: AtomicU64::new(0),
                plan,
            }));
        }
        let by_name: HashMap<_, _> = seats
            .iter()
            .map(|seat| (seat.tenant.name.clone(), seat.tenant.clone()))
            .collect();
        let mut idle = Vec::new();
        for worker in 1..=staff.workers {
            let reader = Reader {
                tenants: by_name.clone(),
                redis_url: world.redis_url.clone(),
                stop: stop.clone(),
                applied: applied.clone(),
                idle: Arc::new(AtomicBool::new(false)),
                consumer: format!("worker-{worker}"),
            };
            idle.push(reader.idle.clone());
            tasks.push(tokio::spawn(reader.run()));
        }
        let org_edits = Arc::new(AtomicU64::new(0));
        Self {
            seats,
            org_edits,
            applied,
            held,
            idle,
            stop,
            tasks: Mutex::new(tasks),
        }
    }

    /// Changes made by the product so far.
    pub fn changes(&self) -> u64 {
        self.seats.iter().map(|seat| seat.tenant.lock().changes).sum()
    }

    /// No reader found anything at its last read.
    pub fn readers_idle(&self) -> bool {
        self.idle.iter().all(|idle| idle.load(Ordering::Relaxed))
    }

    /// Rows of outboxes that wait to be appended.
    pub fn waiting(&self) -> usize {
        self.seats.iter().map(|seat| seat.tenant.lock().waiting()).sum()
    }

    /// Ends all tasks.
    pub async fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for task in tasks {
            // A task that panicked has shown it on stderr; its tenant cannot come to rest and is judged so.
            task.await.unwrap_or_default();
        }
    }
}
