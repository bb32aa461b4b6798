//! `tandem dev` as a whole: it comes up, heals, and leaves nothing behind.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::process::{ended, kill, lives, tandem, until};

struct Stack {
    process: Child,
    answer: Value,
    dir: tempfile::TempDir,
}

impl Stack {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().display().to_string();
        let mut process = tandem(&["dev", "--json", "--stop-with-stdin", "--state-dir", &state])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.starts_with("{"), "the stack did not come up: {line:?}");
        let answer = serde_json::from_str(&line).unwrap();
        Self { process, answer, dir }
    }

    fn pids(&self) -> [u32; 3] {
        let pids = &stack_file(self.dir.path())["pids"];
        [&pids["engine"][0], &pids["redis"], &pids["orgsim"]].map(|pid| u32::try_from(pid.as_u64().unwrap()).unwrap())
    }
}

fn stack_file(dir: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(dir.join("stack.json")).unwrap_or_default()).unwrap_or_default()
}

#[test]
fn nothing_outlives_it() {
    for how in ["input", "TERM", "KILL"] {
        let mut stack = Stack::start();
        let pids = stack.pids();
        assert!(pids.iter().all(|pid| lives(*pid)), "{pids:?}");
        match how {
            "input" => drop(stack.process.stdin.take()),
            signal => kill(signal, stack.process.id()),
        }
        let code = ended(&mut stack.process);
        assert_eq!(code, if how == "KILL" { None } else { Some(0) }, "after {how}");
        until("all children are gone", || !pids.iter().any(|pid| lives(*pid)));
    }
}

#[test]
fn what_a_signal_kills_comes_back() {
    let stack = Stack::start();
    assert_eq!(stack.answer["tenants"], serde_json::json!(["acme", "globex"]));
    for part in 0..2 {
        let before = stack.pids();
        kill("KILL", before[part]);
        until("a new process is told", || {
            stack_file(stack.dir.path())["pids"].is_object() && stack.pids()[part] != before[part]
        });
        assert!(lives(stack.pids()[part]));
    }
}

#[test]
fn two_stacks_do_not_share_a_directory() {
    let stack = Stack::start();
    let state = stack.dir.path().display().to_string();
    let output = tandem(&["dev", "--state-dir", &state])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("another `tandem dev` runs in"));
}
