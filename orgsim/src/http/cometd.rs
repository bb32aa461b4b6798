//! `/cometd/{version}`: Bayeux over long polling, with the replay extension (change-events 6).

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::oauth::door;
use super::reply::Reply;
use super::request::Call;
use crate::bus::{Deaf, Ear};
use crate::cometd::MAX_CHANNELS;
use crate::world::World;

/// How long a connect waits for events; the advice to clients [V:S20].
const PATIENCE: Duration = Duration::from_secs(110);
/// Events of one answer.
const MAX_EVENTS: usize = 1_000;
/// Messages of one request.
const MAX_MESSAGES: usize = 100;

/// Answers a request: a list of messages, or one.
pub(super) async fn handle(world: &Arc<World>, call: &Call) -> Reply {
    let messages = match serde_json::from_slice::<Value>(&call.body) {
        Ok(Value::Array(messages)) if messages.len() <= MAX_MESSAGES => messages,
        Ok(message @ Value::Object(_)) => vec![message],
        _ => return Reply::json(400, "[]"),
    };
    let mut answers = Vec::new();
    let mut cookie = None;
    for message in &messages {
        match message["channel"].as_str().unwrap_or_default() {
            "/meta/handshake" => {
                let (answer, id) = handshake(world, call, message);
                cookie = id;
                answers.push(answer);
            }
            "/meta/connect" => answers.extend(connect(world, call, message).await),
            "/meta/subscribe" => answers.push(subscribe(world, message).await),
            "/meta/unsubscribe" => answers.push(unsubscribe(world, message)),
            "/meta/disconnect" => {
                let id = message["clientId"].as_str().unwrap_or_default();
                world.cometd().remove(id);
                answers.push(fine(message));
            }
            _ => answers.push(refused(message, "403::Publish denied", None)),
        }
    }
    let reply = Reply::json(200, Value::Array(answers).to_string());
    match cookie {
        Some(id) => reply.with("set-cookie", format!("BAYEUX_BROWSER={id}; Path=/; Secure; HttpOnly")),
        None => reply,
    }
}

/// A successful answer to a message.
fn fine(message: &Value) -> Value {
    let mut answer = json!({"channel": message["channel"], "successful": true});
    for member in ["id", "clientId", "subscription"] {
        if !message[member].is_null() {
            answer[member] = message[member].clone();
        }
    }
    answer
}

fn refused(message: &Value, error: &str, reconnect: Option<&str>) -> Value {
    let mut answer = fine(message);
    answer["successful"] = json!(false);
    answer["error"] = json!(error);
    if let Some(reconnect) = reconnect {
        answer["advice"] = json!({"reconnect": reconnect, "interval": 0});
    }
    answer
}

fn handshake(world: &World, call: &Call, message: &Value) -> (Value, Option<String>) {
    let entered = call.token().and_then(|token| door::enter(world, call, token).ok());
    let Some((org, user)) = entered else {
        let mut answer = refused(message, "403::Handshake denied", Some("none"));
        answer["ext"] = json!({"sfdc": {"failureReason": "401::Authentication invalid"}});
        return (answer, None);
    };
    let id = world
        .cometd()
        .add(org.identity.org_id.clone(), Arc::clone(&user.id), Instant::now());
    let Some(id) = id else {
        return (refused(message, "403::Handshake denied", Some("retry")), None);
    };
    let mut answer = fine(message);
    answer["clientId"] = json!(id);
    answer["version"] = json!("1.0");
    answer["minimumVersion"] = json!("1.0");
    answer["supportedConnectionTypes"] = json!(["long-polling"]);
    answer["ext"] = json!({"replay": true, "payload.format": true});
    (answer, Some(id))
}

const UNKNOWN: &str = "403::Unknown client";

/// What a client that cannot hear is told [V:S10b, S21].
fn words(deaf: Deaf, channel: &str) -> String {
    match deaf {
        // [from memory]
        Deaf::NoChannel => format!("400::The channel you requested to subscribe to does not exist {{{channel}}}"),
        Deaf::Replay(id) => format!(
            "400::The replayId {{{id}}} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to \
             replay only new events."
        ),
        Deaf::Exhausted => "403::Organization total events daily limit exceeded".to_owned(),
        // [from memory]
        Deaf::Full => "403::Organization concurrent user limit exceeded".to_owned(),
    }
}

async fn subscribe(world: &World, message: &Value) -> Value {
    let id = message["clientId"].as_str().unwrap_or_default();
    let channel = message["subscription"].as_str().unwrap_or_default();
    let known = world
        .cometd()
        .get(id, Instant::now())
        .map(|client| (client.org.clone(), Arc::clone(&client.user)));
    let Some((org, user)) = known else {
        return refused(message, UNKNOWN, Some("handshake"));
    };
    let replay = message["ext"]["replay"][channel].as_i64().unwrap_or(-1);
    let ear = match world.bus() {
        Some(bus) => bus.ear(&org, &user, channel, replay).await,
        None => Err(Deaf::NoChannel),
    };
    match ear {
        Err(deaf) => refused(message, &words(deaf, channel), None),
        Ok(ear) => {
            let mut clients = world.cometd();
            let Some(client) = clients.get(id, Instant::now()) else {
                return refused(message, UNKNOWN, Some("handshake"));
            };
            if client.ears.len() >= MAX_CHANNELS && !client.ears.contains_key(channel) {
                return refused(message, "403::Too many subscriptions", None);
            }
            client.ears.insert(channel.to_owned(), ear);
            fine(message)
        }
    }
}

fn unsubscribe(world: &World, message: &Value) -> Value {
    let id = message["clientId"].as_str().unwrap_or_default();
    let channel = message["subscription"].as_str().unwrap_or_default();
    match world.cometd().get(id, Instant::now()) {
        None => refused(message, UNKNOWN, Some("handshake")),
        Some(client) => {
            client.ears.remove(channel);
            fine(message)
        }
    }
}

/// Waits for events. The first connect of a client is answered at once, with the advice that it lives by.
async fn connect(world: &World, call: &Call, message: &Value) -> Vec<Value> {
    let id = message["clientId"].as_str().unwrap_or_default();
    if call
        .token()
        .is_none_or(|token| door::enter(world, call, token).is_err())
    {
        return vec![refused(message, "401::Authentication invalid", Some("none"))];
    }
    let first = match world.cometd().get(id, Instant::now()) {
        None => return vec![refused(message, UNKNOWN, Some("handshake"))],
        Some(client) => !std::mem::replace(&mut client.connected, true),
    };
    let _waiting = Waiting::begin(world, id);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let (heard, changes) = match look(world, id) {
            None => return vec![refused(message, UNKNOWN, Some("handshake"))],
            Some(Err(error)) => return vec![refused(message, &error, Some("none"))],
            Some(Ok(found)) => found,
        };
        let waits = !first && heard.is_empty();
        let Some(mut changes) = changes.filter(|_| waits) else {
            // Without a channel a connect has nothing to wait for but its time.
            if waits {
                tokio::time::sleep_until(deadline).await;
            }
            return answered(message, heard);
        };
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return answered(message, heard) },
            () = tokio::time::sleep_until(deadline) => return answered(message, heard),
        }
    }
}

fn answered(message: &Value, mut events: Vec<Value>) -> Vec<Value> {
    let mut answer = fine(message);
    answer["advice"] = json!({"reconnect": "retry", "interval": 0, "timeout": PATIENCE.as_millis()});
    events.push(answer);
    events
}

type Changes = tokio::sync::watch::Receiver<()>;

/// Messages for a client, and what to wait for where it listens to something.
type Heard = (Vec<Value>, Option<Changes>);

/// What a client's channels have for it now; None for an unknown client.
fn look(world: &World, id: &str) -> Option<Result<Heard, String>> {
    let mut clients = world.cometd();
    let client = clients.get(id, Instant::now())?;
    // Marked before the look: what comes during it wakes us again.
    let changes = client.ears.values().next().map(Ear::changes);
    let mut heard = Vec::new();
    for (channel, ear) in &mut client.ears {
        match ear.hear(MAX_EVENTS - heard.len().min(MAX_EVENTS)) {
            Ok(events) => heard.extend(
                events
                    .into_iter()
                    .map(|data| json!({"channel": channel, "clientId": id, "data": data})),
            ),
            Err(deaf) => return Some(Err(words(deaf, channel))),
        }
    }
    Some(Ok((heard, changes)))
}

/// A client that waits is not forgotten.
struct Waiting<'w> {
    world: &'w World,
    id: String,
}

impl<'w> Waiting<'w> {
    fn begin(world: &'w World, id: &str) -> Self {
        let this = Self {
            world,
            id: id.to_owned(),
        };
        this.change(1);
        this
    }

    fn change(&self, by: isize) {
        if let Some(client) = self.world.cometd().get(&self.id, Instant::now()) {
            client.waiting = client.waiting.saturating_add_signed(by);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.change(-1);
    }
}
