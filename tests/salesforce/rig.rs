//! A server that answers what it is told to, byte for byte, and remembers what it was asked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tandem::salesforce::auth::Login;
use tandem::salesforce::client::{Http, HttpSettings};
use tandem::salesforce::hosts::AllowedHosts;
use tandem::salesforce::org::{OrgSettings, PaceSettings, TenantOrg};
use tandem::salesforce::session::SessionKeeper;
use tandem_core::domain::ids::TenantName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::tokens::MemoryTokens;

/// 15- and 18-character form of the stub's organisation.
pub(crate) const ORG: (&str, &str) = ("00D000000000001", "00D000000000001EAA");

/// How the server reacts to one request.
#[derive(Clone)]
pub(crate) enum React {
    /// A whole answer: status, extra header lines, body.
    Say(u16, &'static str, Vec<u8>),
    /// Half of the body that the head promised, then the end of the connection.
    Half(u16, Vec<u8>),
    /// The end of the connection, without a byte.
    Close,
    /// Nothing, until the client leaves.
    Hang,
}

impl React {
    pub(crate) fn json(status: u16, body: impl Into<String>) -> Self {
        Self::Say(
            status,
            "Content-Type: application/json;charset=UTF-8\r\n",
            body.into().into_bytes(),
        )
    }

    pub(crate) fn html(status: u16) -> Self {
        Self::Say(
            status,
            "Content-Type: text/html\r\n",
            b"<html><body><h1>Error</h1></body></html>".to_vec(),
        )
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Seen {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

#[derive(Default)]
struct Script {
    data: VecDeque<React>,
    logins: VecDeque<React>,
    granted: u32,
    seen: Vec<Seen>,
}

pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

impl Stub {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared), format!("http://{address}")));
            }
        });
        Self { address, script }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next data call is answered so.
    pub(crate) fn next(&self, react: React) -> &Self {
        self.script.lock().unwrap().data.push_back(react);
        self
    }

    /// The next login is answered so; without it, logins are granted `…!token1`, `…!token2`, and so on.
    pub(crate) fn next_login(&self, react: React) -> &Self {
        self.script.lock().unwrap().logins.push_back(react);
        self
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.script.lock().unwrap().seen.clone()
    }

    pub(crate) fn logins(&self) -> usize {
        self.seen().iter().filter(|s| s.line.contains("/oauth2/token")).count()
    }

    pub(crate) fn data_calls(&self) -> Vec<Seen> {
        self.seen()
            .into_iter()
            .filter(|s| !s.line.contains("/oauth2/token"))
            .collect()
    }
}

/// A granted token, as recorded orgs answer it.
pub(crate) fn grant(token: &str, instance_url: &str) -> React {
    React::json(
        200,
        format!(
            r#"{{"access_token":"{}!{token}","signature":"c2ln","scope":"api","instance_url":"{instance_url}","id":"https://login.salesforce.com/id/{}/005000000000001AAA","token_type":"Bearer","issued_at":"1278448832702"}}"#,
            ORG.0, ORG.1
        ),
    )
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<Script>>, url: String) {
    let mut buffer = Vec::new();
    while let Some(seen) = request(&mut stream, &mut buffer).await {
        let react = {
            let mut script = script.lock().unwrap();
            let login = seen.line.contains("/services/oauth2/token");
            script.seen.push(seen);
            if login {
                script.granted += 1;
                let token = format!("token{}", script.granted);
                script.logins.pop_front().unwrap_or_else(|| grant(&token, &url))
            } else {
                script
                    .data
                    .pop_front()
                    .unwrap_or_else(|| React::json(400, r#"[{"errorCode":"NOT_SCRIPTED"}]"#))
            }
        };
        let (status, headers, body, sent) = match react {
            React::Say(status, headers, body) => (status, headers, body.clone(), body.len()),
            React::Half(status, body) => (status, "", body.clone(), body.len() / 2),
            React::Close => return,
            React::Hang => {
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await.unwrap_or_default();
                return;
            }
        };
        let head = format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
        let answer = [head.as_bytes(), &body[..sent]].concat();
        stream.write_all(&answer).await.unwrap_or_default();
        if sent < body.len() {
            return;
        }
    }
}

async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let mut seen = Seen {
        line: head.lines().next()?.to_owned(),
        head,
        body: String::new(),
    };
    let length: usize = seen.header("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
    while buffer.len() < end + length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    seen.body = String::from_utf8_lossy(&buffer[end..end + length]).into_owned();
    buffer.drain(..end + length);
    Some(seen)
}

/// Everything that one tenant needs to call the stub.
pub(crate) struct Rig {
    pub(crate) stub: Stub,
    pub(crate) tokens: Arc<MemoryTokens>,
    pub(crate) http: Arc<Http>,
    pub(crate) keeper: Arc<SessionKeeper>,
    pub(crate) org: TenantOrg,
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::with_org_id(None).await
    }

    pub(crate) async fn with_org_id(org_id: Option<&str>) -> Self {
        let stub = Stub::start().await;
        let tokens = Arc::new(MemoryTokens::default());
        let http = http(Duration::from_secs(20));
        let login = client_credentials(&http, &stub.url(), org_id);
        let keeper = Arc::new(SessionKeeper::new(tenant(), login, Arc::clone(&http), tokens.clone()));
        let org = org(&http, &keeper, None);
        Self {
            stub,
            tokens,
            http,
            keeper,
            org,
        }
    }
}

pub(crate) fn tenant() -> TenantName {
    TenantName::new("acme").unwrap()
}

pub(crate) fn http(call_timeout: Duration) -> Arc<Http> {
    let settings = HttpSettings {
        hosts: AllowedHosts::new(["127.0.0.1"]).unwrap(),
        connect_timeout: Duration::from_secs(5),
        call_timeout,
        client_name: "tandem".to_owned(),
    };
    Arc::new(Http::new(&settings).unwrap())
}

pub(crate) fn client_credentials(http: &Http, url: &str, org_id: Option<&str>) -> Login {
    Login::client_credentials(
        http.hosts(),
        url,
        "consumer-key",
        "consumer-secret".to_owned().into(),
        org_id,
    )
    .unwrap()
}

pub(crate) fn org(http: &Arc<Http>, keeper: &Arc<SessionKeeper>, duplicate_rule: Option<&str>) -> TenantOrg {
    let settings = OrgSettings {
        api_version: "67.0".to_owned(),
        pace: PaceSettings::default(),
        duplicate_rule: duplicate_rule.map(str::to_owned),
        sequence_fields: [("Contact".into(), "Tandem_Seq__c".into())].into(),
    };
    TenantOrg::new(Arc::clone(http), Arc::clone(keeper), settings).unwrap()
}
