//! The engine's settings for a run.

use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine as _;

use super::{Orgs, REQUEST_LIMIT_SECONDS, StackPlan};
use crate::error::LoadError;

/// Settings that all nodes share; a node adds its own folder.
#[derive(Debug)]
pub(super) struct ConfigText {
    shared: String,
}

impl ConfigText {
    /// Writes key and secret files under the run's folder and composes the settings that name them.
    pub(super) fn prepare(plan: &StackPlan<'_>, redis_url: &str, orgs: &Orgs) -> Result<Self, LoadError> {
        let key_file = plan.dir.join("regional.key");
        write(&key_file, &random_key()?)?;
        let mut shared = String::new();
        let objects = plan
            .objects
            .canonicalize()
            .map_err(LoadError::io("finding the declared objects"))?;
        let mut section = |name: &str, lines: &[(&str, String)]| {
            // Writing to a string cannot fail.
            writeln!(shared, "[{name}]").unwrap_or_default();
            for (key, value) in lines {
                writeln!(shared, "{key} = {value}").unwrap_or_default();
            }
        };
        section("redis", &[("url", quoted(redis_url))]);
        section("http", &[("listen", quoted("127.0.0.1:0"))]);
        section("log", &[("format", quoted("json")), ("level", quoted("warn"))]);
        section("objects", &[("dir", quoted(&objects.display().to_string()))]);
        section(
            "secrets",
            &[("regional_key_file", quoted(&key_file.display().to_string()))],
        );
        let limit = quoted(&format!("{REQUEST_LIMIT_SECONDS}s"));
        section(
            "salesforce",
            &[("request_limit", limit), ("allow_hosts", "[\"127.0.0.1\"]".to_owned())],
        );
        for org in &orgs.infos {
            let secret_file = plan.dir.join(format!("{}.secret", org.name));
            write(&secret_file, &org.client_secret)?;
            section(
                &format!("tenants.{}", org.name),
                &[("fence", quoted("strict")), ("receipts", "true".to_owned())],
            );
            section(
                &format!("tenants.{}.org", org.name),
                &[
                    ("flow", quoted("client_credentials")),
                    ("login_url", quoted(&org.login_url)),
                    ("pubsub_url", quoted(&orgs.pubsub_url)),
                    ("client_id", quoted(&org.client_id)),
                    ("client_secret_file", quoted(&secret_file.display().to_string())),
                ],
            );
        }
        Ok(Self { shared })
    }

    /// Writes the settings of one node; its name is `node-N`.
    pub(super) fn write_for(&self, dir: &Path, node: usize) -> Result<PathBuf, LoadError> {
        let state = dir.join(format!("node-{node}"));
        std::fs::create_dir_all(&state).map_err(LoadError::io("making the folder of an engine"))?;
        let path = dir.join(format!("node-{node}.toml"));
        let state = quoted(&state.display().to_string());
        write(
            &path,
            &format!("[node]\nname = \"node-{node}\"\nstate_dir = {state}\n{}", self.shared),
        )?;
        Ok(path)
    }
}

/// 32 random bytes, base64, from the system.
fn random_key() -> Result<String, LoadError> {
    let mut bytes = [0_u8; 32];
    let mut source = std::fs::File::open("/dev/urandom").map_err(LoadError::io("opening /dev/urandom"))?;
    source
        .read_exact(&mut bytes)
        .map_err(LoadError::io("reading /dev/urandom"))?;
    Ok(base64::engine::general_purpose::STANDARD.encode(bytes))
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Writes a file that only its owner may read.
fn write(path: &Path, text: &str) -> Result<(), LoadError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(LoadError::io(format!("writing {}", path.display())))
}
