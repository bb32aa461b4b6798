//! `/services/data/…`: who calls, what it costs, what goes wrong, and where the call goes.

use std::cell::{RefCell, RefMut};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;

use super::oauth::door;
use super::reply::{self, Reply};
use super::request::Call;
use super::{bulk, collections, composite, meta, query, rows};
use crate::faults::{Cut, Fate, Refused};
use crate::org::{Caller, Manner, Org, RowError, UserIdentity};
use crate::seen::Seen;
use crate::usage::Call as Kind;
use crate::world::{OrgHandle, World};

/// Oldest API version that is served.
const OLDEST_VERSION: u32 = 20;

/// A counted call of a known user.
pub(super) struct Session<'a> {
    pub(super) world: &'a Arc<World>,
    pub(super) org: Arc<OrgHandle>,
    pub(super) user: UserIdentity,
    /// Whole API version, e.g. 67.
    pub(super) version: u32,
    /// `/services/data/v67.0`.
    pub(super) base: String,
    pub(super) call: &'a Call,
    pub(super) fate: Fate,
    /// The number under which it locks rows; 0 when it does not.
    pub(super) request: u64,
    /// The org while a call that is all or nothing has it for itself.
    pub(super) held: Option<&'a dyn Held>,
}

/// An org that a call has for itself.
pub(super) trait Held {
    /// The org; never borrowed twice at once.
    fn borrow(&self) -> RefMut<'_, Org>;
}

impl Held for RefCell<&mut Org> {
    fn borrow(&self) -> RefMut<'_, Org> {
        RefMut::map(self.borrow_mut(), |org| &mut **org)
    }
}

/// The rows of the org, for as long as this lives. Never taken twice at once.
pub(super) enum Rows<'s> {
    Locked(Seen<'s>),
    Held(RefMut<'s, Org>),
}

impl Deref for Rows<'_> {
    type Target = Org;
    fn deref(&self) -> &Org {
        match self {
            Self::Locked(org) => org,
            Self::Held(org) => org,
        }
    }
}

impl DerefMut for Rows<'_> {
    fn deref_mut(&mut self) -> &mut Org {
        match self {
            Self::Locked(org) => org,
            Self::Held(org) => org,
        }
    }
}

impl Session<'_> {
    /// The caller of a row resource: it tells the client's name.
    pub(super) fn caller(&self) -> Caller {
        let options = self.call.header("sforce-call-options").unwrap_or_default();
        let client = options.split([',', ';']).find_map(|o| o.trim().strip_prefix("client="));
        self.with_manner(self.org.caller(&self.user, &format!("{}.0", self.version), client))
    }

    /// What the headers ask for: duplicates to be saved [V:D-DUPHDR], owners to be left alone [V:D-HEADERS].
    fn with_manner(&self, mut caller: Caller) -> Caller {
        let duplicates = self.call.header("sforce-duplicate-rule-header").unwrap_or_default();
        let allowed = |o: &str| o.trim().to_ascii_lowercase().replace(' ', "") == "allowsave=true";
        caller.manner = Manner {
            allow_save: duplicates.split([';', ',']).any(allowed),
            // Without the header, and with a rule's id, the active rules run.
            request: self.request,
            auto_assign: !self
                .call
                .header("sforce-auto-assign")
                .is_some_and(|v| v.trim().eq_ignore_ascii_case("false")),
        };
        caller
    }

    /// The caller of a collection: Salesforce does not list the client's name for these.
    pub(super) fn collection_caller(&self) -> Caller {
        self.with_manner(self.org.caller(&self.user, &format!("{}.0", self.version), None))
    }

    /// The org's rows.
    pub(super) fn rows(&self) -> Rows<'_> {
        match self.held {
            Some(held) => Rows::Held(held.borrow()),
            None => Rows::Locked(self.org.org_as(&self.user.id, self.now())),
        }
    }

    /// Whether a collection's rows are all or none: a call around it forces that [V:D-ALLORNONE].
    pub(super) fn all_or_none(&self, asked: bool) -> bool {
        asked || self.held.is_some()
    }

    /// Seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.world.clock.now()
    }

    /// Which of `rows` rows are refused by a fault.
    pub(super) fn refused(&self, rows: usize) -> Refused {
        self.org.faults().refused(&self.fate, rows)
    }
}

/// Answers one call under `/services/data`.
pub(super) async fn handle(world: &Arc<World>, call: &Call, segments: &[&str]) -> (Reply, Cut) {
    let Some((version, rest)) = segments.split_first() else {
        return (meta::versions(world), Cut::Whole);
    };
    let Some(number) = version_number(world, version) else {
        return (reply::row_error(&RowError::not_found()), Cut::Whole);
    };
    let (org, user) = match authenticate(world, call) {
        Ok(session) => session,
        Err(refusal) => return (refusal, Cut::Whole),
    };
    let fate = org
        .faults()
        .fate(call.method.as_str(), &call.raw_path, world.clock.now_ms());
    if fate.reset {
        return (Reply::empty(503), Cut::Nothing);
    }
    let Some(ticket) = org.running.begin(Instant::now()) else {
        let words = "ConcurrentRequests (Concurrent API Requests) Limit exceeded.";
        return (reply::error(403, "REQUEST_LIMIT_EXCEEDED", words), Cut::Whole);
    };
    if fate.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(fate.delay_ms)).await;
    }
    if let Some(spoilt) = &fate.answer {
        return (reply::spoilt(spoilt), Cut::Whole);
    }
    // A batch is counted by its parts [V:D-BATCH-JA].
    let by_parts = matches!(rest, ["composite", "batch", ..]);
    let allowed = by_parts || org.usage().count(kind(&call.method, rest), world.clock.now_ms());
    let base = format!("/services/data/{version}");
    let write_ms = if call.method == Method::GET {
        0
    } else {
        org.org().write_ms
    };
    let request = if write_ms > 0 { ticket.number() } else { 0 };
    let cut = fate.cut;
    let answer = if allowed {
        let session = Session {
            world,
            org: Arc::clone(&org),
            user,
            version: number,
            base,
            call,
            fate,
            request,
            held: None,
        };
        route(&session, rest)
    } else {
        reply::error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    };
    if request > 0 {
        tokio::time::sleep(Duration::from_millis(write_ms)).await;
        org.org().release(request);
    }
    let info = org.usage().limit_info();
    let answer = answer
        .with("sforce-limit-info", info)
        .with("cache-control", "no-cache,must-revalidate,max-age=0,no-store,private")
        .with("x-content-type-options", "nosniff")
        .with("vary", "Accept-Encoding");
    (answer, cut)
}

fn version_number(world: &World, version: &str) -> Option<u32> {
    let number: u32 = version.strip_prefix('v')?.strip_suffix(".0")?.parse().ok()?;
    (OLDEST_VERSION..=world.newest_version)
        .contains(&number)
        .then_some(number)
}

fn authenticate(world: &World, call: &Call) -> Result<(Arc<OrgHandle>, UserIdentity), Reply> {
    let Some(token) = call.token() else {
        return Err(reply::error(401, "INVALID_AUTH_HEADER", "INVALID_AUTH_HEADER").with("www-authenticate", "Token"));
    };
    door::enter(world, call, token)
}

/// Answers a call inside another one: the caller is known, and nothing is counted.
pub(super) fn inner(outer: &Session<'_>, call: &Call) -> Reply {
    let segments: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let ["services", "data", version, rest @ ..] = segments.as_slice() else {
        return reply::row_error(&RowError::not_found());
    };
    let Some(number) = version_number(outer.world, version) else {
        return reply::row_error(&RowError::not_found());
    };
    let session = Session {
        world: outer.world,
        org: Arc::clone(&outer.org),
        user: outer.user.clone(),
        version: number,
        base: format!("/services/data/{version}"),
        call,
        fate: outer.fate.clone(),
        request: outer.request,
        held: outer.held,
    };
    route(&session, rest)
}

/// What a call is counted as.
pub(super) fn kind(method: &Method, rest: &[&str]) -> Kind {
    match rest {
        ["composite"] | ["composite", "batch" | "graph" | "tree", ..] => Kind::Composite,
        ["query" | "queryAll", ..] => Kind::Query,
        ["sobjects"] | ["sobjects", _, "describe"] => Kind::Describe,
        ["composite", "sobjects"] if method == Method::POST => Kind::CollectionsCreate,
        ["composite", "sobjects"] if method == Method::PATCH => Kind::CollectionsUpdate,
        ["composite", "sobjects"] if method == Method::DELETE => Kind::CollectionsDelete,
        ["composite", "sobjects", _] => Kind::Retrieve,
        ["composite", "sobjects", _, _] => Kind::CollectionsUpsert,
        ["jobs", ..] => Kind::Bulk,
        _ => Kind::Rest,
    }
}

fn route(session: &Session<'_>, rest: &[&str]) -> Reply {
    let method = &session.call.method;
    let answer = match rest {
        [] => Ok(meta::resources(session)),
        ["limits"] => Ok(meta::limits(session)),
        ["limits", "recordCount"] => Ok(meta::record_count(session)),
        ["event", "eventSchema", id] => meta::event_schema(session, meta::EventSchema::Id(id)),
        ["sobjects", event, "eventSchema"] => meta::event_schema(session, meta::EventSchema::Event(event)),
        ["query", rest @ ..] => query::handle(session, rest, false),
        ["queryAll", rest @ ..] => query::handle(session, rest, true),
        ["sobjects"] => meta::describe_global(session),
        ["sobjects", sobject, rest @ ..] => rows::handle(session, sobject, rest),
        ["composite", "sobjects", rest @ ..] => collections::handle(session, rest),
        ["composite", rest @ ..] => composite::handle(session, rest),
        ["jobs", rest @ ..] => bulk::handle(session, rest),
        _ => Err(reply::row_error(&RowError::not_found())),
    };
    let answer = answer.unwrap_or_else(|refusal| refusal);
    if method == Method::HEAD {
        Reply {
            body: String::new(),
            ..answer
        }
    } else {
        answer
    }
}

/// A method that the resource does not have [words from memory].
pub(super) fn method_not_allowed(session: &Session<'_>, allowed: &str) -> Reply {
    let text = format!(
        "HTTP Method '{}' not allowed. Allowed are {allowed}",
        session.call.method
    );
    reply::error(405, "METHOD_NOT_ALLOWED", &text).with("allow", allowed)
}
