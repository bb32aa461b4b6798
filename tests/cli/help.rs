//! What the help says, and what a wrong command line says.

use crate::process::{err, out, run};

#[test]
fn the_help_teaches() {
    let help = out(&run(&["--help"]));
    for part in [
        "Run `tandem dev`",
        "dev ",
        "serve ",
        "check ",
        "status ",
        "Exit codes: 0 done",
        "TANDEM_REDIS__URL",
    ] {
        assert!(help.contains(part), "'{part}' is not in:\n{help}");
    }
    assert!(!help.contains("dev-guard"), "an inner command shows:\n{help}");
    for (command, part) in [
        ("dev", "--state-dir <DIR>"),
        ("serve", "--ready-file <FILE>"),
        ("check", "tandem check --org acme"),
        ("status", "tandem status acme --json"),
    ] {
        let help = out(&run(&[command, "--help"]));
        assert!(help.contains(part), "'{part}' is not in the help of {command}:\n{help}");
    }
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    for args in [
        &["sync"][..],
        &["serve"],
        &["check", "--describe", "x"],
        &["dev", "--seed", "many"],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
        assert!(!output.stderr.is_empty());
    }
    assert_eq!(run(&[]).status.code(), Some(2));
}
