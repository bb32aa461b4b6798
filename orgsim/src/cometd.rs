//! CometD clients of all orgs: who they are, what they listen to, and when they are forgotten. No I/O.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::bus::Ear;
use crate::org::Stream;

/// Most clients at once [V: Platform Events guide; 2,000 of large orgs].
const MAX_CLIENTS: usize = 2_000;
/// A client that does not connect for so long is forgotten [V:S20].
const RECONNECT: Duration = Duration::from_secs(40);
/// Most channels of one client [from memory].
pub(crate) const MAX_CHANNELS: usize = 100;

/// One client.
pub(crate) struct Client {
    /// 18-character ids of its org and user.
    pub(crate) org: String,
    pub(crate) user: Arc<str>,
    /// What it listens to, by the channels' names.
    pub(crate) ears: BTreeMap<String, Ear>,
    /// Whether it connected once: the first connect is answered at once.
    pub(crate) connected: bool,
    /// Requests that are waiting for events; while there is one, the client is not forgotten.
    pub(crate) waiting: usize,
    seen: Instant,
}

/// All clients.
pub(crate) struct Clients {
    by_id: HashMap<String, Client>,
    ids: Stream,
}

impl Clients {
    pub(crate) fn new(ids: Stream) -> Self {
        Self {
            by_id: HashMap::new(),
            ids,
        }
    }

    /// A new client's id; None when there are too many.
    pub(crate) fn add(&mut self, org: String, user: Arc<str>, now: Instant) -> Option<String> {
        self.by_id.retain(|_, client| client.lives(now));
        if self.by_id.len() >= MAX_CLIENTS {
            return None;
        }
        let id = self.ids.text(30);
        let client = Client {
            org,
            user,
            ears: BTreeMap::new(),
            connected: false,
            waiting: 0,
            seen: now,
        };
        self.by_id.insert(id.clone(), client);
        Some(id)
    }

    /// The client with this id, seen now; None when it is unknown or was forgotten.
    pub(crate) fn get(&mut self, id: &str, now: Instant) -> Option<&mut Client> {
        let client = self.by_id.get_mut(id).filter(|client| client.lives(now))?;
        client.seen = now;
        Some(client)
    }

    /// Forgets a client.
    pub(crate) fn remove(&mut self, id: &str) {
        self.by_id.remove(id);
    }
}

impl Client {
    fn lives(&self, now: Instant) -> bool {
        self.waiting > 0 || now.saturating_duration_since(self.seen) <= RECONNECT
    }
}
