//! The script `token_put` against a real Redis.

use secrecy::ExposeSecret;
use tandem::port::token::{TokenError, TokenStore};
use tandem::store::RedisTokens;

use crate::fixture::*;
use crate::server::Server;

#[tokio::test]
async fn credentials_rest_sealed_and_only_the_first_of_two_renewals_wins() {
    let server = Server::start().await;
    let tokens = RedisTokens::new(&settings(&server), sealer(), tokio::runtime::Handle::current()).unwrap();
    assert!(tokens.get(&acme()).await.unwrap().is_none());
    assert_eq!(tokens.put(&acme(), 0, "refresh-1".into()).await.unwrap(), 1);
    assert_eq!(tokens.put(&acme(), 1, "refresh-2".into()).await.unwrap(), 2);
    let late = tokens.put(&acme(), 1, "refresh-3".into()).await;
    assert!(matches!(late, Err(TokenError::MovedOn { version: 2, .. })), "{late:?}");
    let stored = tokens.get(&acme()).await.unwrap().unwrap();
    assert_eq!((stored.version, stored.secret.expose_secret()), (2, "refresh-2"));
    for (key, dump) in everything(&mut server.raw().await).await {
        assert!(
            !String::from_utf8_lossy(&dump).contains("refresh"),
            "{key} holds a token in clear"
        );
    }
}

#[tokio::test]
async fn credentials_of_another_tenant_do_not_open() {
    let server = Server::start().await;
    let tokens = RedisTokens::new(&settings(&server), sealer(), tokio::runtime::Handle::current()).unwrap();
    tokens.put(&acme(), 0, "refresh-1".into()).await.unwrap();
    let other = tandem_core::domain::ids::TenantName::new("globex").unwrap();
    let mut raw = server.raw().await;
    let _: () = redis::cmd("COPY")
        .arg(tandem::store::keys::token(&acme()))
        .arg(tandem::store::keys::token(&other))
        .query_async(&mut raw)
        .await
        .unwrap();
    let refused = tokens.get(&other).await;
    assert!(matches!(refused, Err(TokenError::Sealed(_))));
}

#[tokio::test]
async fn the_pool_loads_scripts_again_after_a_flush() {
    let server = Server::start().await;
    let tokens = RedisTokens::new(&settings(&server), sealer(), tokio::runtime::Handle::current()).unwrap();
    tokens.put(&acme(), 0, "a".into()).await.unwrap();
    let _: () = redis::cmd("SCRIPT")
        .arg("FLUSH")
        .query_async(&mut server.raw().await)
        .await
        .unwrap();
    assert_eq!(tokens.put(&acme(), 1, "b".into()).await.unwrap(), 2);
}
