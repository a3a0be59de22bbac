use std::os::unix::fs::PermissionsExt;

use sha2::{Digest, Sha256};

use super::*;
use crate::core::error::{Kind, Problem};

#[tokio::test]
async fn a_missing_store_is_not_made_by_accident() {
    let bed = Bed::sqlite();
    let options = StoreOptions { url: bed.url.clone(), create: false, me: holder("ann"), name: None };
    let ring = KeyRing::load(KeySource::Ephemeral, None).unwrap();
    let missing = Store::open(options, ring, Hand::new()).await.unwrap_err();
    assert!(matches!(missing, StoreError::Missing { .. }) && missing.kind() == Kind::Config);
    assert_eq!(std::fs::read_dir(bed.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_newer_store_is_refused_by_version() {
    let bed = Bed::sqlite();
    let store = bed.open().await;
    let mut tx = store.db().write("pretend").await.unwrap();
    super::super::sqlite::set_version(&mut tx, 0x6c61_726b, 99).await.unwrap();
    tx.commit().await.unwrap();
    store.close().await;
    let newer = bed.open_with("ann", Hand::new()).await.unwrap_err();
    let newest = i64::try_from(super::super::sqlite::MIGRATIONS.len()).unwrap();
    assert!(matches!(newer, StoreError::Newer { found: 99, known, .. } if known == newest), "{newer}");
    assert!(newer.to_string().contains("99") && newer.hint().is_some());
}

#[tokio::test]
async fn files_that_are_no_store_are_named_so() {
    let bed = Bed::sqlite();
    std::fs::write(bed.path().join("store.db"), "this is a letter to the editor, not a database".repeat(100))
        .unwrap();
    let error = bed.open_with("ann", Hand::new()).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }) && error.kind() == Kind::Storage, "{error}");
    let bed = Bed::sqlite();
    let path = bed.path().join("store.db");
    let place: Arc<str> = "other".into();
    super::super::sqlite::make_file(&path).unwrap();
    let mut other =
        super::super::sqlite::connect(&path, &place, super::super::sqlite::Role::Writer).await.unwrap();
    super::super::q("create table notes (text text)").run(&mut other).await.unwrap();
    drop(other);
    let error = bed.open_with("ann", Hand::new()).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_not_the_end() {
    let bed = Bed::sqlite();
    let store = bed.open().await;
    let id = integration(&store).await;
    // The engine's own limit stands in for the disk's.
    let limit = async |pages: &'static str| {
        let mut tx = store.db().write("set the limit").await.unwrap();
        super::super::q(pages).all(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
    };
    limit("pragma max_page_count = 1").await;
    let mut stored = 0;
    let full = loop {
        let mut big = message(stored, &chat(1), 1000);
        big.content = "x".repeat(20_000);
        match store.ingest(vec![item(&id, big)]).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 1000);
    };
    assert!(matches!(full, StoreError::Full { .. }) && full.kind() == Kind::Storage, "{full}");
    assert!(full.hint().is_some());
    limit("pragma max_page_count = 1000000").await;
    assert!(store.ingest(vec![item(&id, message(stored, &chat(1), 1000))]).await.unwrap()[0].is_new());
    assert_eq!(store.history(&chat(1), &super::super::Anchor::Latest, 2000).await.unwrap().len(), stored + 1);
}

#[tokio::test]
async fn a_dropped_transaction_is_rolled_back_and_frees_the_lock() {
    let bed = Bed::sqlite();
    let (store, other) = (bed.open().await, bed.open().await);
    let id = integration(&store).await;
    for number in 0..20 {
        let mut tx = store.db().write("begin and leave").await.unwrap();
        super::super::q("delete from integration").run(&mut tx).await.unwrap();
        drop(tx);
        other.ingest(vec![item(&id, message(number, &chat(1), 1000))]).await.unwrap();
    }
    assert_eq!(store.integrations().await.unwrap().len(), 1);
    store.ingest(vec![item(&id, message(99, &chat(1), 1000))]).await.unwrap();
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let bed = Bed::sqlite();
    let store = bed.open().await;
    let id = integration(&store).await;
    store.close().await;
    store.close().await;
    assert!(matches!(store.ingest(vec![item(&id, message(1, &chat(1), 1))]).await, Err(StoreError::Closed)));
    assert!(matches!(store.integrations().await, Err(StoreError::Closed)));
    assert!(matches!(store.head().await, Err(StoreError::Closed)));
    assert!(!bed.path().join("store.db-wal").exists(), "the last one out folds the journal in");
}

#[tokio::test]
async fn a_shared_folder_gets_a_shared_store() {
    let bed = Bed::sqlite();
    std::fs::set_permissions(bed.path(), PermissionsExt::from_mode(0o2770)).unwrap();
    let store = bed.open().await;
    integration(&store).await;
    for file in ["store.db", "store.db-wal", "store.db-bell"] {
        let mode = std::fs::metadata(bed.path().join(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o660, "{file}");
    }
}

#[test]
fn store_urls() {
    assert_eq!("sqlite:/a/b.db".parse::<StoreUrl>().unwrap(), StoreUrl::Sqlite("/a/b.db".into()));
    assert_eq!("sqlite:///a/b.db".parse::<StoreUrl>().unwrap().to_string(), "sqlite:/a/b.db");
    for bad in ["", "sqlite:", "/a/b", "postgres://u:secret@h:99999/d", "sqlite:x?mode=memory"] {
        let error = bad.parse::<StoreUrl>().unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

/// What was released is never edited: a changed migration needs a file of its own.
#[test]
fn migrations_are_append_only() {
    let sqlite = [
        "f9fa40b24c38610f",
        "6eeca7bd528cbe92",
        "66a43eea2ab71e46",
        "b615902650162f2a",
        "5d5a1d516bd59001",
        "4ff4e00445ab8120",
        "ac2e026b6783b66d",
        "ef0e607e5f0a1a02",
        "d54820ff73917494",
    ];
    let postgres = [
        "1510be61c067f2f8",
        "1da744c6b1dd4dec",
        "6ecf9b23108e1929",
        "9134939771861f44",
        "5d5a1d516bd59001",
        "e34e5ce8b238b51f",
        "68354ae336ef2f62",
        "840527fe544e60fd",
        "33067ebbb2d61a8e",
    ];
    let hashes = |scripts: &[&str]| -> Vec<String> {
        let hash = |script: &&str| {
            Sha256::digest(script.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
        };
        scripts.iter().map(hash).collect()
    };
    assert_eq!(hashes(super::super::sqlite::MIGRATIONS), sqlite);
    assert_eq!(hashes(super::super::postgres::MIGRATIONS), postgres);
}
