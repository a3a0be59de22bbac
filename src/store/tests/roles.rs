//! Who may do what, and who is connected.

use super::{
    super::{Seen, StoreError, StoreOptions},
    *,
};
use crate::core::role::{EVERYBODY_ELSE, Role};

#[tokio::test]
async fn without_any_role_everybody_is_admin_and_afterwards_whoever_is_listed() {
    let bed = Bed::sqlite();
    let ann = bed.open().await;
    let bob = bed.open_with("bob", Hand::new()).await.unwrap();
    assert_eq!((ann.role().await.unwrap(), bob.role().await.unwrap()), (Role::Admin, Role::Admin));

    // Whoever assigns the first role does not lock everybody out.
    let change = ann.set_role("bob@bastion-1", Role::Responder).await.unwrap();
    assert_eq!(change.made_admin.as_deref(), Some("ann@bastion-1"));
    assert_eq!((ann.role().await.unwrap(), bob.role().await.unwrap()), (Role::Admin, Role::Responder));
    let cid = bed.open_with("cid", Hand::new()).await.unwrap();
    assert_eq!(cid.role().await.unwrap(), Role::Viewer, "not listed");
    ann.set_role(EVERYBODY_ELSE, Role::Responder).await.unwrap();
    assert_eq!(cid.role().await.unwrap(), Role::Responder);

    let listed: Vec<(String, Role)> =
        bob.roles().await.unwrap().into_iter().map(|row| (row.who, row.role)).collect();
    let expected =
        [("ann@bastion-1", Role::Admin), ("bob@bastion-1", Role::Responder), ("*", Role::Responder)];
    assert_eq!(listed, expected.map(|(who, role)| (who.to_owned(), role)));
}

#[tokio::test]
async fn the_last_admin_stays() {
    let bed = Bed::sqlite();
    let ann = bed.open().await;
    ann.set_role("ann@bastion-1", Role::Admin).await.unwrap();
    let last = |error| matches!(error, StoreError::LastAdmin { .. });
    assert!(last(ann.remove_role("ann@bastion-1").await.unwrap_err()));
    assert!(last(ann.set_role("ann@bastion-1", Role::Viewer).await.unwrap_err()));
    assert!(matches!(ann.remove_role("bob@bastion-1").await.unwrap_err(), StoreError::NotFound { .. }));
    ann.set_role("bob@bastion-1", Role::Admin).await.unwrap();
    let removed = ann.remove_role("ann@bastion-1").await.unwrap();
    assert_eq!((removed.before, removed.grants), (Some(Role::Admin), Vec::new()), "no logins, no grants");
    assert_eq!(ann.role().await.unwrap(), Role::Viewer);
    assert!(last(ann.set_role("bob@bastion-1", Role::Responder).await.unwrap_err()));
}

#[tokio::test]
async fn of_two_first_assignments_at_once_both_leave_an_admin() {
    let bed = Bed::sqlite();
    let ann = bed.open().await;
    let bob = bed.open_with("bob", Hand::new()).await.unwrap();
    let (one, two) = tokio::join!(
        ann.set_role("bob@bastion-1", Role::Viewer),
        bob.set_role("ann@bastion-1", Role::Viewer)
    );
    // The second one finds the first: its author is a viewer by then, or takes the only admin away.
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let roles = ann.roles().await.unwrap();
    assert_eq!(roles.iter().filter(|row| row.role == Role::Admin).count(), 1, "{roles:?}");
}

#[tokio::test]
async fn processes_are_listed_by_their_names_and_roles_go_by_the_os_user() {
    let bed = Bed::sqlite();
    let ring = KeyRing::load(KeySource::Ephemeral, None).unwrap();
    let options = StoreOptions {
        url: bed.url.clone(),
        create: true,
        me: holder("ops"),
        name: Some("Ann Lee".to_owned()),
    };
    let store = Store::open(options, ring, Hand::new()).await.unwrap();
    assert_eq!(store.identity(), "ops@bastion-1");
    store.report_ring("console", &mut Seen::default()).await.unwrap();
    let listed = store.consoles().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].holder.to_string(), "Ann Lee@bastion-1");
    assert_eq!((listed[0].identity.as_str(), listed[0].what.as_str()), ("ops@bastion-1", "console"));
    store.set_role("ops@bastion-1", Role::Admin).await.unwrap();
    assert_eq!(store.role().await.unwrap(), Role::Admin);
    store.leave_ring().await.unwrap();
    assert!(store.consoles().await.unwrap().is_empty());
}
