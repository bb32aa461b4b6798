//! The oracle finds each fault that can be built into the engine, on a whole stack, by the promise that it breaks; and
//! nothing where there is none. The engine is `tandem-sabotaged`, which `.config/nextest.toml` has built before.
#![allow(clippy::expect_used, reason = "a test may end by panicking")]

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use loadtest::cli::{Cli, Command, Mixed, Sabotage};
use loadtest::mixed::{Patience, run_with};
use loadtest::report::Report;
use loadtest::stack::Binaries;

/// How it is built, for whoever runs this test without the test runner's setting.
const BUILD: &str = "cargo build --workspace --features tandem/sabotage --bin tandem-sabotaged --bin orgsim";

/// A load that shows most faults.
const USUAL: &str = "--tenants 2 --changes 1200 --org-edits 150";
/// Events are counted a tenant, and one in 500 is lost.
const MANY_EVENTS: &str = "--tenants 1 --changes 2400 --org-edits 700";
/// Longest wait for rest, on a machine that has much else to do.
const WITHIN: Duration = Duration::from_secs(40);

/// The programs beside this test.
fn binaries() -> Binaries {
    let own = std::env::current_exe().expect("the path of this test");
    let dir = own.ancestors().nth(2).expect("a target folder");
    let at = |name: &str| -> PathBuf {
        let path = dir.join(name);
        assert!(
            path.is_file(),
            "there is no {}: build it with\n    {BUILD}",
            path.display()
        );
        path
    };
    Binaries {
        tandem: at("tandem-sabotaged"),
        orgsim: at("orgsim"),
    }
}

async fn run(line: &str, sabotage: Option<Sabotage>) -> Report {
    let line = format!("loadtest mixed --minutes 0.1 {line}");
    let Command::Mixed(settings) = Cli::try_parse_from(line.split_whitespace()).expect("settings").command else {
        unreachable!("the line says mixed");
    };
    // Gone with the test: a run that is found wrong would else leave its files.
    let dir = tempfile::tempdir().expect("a scratch folder");
    let settings = Mixed {
        sabotage,
        keep: Some(dir.path().join("run")),
        ..settings
    };
    let patience = Patience {
        quiet: Duration::from_secs(2),
        within: WITHIN,
        ..Patience::default()
    };
    let patience = match sabotage {
        None => patience,
        Some(_) => Patience {
            again: false,
            watch: Duration::from_millis(100),
            ..patience
        },
    };
    run_with(&settings, &binaries(), &patience).await.expect("a run")
}

/// The run must break these promises, and the result must say so.
async fn breaks(sabotage: Sabotage, line: &str, promises: &[&str]) -> Report {
    let report = run(line, Some(sabotage)).await;
    for promise in promises {
        assert!(
            report.violations[*promise] > 0,
            "{sabotage:?} must break {promise}:\n{}",
            report.table()
        );
    }
    assert!(!report.clean() && report.faults["sabotage"] == 1, "{}", report.table());
    report
}

mod stack {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn without_sabotage_is_found_clean() {
        let report = run(USUAL, None).await;
        assert!(report.clean(), "{}\n{}", report.table(), report.evidence);
        assert_eq!(report.faults["sabotage"], 0);
        assert_eq!((report.product_changes, report.org_edits), (1_200, 150));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sabotage_settle_is_found_as_c1_and_c3() {
        let report = breaks(Sabotage::Settle, USUAL, &["C1", "C3"]).await;
        assert!(report.faults["503"] > 0, "calls must fail:\n{}", report.table());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sabotage_echo_is_found_as_c7() {
        breaks(Sabotage::Echo, USUAL, &["C7"]).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sabotage_order_is_found_as_c6() {
        breaks(Sabotage::Order, USUAL, &["C6"]).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sabotage_fence_is_found_as_c6() {
        let report = breaks(Sabotage::Fence, USUAL, &["C6"]).await;
        let late = report.findings.iter().any(|finding| finding.field == "Tandem_Seq__c");
        assert!(late, "the org must have taken a late write:\n{}", report.table());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sabotage_drop_event_is_found_as_c1_or_c3() {
        let report = breaks(Sabotage::DropEvent, MANY_EVENTS, &[]).await;
        let found = report.violations["C1"] + report.violations["C3"];
        assert!(found > 0, "an edit must be missed:\n{}", report.table());
    }
}
