//! The story: every path once, with marks in everything that a person or a secret could stand in.

use serde_json::json;

use crate::find::{When, search};
use crate::marks::{Kind, Marks};
use crate::outage::outage;
use crate::places::{disk, keys, said};
use crate::secrets::{secrets, tokens, use_a_private_key, with_a_private_key};
use crate::stack::{Stack, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_value_and_no_secret_is_where_it_must_not_be() {
    let (marks, stack) = (Marks::default(), Stack::start(&[]).await);
    // Every command is slow enough to be noted; nothing on disk is packed, so that it can be searched.
    for setting in [
        ["slowlog-log-slower-than", "0"],
        ["rdbcompression", "no"],
        ["aof-use-rdb-preamble", "no"],
    ] {
        stack.ask(&["CONFIG", "SET", setting[0], setting[1]]).await;
    }
    edits_of_both_sides(&stack, &marks).await;
    refusals(&stack, &marks).await;
    refused_by_salesforce(&stack, &marks).await;
    questions(&stack, &marks).await;
    search(&marks.all(), &keys(&stack).await, When::Travelling);

    outage(&stack, &marks).await;
    secrets(&stack, &marks);
    let travelling = search(&marks.all(), &keys(&stack).await, When::Travelling);
    assert!(travelling > 20, "the backlog is there to be found: {travelling} marks");
    search(&marks.all(), &said(&stack).await, When::Travelling);

    // The next engine finds a tenant that logs in with a key of its own, and what the last one left in the middle.
    use_a_private_key(&stack, &marks).await;
    stack.faults(json!([])).await;
    stack.crash().await;
    with_a_private_key(&stack, &marks).await;
    deletes(&stack).await;
    for tenant in ["acme", "globex"] {
        stack.settled(tenant).await;
    }
    tokens(&stack, &marks).await;

    let view = stack.view("acme").await;
    assert_eq!(view.unaccounted(), 0, "{view:?}");
    assert!(view.dead_letters >= 1, "a refused record lies in a dead letter");
    assert!(view.open_questions >= 1, "a question that nobody answers is kept");
    search(&marks.all(), &keys(&stack).await, When::Travelling);
    stack.ask(&["XTRIM", "tandem:events:{0}", "MAXLEN", "0"]).await;
    search(&marks.all(), &keys(&stack).await, When::Drained);
    search(&marks.all(), &disk(&stack).await, When::Drained);
    search(&marks.all(), &said(&stack).await, When::Drained);
    let all = marks.all();
    let sent = stack.sent();
    let unsent: Vec<_> = all
        .iter()
        .filter(|mark| mark.kind != Kind::Secret && !sent.contains(&*String::from_utf8_lossy(&mark.bytes)))
        .map(|mark| mark.name.as_str())
        .collect();
    assert!(unsent.is_empty(), "made and never sent: {unsent:?}");

    let dir = stack.stop();
    let log = std::fs::read(dir.path().join("logs/engine.log")).unwrap();
    assert!(log.len() > 1_000, "the engine logged");
    let last = [crate::places::Place {
        name: "logs/engine.log after the end".to_owned(),
        bytes: log,
    }];
    search(&all, &last, When::Drained);
}

/// A record is made, edited in Salesforce, refused, edited by both at once, and filled by a backfill.
async fn edits_of_both_sides(stack: &Stack, marks: &Marks) {
    let key = marks.key("key of a contact");
    let once = marks.value("idempotency key");
    let data = json!({
        "email": format!("{}@person.example", marks.value("email")), "last_name": marks.value("last name"),
        "street": marks.value("street"), "city": marks.value("city"), "postcode": "1", "country": "x",
    });
    let data = data.to_string();
    let change = [
        ("object", "contact"),
        ("key", &key),
        ("op", "upsert"),
        ("data", &data),
        ("idempotency_key", &once),
    ];
    stack.append("changes", &change).await;
    stack.told("linked", &key).await;

    let edited = marks.value("edit in Salesforce");
    let edit = json!({"entity": "Contact", "op": "update", "key": key, "fields": {"FirstName": edited}, "as": "human"});
    stack.edit(edit).await;
    let event = stack.told("changed", &edited).await;
    let reason = marks.value("reason of a refusal");
    let refuse = [
        ("object", "contact"),
        ("key", key.as_str()),
        ("op", "refuse"),
        ("reason", &reason),
        ("answers", event.get("id")),
    ];
    stack.append("changes", &refuse).await;
    stack.told("conflict", &reason).await;

    let (theirs, ours) = (
        marks.value("their side of a conflict"),
        marks.value("our side of a conflict"),
    );
    let edit = json!({"entity": "Contact", "op": "update", "key": key, "fields": {"LastName": theirs}, "as": "human"});
    stack.edit(edit).await;
    let event = stack.told("changed", &theirs).await;
    let unseen = (event.get("revision").parse::<u64>().unwrap() - 1).to_string();
    let data = json!({"last_name": ours}).to_string();
    let change = [
        ("object", "contact"),
        ("key", key.as_str()),
        ("op", "upsert"),
        ("data", &data),
        ("seen_revision", &unseen),
    ];
    stack.append("changes", &change).await;
    stack.told("conflict", "last_name").await;

    let (key, phone) = (marks.key("key of a backfill"), marks.value("phone of a backfill"));
    let data = json!({"last_name": marks.value("last name of a backfill"), "phone": phone}).to_string();
    let change = [
        ("object", "contact"),
        ("key", key.as_str()),
        ("op", "upsert"),
        ("data", &data),
    ];
    stack.append("backfill", &change).await;
    stack.told("linked", &key).await;
}

/// Entries that are no change, each with a value where it should not be.
async fn refusals(stack: &Stack, marks: &Marks) {
    let key = marks.key("key of refused entries");
    let v = |name: &str| marks.value(name);
    let wrong: Vec<(String, String)> = [
        ("object", v("name of an object")),
        ("op", v("operation")),
        ("version", v("version")),
        ("at", v("time")),
        ("seen_revision", v("revision")),
        ("caused_by", v("cause")),
        ("origin", v("origin")),
        ("salesforce_id", v("id beside an upsert")),
        (
            "idempotency_key",
            format!("{}\n", v("idempotency key with a line break")),
        ),
        ("data", v("no JSON")),
        ("data", format!("[\"{}\"]", v("no object"))),
        ("data", json!({"status": {"a": v("wrong type")}}).to_string()),
        ("data", json!({v("name of a field"): 1}).to_string()),
        ("data", json!({"city": v("incomplete group")}).to_string()),
        (
            "data",
            json!({"full_name": v("field of the other direction")}).to_string(),
        ),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .chain([(v("name in an entry"), "1".to_owned())])
    .collect();
    let count = wrong.len();
    let refused = async || {
        let events = stack.events().await;
        events
            .iter()
            .filter(|event| event.get("type") == "rejected" && event.get("key") == key)
            .count()
    };
    for (name, value) in &wrong {
        let mut fields = vec![
            ("object", "contact"),
            ("key", key.as_str()),
            ("op", "upsert"),
            ("data", r#"{"last_name":"x"}"#),
        ];
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
        stack.append("changes", &fields).await;
    }
    // The name of a trace is not worth an edit: what is no trace is left out.
    let trace = v("trace");
    let data = json!({"last_name": v("last name beside a trace")}).to_string();
    let reused = v("idempotency key used twice");
    for data in [data.as_str(), r#"{"last_name":"y"}"#] {
        let fields = [
            ("object", "contact"),
            ("key", key.as_str()),
            ("op", "upsert"),
            ("data", data),
            ("traceparent", &trace),
            ("idempotency_key", &reused),
        ];
        stack.append("changes", &fields).await;
    }
    until("all wrong entries are refused", async || refused().await == count + 1).await;
    stack.told("linked", &key).await;
}

/// Salesforce refuses a value and repeats it in its words.
async fn refused_by_salesforce(stack: &Stack, marks: &Marks) {
    let key = marks.key("key of a record that Salesforce refuses");
    let city = format!("{}{}", marks.value("city that is too long"), "x".repeat(40));
    let data = json!({
        "last_name": marks.value("last name of a refused record"),
        "street": "s", "city": city, "postcode": "1", "country": "x",
    });
    stack.upsert(&key, &data).await;
    let event = stack.told("rejected", &city).await;
    assert!(event.get("detail").contains("too large"), "{event:?}");

    let key = marks.key("key of a record with an unknown choice");
    let choice = marks.value("unknown choice");
    stack.upsert(&key, &json!({"last_name": "x", "status": choice})).await;
    let event = stack.told("rejected", &choice).await;
    assert!(event.get("detail").contains("bad value"), "{event:?}");
}

/// Who is who: asked by Salesforce's side and by the product's, answered and not.
async fn questions(stack: &Stack, marks: &Marks) {
    let create = async |last_name: &str, email: &str| {
        let fields = json!({"LastName": last_name, "Email": email});
        stack
            .edit(json!({"entity": "Contact", "op": "create", "fields": fields, "as": "human"}))
            .await
    };
    let lonely = marks.value("nobody's contact");
    create(&lonely, &format!("{}@lonely.example", marks.value("nobody's email"))).await;
    stack.told("link_wanted", &lonely).await;

    let (name, key) = (
        marks.value("contact made in Salesforce"),
        marks.key("key of a linked contact"),
    );
    let id = create(&name, "").await;
    let asked = stack.told("link_wanted", &name).await;
    let link = [
        ("object", "contact"),
        ("key", key.as_str()),
        ("op", "link"),
        ("salesforce_id", &id),
        ("answers", asked.get("id")),
    ];
    stack.append("changes", &link).await;
    stack.told("linked", &key).await;

    let email = format!("{}@twins.example", marks.value("email of two contacts"));
    for _ in 0..2 {
        let twin = marks.value("one of two contacts");
        create(&twin, &email).await;
        stack.told("link_wanted", &twin).await;
    }
    let key = marks.key("key of one of two");
    let data = json!({"email": email, "last_name": marks.value("last name of one of two")});
    stack.upsert(&key, &data).await;
    let asked = stack.told("link_wanted", &key).await;
    let link = [
        ("object", "contact"),
        ("key", key.as_str()),
        ("op", "link"),
        ("salesforce_id", ""),
        ("answers", asked.get("id")),
    ];
    stack.append("changes", &link).await;
    stack.told("linked", &key).await;
}

/// Deletes from both sides, of the first two records that were linked.
async fn deletes(stack: &Stack) {
    let linked: Vec<_> = stack
        .events()
        .await
        .into_iter()
        .filter(|event| event.get("type") == "linked")
        .collect();
    let (theirs, ours) = (&linked[0], &linked[1]);
    let delete = [("object", "contact"), ("key", ours.get("key")), ("op", "delete")];
    stack.append("changes", &delete).await;
    stack
        .edit(json!({"entity": "Contact", "op": "delete", "key": theirs.get("key"), "as": "human"}))
        .await;
    stack.told("deleted", theirs.get("key")).await;
}
