//! Access tokens of one org: opaque, `{15-character org id}!{secret}`, alive for two hours after their last use.

use std::collections::HashMap;

use crate::org::{Stream, UserIdentity};

/// Life of an unused token in milliseconds: the default session timeout of an org [from memory].
const TIMEOUT_MS: i64 = 2 * 60 * 60 * 1_000;
/// Most live tokens of an org; the longest unused one dies for the next.
const MAX_SESSIONS: usize = 10_000;
/// Characters of a token's secret part.
const SECRET_LENGTH: usize = 96;

#[derive(Debug)]
struct Session {
    user: UserIdentity,
    used_ms: i64,
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

    /// A new token of a user.
    pub(crate) fn issue(&mut self, user: &UserIdentity, now_ms: i64) -> String {
        if self.live.len() >= MAX_SESSIONS {
            let oldest = self.live.iter().min_by_key(|(_, s)| s.used_ms).map(|(t, _)| t.clone());
            oldest.and_then(|token| self.live.remove(&token));
        }
        let token = format!("{}!AQ{}", self.prefix, self.secrets.text(SECRET_LENGTH));
        self.live.insert(
            token.clone(),
            Session {
                user: user.clone(),
                used_ms: now_ms,
            },
        );
        token
    }

    /// The user of a live token; using it makes it live on.
    pub(crate) fn user(&mut self, token: &str, now_ms: i64) -> Option<UserIdentity> {
        let session = self.live.get_mut(token)?;
        if now_ms - session.used_ms > TIMEOUT_MS {
            self.live.remove(token);
            return None;
        }
        session.used_ms = session.used_ms.max(now_ms);
        Some(session.user.clone())
    }

    /// Ends one token; whether there was one.
    pub(crate) fn revoke(&mut self, token: &str) -> bool {
        self.live.remove(token).is_some()
    }

    /// Ends all tokens.
    pub(crate) fn expire_all(&mut self) {
        self.live.clear();
    }
}
