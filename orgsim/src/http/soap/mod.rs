//! `/services/Soap/u/{version}` and `/c/{version}`: login, logout, getUserInfo and getServerTimestamp, as clients need them
//! before they turn to the REST API. Faults and members are as several clients' tests have them [F].

mod read;
mod write;

use std::sync::Arc;

use http::Method;

use super::oauth::struck;
use super::reply::{self, Reply};
use super::request::Call;
use crate::oauth::{At, Refusal};
use crate::org::{UserIdentity, format_instant};
use crate::usage::Call as Kind;
use crate::world::{OrgHandle, World};
use read::Request;
use write::{Dialect, answer, client_fault, element, fault};

/// Oldest API version whose SOAP login is served.
const OLDEST_VERSION: u32 = 8;

/// Answers a request; what is behind the version (the org's id) does not matter.
pub(super) fn handle(world: &World, call: &Call, path: &[&str]) -> Reply {
    let (dialect, version) = match path {
        ["u", version, ..] => (Dialect::Partner, *version),
        ["c", version, ..] => (Dialect::Enterprise, *version),
        _ => return reply::html(404, "URL No Longer Exists"),
    };
    if call.method != Method::POST {
        return client_fault("The HTTP method must be POST");
    }
    let number: Option<u32> = version.split('.').next().and_then(|v| v.parse().ok());
    if number.is_none_or(|n| !(OLDEST_VERSION..=world.newest_version).contains(&n)) {
        let text = format!("Invalid Api version specified on URL: {version}");
        return fault(dialect, "UnexpectedErrorFault", "UNSUPPORTED_API_VERSION", &text);
    }
    let request = match read::read(&call.body) {
        Ok(request) => request,
        Err(problem) => return client_fault(&problem),
    };
    let place = Place {
        world,
        dialect,
        version,
    };
    match request.operation.as_str() {
        "login" => place.login(&request).unwrap_or_else(|refusal| refusal),
        "logout" => place.logout(&request).unwrap_or_else(|refusal| refusal),
        "getUserInfo" => place.user_info(&request).unwrap_or_else(|refusal| refusal),
        "getServerTimestamp" => place.timestamp(&request).unwrap_or_else(|refusal| refusal),
        other => client_fault(&format!(
            "No operation available for request {other}, please check the WSDL for the service."
        )),
    }
}

struct Place<'a> {
    world: &'a World,
    dialect: Dialect,
    version: &'a str,
}

impl Place<'_> {
    fn refused(&self, refusal: Refusal) -> Reply {
        let (code, message) = refusal.exception();
        fault(self.dialect, "LoginFault", code, message)
    }

    fn login(&self, request: &Request) -> Result<Reply, Reply> {
        let (world, now_ms) = (self.world, self.world.clock.now_ms());
        let (username, password) = (request.argument("username"), request.argument("password"));
        let (username, password) = (username.unwrap_or_default(), password.unwrap_or_default());
        let org = world.orgs.iter().find(|o| o.access().account(username).is_some());
        let org = org.ok_or_else(|| self.refused(Refusal::AuthenticationFailure))?;
        let mut access = org.access();
        if let Some(rule) = access.switches.strike(At::Soap, None) {
            return Err(match (rule.refusal, &rule.body) {
                (Some(refusal), None) => self.refused(refusal),
                _ => struck(&rule),
            });
        }
        let user = access
            .log_in(username, password, now_ms)
            .map_err(|refusal| self.refused(refusal))?;
        let seconds = access.timeout_ms / 1_000;
        let token = access.plain_token(&user, None, now_ms);
        drop(access);
        org.usage().count(Kind::Token, now_ms);
        let (base, id15) = (world.instance_url(org), &org.identity.org_id[..15]);
        let url = |kind: &str| format!("{base}/services/Soap/{kind}/{}/{id15}", self.version);
        let mut inner = String::from("<result>");
        element(&mut inner, "metadataServerUrl", Some(&url("m")));
        element(&mut inner, "passwordExpired", Some("false"));
        element(&mut inner, "sandbox", Some("false"));
        element(&mut inner, "serverUrl", Some(&url(self.dialect.letter())));
        element(&mut inner, "sessionId", Some(&token));
        element(&mut inner, "userId", Some(&user.id));
        inner.push_str("<userInfo>");
        info(&mut inner, org, &user, seconds);
        inner.push_str("</userInfo></result>");
        Ok(answer(self.dialect, "login", &inner))
    }

    /// The session of the header.
    fn session<'r>(&self, request: &'r Request) -> Result<(Arc<OrgHandle>, UserIdentity, &'r str), Reply> {
        let invalid = || {
            let text = "Invalid Session ID found in SessionHeader: Illegal Session";
            fault(self.dialect, "UnexpectedErrorFault", "INVALID_SESSION_ID", text)
        };
        let token = request.header("sessionId").ok_or_else(invalid)?.trim();
        let org = self.world.org_of_token(token).ok_or_else(invalid)?;
        let mut access = org.access();
        let session = access
            .sessions
            .enter(token, self.world.clock.now_ms())
            .ok_or_else(invalid)?;
        Ok((Arc::clone(org), session.user.clone(), token))
    }

    fn logout(&self, request: &Request) -> Result<Reply, Reply> {
        // jsforce sends its refresh token here when it is to be revoked.
        let refresh_token = request.header("sessionId").unwrap_or_default();
        for org in &self.world.orgs {
            let mut access = org.access();
            if access.families.find(refresh_token).is_some() {
                access.revoke(refresh_token);
                return Ok(answer(self.dialect, "logout", ""));
            }
        }
        let (org, _, token) = self.session(request)?;
        org.access().revoke(token);
        Ok(answer(self.dialect, "logout", ""))
    }

    fn user_info(&self, request: &Request) -> Result<Reply, Reply> {
        let (org, user, _) = self.session(request)?;
        let seconds = org.access().timeout_ms / 1_000;
        let mut inner = String::from("<result>");
        info(&mut inner, &org, &user, seconds);
        inner.push_str("</result>");
        Ok(answer(self.dialect, "getUserInfo", &inner))
    }

    fn timestamp(&self, request: &Request) -> Result<Reply, Reply> {
        self.session(request)?;
        let now = format_instant(self.world.clock.now());
        Ok(answer(
            self.dialect,
            "getServerTimestamp",
            &format!("<result><timestamp>{now}</timestamp></result>"),
        ))
    }
}

/// The members of `userInfo`, in the order of the schema.
fn info(out: &mut String, org: &OrgHandle, user: &UserIdentity, session_seconds: i64) {
    let (first, last) = &user.name;
    let profile = org.org().profile_id();
    let (name, seconds) = (format!("{first} {last}"), session_seconds.to_string());
    for (member, text) in [
        ("accessibilityMode", Some("false")),
        ("chatterExternal", Some("false")),
        ("currencySymbol", Some("$")),
        ("orgAttachmentFileSizeLimit", Some("5242880")),
        ("orgDefaultCurrencyIsoCode", Some("USD")),
        ("orgDefaultCurrencyLocale", Some("en_US")),
        ("orgDisallowHtmlAttachments", Some("false")),
        ("orgHasPersonAccounts", Some("false")),
        ("organizationId", Some(org.identity.org_id.as_str())),
        ("organizationMultiCurrency", Some("false")),
        ("organizationName", Some(org.identity.name.as_str())),
        ("profileId", Some(profile.as_str())),
        ("roleId", None),
        ("sessionSecondsValid", Some(seconds.as_str())),
        ("userDefaultCurrencyIsoCode", None),
        ("userEmail", Some(user.username.as_str())),
        ("userFullName", Some(name.as_str())),
        ("userId", Some(&*user.id)),
        ("userLanguage", Some("en_US")),
        ("userLocale", Some("en_US")),
        ("userName", Some(user.username.as_str())),
        ("userTimeZone", Some("GMT")),
        ("userType", Some("Standard")),
        ("userUiSkin", Some("Theme3")),
    ] {
        element(out, member, text);
    }
}
