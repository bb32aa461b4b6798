//! Consumers of the feed: deduplication by event id, each event applied as the contract says.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use redis::streams::{StreamId as RedisEntry, StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands, FromRedisValue, RedisResult};
use serde_json::{Map, Value as Json};

use super::Tenant;
use super::answer;
use super::table::{Cause, Product};
use crate::history::Step;
use crate::stack::connect_for_blocking;
use crate::value::Side;

/// The feed of a single partition, the default of an install.
pub const FEED: &str = "tandem:events:{0}";
/// The consumer group of the product.
pub const GROUP: &str = "app";
/// Events read at once.
const COUNT: usize = 200;
/// How long one read waits, ms.
const BLOCK_MS: usize = 200;
/// Pause after Redis was away.
const RETRY: Duration = Duration::from_millis(100);

/// One entry of the feed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Event {
    /// Unique id: what to deduplicate on.
    pub id: String,
    /// The tenant it is for.
    pub tenant: String,
    /// Its type, such as `changed`.
    pub kind: String,
    /// Object name; empty for a tenant's event.
    pub object: String,
    /// The product's key; may be empty.
    pub key: String,
    /// The Salesforce record; may be empty.
    pub salesforce_id: String,
    /// Changed fields.
    pub data: Map<String, Json>,
    /// Counts up by one a record.
    pub revision: Option<u64>,
    /// What its type adds.
    pub detail: Json,
}

/// Reads an event from the names and values of a feed entry.
pub fn parse(fields: &HashMap<String, String>) -> Event {
    let text = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let json = |name: &str| {
        fields
            .get(name)
            .and_then(|text| serde_json::from_str::<Json>(text).ok())
    };
    Event {
        id: text("id"),
        tenant: text("tenant"),
        kind: text("type"),
        object: text("object"),
        key: text("key"),
        salesforce_id: text("salesforce_id"),
        data: json("data")
            .and_then(|data| data.as_object().cloned())
            .unwrap_or_default(),
        revision: fields.get("revision").and_then(|revision| revision.parse().ok()),
        detail: json("detail").unwrap_or(Json::Null),
    }
}

/// Ids of events already applied, 16 bytes each: ids can be long, and a run has hundreds of thousands.
#[derive(Debug, Default)]
pub struct Seen(HashSet<(u64, u64)>);

impl Seen {
    /// Notes an id; false when it was noted before.
    pub fn first_time(&mut self, id: &str) -> bool {
        let hash = |salt: u8| {
            let mut hasher = std::hash::DefaultHasher::new();
            (salt, id).hash(&mut hasher);
            hasher.finish()
        };
        self.0.insert((hash(1), hash(2)))
    }
}

/// The product's reader.
#[derive(Debug)]
pub struct Reader {
    /// All tenants, by name.
    pub tenants: HashMap<String, Arc<Tenant>>,
    /// Where the feed is.
    pub redis_url: String,
    /// Raised when the run ends.
    pub stop: Arc<AtomicBool>,
    /// Events applied so far, copies not counted.
    pub applied: Arc<AtomicU64>,
    /// Raised while the last read found nothing.
    pub idle: Arc<AtomicBool>,
    /// Its name in the group.
    pub consumer: String,
}

impl Reader {
    /// Reads and applies until told to stop. After a broken connection it first reads again what it had not confirmed.
    pub async fn run(self) {
        while !self.stop.load(Ordering::Relaxed) {
            if self.session().await.is_err() {
                self.idle.store(false, Ordering::Relaxed);
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    async fn session(&self) -> RedisResult<()> {
        let mut connection = connect_for_blocking(&self.redis_url).await?;
        let made: RedisResult<()> = connection.xgroup_create_mkstream(FEED, GROUP, "0").await;
        if let Err(error) = made
            && error.code() != Some("BUSYGROUP")
        {
            return Err(error);
        }
        let mut from = "0";
        while !self.stop.load(Ordering::Relaxed) {
            let options = StreamReadOptions::default()
                .group(GROUP, &self.consumer)
                .count(COUNT)
                .block(BLOCK_MS);
            let reply: Option<StreamReadReply> = connection.xread_options(&[FEED], &[from], &options).await?;
            let entries: Vec<RedisEntry> = reply
                .into_iter()
                .flat_map(|reply| reply.keys)
                .flat_map(|key| key.ids)
                .collect();
            self.idle.store(entries.is_empty() && from == ">", Ordering::Relaxed);
            if entries.is_empty() {
                from = ">";
                continue;
            }
            for entry in &entries {
                self.deliver(entry);
            }
            let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
            let _confirmed: i64 = connection.xack(FEED, GROUP, &ids).await?;
        }
        Ok(())
    }

    fn deliver(&self, entry: &RedisEntry) {
        let fields: HashMap<String, String> = entry
            .map
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), String::from_redis_value_ref(value).ok()?)))
            .collect();
        let event = parse(&fields);
        let Some(tenant) = self.tenants.get(&event.tenant) else {
            return;
        };
        let mut product = tenant.lock();
        if product.seen.first_time(&event.id) {
            apply(&mut product, &event, now_ms());
            self.applied.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Applies one event to the product.
pub fn apply(product: &mut Product, event: &Event, now_ms: u64) {
    *product.events.entry(event.kind.clone()).or_insert(0) += 1;
    if event.kind == "link_wanted" && event.key.is_empty() {
        return answer::whose(product, event, now_ms);
    }
    let Some(record) = product.find(&event.object, &event.key) else {
        return;
    };
    if !event.salesforce_id.is_empty() && event.kind != "merged" {
        product.named(record, &event.salesforce_id);
    }
    let cause = Cause {
        id: &event.id,
        revision: event.revision,
    };
    match event.kind.as_str() {
        "changed" => product.apply_changed(record, &event.data, cause, now_ms),
        "deleted" => product.apply_deleted(record, cause, now_ms),
        "link_wanted" => answer::which(product, record, event, now_ms),
        "rejected" if answer::was_refused(event) => answer::refused(product, record, event, now_ms),
        "wanted" => {
            let wanted = names(&event.detail);
            let data = present(product, record, &wanted);
            product.answer_wanted(record, data.as_ref(), cause, now_ms);
        }
        "conflict" => {
            let winner = match event.detail.get("winner").and_then(Json::as_str) {
                Some("product") => Some(Side::Product),
                Some("salesforce") => Some(Side::Org),
                _ => None,
            };
            let fields = indexes(product, record, &names(&event.detail));
            product.note(record, Step::Conflict { fields, winner }, event.revision);
        }
        "rejected" => {
            let fields = indexes(product, record, &names(&event.detail));
            product.note(record, Step::Rejected(fields), event.revision);
        }
        _ => {}
    }
}

/// `fields` of an event's detail: a list of names, or an object whose names count.
fn names(detail: &Json) -> Vec<String> {
    match detail.get("fields") {
        Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        Some(Json::Object(map)) => map.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

fn indexes(product: &Product, record: usize, names: &[String]) -> Vec<u8> {
    let object = product
        .records
        .get(record)
        .and_then(|history| product.shapes.objects.get(history.object));
    let Some(object) = object else { return Vec::new() };
    names
        .iter()
        .filter_map(|name| object.field(name))
        .map(|at| at as u8)
        .collect()
}

/// The present values of some fields (none named: all), as stream data; `None` when the row is gone.
fn present(product: &Product, record: usize, wanted: &[String]) -> Option<Map<String, Json>> {
    let history = product.records.get(record)?;
    let object = product.shapes.objects.get(history.object)?;
    let row = history.product_row.as_ref()?;
    let chosen = object
        .fields
        .iter()
        .zip(row)
        .filter(|(field, _)| wanted.is_empty() || wanted.contains(&field.name));
    Some(
        chosen
            .map(|(field, value)| (field.name.clone(), field.to_json(value)))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(kind: &str, detail: &Json) -> Event {
        let text = |value: &str| value.to_owned();
        parse(&HashMap::from([
            (text("id"), text("e-1")),
            (text("tenant"), text("t01")),
            (text("type"), text(kind)),
            (text("object"), text("contact")),
            (text("key"), text("contact-1")),
            (text("data"), json!({"first_name": "New"}).to_string()),
            (text("revision"), text("4")),
            (text("detail"), detail.to_string()),
        ]))
    }

    fn product() -> Product {
        let mut product = Product::new(Arc::new(crate::shape::tests::shapes()), 0);
        let record = product.make(1, "contact-1".to_owned(), 0);
        product.upsert(record, json!({"last_name": "A"}).as_object().expect("object"), 0);
        product
    }

    #[test]
    fn an_event_is_applied_once() {
        let mut seen = Seen::default();
        assert_eq!(["a", "b", "a"].map(|id| seen.first_time(id)), [true, true, false]);
    }

    #[test]
    fn fields_that_only_salesforce_writes_are_not_sent_back() {
        let mut product = product();
        let mut event = event("changed", &Json::Null);
        event.data = json!({"full_name": "New A"}).as_object().cloned().expect("an object");
        apply(&mut product, &event, 0);
        assert_eq!(product.waiting(), 1, "the create alone");
    }

    #[test]
    fn changed_writes_the_row_and_the_outbox() {
        let mut product = product();
        apply(&mut product, &event("changed", &Json::Null), 0);
        let at = product.shapes.objects[1].field("first_name").expect("declared");
        assert_eq!(
            product.records[0].product_row.as_ref().map(|row| &*row[at]),
            Some("New")
        );
        assert_eq!(product.waiting(), 2);
    }

    #[test]
    fn conflicts_and_rejections_are_noted_with_their_fields() {
        let mut product = product();
        let at = product.shapes.objects[1].field("email").expect("declared") as u8;
        apply(
            &mut product,
            &event(
                "conflict",
                &json!({"id": "c", "fields": ["email"], "winner": "product"}),
            ),
            0,
        );
        apply(&mut product, &event("rejected", &json!({"code": "X", "fields": []})), 0);
        let expected = [
            Step::Conflict {
                fields: vec![at],
                winner: Some(Side::Product),
            },
            Step::Rejected(vec![]),
        ];
        assert_eq!(product.records[0].steps[1..], expected);
    }

    #[test]
    fn wanted_is_answered_with_present_values_under_the_events_id() {
        let mut product = product();
        apply(
            &mut product,
            &event("wanted", &json!({"fields": ["last_name"], "why": "repair"})),
            0,
        );
        let row = product.outbox[Product::lane(0)].back().expect("an answer");
        assert!(row.fields.contains(&("answers", "e-1".to_owned())));
        assert!(row.fields.contains(&("data", json!({"last_name": "A"}).to_string())));
        assert!(!row.dirty);
    }
}
