//! Who may do what, and who is connected.

use super::{
    super::{
        Anchor, LinkChange, MemberRow, OperationQuery, Seen, StoreError, StoreOptions, StoreUrl, grants,
        sql::{Query, Text},
    },
    *,
};
use crate::core::{
    member::LinkOrigin,
    operation::NewOperation,
    role::{EVERYBODY_ELSE, Role},
};

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
    assert_eq!(ann.remove_role("ann@bastion-1").await.unwrap(), Role::Admin);
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

/// The store as this login of the database sees it.
async fn as_login(bed: &Bed, login: &str) -> Store {
    let url: StoreUrl =
        bed.url.to_string().replace("user=postgres", &format!("user={login}")).parse().unwrap();
    let ring = KeyRing::load(KeySource::File(bed.path().join("key")), Some(&url)).unwrap();
    let options = StoreOptions { url, create: false, me: holder(login), name: None };
    Store::open(options, ring, Hand::new()).await.unwrap()
}

/// On PostgreSQL the login is who one is, and the grants that `role grants` prints hold whatever larkdeck does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_itself_keeps_logins_to_their_roles() {
    let Some(bed) = Bed::postgres().await else { return };
    let owner = bed.open().await;
    let id = integration(&owner).await;
    owner.ingest(vec![item(&id, message(1, &chat(1), 1_000))]).await.unwrap();
    // Logins are the whole server's: each test has its own.
    let login = |role: Role| format!("{role}_{}", super::super::new_id(""));
    let logins = Role::ALL.map(|role| (role, login(role)));
    for (role, login) in &logins {
        let texts = format!("create role {login} login;\n{}", grants(login, *role));
        let mut tx = owner.db().write("set logins up").await.unwrap();
        for text in texts.lines() {
            Query { text: Text::Built(text.into()), values: Vec::new() }.run(&mut tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        owner.set_role(login, *role).await.unwrap();
    }
    for (role, login) in &logins {
        let store = as_login(&bed, login).await;
        assert_eq!(store.identity(), login);
        assert_eq!(store.role().await.unwrap(), *role);
        // Everybody reads.
        assert!(!store.history(&chat(1), &Anchor::Latest, 10).await.unwrap().is_empty());
        assert_eq!(store.rooms(&id, &reader("ann")).await.unwrap().len(), 1);
        store.operations(OperationQuery::default()).await.unwrap();
        store.consoles().await.unwrap();
        store.kept().await.unwrap();
        let mut n = 100 + usize::from(*role as u8) * 10;
        let mut fresh = || {
            n += 1;
            message(n, &chat(1), 2_000)
        };
        // What comes in and what is said: responders too.
        let may_respond = *role >= Role::Responder;
        assert_eq!(store.ingest(vec![item(&id, fresh())]).await.is_ok(), may_respond, "{role}");
        assert_eq!(store.log(NewOperation::ok("test", "x")).await.is_ok(), may_respond, "{role}");
        assert_eq!(store.put_ui("ann", "k", Some("v")).await.is_ok(), may_respond, "{role}");
        let listed = store.report_ring("console", &mut Seen::default()).await;
        assert_eq!(listed.is_ok(), may_respond, "{role}: {listed:?}");
        assert_eq!(store.try_acquire(&app("cli_a"), None).await.is_ok(), may_respond, "{role}");
        // The rest: admins alone.
        let may_administer = *role == Role::Admin;
        let row = MemberRow { id: None, name: format!("M {role}"), email: None, phone: None, team: None };
        let added = store.add_member(row).await;
        assert_eq!(added.is_ok(), may_administer, "{role}: {added:?}");
        if !may_administer {
            assert!(matches!(added.unwrap_err(), StoreError::Denied { .. }));
        }
        assert_eq!(store.set_role("somebody", Role::Admin).await.is_ok(), may_administer, "{role}");
        assert_eq!(store.set_war_room(&id, true).await.is_ok(), may_administer, "{role}");
        let change = LinkChange {
            member: "m_none".parse().unwrap(),
            open_id: None,
            origin: LinkOrigin::Manual,
            reason: None,
        };
        _ = store.apply_links(&id, "b_1", vec![change]).await;
        store.close().await;
    }
}
