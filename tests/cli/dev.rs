//! `tandem dev` before anything runs.

use std::process::Stdio;

use crate::process::{err, tandem};

#[test]
fn programs_that_are_missing_are_told_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state").display().to_string();
    let dev = |path: Option<&str>, orgsim: &str| {
        let mut command = tandem(&["dev", "--state-dir", &state]);
        command.env("TANDEM_ORGSIM", orgsim).stdin(Stdio::null());
        if let Some(path) = path {
            command.env("PATH", path);
        }
        command.output().unwrap()
    };
    let output = dev(None, "no-such-file");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        err(&output).contains("TANDEM_ORGSIM names no-such-file"),
        "{}",
        err(&output)
    );
    let output = dev(Some(&state), "no-such-file");
    assert!(
        err(&output).contains("neither redis-server nor valkey-server is on the PATH"),
        "{}",
        err(&output)
    );
    assert!(!std::path::Path::new(&state).exists(), "nothing was written");
}

#[test]
fn an_org_that_does_not_start_is_told_with_its_last_words() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("orgsim");
    std::fs::write(&program, "#!/bin/sh\necho 'no room for an org' >&2\nexit 3\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let state = dir.path().join("state").display().to_string();
    let output = tandem(&["dev", "--state-dir", &state])
        .env("TANDEM_ORGSIM", &program)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = err(&output);
    assert!(
        said.contains("orgsim ended (exit code 3)") && said.contains("no room for an org"),
        "{said}"
    );
}
