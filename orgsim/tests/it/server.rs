//! A running simulator and a client for it.

use orgsim::{Options, Simulator};
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// Newest version in a path.
pub(crate) const V: &str = "/services/data/v67.0";

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// Status and the first error's code.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body[0]["errorCode"].as_str().unwrap_or(""))
    }
}

/// A running simulator.
pub(crate) struct Server {
    pub(crate) simulator: Simulator,
    pub(crate) orgs: Vec<Value>,
    pub(crate) client: reqwest::Client,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        Self::of(Simulator::start(options).await.unwrap())
    }

    pub(crate) fn of(simulator: Simulator) -> Self {
        let orgs = simulator.orgs();
        Self {
            simulator,
            orgs,
            client: reqwest::Client::new(),
        }
    }

    pub(crate) fn token(&self) -> &str {
        self.orgs[0]["access_token"].as_str().unwrap()
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.simulator.http_url());
        self.client
            .request(Method::from_bytes(method.as_bytes()).unwrap(), url)
            .bearer_auth(self.token())
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer {
            status,
            headers,
            body,
            text,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", &format!("{V}{path}"))).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        self.send(self.request(method, &format!("{V}{path}")).json(&body)).await
    }

    pub(crate) async fn query(&self, soql: &str) -> Answer {
        self.send(self.request("GET", &format!("{V}/query")).query(&[("q", soql)]))
            .await
    }

    /// Creates a row that must be accepted; its id.
    pub(crate) async fn create(&self, sobject: &str, fields: Value) -> String {
        let made = self.call("POST", &format!("/sobjects/{sobject}"), fields).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.body["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn admin(&self, method: &str, path: &str, body: Value) -> Answer {
        let url = format!("{}{path}", self.simulator.admin_url());
        let mut request = self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        if !body.is_null() {
            request = request.json(&body);
        }
        self.send(request).await
    }
}
