//! The store's seal against a real Redis.

use tandem::port::seal::{SealError, Sealer};
use tandem::store::seal::{KeyringError, RegionalKey, RegionalSealer};
use tandem_core::domain::ids::TenantName;

use crate::fixture::acme;

fn key(id: &str, byte: u8) -> RegionalKey {
    RegionalKey {
        id: id.into(),
        secret: zeroize::Zeroizing::new([byte; 32]),
    }
}

fn sealer(current: RegionalKey, previous: Vec<RegionalKey>) -> RegionalSealer {
    RegionalSealer::new(current, previous).unwrap()
}

#[test]
fn a_blob_opens_only_where_it_belongs() {
    let one = sealer(key("1", 1), vec![]);
    let blob = one.seal(&acme(), "dead", b"Ada").unwrap();
    assert_eq!(one.open(&acme(), "dead", &blob).unwrap(), b"Ada");
    let globex = TenantName::new("globex").unwrap();
    assert!(matches!(
        one.open(&globex, "dead", &blob),
        Err(SealError::Refused { .. })
    ));
    assert!(matches!(
        one.open(&acme(), "token", &blob),
        Err(SealError::Refused { .. })
    ));
    assert_ne!(one.seal(&acme(), "dead", b"Ada").unwrap(), blob, "nonces are random");
}

#[test]
fn a_changed_or_cut_blob_never_opens() {
    let one = sealer(key("1", 1), vec![]);
    let blob = one.seal(&acme(), "dead", b"Ada").unwrap();
    for at in 0..blob.len() {
        let mut changed = blob.clone();
        changed[at] ^= 1;
        assert!(one.open(&acme(), "dead", &changed).is_err(), "byte {at}");
        assert!(one.open(&acme(), "dead", &blob[..at]).is_err(), "cut at {at}");
    }
    let mut newer = blob;
    newer[0] = 2;
    assert!(matches!(
        one.open(&acme(), "dead", &newer),
        Err(SealError::Format { .. })
    ));
}

#[test]
fn after_a_rotation_old_blobs_open_and_digests_stay() {
    let old = sealer(key("9", 1), vec![]);
    let blob = old.seal(&acme(), "token", b"refresh").unwrap();
    let both = sealer(key("10", 2), vec![key("9", 1)]);
    assert_eq!(both.open(&acme(), "token", &blob).unwrap(), b"refresh");
    assert_eq!(
        both.digest_key(&acme()).unwrap(),
        old.digest_key(&acme()).unwrap(),
        "9 is older than 10"
    );
    let new = sealer(key("10", 2), vec![]);
    match new.open(&acme(), "token", &blob) {
        Err(SealError::UnknownKey { key_id, .. }) => assert_eq!(key_id, "9"),
        other => panic!("{other:?}"),
    }
    let fresh = both.seal(&acme(), "token", b"refresh").unwrap();
    assert_eq!(new.open(&acme(), "token", &fresh).unwrap(), b"refresh");
}

#[test]
fn tenants_and_uses_have_keys_of_their_own() {
    let one = sealer(key("1", 1), vec![]);
    let other = TenantName::new("globex").unwrap();
    assert_ne!(one.digest_key(&acme()).unwrap(), one.digest_key(&other).unwrap());
    assert_ne!(one.digest_key(&acme()).unwrap(), [1; 32]);
}

#[test]
fn a_keyring_with_two_keys_of_one_name_is_refused() {
    let twice = RegionalSealer::new(key("1", 1), vec![key("1", 2)]).err();
    assert_eq!(twice, Some(KeyringError::Twice("1".into())));
    assert!(matches!(
        RegionalSealer::new(key("", 1), vec![]).err(),
        Some(KeyringError::Id(_))
    ));
}
