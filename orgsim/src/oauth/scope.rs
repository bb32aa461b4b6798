//! Sets of OAuth scopes.

use super::refusal::Refusal;

/// The scopes that exist here; the platform has more [V:JSF-OAUTH, V:OIDC for the main ones].
const KNOWN: [&str; 16] = [
    "api",
    "web",
    "full",
    "id",
    "openid",
    "profile",
    "email",
    "address",
    "phone",
    "refresh_token",
    "offline_access",
    "chatter_api",
    "custom_permissions",
    "visualforce",
    "content",
    "cdp_api",
];

/// Scopes in the order they were asked for, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Scopes(Vec<&'static str>);

impl Scopes {
    /// Reads names with blanks between them.
    ///
    /// # Errors
    /// `invalid_scope` for a name that is none.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let mut scopes = Vec::new();
        for word in text.split_whitespace() {
            let name = KNOWN.iter().find(|k| **k == word).ok_or(Refusal::InvalidScope)?;
            if !scopes.contains(name) {
                scopes.push(*name);
            }
        }
        Ok(Self(scopes))
    }

    /// The scopes of a SOAP or UI session: everything.
    #[must_use]
    pub(crate) fn full() -> Self {
        Self(vec!["full"])
    }

    /// Whether this scope is in it by name.
    #[must_use]
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    /// Whether it opens the REST API.
    #[must_use]
    pub(crate) fn api(&self) -> bool {
        self.has("api") || self.has("full")
    }

    /// Whether a refresh token goes with it; the two names mean the same [V:TAP-INIT].
    #[must_use]
    pub(crate) fn offline(&self) -> bool {
        self.has("refresh_token") || self.has("offline_access")
    }

    /// Whether an app with these scopes may give out `asked`; `full` stands for all but the refresh token [from memory].
    #[must_use]
    pub(crate) fn allow(&self, asked: &Self) -> bool {
        asked.0.iter().all(|name| match *name {
            "refresh_token" | "offline_access" => self.offline(),
            name => self.has(name) || self.has("full"),
        })
    }

    /// What flows without a user at the screen get: no refresh token and no id token [from memory].
    #[must_use]
    pub(crate) fn unattended(&self) -> Self {
        let without = ["refresh_token", "offline_access", "openid"];
        Self(self.0.iter().copied().filter(|n| !without.contains(n)).collect())
    }
}

impl std::fmt::Display for Scopes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}
