//! The HTTP server over a real socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tandem::http::{Server, State, serve};
use tandem::telemetry::Telemetry;

use crate::world::{World, local, within};

async fn get(server: &Server, path: &str) -> (u16, Value) {
    let url = format!("http://{}{path}", server.address);
    let answer = reqwest::get(url).await.unwrap();
    let status = answer.status().as_u16();
    (
        status,
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null),
    )
}

async fn serving(directory: Arc<dyn tandem::port::directory::Directory>, telemetry: Arc<Telemetry>) -> Server {
    serve(SocketAddr::from(([127, 0, 0, 1], 0)), State { directory, telemetry })
        .await
        .unwrap()
}

#[tokio::test]
async fn health_tenants_and_errors_are_served() {
    local(async {
        let world = World::default();
        let telemetry = Arc::new(Telemetry::new().unwrap());
        let node = world.node_at("node-1", &["acme", "beta"], Vec::new(), Arc::clone(&telemetry), 2);
        within(Duration::from_secs(5), "live", || {
            world.count("acme", "log") * world.count("beta", "log") == 1
        })
        .await;
        let server = serving(Arc::clone(&node.directory), telemetry).await;
        assert_eq!(get(&server, "/livez").await.0, 200);
        assert_eq!(get(&server, "/readyz").await.0, 200);
        let (status, list) = get(&server, "/v1/tenants?limit=1").await;
        assert_eq!(
            (status, &list["tenants"][0]["tenant"], &list["next"]),
            (200, &"acme".into(), &"acme".into())
        );
        let (_, rest) = get(&server, "/v1/tenants?after=acme").await;
        assert_eq!(
            (&rest["tenants"][0]["tenant"], &rest["next"]),
            (&"beta".into(), &Value::Null)
        );
        world.with("acme", |t| t.outbox = vec![1, 2]);
        let (status, acme) = get(&server, "/v1/tenants/acme").await;
        assert_eq!(status, 200);
        assert_eq!(acme["tenant"]["state"], "live");
        assert_eq!(acme["tenant"]["node"], "node-1");
        assert_eq!(acme["tenant"]["machine"]["last_errors"][0], "SOME_CODE");
        assert_eq!(acme["store"]["outbox"], 2);
        world.break_lanes();
        world.state().lanes_broken = u64::MAX;
        let (status, acme) = get(&server, "/v1/tenants/acme").await;
        assert_eq!(
            (status, acme["store"].is_null()),
            (200, true),
            "what the node knows is told without Redis"
        );
        assert!(acme["store_error"].as_str().unwrap().contains("Redis"));
        for (path, status, code) in [
            ("/v1/tenants/nobody", 404, "unknown_tenant"),
            ("/v1/tenants/UPPER", 400, "bad_name"),
            ("/x", 404, "not_found"),
        ] {
            let (got, body) = get(&server, path).await;
            assert_eq!((got, &body["error"]["code"]), (status, &code.into()));
            assert!(body["error"]["remedy"].as_str().is_some_and(|r| !r.is_empty()));
        }
        let url = format!("http://{}/metrics", server.address);
        let answer = reqwest::get(url).await.unwrap();
        assert!(
            answer.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/plain")
        );
        assert!(answer.text().await.unwrap().contains("tandem_leases_held 2\n"));
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_node_without_redis_lives_but_is_not_ready() {
    local(async {
        let world = World::default();
        world.state().cut_off.insert("a".to_owned());
        let telemetry = Arc::new(Telemetry::new().unwrap());
        let node = world.node_at("a", &["acme"], Vec::new(), Arc::clone(&telemetry), 2);
        let server = serving(Arc::clone(&node.directory), telemetry).await;
        assert_eq!(get(&server, "/livez").await.0, 200);
        let (status, body) = get(&server, "/readyz").await;
        assert_eq!((status, &body["error"]["code"]), (503, &"redis_silent".into()));
        server.stop().await;
    })
    .await;
}
