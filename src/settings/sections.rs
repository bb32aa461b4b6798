//! The sections that hold for the whole process, with their defaults and bounds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use http::Uri;
use secrecy::{ExposeSecret, SecretString};

use super::address::is_loopback;
use super::model::{Http, Log, LogFormat, Node, Redis, Salesforce, Secrets, Sync};
use super::reader::{Section, as_text};
use super::secret::{Asked, Reading, Vault, key_of};

/// Takes any text.
pub(super) fn any(_: &str) -> Result<(), String> {
    Ok(())
}

fn matches(text: &str, ok: impl Fn(&str) -> bool, allowed: &str) -> Result<(), String> {
    if ok(text) { Ok(()) } else { Err(allowed.to_owned()) }
}

fn small(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

pub(super) fn node(mut section: Section<'_>, base: &Path) -> Node {
    let node = Node {
        name: section.text("name", "", |text| {
            let ok = |t: &str| t.len() <= 63 && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
            matches(
                text,
                ok,
                "allowed are at most 63 letters, digits, '.', '_' and '-'; empty makes one up",
            )
        }),
        state_dir: base.join(section.text("state_dir", ".tandem", |text| {
            matches(text, |t| !t.is_empty(), "allowed is the path of a directory")
        })),
        arbiters: small(section.integer("arbiters", 0, 0..=256, "threads; 0 is one less than there are cores")),
        drain_grace: section.duration("drain_grace", "60s", "0s", "10m"),
        workers: small(section.integer("workers", 8, 1..=256, "batches in flight an arbiter")),
    };
    section.finish();
    node
}

pub(super) fn redis(mut section: Section<'_>, vault: &Vault<'_>) -> Redis {
    let url = redis_url(&mut section, vault);
    let redis = Redis {
        address: without_password(url.expose_secret()),
        url,
        connect_timeout: section.duration("connect_timeout", "2s", "100ms", "1m"),
        response_timeout: section.duration("response_timeout", "5s", "100ms", "1m"),
        pool_size: small(section.integer("pool_size", 8, 1..=256, "connections")),
        event_partitions: u16::try_from(section.integer("event_partitions", 1, 1..=1_024, "streams")).unwrap_or(1),
        sweep_interval: section.duration("sweep_interval", "5s", "100ms", "1m"),
        record_buckets: u32::try_from(section.integer("record_buckets", 64, 1..=1 << 20, "hashes")).unwrap_or(64),
    };
    section.finish();
    redis
}

const REDIS_FORM: &str = "allowed is redis://HOST:PORT/DB, or rediss:// for TLS";

fn redis_url(section: &mut Section<'_>, vault: &Vault<'_>) -> SecretString {
    let node = section.node("url", Some("\"redis://127.0.0.1:6379/0\""));
    let password = vault.secret(
        section,
        &Asked {
            inline: "password",
            file: "password_file",
            variable: None,
            what: "the Redis password",
        },
        false,
    );
    let Some(node) = node else {
        return with_password("redis://127.0.0.1:6379/0", password.as_ref());
    };
    let text = as_text(node).unwrap_or_default();
    let authority = text
        .parse::<Uri>()
        .ok()
        .filter(|uri| matches!(uri.scheme_str(), Some("redis" | "rediss")));
    let Some(authority) = authority.as_ref().and_then(Uri::authority) else {
        // The text may hold a password: it is not repeated.
        section.wrong_secret("url", &node.place, REDIS_FORM);
        return SecretString::from("redis://127.0.0.1:6379/0".to_owned());
    };
    let holds_password = authority
        .as_str()
        .rsplit_once('@')
        .is_some_and(|(user, _)| user.contains(':'));
    if holds_password && !node.is_environment() {
        section.wrong_secret(
            "url",
            &node.place,
            "holds a password, which never stands in the settings: put it into a file and name that with \
             password_file = \"…\", or give the whole URL as TANDEM_REDIS__URL",
        );
    }
    if holds_password {
        SecretString::from(text.to_owned())
    } else {
        with_password(text, password.as_ref())
    }
}

fn with_password(url: &str, password: Option<&SecretString>) -> SecretString {
    let secret = password
        .map(ExposeSecret::expose_secret)
        .filter(|text| !text.is_empty());
    let (Some(secret), Some((scheme, rest))) = (secret, url.split_once("://")) else {
        return SecretString::from(url.to_owned());
    };
    let encoded = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC);
    let full = match rest.split_once('@') {
        Some((user, host)) => format!("{scheme}://{user}:{encoded}@{host}"),
        None => format!("{scheme}://:{encoded}@{rest}"),
    };
    SecretString::from(full)
}

fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    }
}

pub(super) fn http(mut section: Section<'_>) -> Http {
    let listen = section.text("listen", "127.0.0.1:8080", |text| {
        matches(
            text,
            |t| t.parse::<SocketAddr>().is_ok(),
            "allowed is ADDRESS:PORT, e.g. \"127.0.0.1:8080\"; port 0 takes a free one",
        )
    });
    section.finish();
    Http {
        listen: listen
            .parse()
            .unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], 8080))),
    }
}

pub(super) fn log(mut section: Section<'_>) -> Log {
    let words = [("json", LogFormat::Json), ("text", LogFormat::Text)];
    let log = Log {
        format: section.choice("format", "json", &words).unwrap_or(LogFormat::Json),
        level: section.text("level", "info", |text| {
            let ok = |t: &str| tracing_subscriber::EnvFilter::try_new(t).is_ok() && !t.is_empty();
            matches(
                text,
                ok,
                "allowed is error, warn, info, debug or trace, or a list as \"info,tandem::store=debug\"",
            )
        }),
    };
    section.finish();
    log
}

pub(super) fn objects(mut section: Section<'_>) -> String {
    let dir = section.text("dir", "objects", any);
    section.finish();
    dir
}

/// An id of a key: it is part of every sealed blob.
fn is_key_id(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

const KEY_ID_FORM: &str = "allowed are 1 to 32 letters, digits, '.', '_' and '-'";
const KEY_FORM: &str = "is no key: 32 random bytes in base64 are wanted, e.g. from: openssl rand -base64 32";

pub(super) fn secrets(mut section: Section<'_>, vault: &Vault<'_>) -> Secrets {
    let asked = Asked {
        inline: "regional_key",
        file: "regional_key_file",
        variable: None,
        what: "the regional key",
    };
    let mut keys = BTreeMap::new();
    let current = section.text("regional_key_id", "1", |text| matches(text, is_key_id, KEY_ID_FORM));
    if let Some(text) = vault.secret(&mut section, &asked, true)
        && vault.reading == Reading::Full
    {
        match key_of(&text) {
            Some(key) => {
                keys.insert(current.clone(), key);
            }
            None => {
                let place = section.place.clone();
                section.wrong_secret("regional_key", &place, KEY_FORM);
            }
        }
    }
    let mut previous = section.child("previous");
    for (id, node) in previous.chosen() {
        let Some(path) = as_text(node) else {
            previous.wrong(id, node, "allowed is the path of a key file");
            continue;
        };
        if !is_key_id(id) || id == current {
            previous.wrong(
                id,
                node,
                format!("this id is not allowed here: {KEY_ID_FORM}, and not the current key's"),
            );
        } else if vault.reading == Reading::Full
            && let Some(text) = vault.open(&previous, id, &node.place, path)
        {
            match key_of(&text) {
                Some(key) => {
                    keys.insert(id.to_owned(), key);
                }
                None => previous.wrong_secret(id, &node.place, KEY_FORM),
            }
        }
    }
    section.finish();
    Secrets {
        regional_key_id: current,
        regional_keys: keys,
    }
}

pub(super) fn salesforce(mut section: Section<'_>) -> Salesforce {
    let is_version = |t: &str| {
        t.strip_suffix(".0")
            .is_some_and(|n| n.len() == 2 && n.parse::<u16>().is_ok_and(|n| (50..=99).contains(&n)))
    };
    // A name or an address, perhaps with a port; IPv6 in brackets.
    let is_host = |t: &str| {
        let (host, port) = t.rsplit_once(':').filter(|_| !t.ends_with(']')).unwrap_or((t, "1"));
        port.parse::<u16>().is_ok()
            && (is_loopback(host)
                || (host.contains('.') && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b))))
    };
    let hosts = section.list("allow_hosts", Some("[]")).unwrap_or_default();
    let mut allow_hosts = Vec::new();
    for host in &hosts {
        match as_text(host) {
            Some(text) if is_host(text) => allow_hosts.push(text.to_ascii_lowercase()),
            _ => section.wrong(
                "allow_hosts",
                host,
                "allowed are HOST and HOST:PORT, without scheme or path",
            ),
        }
    }
    let salesforce = Salesforce {
        api_version: section.text("api_version", "67.0", |text| {
            matches(text, is_version, "allowed are \"50.0\" to \"99.0\", in quotes")
        }),
        request_limit: section.duration("request_limit", "10m", "1s", "1h"),
        call_timeout: section.duration("call_timeout", "60s", "1s", "10m"),
        connect_timeout: section.duration("connect_timeout", "5s", "100ms", "1m"),
        allow_hosts,
        client_name: section.text("client_name", "tandem", |text| {
            let ok = |t: &str| {
                (1..=32).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
            };
            matches(text, ok, "allowed are 1 to 32 letters, digits, '_' and '-'")
        }),
    };
    section.finish();
    salesforce
}

pub(super) fn sync(mut section: Section<'_>) -> Sync {
    let sync = Sync {
        freshness: section.duration("freshness", "1s", "0s", "5m"),
        batch_rows: small(section.integer("batch_rows", 200, 1..=200, "rows a call; the API takes at most 200")),
        in_flight_batches: small(section.integer("in_flight_batches", 4, 1..=25, "batches a tenant")),
        table_records: small(section.integer("table_records", 50_000, 1_000..=10_000_000, "records a tenant")),
        table_bytes: section.size("table_bytes", "64MiB", "1MiB", "16GiB"),
        compact_after_entries: section.integer("compact_after_entries", 100_000, 1_000..=100_000_000, "entries"),
        compact_after_age: section.duration("compact_after_age", "10m", "1s", "7d"),
    };
    section.finish();
    sync
}
