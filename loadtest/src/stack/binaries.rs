//! The programs of the stack: given, found, or built.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::error::LoadError;

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// The engine.
    pub tandem: PathBuf,
    /// The simulated org.
    pub orgsim: PathBuf,
}

impl Binaries {
    /// Finds the programs in `dir`, or beside this program, or in the target folder; builds them when they are missing
    /// there, or when asked to. `sabotaged` takes the engine that has deliberate faults built in.
    ///
    /// # Errors
    /// When they are not in a given folder, or cannot be built.
    pub async fn find(dir: Option<&Path>, build: bool, sabotaged: bool) -> Result<Self, LoadError> {
        if let Some(dir) = dir {
            let found = Self::at(dir, sabotaged);
            return match found.missing() {
                None => Ok(found),
                Some(path) => Err(LoadError::Usage(format!("--bin-dir: there is no {}", path.display()))),
            };
        }
        let found = Self::at(&release_dir(), sabotaged);
        if build || found.missing().is_some() {
            self::build(sabotaged).await?;
        }
        match found.missing() {
            None => Ok(found),
            Some(path) => Err(LoadError::Stack(format!("the build made no {}", path.display()))),
        }
    }

    fn at(dir: &Path, sabotaged: bool) -> Self {
        Self {
            tandem: dir.join(if sabotaged { "tandem-sabotaged" } else { "tandem" }),
            orgsim: dir.join("orgsim"),
        }
    }

    fn missing(&self) -> Option<&Path> {
        [&self.tandem, &self.orgsim]
            .into_iter()
            .find(|path| !path.is_file())
            .map(PathBuf::as_path)
    }
}

/// The root of the workspace that this program was built from.
pub fn repository() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

fn release_dir() -> PathBuf {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|exe| exe.parent().map(Path::to_owned));
    if let Some(beside) = beside.filter(|dir| dir.ends_with("release")) {
        return beside;
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    target.join("release")
}

async fn build(sabotaged: bool) -> Result<(), LoadError> {
    let engine: &[&str] = if sabotaged {
        &["--bin", "tandem-sabotaged", "--features", "tandem/sabotage"]
    } else {
        &["--bin", "tandem"]
    };
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["build", "--release", "-p", "tandem", "-p", "orgsim", "--bin", "orgsim"])
        .args(engine)
        .current_dir(repository())
        .kill_on_drop(true);
    let status = command.status().await.map_err(LoadError::io("starting cargo"))?;
    if status.success() {
        Ok(())
    } else {
        Err(LoadError::Stack(format!("cargo build ended with {status}")))
    }
}
