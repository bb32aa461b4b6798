//! `tandem dev`, as loud as it can be, with the reach of product, org and operator.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};

use tandem::store::{RedisView, StoreSettings, TenantView};
use tandem_core::domain::ids::TenantName;

/// Longest wait for something that must happen.
const DEADLINE: Duration = Duration::from_secs(60);
/// Pause between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A running stack.
pub(crate) struct Stack {
    process: Child,
    pub(crate) answer: Value,
    dir: tempfile::TempDir,
    pub(crate) redis: MultiplexedConnection,
    http: reqwest::Client,
    view: RedisView,
    sent: RefCell<String>,
}

/// The command with nothing of this process's settings, but logs of every kind.
pub(crate) fn tandem(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TANDEM_")) {
        command.env_remove(name);
    }
    command
        .args(args)
        .env("RUST_BACKTRACE", "1")
        .env("TANDEM_LOG__LEVEL", "debug")
        .env("TANDEM_LOG__FORMAT", "json")
        .env("TANDEM_SYNC__FRESHNESS", "0s")
        .env("TANDEM_SYNC__COMPACT_AFTER_ENTRIES", "1000");
    command
}

impl Stack {
    /// Starts one with these settings, given as environment variables without their `TANDEM_`.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().display().to_string();
        let said = std::fs::File::create(dir.path().join("dev.err")).unwrap();
        let mut process = tandem(&["dev", "--json", "--stop-with-stdin", "--state-dir", &state])
            .envs(settings.iter().map(|(name, value)| (format!("TANDEM_{name}"), value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(said)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("the stack did not come up: {line}"));
        let store = StoreSettings {
            url: answer["redis_url"].as_str().unwrap().into(),
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(5),
            pool_size: 1,
            record_buckets: 64,
            feed_partitions: 1,
        };
        let client = redis::Client::open(answer["redis_url"].as_str().unwrap()).unwrap();
        // The test waits for what it asks; what is too slow is the engine's to say.
        let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(DEADLINE));
        let redis = client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .unwrap();
        Self {
            process,
            answer,
            dir,
            redis,
            http: reqwest::Client::new(),
            view: RedisView::new(&store, tokio::runtime::Handle::current()).unwrap(),
            sent: RefCell::default(),
        }
    }

    /// A file of the state directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The addresses as they are after restarts.
    pub(crate) fn now(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.file("stack.json")).unwrap()).unwrap()
    }

    pub(crate) fn org(&self, tenant: &str) -> Value {
        let orgs = self.answer["orgs"].as_array().unwrap();
        orgs.iter().find(|org| org["tenant"] == tenant).unwrap().clone()
    }

    /// All that was sent to Redis and to the org.
    pub(crate) fn sent(&self) -> String {
        self.sent.borrow().clone()
    }

    /// One command to Redis.
    pub(crate) async fn ask(&self, command: &[&str]) -> redis::Value {
        self.sent.borrow_mut().extend(command.iter().copied());
        let mut redis = self.redis.clone();
        let mut cmd = redis::cmd(command[0]);
        for arg in &command[1..] {
            cmd.arg(*arg);
        }
        cmd.query_async(&mut redis).await.unwrap()
    }

    /// One call of the simulator's admin port.
    pub(crate) async fn admin(&self, org: &str, call: &str, body: &Value) -> Value {
        let base = self.org(org)["admin"].as_str().unwrap().to_owned();
        let url = format!("{base}/orgs/{org}/{call}");
        self.sent.borrow_mut().push_str(&body.to_string());
        let request = if body.is_null() {
            self.http.get(url)
        } else {
            self.http
                .post(url)
                .body(body.to_string())
                .header("content-type", "application/json")
        };
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{call} {body}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// An edit as a person makes it in Salesforce; the record's id.
    pub(crate) async fn edit(&self, edit: Value) -> String {
        let done = self.admin("acme", "edit", &edit).await;
        done["id"].as_str().unwrap().to_owned()
    }

    /// Everything that goes wrong from now on.
    pub(crate) async fn faults(&self, rules: Value) {
        self.admin("acme", "faults", &json!({ "rules": rules })).await;
    }

    /// How often the first rule struck.
    pub(crate) async fn struck(&self) -> u64 {
        self.admin("acme", "faults", &Value::Null).await["rules"][0]["struck"]
            .as_u64()
            .unwrap()
    }

    /// What the engine answers, whatever the status.
    pub(crate) async fn engine(&self, path: &str) -> String {
        let base = self.now()["http_url"].as_str().unwrap().to_owned();
        self.http
            .get(format!("{base}{path}"))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    }

    /// What Redis holds of a tenant.
    pub(crate) async fn view(&self, tenant: &str) -> TenantView {
        self.view.tenant(&TenantName::new(tenant).unwrap()).await.unwrap()
    }

    /// Kills the engine as a crash would; waits for the next one.
    pub(crate) async fn crash(&self) {
        let before = self.now()["pids"]["engine"][0].as_u64().unwrap();
        let killed = Command::new("sh")
            .args(["-c", &format!("kill -KILL {before}")])
            .status()
            .unwrap();
        assert!(killed.success());
        until("the engine runs again", async || {
            let text = std::fs::read_to_string(self.file("stack.json")).unwrap_or_default();
            let told: Value = serde_json::from_str(&text).unwrap_or_default();
            told["pids"]["engine"][0].as_u64().is_some_and(|pid| pid != before)
        })
        .await;
    }

    /// Ends it in order.
    pub(crate) fn stop(mut self) -> tempfile::TempDir {
        drop(self.process.stdin.take());
        assert!(self.process.wait().unwrap().success());
        self.dir
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !so().await {
        assert!(
            start.elapsed() < DEADLINE,
            "not within {} s: {what}",
            DEADLINE.as_secs()
        );
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}
