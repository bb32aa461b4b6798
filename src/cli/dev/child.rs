//! A child process that cannot outlive this one, with its log file.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{ChildStdin, ChildStdout, Command};

use super::DevError;

/// How many last lines of a log are shown.
const TAIL_LINES: usize = 20;
/// How much of a log's end is looked at for them, in bytes.
const TAIL_BYTES: u64 = 16 << 10;
/// Pause between two looks whether it still runs.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// Size at which a log starts again from nothing, in bytes.
const LOG_BYTES_MAX: u64 = 64 << 20;

/// A running child. It stops when its standard input ends, so it is stopped by dropping `input`.
pub(super) struct Child {
    pub(super) name: &'static str,
    process: tokio::process::Child,
    input: Option<ChildStdin>,
    log: PathBuf,
}

impl Child {
    /// Starts a program. What it says goes to `LOGS/NAME.log`; its standard output too, unless `piped`.
    pub(super) fn start(
        name: &'static str,
        mut command: Command,
        logs: &Path,
        piped: bool,
    ) -> Result<(Self, Option<ChildStdout>), DevError> {
        let log = logs.join(format!("{name}.log"));
        let open = || {
            File::options()
                .create(true)
                .append(true)
                .open(&log)
                .map_err(DevError::file(&log))
        };
        // Its own process group: Ctrl-C in a terminal goes to this process only, which stops the others in order.
        command.process_group(0).stdin(Stdio::piped()).stderr(open()?);
        command.stdout(if piped { Stdio::piped() } else { open()?.into() });
        let mut process = command.spawn().map_err(|why| DevError::Start {
            name,
            why: format!("{}: {why}", command.as_std().get_program().display()),
            log: String::new(),
        })?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        Ok((
            Self {
                name,
                process,
                input,
                log,
            },
            output,
        ))
    }

    /// Its process id; 0 after it ended.
    pub(super) fn pid(&self) -> u32 {
        self.process.id().unwrap_or(0)
    }

    /// Waits for its end. Can be dropped and called again.
    pub(super) async fn ended(&mut self) -> End {
        // `wait` would close the input first.
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) => return End::of(status),
                Ok(None) => tokio::time::sleep(LOOK_INTERVAL).await,
                Err(_) => return End::Code(-1),
            }
        }
    }

    /// Asks it to stop and waits; kills it when it takes longer than `grace`.
    pub(super) async fn stop(&mut self, grace: Duration) {
        drop(self.input.take());
        if tokio::time::timeout(grace, self.process.wait()).await.is_err() {
            eprintln!("{} did not stop within {} s and is killed", self.name, grace.as_secs());
            if let Err(why) = self.process.kill().await {
                eprintln!("{} cannot be killed: {why}", self.name);
            }
        }
    }

    /// The error for a child that did not come up.
    pub(super) fn failed(&self, why: impl Into<String>) -> DevError {
        DevError::Start {
            name: self.name,
            why: why.into(),
            log: tail(&self.log),
        }
    }

    /// The error for a child that ended.
    pub(super) fn gone(&self, how: End) -> DevError {
        DevError::Ended {
            name: self.name,
            how,
            log: tail(&self.log),
        }
    }

    /// Begins its log anew when that grew too long.
    pub(super) fn bound_log(&self) {
        let too_long = std::fs::metadata(&self.log).is_ok_and(|about| about.len() > LOG_BYTES_MAX);
        if too_long && let Err(why) = File::options().write(true).truncate(true).open(&self.log) {
            eprintln!("{} cannot be emptied: {why}", self.log.display());
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Code(i32),
    Signal(i32),
}

impl End {
    /// From a status; shells and [`super::guard`] tell a signal as 128 + its number.
    fn of(status: ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        match (status.code(), status.signal()) {
            (Some(code), _) if code > 128 => Self::Signal(code - 128),
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// The end of a log, for messages.
fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n  ");
    if last.is_empty() {
        String::new()
    } else {
        format!("; last lines of {}:\n  {last}", log.display())
    }
}
