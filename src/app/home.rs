//! Who this node is, kept over restarts in `[node] state_dir`.
//!
//! A node that comes back after a crash is the one that held its leases: with the same nonce it has them at once, and need
//! not wait until they lapse. That is right only while no other process goes by the same identity, so the directory is
//! locked for as long as the process lives; the system lets go of the lock when it ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest file of an identity that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1_024;

/// The directory cannot be this node's.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Somebody else has it.
    #[error("node.state_dir {0}: another node runs with this directory; give each node one of its own")]
    Taken(PathBuf),
    /// It cannot be used.
    #[error("node.state_dir {dir}: {source}; it must be a directory that this process can write")]
    Io {
        /// Which.
        dir: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A node's identity, for as long as it is held.
#[derive(Debug)]
pub struct Home {
    /// Its name among the nodes.
    pub name: Arc<str>,
    /// Names the holder of its leases.
    pub nonce: Arc<str>,
    _lock: File,
}

impl Home {
    /// Takes the directory, makes it where it is missing, and reads who was here; `name` is the configured one, or empty.
    ///
    /// # Errors
    /// When another process holds the directory, or it cannot be written.
    pub fn take(dir: &Path, name: &str) -> Result<Self, HomeError> {
        let io = |source| HomeError::Io {
            dir: dir.to_owned(),
            source,
        };
        std::fs::create_dir_all(dir).map_err(io)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join("node.lock"))
            .map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(HomeError::Taken(dir.to_owned())),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let path = dir.join("node.id");
        let (kept_name, nonce) = match read(&path).map_err(io)? {
            Some(kept) => kept,
            None => {
                let made = make();
                write(&path, &made).map_err(io)?;
                made
            }
        };
        let name = if name.is_empty() { kept_name.as_str() } else { name };
        Ok(Self {
            name: name.into(),
            nonce: nonce.into(),
            _lock: lock,
        })
    }
}

/// Name and nonce of whoever was here; a file that was cut off says nothing.
fn read(path: &Path) -> std::io::Result<Option<(String, String)>> {
    match std::fs::metadata(path) {
        Ok(found) if found.len() <= FILE_BYTES_MAX => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let text = std::fs::read_to_string(path)?;
    let whole = text.ends_with('\n');
    let kept = text.split_once('\n').map(|(name, nonce)| (name, nonce.trim_end()));
    Ok(kept
        .filter(|(name, nonce)| whole && !name.is_empty() && !nonce.is_empty())
        .map(|(name, nonce)| (name.to_owned(), nonce.to_owned())))
}

fn make() -> (String, String) {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let name = format!("{}-{}", host.trim(), uuid::Uuid::new_v4().simple());
    (name, uuid::Uuid::new_v4().to_string())
}

/// Written aside and moved into place: a crash leaves a whole file or none.
fn write(path: &Path, (name, nonce): &(String, String)) -> std::io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = File::create(&aside)?;
    writeln!(file, "{name}\n{nonce}")?;
    file.sync_all()?;
    std::fs::rename(aside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_comes_back_is_the_one_it_was_and_two_at_once_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("a/b");
        let first = Home::take(&state, "").unwrap();
        let refused = Home::take(&state, "").unwrap_err();
        assert!(matches!(&refused, HomeError::Taken(dir) if *dir == state), "{refused}");
        let (name, nonce) = (Arc::clone(&first.name), Arc::clone(&first.nonce));
        drop(first);
        let again = Home::take(&state, "").unwrap();
        assert_eq!((&again.name, &again.nonce), (&name, &nonce));
        drop(again);
        let named = Home::take(&state, "node-1").unwrap();
        assert_eq!((named.name.as_ref(), &named.nonce), ("node-1", &nonce));
    }

    #[test]
    fn a_damaged_identity_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        for damaged in ["", "only-a-name", "name\nhalf-a-non", "\n\n"] {
            std::fs::write(dir.path().join("node.id"), damaged).unwrap();
            let home = Home::take(dir.path(), "").unwrap();
            assert!(home.name.len() > 30 && home.nonce.len() == 36, "{damaged:?}: {home:?}");
        }
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Home::take(&file, "").unwrap_err().to_string();
        assert!(
            error.contains("node.state_dir") && error.contains("must be a directory"),
            "{error}"
        );
    }
}
