//! Whether the process lives, and whether it is fit for work.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::error::Problem;
use super::serve;
use crate::port::directory::Health;

/// An event loop that has not turned for this long is stuck: restart the process.
const LOOP_DEAD: Duration = Duration::from_secs(30);
/// … and for this long it is too slow to be sent work.
const LOOP_SLOW: Duration = Duration::from_secs(5);
/// Redis must have answered within this time; heartbeats go every two seconds.
const REDIS_SILENT: Duration = Duration::from_secs(10);

/// `/livez`: the loops turn. Depends on nothing outside the process: a broken Redis is no reason to restart.
pub(super) async fn livez(State(state): State<serve::State>) -> Response {
    let health = state.directory.health();
    if health.loop_silent_for >= LOOP_DEAD {
        return problem(
            "stuck",
            "an event loop has not turned for 30 s",
            "restart the process; its leases lapse by themselves",
        );
    }
    Json(serde_json::json!({ "status": "alive", "node": health.node })).into_response()
}

/// `/readyz`: Redis answers, leases are held where they should be, and the node is not stopping.
pub(super) async fn readyz(State(state): State<serve::State>) -> Response {
    let health = state.directory.health();
    match unready(&health) {
        Some((code, message, remedy)) => problem(code, message, remedy),
        None => {
            Json(serde_json::json!({ "status": "ready", "node": health.node, "leases": health.leases })).into_response()
        }
    }
}

fn unready(health: &Health) -> Option<(&'static str, &'static str, &'static str)> {
    if health.draining {
        return Some(("draining", "the node is stopping", "send work to another node"));
    }
    if health.redis_silent_for.is_none_or(|silent| silent >= REDIS_SILENT) {
        return Some((
            "redis_silent",
            "Redis has not answered lately",
            "see whether Redis runs and [redis] url is right",
        ));
    }
    if health.loop_silent_for >= LOOP_SLOW {
        return Some((
            "slow",
            "an event loop is slow",
            "see tandem_shard_lag_seconds; give the node more cores or fewer tenants",
        ));
    }
    if !health.settled && health.leases == 0 {
        return Some((
            "no_leases",
            "no partition lease is held yet",
            "wait; leases of a node that died lapse within 20 s",
        ));
    }
    None
}

fn problem(code: &'static str, message: &'static str, remedy: &'static str) -> Response {
    Problem {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code,
        message: message.to_owned(),
        remedy,
    }
    .into_response()
}

/// `/metrics`, in the text format of Prometheus.
pub(super) async fn metrics(State(state): State<serve::State>) -> Response {
    match state.telemetry.text() {
        Ok(text) => (
            [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
            text,
        )
            .into_response(),
        Err(error) => Problem {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: "metrics_failed",
            message: error.to_string(),
            remedy: "please report it",
        }
        .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit() -> Health {
        Health {
            node: "a".to_owned(),
            redis_silent_for: Some(Duration::ZERO),
            loop_silent_for: Duration::ZERO,
            leases: 1,
            settled: true,
            draining: false,
        }
    }

    #[test]
    fn each_condition_alone_makes_it_unready() {
        assert_eq!(unready(&fit()), None);
        let code = |health: Health| unready(&health).map(|(code, ..)| code);
        assert_eq!(
            code(Health {
                draining: true,
                ..fit()
            }),
            Some("draining")
        );
        assert_eq!(
            code(Health {
                redis_silent_for: None,
                ..fit()
            }),
            Some("redis_silent")
        );
        assert_eq!(
            code(Health {
                redis_silent_for: Some(REDIS_SILENT),
                ..fit()
            }),
            Some("redis_silent")
        );
        assert_eq!(
            code(Health {
                loop_silent_for: LOOP_SLOW,
                ..fit()
            }),
            Some("slow")
        );
        assert_eq!(
            code(Health {
                leases: 0,
                settled: false,
                ..fit()
            }),
            Some("no_leases")
        );
        assert_eq!(code(Health { leases: 0, ..fit() }), None, "nothing to hold");
    }
}
