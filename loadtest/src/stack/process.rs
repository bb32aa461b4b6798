//! Child processes that cannot outlive the run.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::error::LoadError;

/// Time a process has to end after SIGTERM.
const TERM_GRACE: Duration = Duration::from_secs(10);
/// Bytes of a log shown when its process failed.
const TAIL_BYTES: usize = 2_000;

/// Reads `+ pid` and `- pid`; at the end of its input kills the process groups still listed.
const WARDEN: &str = r#"
live=" "
while read -r op pid; do
  case "$op" in
    +) live="$live$pid " ;;
    -) case "$live" in *" $pid "*) live="${live%% $pid *} ${live#* $pid }" ;; esac ;;
  esac
done
for pid in $live; do kill -9 "-$pid" 2>/dev/null; done
"#;

/// A tiny process that watches the run: when the run ends, however it ends, what it started is killed.
#[derive(Debug)]
pub struct Warden {
    child: Mutex<std::process::Child>,
}

impl Warden {
    /// Starts the watcher.
    ///
    /// # Errors
    /// When there is no shell.
    pub fn start() -> Result<Self, LoadError> {
        let child = std::process::Command::new("sh")
            .args(["-c", WARDEN])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(LoadError::io("starting sh to watch over the stack"))?;
        Ok(Self {
            child: Mutex::new(child),
        })
    }

    fn tell(&self, op: char, pid: u32) -> Result<(), LoadError> {
        let mut child = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match child.stdin.as_mut() {
            Some(pipe) => writeln!(pipe, "{op} {pid}").map_err(LoadError::io("telling the watcher about a process")),
            None => Ok(()),
        }
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        drop(child.stdin.take());
        // It ends by itself at the end of its input; waiting leaves no zombie. Its exit code says nothing.
        child.wait().map(drop).unwrap_or_default();
    }
}

/// One child process with its log file.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
    pid: u32,
    warden: Arc<Warden>,
}

impl Process {
    /// Starts a command in a process group of its own. Its errors go to `log`, and so does its output unless
    /// `piped`: then take it with [`Process::take_stdout`].
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(
        name: &str,
        mut command: Command,
        log: &Path,
        piped: bool,
        warden: &Arc<Warden>,
    ) -> Result<Self, LoadError> {
        let open = || {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(log);
            file.map_err(LoadError::io(format!("opening {}", log.display())))
        };
        let stdout = if piped { Stdio::piped() } else { Stdio::from(open()?) };
        command
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(open()?)
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn().map_err(LoadError::io(format!("starting {name}")))?;
        let pid = child.id().unwrap_or_default();
        warden.tell('+', pid)?;
        Ok(Self {
            name: name.to_owned(),
            log: log.to_owned(),
            child,
            pid,
            warden: warden.clone(),
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its output, when it was started `piped`; once.
    pub fn take_stdout(&mut self) -> Option<tokio::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Finds it dead.
    ///
    /// # Errors
    /// When it has ended, with the end of its log.
    pub fn check(&mut self) -> Result<(), LoadError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.failure(&format!("ended with {status}"))),
            Err(error) => Err(self.failure(&format!("cannot be watched: {error}"))),
        }
    }

    /// An error about this process, with the end of its log.
    pub fn failure(&self, what: &str) -> LoadError {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let tail = text.get(text.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default();
        LoadError::Stack(format!(
            "{} {what}; its log ends:\n{}",
            self.name,
            String::from_utf8_lossy(tail)
        ))
    }

    /// `kill -9`, and waits until it is gone.
    pub async fn kill(&mut self) {
        // An error means that it is gone already.
        self.child.kill().await.unwrap_or_default();
        self.warden.tell('-', self.pid).unwrap_or_default();
    }

    /// SIGTERM, some time, then `kill -9`.
    pub async fn terminate(&mut self) {
        let asked = Command::new("kill")
            .arg("-TERM")
            .arg(self.pid.to_string())
            .stderr(Stdio::null())
            .status()
            .await;
        if asked.is_ok_and(|status| status.success()) {
            tokio::time::timeout(TERM_GRACE, self.child.wait())
                .await
                .map(drop)
                .unwrap_or_default();
        }
        self.kill().await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The id of a process that has ended may be given to another: the watcher must forget it.
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            self.warden.tell('-', self.pid).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn gone(pid: u32) -> bool {
        for _ in 0..200 {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if state.is_empty() || state.contains(") Z ") {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        false
    }

    fn sleeper() -> Command {
        let mut command = Command::new("sleep");
        command.arg("300");
        command
    }

    #[tokio::test]
    async fn what_is_still_listed_dies_with_the_watcher_and_what_ended_is_left_alone() {
        let dir = tempfile::tempdir().expect("a scratch folder");
        let warden = Arc::new(Warden::start().expect("a shell"));
        let mut first = Process::spawn("sleep", sleeper(), &dir.path().join("1"), false, &warden).expect("sleep");
        let mut second = Process::spawn("sleep", sleeper(), &dir.path().join("2"), false, &warden).expect("sleep");
        let mut third = Process::spawn("sleep", sleeper(), &dir.path().join("3"), false, &warden).expect("sleep");
        second.kill().await;
        assert!(gone(second.pid()).await);
        assert!(second.check().is_err());
        first.check().expect("still alive");
        drop(warden.child.lock().expect("the watcher").stdin.take());
        assert!(gone(first.pid()).await && gone(third.pid()).await);
        assert!(first.check().is_err() && third.check().is_err());
    }

    #[tokio::test]
    async fn a_dead_process_is_reported_with_the_end_of_its_log() {
        let dir = tempfile::tempdir().expect("a scratch folder");
        let warden = Arc::new(Warden::start().expect("a shell"));
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such tenant >&2; exit 4"]);
        let mut process = Process::spawn("engine", command, &dir.path().join("log"), false, &warden).expect("sh");
        assert!(gone(process.pid()).await);
        let error = process.check().expect_err("it has ended").to_string();
        assert!(error.contains("engine") && error.contains("no such tenant"), "{error}");
    }
}
