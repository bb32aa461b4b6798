//! Metadata, topics, errors and their trailers.

use orgsim::commit::{Commit, CommitSink};
use orgsim::wire::{FetchRequest, ManagedFetchRequest, PublishRequest, ReplayPreset, SchemaRequest, TopicRequest};
use tonic::{Code, Request, Status};

use crate::client::{Served, error_code, signed};
use crate::orgs::{ORG, OTHER_ORG, OTHER_TOKEN, Orgs, TOKEN, commit, created};

/// Text ends with ` rpcId: <uuid>`, the trailer `rpc-id` has the same (Pub/Sub API guide, "Handling Errors").
fn check_rpc_id(status: &Status) {
    let rpc_id = status
        .metadata()
        .get("rpc-id")
        .expect("an rpc-id trailer")
        .to_str()
        .unwrap();
    assert_eq!(rpc_id.len(), 36);
    assert!(
        status.message().ends_with(&format!(" rpcId: {rpc_id}")),
        "{}",
        status.message()
    );
}

#[tokio::test]
async fn bad_metadata_is_unauthenticated() {
    let served = Served::new(Orgs::new());
    let mut client = served.client().await;
    let full = [("accesstoken", TOKEN), ("instanceurl", "http://x"), ("tenantid", ORG)];
    let mut cases: Vec<Vec<(&str, &str)>> = (0..3)
        .map(|left_out| {
            (0..3)
                .filter(|index| *index != left_out)
                .map(|index| full[index])
                .collect()
        })
        .collect();
    cases.push(vec![("accesstoken", "00D000000000001!other"), full[1], full[2]]);
    cases.push(vec![full[0], full[1], ("tenantid", "00D000000000002AAA")]);
    // A live token, but of another org.
    cases.push(vec![full[0], full[1], ("tenantid", OTHER_ORG)]);
    for case in cases {
        let mut request = Request::new(TopicRequest {
            topic_name: "/data/ChangeEvents".into(),
        });
        let mut subscribe = Request::new(tokio_stream::empty::<FetchRequest>());
        for (key, value) in &case {
            request.metadata_mut().insert(*key, value.parse().unwrap());
            subscribe.metadata_mut().insert(*key, value.parse().unwrap());
        }
        for status in [
            client.stub.get_topic(request).await.unwrap_err(),
            client.stub.subscribe(subscribe).await.unwrap_err(),
        ] {
            assert_eq!(status.code(), Code::Unauthenticated, "{case:?}");
            assert_eq!(error_code(&status), Some("service.auth.error"), "{case:?}");
            check_rpc_id(&status);
        }
    }
}

#[tokio::test]
async fn a_tenant_id_may_have_fifteen_characters() {
    let served = Served::new(Orgs::new());
    let mut request = signed(TopicRequest {
        topic_name: "/data/ChangeEvents".into(),
    });
    request.metadata_mut().insert("tenantid", ORG[..15].parse().unwrap());
    let info = served
        .client()
        .await
        .stub
        .get_topic(request)
        .await
        .unwrap()
        .into_inner();
    assert!(info.tenant_guid.ends_with(ORG));
}

/// A topic of several objects has no schema of its own (pozil/pub-sub-api-node-client issue 34).
#[tokio::test]
async fn topics_say_what_can_be_done_with_them() {
    let served = Served::new(Orgs::new());
    let mut client = served.client().await;
    for (topic, has_schema) in [
        ("/data/ChangeEvents", false),
        ("/data/Tandem__chn", false),
        ("/data/ContactChangeEvent", true),
        ("/data/Visit__ChangeEvent", true),
    ] {
        let request = TopicRequest {
            topic_name: topic.into(),
        };
        let info = client.stub.get_topic(signed(request)).await.unwrap().into_inner();
        assert_eq!(
            (info.topic_name.as_str(), info.can_subscribe, info.can_publish),
            (topic, true, false)
        );
        assert_eq!(!info.schema_id.is_empty(), has_schema, "{topic}");
        assert_eq!(info.rpc_id.len(), 36);
    }
}

/// Text of pozil/pub-sub-api-java-client issue 2; an object that is not captured has no topic.
#[tokio::test]
async fn unknown_topics_are_not_found() {
    let served = Served::new(Orgs::new());
    let mut client = served.client().await;
    for topic in [
        "/data/TaskChangeEvent",
        "/data/NoSuchChangeEvent",
        "/data/Other__chn",
        "/event/X__e",
        "",
    ] {
        let request = TopicRequest {
            topic_name: topic.into(),
        };
        let status = client.stub.get_topic(signed(request)).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{topic}");
        let text = format!(
            "The topic information for org CORE/prod/{ORG} and topic {topic} not found. \
             Ensure the topic name is correct and that the topic exists. rpcId: "
        );
        assert!(status.message().starts_with(&text), "{}", status.message());
        check_rpc_id(&status);
        let status = client
            .subscribe(topic, ReplayPreset::Latest, b"", 1)
            .await
            .error()
            .await;
        assert_eq!(status.code(), Code::NotFound, "{topic}");
    }
}

/// Text of pozil/pub-sub-api-node-client issue 34.
#[tokio::test]
async fn schema_ids_are_checked() {
    let served = Served::new(Orgs::new());
    let mut client = served.client().await;
    let status = client
        .stub
        .get_schema(signed(SchemaRequest::default()))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(
        status
            .message()
            .starts_with("Schema validation failed. The schema ID can't be blank. rpcId: ")
    );
    check_rpc_id(&status);
    let request = SchemaRequest {
        schema_id: "AAAAAAAAAAAAAAAAAAAAAA".into(),
    };
    let status = client.stub.get_schema(signed(request)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

/// Codes: Pub/Sub API guide, "Handling Errors"; the malformed ids: forcedotcom/pub-sub-api issue 37.
#[tokio::test]
async fn bad_requests_have_their_codes() {
    let served = Served::new(Orgs::new());
    let mut client = served.client().await;
    let (latest, custom) = (ReplayPreset::Latest, ReplayPreset::Custom);
    let invalid = "subscription.fetch.replayid.validation.failed";
    let corrupted = "subscription.fetch.replayid.corrupted";
    let cases: [(ReplayPreset, &[u8], i32, &str); 9] = [
        (latest, b"", 0, "subscription.fetch.requested.events.invalid"),
        (latest, b"", -1, "subscription.fetch.requested.events.invalid"),
        (custom, b"", 1, invalid),
        (custom, b"25242328", 1, invalid),
        (custom, &[0; 7], 1, invalid),
        (custom, &[0, 0, 0, 0, 0, 0, 0, 1, 0, 1], 1, invalid),
        (custom, &[0; 10], 1, corrupted),
        (custom, &[0; 8], 1, corrupted),
        (custom, &[0, 0, 0xFF, 0, 0, 0, 0, 0, 0, 0], 1, corrupted),
    ];
    for (preset, replay, requested, code) in cases {
        let status = client
            .subscribe("/data/ChangeEvents", preset, replay, requested)
            .await
            .error()
            .await;
        assert_eq!(status.code(), Code::InvalidArgument, "{replay:?} {requested}");
        assert_eq!(error_code(&status), Some(code), "{replay:?} {requested}");
        assert_eq!(status.metadata().get("type").unwrap(), "Subscribe");
        check_rpc_id(&status);
    }
}

#[tokio::test]
async fn calls_that_are_not_simulated_say_so() {
    let served = Served::new(Orgs::new());
    let mut stub = served.client().await.stub;
    let statuses = [
        stub.publish(signed(PublishRequest::default())).await.unwrap_err(),
        stub.publish_stream(signed(tokio_stream::empty::<PublishRequest>()))
            .await
            .unwrap_err(),
        stub.managed_subscribe(signed(tokio_stream::empty::<ManagedFetchRequest>()))
            .await
            .unwrap_err(),
    ];
    for status in statuses {
        assert_eq!(status.code(), Code::Unimplemented);
    }
}

/// Orgs share a server and nothing else.
#[tokio::test]
async fn orgs_do_not_see_each_other() {
    let served = Served::new(Orgs::new());
    let theirs = Commit {
        org_id: OTHER_ORG.to_owned(),
        ..commit(1, vec![created(1)])
    };
    served.bus.publish(theirs);
    served.bus.publish(commit(2, vec![created(2)]));
    let mut client = served.client().await;
    let mut call = client
        .subscribe("/data/ChangeEvents", ReplayPreset::Earliest, b"", 10)
        .await;
    assert_eq!(call.events(1).await[0].commit_number, 2);
    // Their schema is not known here, and ours not there.
    let topic = || TopicRequest {
        topic_name: "/data/ContactChangeEvent".into(),
    };
    let schema_id = client
        .stub
        .get_topic(signed(topic()))
        .await
        .unwrap()
        .into_inner()
        .schema_id;
    let mut request = signed(SchemaRequest { schema_id });
    request.metadata_mut().insert("tenantid", OTHER_ORG.parse().unwrap());
    request
        .metadata_mut()
        .insert("accesstoken", OTHER_TOKEN.parse().unwrap());
    assert_eq!(
        client.stub.get_schema(request).await.unwrap_err().code(),
        Code::NotFound
    );
}
