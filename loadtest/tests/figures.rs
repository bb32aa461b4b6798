//! Each scenario that prints figures, small, against the real engine as it was built for tests: rows are right, and
//! the JSON has its names. Speed is not asserted: a debug engine on a busy machine has none.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value as Json;

/// The folder of this build's programs. The engine and the simulated org are built when nothing has built them yet.
fn programs() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let dir = Path::new(env!("CARGO_BIN_EXE_loadtest"))
            .parent()
            .expect("a folder")
            .to_owned();
        if !(dir.join("tandem").is_file() && dir.join("orgsim").is_file()) {
            let built = Command::new(env!("CARGO"))
                .args(["build", "-p", "tandem", "-p", "orgsim"])
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .status();
            assert!(
                built.expect("cargo").success(),
                "the engine and the simulated org must build"
            );
        }
        dir
    })
}

/// Runs a scenario; its figures. A bound that is missed is no failure here: it may be one of speed.
fn figures(line: &[&str]) -> Json {
    let dir = tempfile::tempdir().expect("a scratch folder");
    let json = dir.path().join("figures.json");
    let output = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(line)
        .arg("--bin-dir")
        .arg(programs())
        .arg("--json")
        .arg(&json)
        .output()
        .expect("loadtest");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        matches!(output.status.code(), Some(0 | 3)),
        "{line:?}: {}\n{said}",
        output.status
    );
    let figures: Json = serde_json::from_slice(&std::fs::read(&json).expect("the JSON file")).expect("JSON");
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let verdict = if output.status.success() {
        "every bound is kept"
    } else {
        "a bound is MISSED"
    };
    assert!(table.ends_with(&format!("{verdict}\n")), "{table}");
    assert_eq!(figures["divergences"], 0, "{table}{said}");
    figures
}

/// Each name stands for a number.
fn named(figures: &Json, names: &str) {
    for name in names.split_whitespace() {
        let value = name.split('.').fold(figures, |json, part| &json[part]);
        assert!(value.is_number(), "{name} in {figures}");
    }
}

const DRAIN: &str = "records divergences records_per_s engine_cpu_us_per_record redis_cpu_us_per_record \
                     redis_bytes_per_pending redis_bytes_per_record calls calls_floor";

#[test]
fn a_backlog_drains_into_the_stub_with_full_calls_and_right_rows() {
    let figures = figures(&["drain", "--records", "800", "--tenants", "2", "--fsync", "no"]);
    named(&figures, DRAIN);
    assert_eq!(
        (&figures["records"], &figures["calls_floor"]),
        (&Json::from(800), &Json::from(4))
    );
    let calls = figures["calls"].as_u64().expect("a count");
    assert!((4..=6).contains(&calls), "{calls} calls");
    let pending = figures["redis_bytes_per_pending"].as_f64().expect("a number");
    assert!((453.0..800.0).contains(&pending), "{pending} bytes");
}

#[test]
fn a_backlog_drains_while_the_stub_tells_each_write() {
    named(
        &figures(&["drain", "--records", "400", "--tenants", "1", "--echoes"]),
        DRAIN,
    );
}

#[test]
fn a_backlog_drains_into_the_simulated_org() {
    let figures = figures(&["drain", "--org", "sim", "--records", "400", "--tenants", "2"]);
    named(&figures, DRAIN);
    assert_eq!(
        (&figures["records"], &figures["calls_floor"]),
        (&Json::from(400), &Json::from(2))
    );
}

#[test]
fn single_changes_arrive_in_both_directions() {
    let figures = figures(&["latency", "--seconds", "2", "--tenants", "75"]);
    named(&figures, "latency_ms.p50 latency_ms.p99 inbound_ms.p50 inbound_ms.p99");
    let of = |name: &str, share: &str| figures[name][share].as_f64().expect("a number");
    for name in ["latency_ms", "inbound_ms"] {
        assert!(0.0 < of(name, "p50") && of(name, "p50") <= of(name, "p99"), "{figures}");
    }
}

const IDLE: &str = "rss_mb cpu_percent redis_commands_per_s open_streams woken_by_event";

fn idle(more: &[&str]) -> Json {
    let few = [
        "idle",
        "--tenants",
        "30",
        "--seconds",
        "2",
        "--settle-seconds",
        "0",
        "--checks",
        "8",
    ];
    figures(&[&few[..], more].concat())
}

#[test]
fn quiet_tenants_keep_their_streams_and_are_woken_by_events() {
    let figures = idle(&[]);
    named(&figures, IDLE);
    assert_eq!(
        (&figures["open_streams"], &figures["woken_by_event"]),
        (&Json::from(30), &Json::from(8))
    );
}

#[test]
fn quiet_tenants_without_change_events_are_polled() {
    let figures = idle(&["--polled"]);
    named(&figures, "rss_mb cpu_percent redis_commands_per_s polls");
    assert_eq!(figures["divergences"], 0);
}

#[test]
fn lanes_are_filled_while_the_org_is_slow() {
    let figures = figures(&["slow-org", "--latency", "200ms", "--records", "1600", "--lanes", "2"]);
    named(&figures, "records_per_s efficiency");
    let efficiency = figures["efficiency"].as_f64().expect("a share");
    assert!(
        efficiency > 0.0 && efficiency <= 1.0,
        "{efficiency} of what two lanes can do"
    );
}

#[test]
fn help_teaches_and_wrong_lines_are_refused() {
    let run = |line: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_loadtest"))
            .args(line)
            .output()
            .expect("loadtest")
    };
    for scenario in ["drain", "latency", "idle", "slow-org"] {
        let help = run(&[scenario, "--help"]);
        let text = String::from_utf8_lossy(&help.stdout).into_owned();
        assert!(
            help.status.success() && text.contains("--json") && text.len() > 800,
            "{text}"
        );
    }
    assert_eq!(run(&["drain", "--fsync", "sometimes"]).status.code(), Some(1));
    assert_eq!(run(&["drain", "--bin-dir", "/nowhere"]).status.code(), Some(1));
}
