//! The onboarding scenario, small, on a whole stack as it was built for tests: nobody is made twice, while the engine is
//! killed.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

/// The folder of this build's programs. The engine and the simulated org are built when nothing has built them yet.
fn programs() -> PathBuf {
    let loadtest = Path::new(env!("CARGO_BIN_EXE_loadtest"));
    let dir = loadtest.parent().expect("a folder").to_owned();
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
}

mod stack {
    use super::*;

    #[test]
    fn two_that_lived_apart_become_one_while_the_engine_is_killed() {
        let dir = tempfile::tempdir().expect("a scratch folder");
        let json = dir.path().join("figures.json");
        let line = [
            "onboarding",
            "--records",
            "300",
            "--kill",
            "engine=4s",
            "--doubled",
            "10",
        ];
        let output = Command::new(env!("CARGO_BIN_EXE_loadtest"))
            .args(line)
            .arg("--bin-dir")
            .arg(programs())
            .arg("--json")
            .arg(&json)
            .output()
            .expect("loadtest");
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{said}");
        let figures: Json = serde_json::from_slice(&std::fs::read(&json).expect("the JSON file")).expect("JSON");
        let count = |name: &str| figures[name].as_u64().expect(name);
        let found = ["duplicates", "divergences", "ambiguous", "asked"].map(count);
        assert_eq!(found, [0, 0, 6, 6], "{said}");
        // 300 rows; 54 people who are only in the org; a second record of each of 6. Two answers to one question go
        // through different appenders: where the wrong one is first, the row that was asked about gets a record of its own.
        let records = count("records");
        assert!((360..=360 + count("doubled")).contains(&records), "{said}");
        assert!(count("linked") >= 234 && count("offered") >= 60, "{said}");
        assert!(count("doubled") > 0 && count("rejected") >= count("doubled"), "{said}");
        assert!(count("calls") >= count("calls_floor"), "{said}");
        let kills = figures["run"]["engine kills"]
            .as_str()
            .and_then(|kills| kills.parse::<u64>().ok());
        assert!(kills > Some(0), "{said}");
    }
}
