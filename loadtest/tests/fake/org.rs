//! A tiny org: rows, history and a change bus in memory, and the admin port over HTTP.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use loadtest::org::OrgInfo;
use serde_json::{Map, Value, json};

pub(crate) const INTEGRATION: &str = "005000000000001AAA";
const HUMAN: &str = "005000000000002AAA";

/// One change on the bus.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub id: String,
    pub own: bool,
    pub kind: &'static str,
    pub changed: Map<String, Value>,
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub entity: String,
    pub fields: Map<String, Value>,
    pub deleted: bool,
}

impl Row {
    pub(crate) fn key(&self) -> &str {
        self.fields
            .get("Tandem_Key__c")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Org {
    pub rows: BTreeMap<String, Row>,
    pub bus: VecDeque<Change>,
    live: HashMap<(String, String), String>,
    history: HashMap<(String, String), Vec<Value>>,
    pub calls: u64,
    pub rows_written: u64,
    next: u64,
    commit: u64,
}

impl Org {
    pub(crate) fn find(&self, entity: &str, key: &str) -> Option<String> {
        self.live.get(&(entity.to_owned(), key.to_owned())).cloned()
    }

    pub(crate) fn create(&mut self, entity: &str, fields: Map<String, Value>, own: bool) -> String {
        self.next += 1;
        let prefix = match entity {
            "Account" => "001",
            "Contact" => "003",
            _ => "006",
        };
        let id = format!("{prefix}{:012}AAA", self.next);
        let row = Row {
            entity: entity.to_owned(),
            fields: Map::new(),
            deleted: false,
        };
        self.rows.insert(id.clone(), row);
        self.commit(&id, "create", fields, own);
        let row = &self.rows[&id];
        if !row.key().is_empty() {
            self.live.insert((entity.to_owned(), row.key().to_owned()), id.clone());
        }
        id
    }

    pub(crate) fn update(&mut self, id: &str, fields: Map<String, Value>, own: bool) {
        self.commit(id, "update", fields, own);
    }

    pub(crate) fn delete(&mut self, id: &str, own: bool) {
        self.commit(id, "delete", Map::new(), own);
        let row = self.rows.get_mut(id).expect("a row");
        row.deleted = true;
        self.live.remove(&(row.entity.clone(), row.key().to_owned()));
    }

    fn commit(&mut self, id: &str, kind: &'static str, changed: Map<String, Value>, own: bool) {
        self.commit += 1;
        if own {
            self.calls += 1;
            self.rows_written += 1;
        }
        let row = self.rows.get_mut(id).expect("a row");
        row.fields.extend(changed.clone());
        let user = if own { INTEGRATION } else { HUMAN };
        let place = (row.entity.clone(), row.key().to_owned());
        let entry = json!({"commit_ms": 0, "commit_number": self.commit, "user": user, "origin": "", "kind": kind,
            "changed": changed});
        self.history.entry(place).or_default().push(entry);
        self.bus.push_back(Change {
            id: id.to_owned(),
            own,
            kind,
            changed,
        });
    }
}

/// All orgs, shared by the admin port and the engine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Orgs(Arc<HashMap<String, Mutex<Org>>>);

impl Orgs {
    pub(crate) fn new(names: &[&str]) -> Self {
        // Ids of two orgs never meet.
        let org = |at: usize| {
            Mutex::new(Org {
                next: at as u64 * 1_000_000,
                ..Org::default()
            })
        };
        Self(Arc::new(
            names
                .iter()
                .enumerate()
                .map(|(at, name)| ((*name).to_owned(), org(at)))
                .collect(),
        ))
    }

    pub(crate) fn lock(&self, name: &str) -> MutexGuard<'_, Org> {
        self.0[name].lock().expect("no panic holds it")
    }

    pub(crate) fn infos(&self) -> Vec<OrgInfo> {
        let mut names: Vec<&String> = self.0.keys().collect();
        names.sort();
        let info = |name: &String| OrgInfo {
            name: name.clone(),
            user_id: INTEGRATION.to_owned(),
            ..OrgInfo::default()
        };
        names.into_iter().map(info).collect()
    }

    /// Serves the admin port; answers its URL.
    pub(crate) async fn serve(&self) -> String {
        let router = Router::new()
            .route("/orgs/{org}/edit", post(edit))
            .route("/orgs/{org}/records/{entity}", get(records))
            .route("/orgs/{org}/history/{entity}", get(history))
            .route("/orgs/{org}/calls", get(calls))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await.expect("serving") });
        url
    }
}

async fn edit(
    State(orgs): State<Orgs>,
    Path(name): Path<String>,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let mut org = orgs.lock(&name);
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    let fields = body["fields"].as_object().cloned().unwrap_or_default();
    let entity = text("entity");
    if text("op") == "create" {
        let id = org.create(&entity, fields, false);
        return (StatusCode::OK, Json(json!({"id": id, "success": true})));
    }
    let Some(id) = org.find(&entity, &text("key")) else {
        return (StatusCode::NOT_FOUND, Json(json!([{"errorCode": "NOT_FOUND"}])));
    };
    if text("op") == "delete" {
        org.delete(&id, false);
    } else {
        org.update(&id, fields, false);
    }
    (StatusCode::OK, Json(json!({"id": id, "success": true})))
}

async fn records(
    State(orgs): State<Orgs>,
    Path((name, entity)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Value> {
    let org = orgs.lock(&name);
    let deleted = query.get("deleted").is_some_and(|deleted| deleted == "true");
    let rows = org
        .rows
        .iter()
        .filter(|(_, row)| row.entity == entity && row.deleted == deleted);
    let rows = rows.map(|(id, row)| {
        let mut row = row.fields.clone();
        row.insert("Id".to_owned(), json!(id));
        Value::Object(row)
    });
    Json(rows.collect())
}

async fn history(
    State(orgs): State<Orgs>,
    Path((name, entity)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Value> {
    let org = orgs.lock(&name);
    Json(json!(
        org.history
            .get(&(entity, query["key"].clone()))
            .cloned()
            .unwrap_or_default()
    ))
}

async fn calls(State(orgs): State<Orgs>, Path(name): Path<String>) -> Json<Value> {
    let org = orgs.lock(&name);
    Json(
        json!({"total": org.calls, "by": {"rest": org.calls}, "rows": {"update": org.rows_written}, "fence_refusals": 0}),
    )
}
