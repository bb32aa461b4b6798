//! One HTTP client a process: limits on time and size, no redirects, and an exact word on how a request ended.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, header};
use tandem_core::engine::call::ApiUsage;

use super::hosts::AllowedHosts;
use super::limit_info;

/// Largest body that is read, in bytes after decompression. A batch of 2,000 rows and the largest describe stay far
/// below it.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long an idle connection is kept.
const IDLE_MAX: Duration = Duration::from_secs(50);
/// Idle connections kept for one host.
const IDLE_PER_HOST: usize = 8;
/// How often a quiet connection is probed.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Longest wait that a `Retry-After` is believed, in seconds.
const RETRY_AFTER_MAX_S: u64 = 86_400;

/// What the HTTP client is built from.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Hosts that may be called.
    pub hosts: AllowedHosts,
    /// Until a connection stands, TLS included.
    pub connect_timeout: Duration,
    /// Until an answer is read to its end.
    pub call_timeout: Duration,
    /// Sent as `Sforce-Call-Options: client=NAME` and as user agent: letters, digits, `_`, `-` and `.`.
    pub client_name: String,
}

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum HttpSetupError {
    /// The client's name has characters that would break a header.
    #[error("salesforce.client_name '{0}' is not allowed: use letters, digits, '_', '-' and '.'")]
    ClientName(String),
    /// TLS or the system's certificates are not usable.
    #[error("the HTTP client could not be built: {0}; are the system's CA certificates installed?")]
    Build(#[from] reqwest::Error),
}

/// The process's HTTP client. Build it inside the I/O runtime.
pub struct Http {
    client: reqwest::Client,
    hosts: AllowedHosts,
    call_timeout: Duration,
    call_options: HeaderValue,
}

/// A request, ready to be sent.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
}

/// An answer that was read to its end.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Bytes,
    pub(super) usage: Option<ApiUsage>,
    pub(super) retry_after: Option<Duration>,
    pub(super) took: Duration,
}

/// A request that got no whole answer.
#[derive(Debug)]
pub(super) struct NoReply {
    /// `false` only when it is certain that the server got nothing of it.
    pub(super) maybe_sent: bool,
    /// The status, when the head of an answer came.
    pub(super) status: u16,
    /// Tandem's code: `CONNECT`, `TIMEOUT`, `RESET`, `TRUNCATED`, `TOO_LARGE`.
    pub(super) code: &'static str,
    /// The client's words, without the URL.
    pub(super) detail: String,
    pub(super) usage: Option<ApiUsage>,
    pub(super) took: Duration,
}

impl Http {
    /// Builds the client. Proxies of the environment are not used: a variable must not send tokens elsewhere.
    pub fn new(settings: &HttpSettings) -> Result<Self, HttpSetupError> {
        let name = &settings.client_name;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if name.is_empty() || name.len() > 80 || !name.bytes().all(plain) {
            return Err(HttpSetupError::ClientName(name.chars().take(80).collect()));
        }
        let call_options = HeaderValue::from_str(&format!("client={name}"))
            .map_err(|_| HttpSetupError::ClientName(name.chars().take(80).collect()))?;
        let client = reqwest::Client::builder()
            .user_agent(name.as_str())
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .gzip(true)
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.call_timeout)
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .tcp_nodelay(true)
            .tcp_keepalive(KEEP_ALIVE)
            .build()?;
        Ok(Self {
            client,
            hosts: settings.hosts.clone(),
            call_timeout: settings.call_timeout,
            call_options,
        })
    }

    /// Hosts that may be called.
    pub fn hosts(&self) -> &AllowedHosts {
        &self.hosts
    }

    /// Until an answer is read to its end.
    pub fn call_timeout(&self) -> Duration {
        self.call_timeout
    }

    /// `client=NAME`, to be sent with data calls.
    pub(super) fn call_options(&self) -> HeaderValue {
        self.call_options.clone()
    }

    /// Sends and reads to the end. `Ok` means that a whole answer came, whatever it says.
    pub(super) async fn send(&self, ask: Ask) -> Result<Reply, NoReply> {
        let began = Instant::now();
        let mut request = self.client.request(ask.method, ask.url).headers(ask.headers);
        request = request.header(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(body) = ask.body {
            request = request.body(body);
        }
        let mut answer = request.send().await.map_err(|e| no_head(e, began.elapsed()))?;

        let status = answer.status().as_u16();
        let text = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok());
        let usage = text("sforce-limit-info").and_then(limit_info::parse);
        let retry_after = text("retry-after")
            .and_then(|t| t.trim().parse().ok())
            .map(|s: u64| Duration::from_secs(s.min(RETRY_AFTER_MAX_S)));

        let broken = |code, detail| NoReply {
            maybe_sent: true,
            status,
            code,
            detail,
            usage,
            took: began.elapsed(),
        };
        let mut body = BytesMut::new();
        loop {
            match answer.chunk().await {
                Ok(Some(part)) if body.len() + part.len() > BODY_BYTES_MAX => {
                    return Err(broken(
                        "TOO_LARGE",
                        format!("the answer is larger than {BODY_BYTES_MAX} bytes"),
                    ));
                }
                Ok(Some(part)) => body.extend_from_slice(&part),
                Ok(None) => break,
                Err(e) if e.is_timeout() => return Err(broken("TIMEOUT", words(e))),
                Err(e) => return Err(broken("TRUNCATED", words(e))),
            }
        }
        Ok(Reply {
            status,
            body: body.freeze(),
            usage,
            retry_after,
            took: began.elapsed(),
        })
    }
}

fn no_head(error: reqwest::Error, took: Duration) -> NoReply {
    // Only two ends are certain: the request could not be made, or no connection was made for it. A pooled connection
    // that had died before the request was written is retried inside the client.
    let (maybe_sent, code) = match &error {
        e if e.is_builder() => (false, "REQUEST"),
        e if e.is_connect() => (false, "CONNECT"),
        e if e.is_timeout() => (true, "TIMEOUT"),
        _ => (true, "RESET"),
    };
    NoReply {
        maybe_sent,
        status: 0,
        code,
        detail: words(error),
        usage: None,
        took,
    }
}

/// The error and its causes, without the URL (it can hold record ids).
fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        let more = inner.to_string();
        if text.len() + more.len() > 300 {
            break;
        }
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = inner.source();
    }
    text
}
