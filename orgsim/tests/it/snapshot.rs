//! An org goes into a file and comes out of it as it was.

use std::io::Write;

use orgsim::{Options, Simulator};
use serde_json::{Value, json};

use crate::server::{Answer, Server};

async fn take(server: &Server) -> Vec<u8> {
    let url = format!("{}/orgs/acme/snapshot", server.simulator.admin_url());
    let answer = server.client.get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap().to_vec()
}

async fn give(server: &Server, packed: Vec<u8>) -> Answer {
    let url = format!("{}/orgs/acme/snapshot", server.simulator.admin_url());
    server.send(server.client.put(url).body(packed)).await
}

fn file(packed: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(packed).unwrap();
    file
}

/// Two accounts with contacts, one of them deleted together with its child; the ids of the deleted account and its child.
async fn furnished(server: &Server) -> (String, String) {
    let fields = json!({"Name": "Zoë \"&\" Söhne\n", "AnnualRevenue": 1.5e9, "Description": "x".repeat(2_000)});
    let kept = server.create("Account", fields).await;
    server
        .create(
            "Contact",
            json!({"LastName": "kept", "AccountId": kept, "Birthdate": "1999-12-31", "Tandem_Key__c": "k1", "Tandem_Seq__c": 7}),
        )
        .await;
    let gone = server.create("Account", json!({"Name": "Gone"})).await;
    let child = server
        .create("Contact", json!({"LastName": "child", "AccountId": gone}))
        .await;
    assert_eq!(
        server
            .call("DELETE", &format!("/sobjects/Account/{gone}"), Value::Null)
            .await
            .status,
        204
    );
    (gone, child)
}

/// All rows of an object with all fields, deleted ones too.
async fn rows(server: &Server, entity: &str) -> Value {
    let live = server
        .admin("GET", &format!("/orgs/acme/records/{entity}"), Value::Null)
        .await;
    let deleted = server
        .admin("GET", &format!("/orgs/acme/records/{entity}?deleted=true"), Value::Null)
        .await;
    json!([live.text, deleted.text])
}

#[tokio::test]
async fn rows_ids_and_the_recycle_bin_come_back() {
    let first = Server::start().await;
    let (gone, child) = furnished(&first).await;
    let packed = take(&first).await;
    let later = first.create("Contact", json!({"LastName": "after the snapshot"})).await;

    let file = file(&packed);
    let options = Options {
        restore: vec![file.path().to_owned()],
        ..Options::default()
    };
    for second in [Server::start().await, Server::with(options).await] {
        if rows(&second, "Account").await != rows(&first, "Account").await {
            assert_eq!(give(&second, packed.clone()).await.body, json!({"restored": true}));
        }
        assert_eq!(rows(&second, "Account").await, rows(&first, "Account").await);
        let found = second
            .query("SELECT Id, Account.Name FROM Contact WHERE Tandem_Key__c = 'k1'")
            .await;
        assert_eq!(found.body["totalSize"], 1, "keys are found again: {}", found.text);
        let lower = json!({"LastName": "kept", "Tandem_Seq__c": 6});
        let refused = second.call("PATCH", "/sobjects/Contact/Tandem_Key__c/k1", lower).await;
        assert_eq!(
            refused.refusal(),
            (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION"),
            "the fence sees the old value"
        );

        let undeleted = json!({"entity": "Account", "op": "undelete", "id": gone});
        assert_eq!(
            second.admin("POST", "/orgs/acme/edit", undeleted).await.body["success"],
            true
        );
        let back = second.get(&format!("/sobjects/Contact/{child}")).await;
        assert_eq!(back.body["LastName"], "child", "what went with it comes back with it");
        assert_eq!(
            second.create("Contact", json!({"LastName": "n"})).await,
            later,
            "ids go on where they were"
        );
    }
}

#[tokio::test]
async fn a_wrong_snapshot_leaves_the_org_as_it_is() {
    let first = Server::start().await;
    furnished(&first).await;
    let packed = take(&first).await;
    let other = Options {
        seed: 2,
        ..Options::default()
    };
    let named = Options {
        orgs: vec!["other".to_owned()],
        ..Options::default()
    };
    let before = rows(&first, "Account").await;
    for (wrong, words) in [
        (packed[..packed.len() / 2].to_vec(), "snapshot"),
        (b"no gzip".to_vec(), "reading the snapshot"),
        (Vec::new(), "snapshot"),
    ] {
        let answer = give(&first, wrong).await;
        assert_eq!(answer.status, 400);
        assert!(
            answer.body["error"].as_str().unwrap().contains(words),
            "{}",
            answer.text
        );
    }
    assert_eq!(rows(&first, "Account").await, before);

    let answer = give(&Server::with(other).await, packed.clone()).await;
    assert!(
        answer.body["error"].as_str().unwrap().contains("--seed"),
        "{}",
        answer.text
    );
    let file = file(&packed);
    let refused = Simulator::start(Options {
        restore: vec![file.path().to_owned()],
        ..named
    });
    assert!(refused.await.err().unwrap().to_string().contains("--org acme"));

    let schema = "[[field]]\nobject = \"Account\"\nname = \"Own__c\"\ntype = \"string\"\nlength = 9\n";
    let grown = Options {
        schema: vec![toml::from_str(schema).unwrap()],
        ..Options::default()
    };
    let grown = Server::with(grown).await;
    let answer = give(&first, take(&grown).await).await;
    assert!(
        answer.body["error"].as_str().unwrap().contains("Account.Own__c"),
        "{}",
        answer.text
    );
    assert_eq!(
        give(&grown, packed).await.body,
        json!({"restored": true}),
        "a field more is no harm"
    );
}
