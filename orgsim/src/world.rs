//! All orgs of one simulator, with everything around their rows: apps, tokens, counts, faults, cursors.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};

use arcstr::ArcStr;
use serde_json::{Value, json};

use crate::bulk::Jobs;
use crate::bus::{Bus, Channel};
use crate::clock::Clock;
use crate::cometd::Clients;
use crate::commit::{Commit, CommitSink, Disturbance};
use crate::cursors::Cursors;
use crate::directory::{Directory, EntityField, EntitySchema};
use crate::faults::Faults;
use crate::oauth::{Access, Pending, SigningKey, jwt_header};
use crate::org::{Caller, Manner, Org, OrgIdentity, Stream, UserIdentity, normalise};
use crate::running::Running;
use crate::schema::{Schema, SchemaProblem, column, standard_schema};
use crate::seen::{Seen, Views};
use crate::simulator::Options;
use crate::usage::Usage;

/// One org and its surroundings. Each part has its own lock; none is held while another is taken, but for the org's own and
/// that of a single bulk job, which is taken before the others.
pub(crate) struct OrgHandle {
    /// Who it is.
    pub(crate) identity: OrgIdentity,
    /// Consumer key of its app.
    pub(crate) client_id: String,
    /// Consumer secret of its app.
    pub(crate) client_secret: String,
    /// Password of its users.
    pub(crate) password: String,
    /// Its requests in work.
    pub(crate) running: Running,
    /// Its objects, and what its users see of them.
    pub(crate) views: Views,
    channels: Mutex<BTreeMap<String, Arc<Channel>>>,
    org: Mutex<Org>,
    access: Mutex<Access>,
    usage: Mutex<Usage>,
    faults: Mutex<Faults>,
    cursors: Mutex<Cursors>,
    jobs: Mutex<Jobs>,
    first_token: OnceLock<String>,
}

/// A panic under a lock is a test's failure already: what the lock guards is used on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OrgHandle {
    fn new(name: &str, schema: &Arc<Schema>, sink: &Arc<dyn CommitSink>, options: &Options, now: i64) -> Self {
        let seed = options.seed;
        let org = Org::new(name, Arc::clone(schema), Arc::clone(sink), seed, options.fence, now);
        let identity = org.identity.clone();
        let jobs = Jobs::new(org.id_space(), options.bulk);
        let mut secrets = Stream::new(seed, &format!("app {name}"));
        let client_id = format!("3MVG9{}", secrets.text(80));
        let client_secret = secrets.text(64).to_uppercase();
        let password = secrets.text(16);
        let access = Access::new(&identity, seed, &client_id, &client_secret, &password);
        let cursors = Cursors::new(Stream::new(seed, &format!("cursors {name}")));
        Self {
            client_id,
            client_secret,
            password,
            identity,
            running: Running::default(),
            views: Views::new(Arc::clone(&org.schema)),
            channels: Mutex::default(),
            org: Mutex::new(org),
            access: Mutex::new(access),
            usage: Mutex::new(Usage::new(options.daily_calls)),
            faults: Mutex::new(Faults::new(Stream::new(seed, &format!("faults {name}")))),
            cursors: Mutex::new(cursors),
            jobs: Mutex::new(jobs),
            first_token: OnceLock::new(),
        }
    }

    /// Its rows, locked.
    pub(crate) fn org(&self) -> MutexGuard<'_, Org> {
        lock(&self.org)
    }

    /// Its rows, locked, with the objects that a user sees; `now` in seconds since 1970.
    pub(crate) fn org_as(&self, user: &str, now: i64) -> Seen<'_> {
        let view = self.views.of(user);
        Seen::new(self.org(), view, now)
    }

    /// Its custom channels by name, locked.
    pub(crate) fn channels(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Channel>>> {
        lock(&self.channels)
    }

    /// Its apps, logins and tokens, locked.
    pub(crate) fn access(&self) -> MutexGuard<'_, Access> {
        lock(&self.access)
    }

    /// Its counts, locked.
    pub(crate) fn usage(&self) -> MutexGuard<'_, Usage> {
        lock(&self.usage)
    }

    /// Its faults, locked.
    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    /// Its query cursors, locked.
    pub(crate) fn cursors(&self) -> MutexGuard<'_, Cursors> {
        lock(&self.cursors)
    }

    /// Its bulk jobs, locked. Each job has a lock of its own: whoever needs both takes that first.
    pub(crate) fn jobs(&self) -> MutexGuard<'_, Jobs> {
        lock(&self.jobs)
    }

    /// A caller through the REST API.
    #[must_use]
    pub(crate) fn caller(&self, user: &UserIdentity, version: &str, client: Option<&str>) -> Caller {
        let client = client.map(|c| format!(";client={c}")).unwrap_or_default();
        let origin = format!("com/salesforce/api/rest/{version}{client}").into();
        Caller {
            user: ArcStr::from(&*user.id),
            bypass: user.bypass,
            origin,
            manner: Manner::default(),
        }
    }

    /// A person in the UI.
    #[must_use]
    pub(crate) fn person(&self, user: &UserIdentity) -> Caller {
        Caller {
            user: ArcStr::from(&*user.id),
            bypass: user.bypass,
            origin: "".into(),
            // The page shows the duplicates, and the person saves all the same.
            manner: Manner {
                allow_save: true,
                ..Manner::default()
            },
        }
    }
}

/// The way from the orgs to the bus, which is made after them because it asks them.
#[derive(Default)]
struct Outlet(RwLock<Option<Arc<dyn CommitSink>>>);

impl Outlet {
    fn set(&self, bus: Option<Arc<dyn CommitSink>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = bus;
    }

    fn with(&self, tell: impl FnOnce(&dyn CommitSink)) {
        if let Some(bus) = &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            tell(&**bus);
        }
    }
}

impl CommitSink for Outlet {
    fn publish(&self, commit: Commit) {
        self.with(|bus| bus.publish(commit));
    }

    fn disturb(&self, org_id: &str, disturbance: Disturbance) {
        self.with(|bus| bus.disturb(org_id, disturbance));
    }
}

/// All orgs of one simulator.
pub(crate) struct World {
    /// The orgs, in the order they were named.
    pub(crate) orgs: Vec<Arc<OrgHandle>>,
    /// Their time.
    pub(crate) clock: Clock,
    /// Newest API version, e.g. 67.
    pub(crate) newest_version: u32,
    outlet: Arc<Outlet>,
    by_id: HashMap<String, usize>,
    base_url: OnceLock<String>,
    pending: Mutex<Pending>,
    cometd: Mutex<Clients>,
    bus: OnceLock<Weak<Bus>>,
    signing_key: OnceLock<Option<SigningKey>>,
}

impl World {
    /// Makes the orgs that the options name.
    ///
    /// # Errors
    /// The first entry of a schema file that makes no sense.
    pub(crate) fn new(options: &Options) -> Result<Self, SchemaProblem> {
        let outlet = Arc::new(Outlet::default());
        let sink: Arc<dyn CommitSink> = outlet.clone();
        let clock = Clock::new(options.stopped_at_ms);
        let mut files = options.schema.iter();
        let schema = Arc::new(files.try_fold(standard_schema(), |schema, file| file.extend(schema))?);
        let orgs: Vec<_> = options
            .orgs
            .iter()
            .map(|name| Arc::new(OrgHandle::new(name, &schema, &sink, options, clock.now())))
            .collect();
        let by_id = orgs
            .iter()
            .enumerate()
            .map(|(i, o)| (o.identity.org_id.clone(), i))
            .collect();
        let newest_version = options
            .api_version
            .split('.')
            .next()
            .and_then(|v| v.parse().ok())
            .unwrap_or(67);
        Ok(Self {
            orgs,
            clock,
            newest_version,
            outlet,
            by_id,
            base_url: OnceLock::new(),
            cometd: Mutex::new(Clients::new(Stream::new(options.seed, "cometd"))),
            bus: OnceLock::new(),
            pending: Mutex::new(Pending::new(Stream::new(options.seed, "login pages"))),
            signing_key: OnceLock::new(),
        })
    }

    /// Connects the bus, or ends the connection: bus and world hold each other.
    pub(crate) fn connect(&self, bus: Option<Arc<dyn CommitSink>>) {
        self.outlet.set(bus);
    }

    /// Disturbs the delivery of an org's events.
    pub(crate) fn disturb(&self, org_id: &str, disturbance: Disturbance) {
        self.outlet.disturb(org_id, disturbance);
    }

    /// Sets where the HTTP port is reached; the first call counts.
    pub(crate) fn set_base_url(&self, url: String) {
        self.base_url.get_or_init(|| url);
    }

    /// Where the HTTP port is reached; without a path.
    #[must_use]
    pub(crate) fn base_url(&self) -> &str {
        self.base_url.get().map_or("", String::as_str)
    }

    /// The org with this 15- or 18-character id.
    #[must_use]
    pub(crate) fn by_id(&self, org_id: &str) -> Option<&Arc<OrgHandle>> {
        self.orgs.get(*self.by_id.get(&normalise(org_id)?)?)
    }

    /// The org with this name or id.
    #[must_use]
    pub(crate) fn find(&self, name: &str) -> Option<&Arc<OrgHandle>> {
        self.orgs
            .iter()
            .find(|o| o.identity.name == name)
            .or_else(|| self.by_id(name))
    }

    /// The CometD clients, locked.
    pub(crate) fn cometd(&self) -> MutexGuard<'_, Clients> {
        lock(&self.cometd)
    }

    /// Says which bus hears the commits; the first call counts.
    pub(crate) fn set_bus(&self, bus: &Arc<Bus>) {
        self.bus.get_or_init(|| Arc::downgrade(bus));
    }

    /// The bus, where there is one and it lives.
    pub(crate) fn bus(&self) -> Option<Arc<Bus>> {
        self.bus.get()?.upgrade()
    }

    /// The open login and consent pages, locked.
    pub(crate) fn pending(&self) -> MutexGuard<'_, Pending> {
        lock(&self.pending)
    }

    /// The key that signs tokens, made when it is first needed.
    pub(crate) fn signing_key(&self) -> Option<&SigningKey> {
        self.signing_key.get_or_init(SigningKey::generate).as_ref()
    }

    /// Where the REST API of an org is reached; without a path.
    #[must_use]
    pub(crate) fn instance_url(&self, org: &OrgHandle) -> String {
        let moved = org.access().instance_url.clone();
        moved.unwrap_or_else(|| self.base_url().to_owned())
    }

    /// The org whose access token this is or was.
    #[must_use]
    pub(crate) fn org_of_token(&self, token: &str) -> Option<&Arc<OrgHandle>> {
        match token.split_once('!') {
            Some((org_id, _)) => self.by_id(org_id),
            None => self.by_id(jwt_header(token)?.get("tnk")?.as_str()?.rsplit('/').next()?),
        }
    }

    /// The `orgs` array of the ready line: how to reach and log in to each org.
    #[must_use]
    pub(crate) fn describe_orgs(&self) -> Vec<Value> {
        self.orgs
            .iter()
            .map(|org| {
                let user = &org.identity.integration;
                let token = org
                    .first_token
                    .get_or_init(|| org.access().plain_token(user, Some(org.client_id.as_str().into()), self.clock.now_ms()));
                json!({
                    "name": org.identity.name, "org_id": org.identity.org_id, "login_url": self.base_url(),
                    "instance_url": self.instance_url(org), "client_id": org.client_id, "client_secret": org.client_secret,
                    "username": user.username, "password": org.password, "user_id": *user.id, "access_token": token,
                })
            })
            .collect()
    }
}

impl Directory for World {
    fn authorise(&self, org_id: &str, token: &str) -> Option<String> {
        let org = self.by_id(org_id)?;
        let mut access = org.access();
        let session = access.sessions.enter(token, self.clock.now_ms())?;
        session.scopes.api().then(|| org.identity.org_id.clone())
    }

    fn entity(&self, org_id: &str, entity: &str) -> Option<EntitySchema> {
        // The bus may ask while an org is locked: only what needs no lock is looked at.
        let schema = self.by_id(org_id)?.views.full();
        let sobject = &schema.sobjects[schema.place(entity)?];
        let fields = sobject
            .kept()
            .map(|place| (place, &sobject.fields[place]))
            .map(|(place, f)| EntityField {
                name: f.name.to_string(),
                sf_type: f.kind.name().to_owned(),
                custom_field_id: f.custom_id.clone(),
                compound: f.compound.map(str::to_owned),
                place,
            })
            .collect();
        Some(EntitySchema {
            name: sobject.name.to_string(),
            fields,
        })
    }

    fn user(&self, org_id: &str, token: &str) -> Option<Arc<str>> {
        let mut access = self.by_id(org_id)?.access();
        let session = access.sessions.enter(token, self.clock.now_ms())?;
        Some(Arc::clone(&session.user.id))
    }

    fn may_receive(&self, org_id: &str, user: &str, entity: &str) -> bool {
        let Some(org) = self.by_id(org_id) else { return false };
        let permissions = org.views.permissions(user);
        permissions
            .get(entity)
            .is_none_or(|access| access.read && access.view_all)
    }

    fn hidden(&self, org_id: &str, user: &str, entity: &str) -> Vec<usize> {
        let Some(seen) = self.by_id(org_id).and_then(|org| org.views.of(user)) else {
            return Vec::new();
        };
        let object = seen.sobjects.iter().find(|sobject| *sobject.name == *entity);
        let own = object
            .into_iter()
            .flat_map(|object| object.fields.iter().enumerate().skip(column::FIRST_OWN));
        own.filter(|(_, field)| field.hidden).map(|(place, _)| place).collect()
    }

    fn channel(&self, org_id: &str, name: &str) -> Option<Arc<Channel>> {
        self.by_id(org_id)?.channels().get(name).cloned()
    }

    fn captured(&self, org_id: &str) -> Vec<String> {
        let Some(org) = self.by_id(org_id) else {
            return Vec::new();
        };
        org.views
            .full()
            .sobjects
            .iter()
            .filter(|s| s.captured)
            .map(|s| s.name.to_string())
            .collect()
    }
}
