//! The product's own part under kills of Redis: nothing acknowledged is lost, and order per record holds.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use loadtest::cli::{Faults, Kills};
use loadtest::mixed::{Load, Session, World};
use loadtest::org::{Admin, OrgInfo};
use loadtest::product::{now_ms, stream_id};
use loadtest::shape::Shapes;
use loadtest::stack::{RedisServer, RedisSettings, Warden, connect};
use redis::AsyncCommands;
use redis::streams::StreamRangeReply;

const CHANGES: u64 = 4_000;
const KILLS: u64 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn appenders_lose_nothing_and_keep_order_over_kills_of_redis() {
    let dir = tempfile::tempdir().expect("a scratch folder");
    let warden = Arc::new(Warden::start().expect("a shell"));
    let mut redis = RedisServer::start(dir.path(), RedisSettings::default(), &warden)
        .await
        .expect("redis-server");
    let objects = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/objects");
    let world = World {
        redis_url: redis.url.clone(),
        admin: Admin::new("http://127.0.0.1:1").expect("a client"),
        orgs: vec![OrgInfo {
            name: "t01".to_owned(),
            ..OrgInfo::default()
        }],
        shapes: Arc::new(Shapes::load(&objects).expect("the test objects")),
        seed: 5,
    };
    let load = Load {
        seconds: 1.0,
        changes: CHANGES,
        org_edits: 0,
        changes_a_record: 12,
        kills: Kills::default(),
        faults: Faults::default(),
    };
    let session = Session::start(&world, &load);
    let seat = session.seats.first().expect("one tenant").clone();
    for _ in 0..KILLS {
        for _ in 0..CHANGES / KILLS {
            seat.plan().change(&mut seat.tenant.lock(), now_ms());
        }
        // Killed while the outbox is being emptied.
        let full = session.waiting();
        while session.waiting() * 2 > full {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        redis.kill_and_restart(&warden).await.expect("a second start");
    }
    tokio::time::timeout(Duration::from_secs(60), async {
        while session.waiting() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the outbox is emptied");
    session.stop().await;

    let mut connection = connect(&redis.url).await.expect("a connection");
    let log: StreamRangeReply = connection.xrange_all("tandem:{t01}:changes").await.expect("the log");
    let product = seat.tenant.lock();
    assert!(log.ids.len() as u64 >= product.acknowledged);
    assert!(product.acknowledged > CHANGES, "deliberate copies are acknowledged too");
    assert!(
        log.ids
            .last()
            .is_some_and(|last| stream_id(&last.id) >= product.last_acknowledged)
    );
    let mut versions: HashMap<String, u64> = HashMap::new();
    let mut rows = HashMap::new();
    for entry in &log.ids {
        let text = |name: &str| entry.get::<String>(name).expect(name);
        let content = (text("key"), text("version"), text("op"));
        if let Some(first) = rows.insert(text("idempotency_key"), content.clone()) {
            assert_eq!(first, content, "a copy is exact");
            continue;
        }
        let version: u64 = content.1.parse().expect("a number");
        let last = versions.insert(content.0, version).unwrap_or(0);
        assert_eq!(
            version,
            last + 1,
            "first copies of one record are in commit order, none is missing"
        );
    }
    assert_eq!(rows.len() as u64, CHANGES);
}
