//! The folder of a run.

use std::path::PathBuf;

use crate::error::LoadError;
use crate::report::say;

/// The folder of a run: removed at its end unless it is to be kept.
#[derive(Debug)]
pub enum Scratch {
    /// Goes with the run.
    Temporary(std::cell::RefCell<Option<tempfile::TempDir>>, PathBuf),
    /// Stays.
    Kept(PathBuf),
}

impl Scratch {
    /// A new folder: this one, which must not exist, or a temporary one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(keep: Option<&std::path::Path>) -> Result<Self, LoadError> {
        match keep {
            Some(path) => {
                std::fs::create_dir_all(path.parent().unwrap_or(path)).map_err(LoadError::io("making --keep"))?;
                std::fs::create_dir(path).map_err(LoadError::io(format!("making {}", path.display())))?;
                Ok(Self::Kept(
                    path.canonicalize().map_err(LoadError::io("finding --keep"))?,
                ))
            }
            None => {
                let dir = tempfile::Builder::new().prefix("tandem-load-").tempdir();
                let dir = dir.map_err(LoadError::io("making a temporary folder"))?;
                let path = dir.path().to_owned();
                Ok(Self::Temporary(std::cell::RefCell::new(Some(dir)), path))
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &std::path::Path {
        match self {
            Self::Temporary(_, path) | Self::Kept(path) => path,
        }
    }

    /// Leaves a temporary folder behind, for a run that failed or was found wrong.
    pub fn keep(&self) {
        if let Self::Temporary(dir, path) = self {
            if let Some(dir) = dir.borrow_mut().take() {
                drop(dir.keep());
            }
            say(&format!("the files of the run are left in {}", path.display()));
        }
    }
}
