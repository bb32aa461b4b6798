//! A node that stands still and goes on, again and again: what it does next is late.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::task::JoinHandle;

/// How long it works, and then how long it stands still: longer than edits are gathered, far shorter than a lease.
const WORKS: Duration = Duration::from_millis(1_500);
const STANDS: Duration = Duration::from_millis(1_500);

/// The pauses of one process, until dropped.
#[derive(Debug)]
pub(super) struct Pauses {
    pid: u32,
    task: JoinHandle<()>,
}

impl Pauses {
    /// Begins. The process must not end before this is dropped: its id may be given to another.
    pub(super) fn start(pid: u32) -> Self {
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(WORKS).await;
                signal(pid, "-STOP").await;
                tokio::time::sleep(STANDS).await;
                signal(pid, "-CONT").await;
            }
        });
        Self { pid, task }
    }

    /// Ends them; the process goes on.
    pub(super) async fn end(mut self) {
        self.task.abort();
        // It was told to end, and has.
        (&mut self.task).await.unwrap_or_default();
        signal(self.pid, "-CONT").await;
    }
}

impl Drop for Pauses {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn signal(pid: u32, name: &str) {
    let mut kill = Command::new("kill");
    kill.arg(name).arg(pid.to_string()).stderr(Stdio::null());
    // A process that is gone is found by whoever watches it.
    kill.status().await.map(drop).unwrap_or_default();
}
