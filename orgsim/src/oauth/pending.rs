//! Authorizations under way: what was asked for, between one page and the next.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::scope::Scopes;
use crate::org::Stream;

/// How long a page may be left open, in milliseconds [from memory].
const LIFE_MS: i64 = 15 * 60 * 1_000;
/// Most pages open at once; the oldest ends for the next.
const MAX_PAGES: usize = 10_000;
/// Characters of a page's token.
const LENGTH: usize = 40;

/// A request that passed the checks of the authorize endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The app's key.
    pub(crate) client_id: String,
    /// Where the answer goes; one of the app's.
    pub(crate) redirect_uri: String,
    /// The scopes asked for; none stands for the app's.
    pub(crate) scopes: Option<Scopes>,
    /// Sent back as it came.
    pub(crate) state: Option<String>,
    /// The S256 challenge.
    pub(crate) challenge: Option<String>,
    /// For the id token.
    pub(crate) nonce: Option<String>,
    /// Whether a user who agreed before is asked again.
    pub(crate) ask_again: bool,
    /// User name to begin with.
    pub(crate) login_hint: String,
}

/// What a page waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Page {
    /// User name and password.
    Login(Asked),
    /// The answer of this user of this org.
    Consent {
        /// What was asked for.
        asked: Asked,
        /// 18-character id of the org.
        org_id: String,
        /// Id of the user.
        user: Arc<str>,
    },
}

/// The open pages of a simulator: before the login nobody knows whose org it is.
#[derive(Debug)]
pub(crate) struct Pending {
    pages: HashMap<String, (Page, i64)>,
    order: VecDeque<String>,
    texts: Stream,
}

impl Pending {
    /// None open.
    #[must_use]
    pub(crate) fn new(texts: Stream) -> Self {
        Self {
            pages: HashMap::new(),
            order: VecDeque::new(),
            texts,
        }
    }

    /// Opens a page; its single-use token.
    pub(crate) fn open(&mut self, page: Page, now_ms: i64) -> String {
        if self.order.len() >= MAX_PAGES
            && let Some(oldest) = self.order.pop_front()
        {
            self.pages.remove(&oldest);
        }
        let token = self.texts.text(LENGTH);
        self.order.push_back(token.clone());
        self.pages.insert(token.clone(), (page, now_ms));
        token
    }

    /// What a page waits for; it is closed by that.
    pub(crate) fn take(&mut self, token: &str, now_ms: i64) -> Option<Page> {
        let (page, opened_ms) = self.pages.remove(token)?;
        (now_ms - opened_ms <= LIFE_MS).then_some(page)
    }
}
