//! Access tokens of one org: opaque, `{15-character org id}!{secret}`, alive until some time after their last use; or in JWT
//! format, alive until the time that is written in them.

use std::collections::HashMap;
use std::sync::Arc;

use super::family::FamilyId;
use super::scope::Scopes;
use crate::org::{Stream, UserIdentity};

/// Most live tokens of an org; the longest unused one dies for the next.
const MAX_SESSIONS: usize = 10_000;
/// Characters of a token's secret part.
const SECRET_LENGTH: usize = 96;

/// What a token is good for.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Whose it is.
    pub(crate) user: UserIdentity,
    /// The app it was given to; none for SOAP logins.
    pub(crate) client_id: Option<Arc<str>>,
    /// What it opens.
    pub(crate) scopes: Scopes,
    /// The refresh token it came with.
    pub(crate) family: Option<FamilyId>,
    /// Life after the last use, in milliseconds.
    pub(crate) timeout_ms: i64,
    /// When it was given out, in milliseconds since 1970.
    pub(crate) issued_ms: i64,
    /// When it was used last, in milliseconds since 1970.
    pub(crate) used_ms: i64,
    /// Whether use makes it live on; tokens in JWT format end when they say.
    pub(crate) prolonged: bool,
}

impl Session {
    /// When it ends without further use, in milliseconds since 1970.
    #[must_use]
    pub(crate) fn ends_ms(&self) -> i64 {
        let from = if self.prolonged { self.used_ms } else { self.issued_ms };
        from.saturating_add(self.timeout_ms)
    }
}

/// The live access tokens of one org.
#[derive(Debug)]
pub(crate) struct Sessions {
    prefix: String,
    secrets: Stream,
    live: HashMap<String, Session>,
}

impl Sessions {
    /// No tokens yet; `org_id` has 18 characters.
    #[must_use]
    pub(crate) fn new(org_id: &str, secrets: Stream) -> Self {
        Self {
            prefix: org_id.chars().take(15).collect(),
            secrets,
            live: HashMap::new(),
        }
    }

    /// A new opaque token.
    pub(crate) fn issue(&mut self, session: Session) -> String {
        let token = format!("{}!AQ{}", self.prefix, self.secrets.text(SECRET_LENGTH));
        self.adopt(token.clone(), session);
        token
    }

    /// Takes a token that was made elsewhere.
    pub(crate) fn adopt(&mut self, token: String, session: Session) {
        if self.live.len() >= MAX_SESSIONS {
            let oldest = self.live.iter().min_by_key(|(_, s)| s.used_ms).map(|(t, _)| t.clone());
            oldest.and_then(|token| self.live.remove(&token));
        }
        self.live.insert(token, session);
    }

    /// What is behind a live token, without using it.
    pub(crate) fn look(&mut self, token: &str, now_ms: i64) -> Option<&Session> {
        if self.live.get(token)?.ends_ms() < now_ms {
            self.live.remove(token);
        }
        self.live.get(token)
    }

    /// What is behind a live token; using it makes it live on.
    pub(crate) fn enter(&mut self, token: &str, now_ms: i64) -> Option<&Session> {
        self.look(token, now_ms)?;
        let session = self.live.get_mut(token)?;
        session.used_ms = session.used_ms.max(now_ms);
        Some(session)
    }

    /// Ends one token; whether there was one.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        self.live.remove(token).is_some()
    }

    /// Ends all tokens that `which` names.
    pub(crate) fn end_where(&mut self, which: impl Fn(&Session) -> bool) {
        self.live.retain(|_, session| !which(session));
    }
}
