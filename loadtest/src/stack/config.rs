//! The engine's settings for a run.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use toml::{Table, Value};

use super::REQUEST_LIMIT_SECONDS;
use crate::error::LoadError;

/// One tenant and the org it is kept in step with.
#[derive(Debug, Clone)]
pub struct TenantOrg {
    /// The tenant's name.
    pub name: String,
    /// Where to log in.
    pub login_url: String,
    /// Where Pub/Sub listens.
    pub pubsub_url: String,
    /// Consumer key of the connected app.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
}

/// The section of settings that are put into every tenant's.
pub const EVERY_TENANT: &str = "every tenant";

/// What the settings are to say.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// Scratch folder of the run: key and secrets go there.
    pub(super) dir: &'a Path,
    /// The declared objects.
    pub(super) objects: &'a Path,
    /// Where Redis listens.
    pub(super) redis_url: &'a str,
    /// All tenants.
    pub(super) tenants: &'a [TenantOrg],
    /// Whether the product gets `applied` events.
    pub(super) receipts: bool,
    /// Settings by section that differ from what is usual here; those of section [`EVERY_TENANT`] are every tenant's.
    pub(super) settings: Table,
}

/// Settings that all nodes share; a node adds its own folder.
#[derive(Debug)]
pub(super) struct ConfigText {
    shared: Table,
}

impl ConfigText {
    /// Writes key and secret files under the run's folder and composes the settings that name them.
    pub(super) fn prepare(wanted: &Wanted<'_>) -> Result<Self, LoadError> {
        let key_file = wanted.dir.join("regional.key");
        write(&key_file, &random_key()?)?;
        let objects = wanted
            .objects
            .canonicalize()
            .map_err(LoadError::io("finding the declared objects"))?;
        let mut shared = Table::new();
        let mut put = |section: &str, key: &str, value: Value| set(&mut shared, section, key, value);
        put("redis", "url", wanted.redis_url.into());
        put("http", "listen", "127.0.0.1:0".into());
        put("log", "format", "json".into());
        put("log", "level", "warn".into());
        put("objects", "dir", path(&objects));
        put("secrets", "regional_key_file", path(&key_file));
        let limit = format!("{REQUEST_LIMIT_SECONDS}s");
        put("salesforce", "request_limit", limit.into());
        put("salesforce", "allow_hosts", vec![Value::from("127.0.0.1")].into());
        for (section, keys) in wanted.settings.iter().filter(|(section, _)| *section != EVERY_TENANT) {
            for (key, value) in keys.as_table().into_iter().flatten() {
                put(section, key, value.clone());
            }
        }
        let every_tenant = wanted.settings.get(EVERY_TENANT).and_then(Value::as_table);
        let every_tenant = every_tenant.cloned().unwrap_or_default();
        let mut secrets = BTreeMap::new();
        for tenant in wanted.tenants {
            let file = match secrets.get(&tenant.client_secret) {
                Some(file) => file,
                None => {
                    let file = wanted.dir.join(format!("{}.secret", tenant.name));
                    write(&file, &tenant.client_secret)?;
                    secrets.entry(&tenant.client_secret).or_insert(file)
                }
            };
            let mut table = tenant_table(tenant, file, wanted.receipts);
            table.extend(every_tenant.clone());
            put("tenants", &tenant.name, table.into());
        }
        Ok(Self { shared })
    }

    /// Writes the settings of one node; its name is `node-N`.
    pub(super) fn write_for(&self, dir: &Path, node: usize) -> Result<PathBuf, LoadError> {
        let state = dir.join(format!("node-{node}"));
        std::fs::create_dir_all(&state).map_err(LoadError::io("making the folder of an engine"))?;
        let file = dir.join(format!("node-{node}.toml"));
        let mut table = self.shared.clone();
        set(&mut table, "node", "name", format!("node-{node}").into());
        set(&mut table, "node", "state_dir", path(&state));
        write(&file, &table.to_string())?;
        Ok(file)
    }
}

fn tenant_table(tenant: &TenantOrg, secret: &Path, receipts: bool) -> Table {
    let mut org = Table::new();
    org.insert("flow".to_owned(), "client_credentials".into());
    org.insert("login_url".to_owned(), tenant.login_url.as_str().into());
    org.insert("pubsub_url".to_owned(), tenant.pubsub_url.as_str().into());
    org.insert("client_id".to_owned(), tenant.client_id.as_str().into());
    org.insert("client_secret_file".to_owned(), path(secret));
    let mut table = Table::new();
    table.insert("fence".to_owned(), "strict".into());
    table.insert("receipts".to_owned(), receipts.into());
    table.insert("org".to_owned(), org.into());
    table
}

/// Sets one key of a section.
fn set(table: &mut Table, section: &str, key: &str, value: Value) {
    let entry = table.entry(section).or_insert_with(|| Table::new().into());
    if let Some(entry) = entry.as_table_mut() {
        entry.insert(key.to_owned(), value);
    }
}

fn path(path: &Path) -> Value {
    path.display().to_string().into()
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
