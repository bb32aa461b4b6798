//! The guard that keeps a Redis from outliving `tandem dev`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use crate::process::{ended, kill, lives, tandem, until};

/// A guard over a real server, and the server's process id.
fn guarded(dir: &tempfile::TempDir) -> (Child, u32) {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .to_string();
    let path = dir.path().display().to_string();
    let mut guard = tandem(&[
        "dev-guard",
        "--",
        "redis-server",
        "--port",
        &port,
        "--save",
        "",
        "--dir",
        &path,
    ])
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .stderr(Stdio::null())
    .spawn()
    .unwrap();
    let mut line = String::new();
    BufReader::new(guard.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let pid: u32 = line.trim().parse().unwrap();
    assert!(lives(pid));
    (guard, pid)
}

#[test]
fn the_server_dies_when_the_guards_input_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (mut guard, pid) = guarded(&dir);
    drop(guard.stdin.take());
    assert_eq!(ended(&mut guard), Some(0));
    until("the server is gone", || !lives(pid));
}

#[test]
fn the_guard_ends_as_its_server_does() {
    let dir = tempfile::tempdir().unwrap();
    let (mut guard, pid) = guarded(&dir);
    kill("KILL", pid);
    assert_eq!(ended(&mut guard), Some(128 + 9));
    for code in [0, 7] {
        let mut guard = tandem(&["dev-guard", "--", "sh", "-c", &format!("exit {code}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Its input stays open until it has ended: the end of the input would be another reason to end.
        let input = guard.stdin.take();
        assert_eq!(ended(&mut guard), Some(code));
        drop(input);
    }
}
