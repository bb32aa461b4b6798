//! What is written into the state directory: keys, secrets, settings, mappings.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;

use super::DevError;
use super::org::Ready;

/// The shipped mapping, so that the binary works anywhere.
const OBJECTS: [(&str, &str); 3] = [
    ("company.toml", include_str!("../../../config/objects/company.toml")),
    ("contact.toml", include_str!("../../../config/objects/contact.toml")),
    ("deal.toml", include_str!("../../../config/objects/deal.toml")),
];

/// The state directory, held by this process alone.
pub(super) struct StateDir {
    pub(super) path: PathBuf,
    /// The lock goes with the file.
    _lock: File,
}

impl StateDir {
    /// Takes the directory and empties what an earlier stack left in it.
    pub(super) fn take(path: &Path) -> Result<Self, DevError> {
        std::fs::create_dir_all(path).map_err(DevError::file(path))?;
        let path = path.canonicalize().map_err(DevError::file(path))?;
        let lock_path = path.join("lock");
        let lock = File::create(&lock_path).map_err(DevError::file(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(DevError::Busy(path)),
            Err(std::fs::TryLockError::Error(why)) => return Err(DevError::file(&lock_path)(why)),
        }
        let state = Self { path, _lock: lock };
        // Only what a stack writes: a directory given by mistake keeps its files.
        for name in ["redis", "logs", "objects", "secrets", "node"] {
            match std::fs::remove_dir_all(state.at(name)) {
                Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
                    return Err(DevError::file(&state.at(name))(why));
                }
                _ => {}
            }
        }
        state.remove("ready.json")?;
        for name in ["logs", "secrets", "objects"] {
            std::fs::create_dir_all(state.at(name)).map_err(DevError::file(&state.at(name)))?;
        }
        Ok(state)
    }

    /// A path in it.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Removes a file that may not be there.
    pub(super) fn remove(&self, name: &str) -> Result<(), DevError> {
        match std::fs::remove_file(self.at(name)) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(DevError::file(&self.at(name))(why)),
            _ => Ok(()),
        }
    }

    /// Writes a file that only this user can read; whole or not at all, for those who read it meanwhile.
    pub(super) fn private(&self, name: &str, text: &str) -> Result<(), DevError> {
        let draft = format!("{name}.draft");
        self.remove(&draft)?;
        let (path, draft) = (self.at(name), self.at(&draft));
        let open = File::options().write(true).create_new(true).mode(0o600).open(&draft);
        open.and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| std::fs::rename(&draft, &path))
            .map_err(DevError::file(&path))
    }

    /// The object files: those of `own`, or the built-in ones.
    pub(super) fn objects(&self, own: Option<&Path>) -> Result<PathBuf, DevError> {
        if let Some(own) = own {
            return own.canonicalize().map_err(DevError::file(own));
        }
        for (name, text) in OBJECTS {
            let path = self.at("objects").join(name);
            std::fs::write(&path, text).map_err(DevError::file(&path))?;
        }
        Ok(self.at("objects"))
    }

    /// Writes keys, secrets and the settings file.
    pub(super) fn settings(&self, given: &Given<'_>) -> Result<PathBuf, DevError> {
        self.private("secrets/regional-key", &new_key()?)?;
        let mut text = head(given);
        for org in &given.orgs.orgs {
            self.private(&format!("secrets/{}", org.name), &org.client_secret)?;
            text.push_str(&format!(
                "\n[tenants.{name}.org]\nflow = \"client_credentials\"\nlogin_url = {login}\npubsub_url = {pubsub}\n\
                 org_id = {id}\nclient_id = {client}\nclient_secret_file = \"secrets/{name}\"\n",
                name = org.name,
                login = quoted(&org.login_url),
                pubsub = quoted(&given.orgs.pubsub),
                id = quoted(&org.org_id),
                client = quoted(&org.client_id),
            ));
        }
        self.private("tandem.toml", &text)?;
        Ok(self.at("tandem.toml"))
    }
}

/// What the settings file is made of.
pub(super) struct Given<'a> {
    pub(super) redis_url: &'a str,
    pub(super) http_port: u16,
    pub(super) objects: &'a Path,
    pub(super) orgs: &'a Ready,
}

fn head(given: &Given<'_>) -> String {
    format!(
        "# Written by `tandem dev` at each start.\n\
         [node]\nname = \"dev\"\nstate_dir = \"node\"\ndrain_grace = \"5s\"\n\
         [redis]\nurl = {url}\n\
         [http]\nlisten = \"127.0.0.1:{port}\"\n\
         [log]\nformat = \"text\"\n\
         [objects]\ndir = {objects}\n\
         [secrets]\nregional_key_file = \"secrets/regional-key\"\n\
         [salesforce]\n# The simulated orgs.\nallow_hosts = [\"127.0.0.1\"]\n",
        url = quoted(given.redis_url),
        port = given.http_port,
        objects = quoted(&given.objects.display().to_string()),
    )
}

/// Text as a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn new_key() -> Result<String, DevError> {
    let mut key = [0_u8; 32];
    aws_lc_rs::rand::fill(&mut key)
        .map_err(|_| DevError::Missing("the system gives no random numbers: no key can be made".to_owned()))?;
    Ok(base64::engine::general_purpose::STANDARD.encode(key))
}
