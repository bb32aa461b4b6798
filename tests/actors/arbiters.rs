//! The real thing: shards on arbiters over one shared runtime, in real time.

use std::sync::Arc;
use std::time::Duration;

use tandem::actor::Place;
use tandem::actor::runtime::{arbiters, io_runtime, run};
use tandem::telemetry::Telemetry;

use crate::world::{World, within};

#[test]
fn tenants_on_two_arbiters_work_and_drain() {
    let io = io_runtime(2).unwrap();
    let names: Vec<String> = (0..20).map(|n| format!("t{n}")).collect();
    let world = World::default();
    for name in &names {
        world.with(name, |t| {
            t.work = 5;
            t.org_takes = Duration::from_millis(3);
        });
    }
    run(&io, async {
        let threads = arbiters(&io, 2).unwrap();
        let places = threads.iter().map(|a| Place::Arbiter(a.handle())).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let node = world.node_at("a", &names, places, Arc::new(Telemetry::new().unwrap()), 4);
        let done = || names.iter().all(|t| world.count(t, "answered") == 5);
        within(Duration::from_secs(20), "all work is done", done).await;
        world.append("t7");
        within(Duration::from_secs(5), "woken", || world.count("t7", "wake") >= 1).await;
        assert!(node.drain().await);
        assert!(
            names
                .iter()
                .all(|t| world.holder(t).is_none() && world.count(t, "drain") == 1)
        );
        for thread in threads {
            assert!(thread.stop());
            thread.join().unwrap();
        }
    });
}
