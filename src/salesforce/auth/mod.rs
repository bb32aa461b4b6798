//! Logins: how a tenant's org hands out access tokens.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use secrecy::SecretString;
use tandem_core::domain::salesforce_id::SalesforceId;

use super::client::Http;
use super::hosts::{AllowedHosts, HostRefused, Origin};
pub use refusal::{LoginFailure, Refusal};

mod client_credentials;
mod grant;
mod jwt_bearer;
mod refusal;

/// Where tokens come from, below a login host.
const TOKEN_PATH: &str = "/services/oauth2/token";

/// How one tenant logs in.
pub struct Login {
    pub(super) login_url: Origin,
    pub(super) client_id: String,
    pub(super) org_id: Option<SalesforceId>,
    flow: Flow,
}

enum Flow {
    ClientCredentials { client_secret: SecretString },
    JwtBearer(jwt_bearer::Signer),
}

/// A tenant's `org` section cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoginSettingsError {
    /// The login host may not be called.
    #[error("login_url: {0}")]
    Host(#[from] HostRefused),
    /// Client credentials at a shared login host.
    #[error("login_url {0} cannot be used with client credentials: name the org's own my.salesforce.com host")]
    SharedHost(Origin),
    /// The private key does not parse.
    #[error("private_key_file holds no RSA private key in PEM form: {0}")]
    Key(#[from] jsonwebtoken::errors::Error),
    /// The organisation id does not parse.
    #[error("org_id '{0}' is no organisation id: 15 or 18 characters beginning with 00D")]
    OrgId(String),
    /// Something that must be there is empty.
    #[error("{0} is empty")]
    Empty(&'static str),
}

impl Login {
    /// OAuth 2.0 client credentials: the app's run-as user, at the org's own host (contract.md 1.6).
    pub fn client_credentials(
        hosts: &AllowedHosts,
        login_url: &str,
        client_id: &str,
        client_secret: SecretString,
        org_id: Option<&str>,
    ) -> Result<Self, LoginSettingsError> {
        let login_url = hosts.check(login_url)?;
        if ["https://login.salesforce.com", "https://test.salesforce.com"].contains(&login_url.as_str()) {
            return Err(LoginSettingsError::SharedHost(login_url));
        }
        Self::new(login_url, client_id, org_id, Flow::ClientCredentials { client_secret })
    }

    /// OAuth 2.0 JWT bearer: an assertion for `username`, signed with the app's RSA key (contract.md 1.3). `audience` is
    /// `https://login.salesforce.com`, `https://test.salesforce.com` or a site's URL.
    pub fn jwt_bearer(
        hosts: &AllowedHosts,
        login_url: &str,
        client_id: &str,
        username: &str,
        audience: &str,
        private_key_pem: &SecretString,
        org_id: Option<&str>,
    ) -> Result<Self, LoginSettingsError> {
        for (name, value) in [("username", username), ("audience", audience)] {
            if value.is_empty() {
                return Err(LoginSettingsError::Empty(name));
            }
        }
        let signer = jwt_bearer::Signer::new(username, audience, private_key_pem)?;
        Self::new(hosts.check(login_url)?, client_id, org_id, Flow::JwtBearer(signer))
    }

    fn new(login_url: Origin, client_id: &str, org_id: Option<&str>, flow: Flow) -> Result<Self, LoginSettingsError> {
        if client_id.is_empty() {
            return Err(LoginSettingsError::Empty("client_id"));
        }
        let org_id = org_id.map(|text| grant::organisation(text).ok_or(LoginSettingsError::OrgId(text.to_owned())));
        Ok(Self {
            login_url,
            client_id: client_id.to_owned(),
            org_id: org_id.transpose()?,
            flow,
        })
    }

    /// Names the app and user that tokens belong to: a stored token of another one is not used.
    pub(super) fn identity(&self) -> String {
        let user = match &self.flow {
            Flow::ClientCredentials { .. } => "",
            Flow::JwtBearer(signer) => signer.username(),
        };
        format!("{}|{}|{user}", self.login_url, self.client_id)
    }

    /// Asks for a token: one HTTP request.
    pub(super) async fn log_in(&self, http: &Arc<Http>) -> Result<Granted, LoginFailure> {
        let answer = match &self.flow {
            Flow::ClientCredentials { client_secret } => {
                client_credentials::ask(Arc::clone(http), &self.login_url, &self.client_id, client_secret).await?
            }
            Flow::JwtBearer(signer) => signer.ask(http, &self.login_url, &self.client_id).await?,
        };
        grant::check(&answer, http.hosts(), self.org_id)
    }
}

/// A token that may be used.
pub(super) struct Granted {
    pub(super) token: SecretString,
    pub(super) instance_url: Origin,
    pub(super) org_id: SalesforceId,
    /// Milliseconds since 1970 by Salesforce's clock; by ours where the answer has none.
    pub(super) issued_ms: u64,
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}
