//! Ten thousand tenants on one node.

use std::sync::Arc;
use std::time::Duration;

use tandem::actor::Place;
use tandem::actor::runtime::{arbiters, io_runtime, run};
use tandem::port::directory::TenantState;
use tandem::telemetry::Telemetry;

use crate::world::{World, within};

fn rss_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<u64> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|f| f.parse().unwrap())
        .collect();
    fields.iter().sum()
}

#[test]
#[ignore = "measures; takes two minutes"]
fn ten_thousand() {
    let io = io_runtime(2).unwrap();
    let names: Vec<String> = (0..10_000).map(|n| format!("t{n}")).collect();
    let world = World::default();
    run(&io, async {
        let threads = arbiters(&io, 1).unwrap();
        let places = threads.iter().map(|a| Place::Arbiter(a.handle())).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let before = rss_kb();
        let begun = std::time::Instant::now();
        let node = world.node_at("a", &names, places, Arc::new(Telemetry::new().unwrap()), 8);
        let in_state = |s: TenantState| {
            node.directory
                .tenants(None, 20_000)
                .iter()
                .filter(|t| t.state == s)
                .count()
        };
        within(Duration::from_secs(60), "live", || {
            in_state(TenantState::Live) == 10_000
        })
        .await;
        println!("all live after {:?}, {} KB more", begun.elapsed(), rss_kb() - before);
        within(Duration::from_secs(100), "quiet", || {
            in_state(TenantState::Quiet) == 10_000
        })
        .await;
        println!("all quiet after {:?}, {} KB more", begun.elapsed(), rss_kb() - before);
        let cpu = cpu_ticks();
        tokio::time::sleep(Duration::from_secs(20)).await;
        println!("{} ms of CPU a second while quiet", (cpu_ticks() - cpu) * 10 / 20);
        let begun = std::time::Instant::now();
        assert!(node.drain().await);
        println!("drained in {:?}", begun.elapsed());
    });
}
