use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::core::error::{Kind, Problem};

on_each_engine! {
    the_first_secret_makes_the_key_and_a_lost_key_is_an_error,
    keys_rotate_in_one_transaction,
    a_sealed_secret_does_not_open_elsewhere,
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

async fn the_first_secret_makes_the_key_and_a_lost_key_is_an_error(bed: Bed) {
    let key = bed.path().join("key");
    let store = bed.open().await;
    assert!(!key.exists());
    let id = integration(&store).await;
    assert_eq!(mode(&key), 0o600);
    if bed.is_file() {
        assert_eq!(mode(&bed.path().join("store.db")), 0o600);
    }
    let secret = store.credentials(&id).await.unwrap();
    assert_eq!(secret.app_secret, Secret::new("app-secret-0123456789"));
    for file in ["store.db", "store.db-wal"] {
        let bytes = std::fs::read(bed.path().join(file)).unwrap_or_default();
        assert!(!bytes.windows(10).any(|part| part == b"app-secret"), "{file} has the secret in the clear");
    }
    store.close().await;
    let kept = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let store = bed.open().await;
    let lost = store.credentials(&id).await.unwrap_err();
    assert!(matches!(lost, StoreError::KeyLost { .. }) && lost.kind() == Kind::Config, "{lost}");
    let lost = store.add_integration(new_integration("Second", "cli_b")).await.unwrap_err();
    assert!(matches!(lost, StoreError::KeyLost { .. }), "{lost}");
    assert!(store.add_key().await.is_err());
    assert!(!key.exists(), "no new key over sealed secrets");
    let listed = store.integrations().await.unwrap();
    assert_eq!(listed[0].app.as_ref().unwrap().app_secret_masked, "••••••••", "listing needs no key");
    // It comes back, and the running process sees it.
    std::fs::write(&key, kept).unwrap();
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    assert!(store.credentials(&id).await.is_ok());
}

#[tokio::test]
async fn a_key_that_others_can_read_is_refused_with_the_chmod() {
    let bed = Bed::sqlite();
    let store = bed.open().await;
    integration(&store).await;
    let key = bed.path().join("key");
    for bad in [0o644, 0o604, 0o660, 0o602] {
        std::fs::set_permissions(&key, PermissionsExt::from_mode(bad)).unwrap();
        let refused = KeyRing::load(KeySource::File(key.clone()), Some(&bed.url)).unwrap_err();
        assert!(matches!(refused, StoreError::KeyExposed { .. }), "{bad:o}: {refused}");
        assert!(refused.hint().unwrap().starts_with("chmod 6"), "{:?}", refused.hint());
    }
    // The store's own group may read it.
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o640)).unwrap();
    assert!(KeyRing::load(KeySource::File(key.clone()), Some(&bed.url)).is_ok());
    assert!(KeyRing::load(KeySource::File(key), None).is_err());
}

async fn keys_rotate_in_one_transaction(bed: Bed) {
    let (store, other) = (bed.open().await, bed.open().await);
    let id = integration(&store).await;
    let old = store.keys().await.unwrap()[0].id.clone();
    let new = store.add_key().await.unwrap();
    assert!(matches!(store.drop_key(&old).await, Err(StoreError::KeyInUse { .. })));
    assert!(matches!(store.use_key("nope").await, Err(StoreError::NoSuchKey { .. })));
    store.use_key(&new).await.unwrap();
    let listed = store.keys().await.unwrap();
    assert_eq!(listed.iter().map(|key| key.is_current).collect::<Vec<_>>(), [false, true]);
    // Another process reads the ring again where it meets a key that it does not know.
    assert!(other.credentials(&id).await.is_ok());
    assert!(matches!(store.drop_key(&new).await, Err(StoreError::KeyInUse { .. })));
    store.drop_key(&old).await.unwrap();
    assert_eq!(store.keys().await.unwrap().len(), 1);
    assert!(store.credentials(&id).await.is_ok());
    assert_eq!(mode(&bed.path().join("key")), 0o600);
}

async fn a_sealed_secret_does_not_open_elsewhere(bed: Bed) {
    let store = bed.open().await;
    let first = integration(&store).await;
    let second = store.add_integration(new_integration("Second", "cli_b")).await.unwrap().id;
    let mut tx = store.db().write("move a secret").await.unwrap();
    super::super::q(
        "update secret set nonce = (select nonce from secret where integration_id = $1 and column_name = 'app_secret'),
            sealed = (select sealed from secret where integration_id = $1 and column_name = 'app_secret')
            where integration_id = $2 and column_name = 'app_secret'",
    )
    .bind(&first)
    .bind(&second)
    .run(&mut tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    assert!(store.credentials(&first).await.is_ok());
    let refused = store.credentials(&second).await.unwrap_err();
    assert!(matches!(refused, StoreError::Tampered { .. }), "{refused}");
    assert!(!refused.to_string().contains("secret-0"));
}

#[test]
fn broken_rings_are_named() {
    let ring = |text: &str| KeyRing::load(KeySource::Text(Secret::new(text)), None);
    for bad in [
        "",
        "# nothing",
        "x y z current more",
        "aGVsbG8=",
        "00000000 1 MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    ] {
        assert!(matches!(ring(bad), Err(StoreError::KeySource { .. })), "{bad:?}");
    }
    let bare = ring("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").unwrap();
    assert!(bare.list()[0].is_current);
    assert!(!format!("{bare:?}").contains("MDEy"));
    let echo = |text: &str| vec!["echo".to_owned(), text.to_owned()];
    let told = KeyRing::load(KeySource::Command(echo("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")), None)
        .unwrap();
    assert_eq!(told.list(), bare.list());
    assert!(KeyRing::load(KeySource::Command(vec!["false".to_owned()]), None).is_err());
    assert!(KeyRing::load(KeySource::Command(vec![]), None).is_err());
}
