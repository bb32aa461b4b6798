//! Which hosts may be dialled with a tenant's token.
//!
//! `instance_url` comes out of an answer and is then called with a bearer token, so it is untrusted input
//! (contract.md 1.1). A URL is taken apart here by hand and strictly; whatever is unusual is refused.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Domains of Salesforce: a host must be a real sub-domain of one of them (contract.md 1.1).
const SUFFIXES: [&str; 6] = [
    "salesforce.com",
    "force.com",
    "cloudforce.com",
    "crmforce.mil",
    "my.salesforce.mil",
    "sfcrmproducts.cn",
];

/// Answers API calls with redirects, never with data (contract.md 1.1).
const LIGHTNING: &str = "lightning.force.com";

/// Longest URL that is looked at, in bytes.
const URL_BYTES_MAX: usize = 300;
/// Longest host name (RFC 1035), in bytes.
const HOST_BYTES_MAX: usize = 253;
/// Longest label of a host name (RFC 1035), in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// The port of `https`.
const HTTPS_PORT: u16 = 443;
/// The Pub/Sub API's other port (change-events.md 1).
const PUBSUB_PORT: u16 = 7443;

/// Scheme, host and port of an allowed URL, without a trailing slash: `https://acme.my.salesforce.com`.
///
/// Only [`AllowedHosts`] makes one, so holding one means that it was checked.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin(Arc<str>);

impl Origin {
    /// As text; a path that begins with `/` can be appended.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether calls go over TLS; without it the host is a loopback one that the settings name.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A URL that is not dialled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{shown}' is not called: {why}; a host that is not Salesforce's own must be named in salesforce.allow_hosts")]
pub struct HostRefused {
    /// The beginning of the URL, control characters replaced, what stands before an `@` left out.
    pub shown: String,
    /// The rule it breaks.
    pub why: &'static str,
}

/// An entry of `salesforce.allow_hosts` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "salesforce.allow_hosts: '{entry}' is no host: {why}; write a host name or host:port, without a scheme or path"
)]
pub struct InvalidAllowedHost {
    /// The entry.
    pub entry: String,
    /// What is wrong.
    pub why: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Extra {
    host: String,
    port: Option<u16>,
    loopback: bool,
}

/// Salesforce's own domains and what the settings add.
#[derive(Debug, Clone, Default)]
pub struct AllowedHosts {
    extra: Vec<Extra>,
}

impl AllowedHosts {
    /// Takes `salesforce.allow_hosts`: host names, each with an optional port. Loopback hosts named there may be called
    /// without TLS and, when no port is given, at any port; all others with TLS at the given port or 443.
    pub fn new<S: AsRef<str>>(extra: impl IntoIterator<Item = S>) -> Result<Self, InvalidAllowedHost> {
        let extra = extra
            .into_iter()
            .map(|entry| {
                let entry = entry.as_ref();
                let refuse = |why| InvalidAllowedHost {
                    entry: shown(entry),
                    why,
                };
                let (host, port) = split_port(entry).map_err(refuse)?;
                let host = host_name(host).map_err(refuse)?;
                Ok(Extra {
                    loopback: is_loopback(&host),
                    host,
                    port,
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { extra })
    }

    /// Checks a login or instance URL.
    pub fn check(&self, url: &str) -> Result<Origin, HostRefused> {
        self.check_ports(url, &[HTTPS_PORT])
    }

    /// Checks the URL of a Pub/Sub API, which also lives at port 7443.
    pub fn check_pubsub(&self, url: &str) -> Result<Origin, HostRefused> {
        self.check_ports(url, &[HTTPS_PORT, PUBSUB_PORT])
    }

    fn check_ports(&self, url: &str, ports: &[u16]) -> Result<Origin, HostRefused> {
        self.parse(url, ports)
            .map_err(|why| HostRefused { shown: shown(url), why })
    }

    fn parse(&self, url: &str, ports: &[u16]) -> Result<Origin, &'static str> {
        if url.len() > URL_BYTES_MAX {
            return Err("it is too long");
        }
        if !url.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("it has blanks, control characters or letters beyond ASCII");
        }
        let (tls, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err("it begins with neither https:// nor http://"),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains('@') {
            return Err("it has a user name or password");
        }
        if authority.contains(['/', '\\', '?', '#', '%', ';', ',']) {
            return Err("it has a path, a query or escapes");
        }
        let (host, port) = split_port(authority)?;
        let host = host_name(host)?;
        self.permit(&host, port, tls, ports)?;

        let origin = match (port, tls) {
            (Some(HTTPS_PORT), true) | (None, _) => format!("{}://{host}", if tls { "https" } else { "http" }),
            (Some(port), _) => format!("{}://{host}:{port}", if tls { "https" } else { "http" }),
        };
        // The HTTP client reads the text with its own parser: both must see the same host.
        let seen = reqwest::Url::parse(&origin).map_err(|_| "it is no URL")?;
        if seen.host_str() != Some(host.as_str()) {
            return Err("its host is ambiguous");
        }
        Ok(Origin(origin.into()))
    }

    fn permit(&self, host: &str, port: Option<u16>, tls: bool, ports: &[u16]) -> Result<(), &'static str> {
        let own = is_salesforce(host);
        if own && (host == LIGHTNING || is_below(host, LIGHTNING)) {
            return Err("Lightning hosts answer no API calls; use the org's my.salesforce.com host");
        }
        if own && tls && ports.contains(&port.unwrap_or(HTTPS_PORT)) {
            return Ok(());
        }
        let named = self.extra.iter().filter(|e| e.host == host);
        let fits = |e: &Extra| match (e.loopback, e.port) {
            (true, None) => true,
            (true, Some(allowed)) => port.unwrap_or(if tls { HTTPS_PORT } else { 80 }) == allowed,
            (false, allowed) => tls && port.unwrap_or(HTTPS_PORT) == allowed.unwrap_or(HTTPS_PORT),
        };
        let mut known = own;
        for extra in named {
            known = true;
            if fits(extra) {
                return Ok(());
            }
        }
        match (known, tls) {
            (false, _) => Err("its host is not Salesforce's"),
            (true, false) => Err("it is not https"),
            (true, true) => Err("its port is not allowed"),
        }
    }
}

/// Splits `host:port`; the host may be an IPv6 address in brackets.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let (host, port) = match authority.rfind(']') {
        Some(end) => {
            let (host, rest) = authority.split_at(end + 1);
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err("its host has a stray bracket"),
            }
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let Some(port) = port else { return Ok((host, None)) };
    let digits = (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0');
    match port.parse::<u16>() {
        Ok(number) if digits => Ok((host, Some(number))),
        _ => Err("its port is no number from 1 to 65535"),
    }
}

/// Checks a host name, an IPv4 address or an IPv6 address in brackets; gives it back in lower case.
fn host_name(host: &str) -> Result<String, &'static str> {
    let lower = host.to_ascii_lowercase();
    if let Some(inner) = lower.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        let address: Ipv6Addr = inner.parse().map_err(|_| "its host is no IPv6 address")?;
        return Ok(format!("[{address}]"));
    }
    if lower.is_empty() || lower.len() > HOST_BYTES_MAX {
        return Err("its host is empty or too long");
    }
    let label = |l: &str| {
        (1..=LABEL_BYTES_MAX).contains(&l.len())
            && l.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    if !lower.split('.').all(label) {
        return Err("its host is not made of plain labels");
    }
    let numeric = lower
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()) || last.strip_prefix("0x").is_some());
    if numeric && lower.parse::<Ipv4Addr>().is_err() {
        return Err("its host is a disguised address");
    }
    Ok(lower)
}

fn is_salesforce(host: &str) -> bool {
    SUFFIXES.iter().any(|suffix| is_below(host, suffix))
}

/// Whether `host` has at least one label more than `suffix` and ends in all of its labels.
fn is_below(host: &str, suffix: &str) -> bool {
    host.strip_suffix(suffix)
        .is_some_and(|head| head.len() > 1 && head.ends_with('.'))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|a| a.is_loopback())
}

/// Enough of a URL to find it, without what may be a password.
fn shown(url: &str) -> String {
    let tail = url.rsplit('@').next().unwrap_or_default();
    tail.chars()
        .take(80)
        .map(|c| if c.is_ascii_graphic() { c } else { '\u{fffd}' })
        .collect()
}
