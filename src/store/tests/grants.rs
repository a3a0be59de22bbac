//! PostgreSQL keeps logins to their roles: a role's grants go with the role, at once and for everybody.

use super::{
    super::{
        Anchor, Excess, Granted, LinkChange, MemberRow, OperationQuery, Seen, StoreError, StoreOptions,
        StoreUrl, permit,
        sql::{Query, Row, Text},
    },
    *,
};
use crate::core::{
    member::LinkOrigin,
    operation::NewOperation,
    permit::Feature,
    permit_rows::{BucketRow, Counts, DayTally, MinuteTally, PermitRows, RowsAsked, RowsAway, RowsChanged},
    role::{EVERYBODY_ELSE, Role},
};

/// What only admins write to.
const ADMINS: [&str; 7] =
    ["integration", "secret", "member", "member_link", "link_journal", "invitation", "role"];

fn built(text: impl Into<Arc<str>>) -> Query {
    Query { text: Text::Built(text.into()), values: Vec::new() }
}

/// Has a store's login do this.
async fn run(store: &Store, text: impl Into<Arc<str>>) -> Result<Vec<Row>, StoreError> {
    let mut conn = store.db().read("try it").await.unwrap();
    built(text).all(&mut conn).await
}

/// A new login. They are the whole server's, so each test has its own.
async fn new_login(owner: &Store, name: &str) -> String {
    let login = format!("{name}_{}", super::super::new_id(""));
    run(owner, format!("create role \"{login}\" login")).await.unwrap();
    login
}

/// The only login that a change was about.
fn only(mut grants: Vec<Granted>) -> Granted {
    assert_eq!(grants.len(), 1, "{grants:?}");
    grants.remove(0)
}

fn url_of(bed: &Bed, login: &str) -> StoreUrl {
    bed.url.to_string().replace("user=postgres", &format!("user={login}")).parse().unwrap()
}

/// The store as this login of the database sees it.
async fn as_login(bed: &Bed, login: &str) -> Store {
    let url = url_of(bed, login);
    let ring = KeyRing::load(KeySource::File(bed.path().join("key")), Some(&url)).unwrap();
    let options = StoreOptions { url, create: false, me: holder(login), name: None };
    Store::open(options, ring, Hand::new()).await.unwrap()
}

/// Everything that permits write.
async fn permits_are_written(rows: &mut dyn PermitRows) -> Result<(), RowsAway> {
    let (app, key) = (app("cli_a"), "a|cli_a|app".to_owned());
    let endpoint = "im.message.create".to_owned();
    let counts = Counts { counted: 1, ..Counts::default() };
    let asked =
        RowsAsked { keys: vec![key.clone()], months: vec![(app.clone(), 20_000)], ..RowsAsked::default() };
    let changed = RowsChanged {
        buckets: vec![BucketRow { key, state: vec![1], touched_us: 1 }],
        days: vec![DayTally { app: app.clone(), day: 20_000, endpoint, feature: Feature::Send, counts }],
        minutes: vec![MinuteTally { app: app.clone(), minute: 1, calls: 1 }],
        closed: vec![(app.clone(), 20_000)],
        clock_tag: Some(7),
    };
    // What is there already is changed by another verb than what is not.
    for _ in 0..2 {
        rows.transact(&asked, &mut |_| Ok(changed.clone())).await?;
    }
    rows.set_tenant(&app, &"t_1".parse().unwrap()).await?;
    rows.rebase(&app, 20_000, 5).await?;
    rows.prune(2, 2, 20_001).await
}

/// On PostgreSQL the login is who one is, and what its role may not, the database refuses whatever larkdeck does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_itself_keeps_logins_to_their_roles() {
    let Some(bed) = Bed::postgres().await else { return };
    let owner = bed.open().await;
    let id = integration(&owner).await;
    owner.ingest(vec![item(&id, message(1, &chat(1), 1_000))]).await.unwrap();
    for role in &Role::ALL {
        let login = &new_login(&owner, role.as_str()).await;
        let change = owner.set_role(login, *role).await.unwrap();
        assert!(only(change.grants).is_kept());
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
        // Permits go with every call; what was counted everybody sees.
        let mut ledger = permit::open(&url_of(&bed, login), &holder(login)).await.unwrap();
        let written = permits_are_written(&mut *ledger).await;
        assert_eq!(written.is_ok(), may_respond, "{role}: {written:?}");
        let report = ledger.report(&app("cli_a"), "a|cli_a|", 0, 0, 0).await;
        assert!(report.is_ok(), "{role}: {report:?}");
        ledger.close().await;
        // The rest: admins alone.
        let may_administer = *role == Role::Admin;
        let row = MemberRow {
            id: None,
            name: format!("M {role}"),
            email: None,
            phone: None,
            team: None,
            licence: None,
        };
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

/// Every table of the schema, with a column of each.
async fn tables(owner: &Store) -> Vec<(String, String)> {
    let text = "select c.relname::text, (select a.attname::text from pg_attribute a
            where a.attrelid = c.oid and a.attnum = 1) from pg_class c
        where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r' order by 1";
    let rows = run(owner, text).await.unwrap();
    rows.iter().map(|row| (row.string(0).unwrap(), row.string(1).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_table_is_written_to_by_the_roles_that_have_to_and_by_no_other() {
    let Some(bed) = Bed::postgres().await else { return };
    let owner = bed.open().await;
    let tables = tables(&owner).await;
    assert!(tables.len() > 30, "{tables:?}");
    for role in Role::ALL {
        // A name that has to be quoted.
        let login = new_login(&owner, &format!("O'Brien \u{e9}. {role}")).await;
        assert!(only(owner.set_role(&login, role).await.unwrap().grants).is_kept());
        let store = as_login(&bed, &login).await;
        for (table, column) in &tables {
            let is_admins = ADMINS.contains(&table.as_str());
            let may_write = match role {
                _ if table == "larkdeck_schema" => false,
                Role::Viewer => false,
                Role::Responder => !is_admins,
                Role::Admin => true,
            };
            // Nobody but an admin rewrites what was done.
            let may_change = may_write && (role == Role::Admin || table != "operation");
            for (text, may) in [
                (format!("select * from {table} limit 0"), true),
                (format!("insert into {table} select * from {table} where false"), may_write),
                (format!("update {table} set {column} = {column} where false"), may_change),
                (format!("delete from {table} where false"), may_change),
                (format!("truncate {table} cascade"), false),
                (format!("drop table {table} cascade"), false),
            ] {
                match run(&store, text.as_str()).await {
                    Ok(_) => assert!(may, "{role}: {text}"),
                    Err(StoreError::Denied { .. }) => assert!(!may, "{role}: {text}"),
                    // Whoever is not its owner.
                    Err(StoreError::Engine { reason, .. }) if reason.contains("must be owner") => {
                        assert!(!may)
                    }
                    Err(error) => panic!("{role}: {text}: {error}"),
                }
            }
        }
        // What the platform tells about an app, every console learns.
        let facts = "update integration set bot_name = bot_name, tenant = tenant where false";
        assert_eq!(run(&store, facts).await.is_ok(), role >= Role::Responder, "{role}");
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_role_holds_at_once_in_what_is_already_open() {
    let Some(bed) = Bed::postgres().await else { return };
    let owner = bed.open().await;
    let id = integration(&owner).await;
    let login = new_login(&owner, "bob").await;
    owner.set_role("postgres", Role::Admin).await.unwrap();
    owner.set_role(&login, Role::Admin).await.unwrap();
    let bob = as_login(&bed, &login).await;
    let mut number = 0;
    let mut fresh = || {
        number += 1;
        vec![item(&id, message(number, &chat(1), 1_000))]
    };
    bob.ingest(fresh()).await.unwrap();
    bob.set_war_room(&id, true).await.unwrap();

    let change = owner.set_role(&login, Role::Responder).await.unwrap();
    assert_eq!(change.before, Some(Role::Admin));
    assert!(matches!(bob.set_war_room(&id, false).await, Err(StoreError::Denied { .. })));
    bob.ingest(fresh()).await.unwrap();

    owner.set_role(&login, Role::Viewer).await.unwrap();
    assert!(matches!(bob.ingest(fresh()).await, Err(StoreError::Denied { .. })));
    assert_eq!(bob.role().await.unwrap(), Role::Viewer, "it still reads");

    // Without a role of its own it has that of everybody else.
    owner.set_role(EVERYBODY_ELSE, Role::Responder).await.unwrap();
    assert!(bob.ingest(fresh()).await.is_err(), "it is listed");
    let removed = owner.remove_role(&login).await.unwrap();
    let granted = only(removed.grants);
    assert_eq!((granted.role, granted.is_kept()), (Role::Responder, true));
    bob.ingest(fresh()).await.unwrap();
    let change = owner.set_role(EVERYBODY_ELSE, Role::Viewer).await.unwrap();
    assert_eq!(only(change.grants).login, login);
    assert!(matches!(bob.ingest(fresh()).await, Err(StoreError::Denied { .. })));
    bob.close().await;
}

/// Whoever holds the connection forgets what is past; of the log and of invitations only an admin does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_responder_forgets_what_came_in_and_nothing_that_was_done() {
    let Some(bed) = Bed::postgres().await else { return };
    let owner = bed.open().await;
    let id = integration(&owner).await;
    owner.ingest(vec![item(&id, message(1, &chat(1), 1_000))]).await.unwrap();
    owner.log(NewOperation::ok("test", "x")).await.unwrap();
    let login = new_login(&owner, "gil").await;
    owner.set_role(&login, Role::Responder).await.unwrap();
    let gil = as_login(&bed, &login).await;
    let soon = Timestamp::from_ms(4_000_000_000_000);
    gil.mark_feed().await.unwrap();
    gil.keep_from(Some(Timestamp::from_ms(2_000))).await.unwrap();
    assert_eq!(gil.prune_room(&chat(1), soon).await.unwrap(), 1);
    gil.settle_room(&chat(1), soon).await.unwrap();
    gil.prune_events(soon).await.unwrap();
    assert!(gil.prune_feed(soon).await.unwrap() > 0);
    gil.prune_logins(None).await.unwrap();
    assert!(matches!(gil.prune_log(soon).await, Err(StoreError::Denied { .. })));
    assert!(matches!(gil.prune_logins(Some(soon)).await, Err(StoreError::Denied { .. })));
    gil.close().await;
    assert!(owner.prune_log(soon).await.unwrap() > 0);
}

/// A role and its grants are assigned together or not at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_whose_grants_fail_is_not_assigned() {
    let Some(bed) = Bed::postgres().await else { return };
    let owner = bed.open().await;
    let login = new_login(&owner, "cid").await;
    owner.set_role(&login, Role::Responder).await.unwrap();
    for text in [
        "create function refuse() returns event_trigger language plpgsql as
            $$ begin raise 'no grants today'; end $$",
        "create event trigger refuse on ddl_command_start when tag in ('GRANT') execute function refuse()",
    ] {
        run(&owner, text).await.unwrap();
    }
    let error = owner.set_role(&login, Role::Admin).await.unwrap_err();
    assert!(error.to_string().contains("no grants today"), "{error}");
    let cid = as_login(&bed, &login).await;
    assert_eq!(cid.role().await.unwrap(), Role::Responder);
    cid.log(NewOperation::ok("test", "x")).await.unwrap();
    cid.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_this_login_cannot_grant_is_named_with_who_can() {
    let Some(bed) = Bed::postgres().await else { return };
    let owner = bed.open().await;
    let [boss, login] = [new_login(&owner, "boss").await, new_login(&owner, "dan").await];
    owner.set_role(&boss, Role::Admin).await.unwrap();
    let admin = as_login(&bed, &boss).await;
    // An admin assigns roles, and owns no tables.
    let short = only(admin.set_role(&login, Role::Responder).await.unwrap().grants);
    assert!(short.lacks.contains(&"insert on message".to_owned()) && short.exceeds.is_empty(), "{short:?}");
    assert_eq!(short.owners.iter().map(String::as_str).collect::<Vec<_>>(), ["postgres"]);
    let fault = short.fault().unwrap();
    assert!(fault.hint.unwrap().contains("Only postgres can change that"), "{:?}", fault.message);
    assert_eq!(owner.roles().await.unwrap().len(), 2, "it is assigned all the same");
    // Once again, by who can.
    assert!(only(owner.set_role(&login, Role::Responder).await.unwrap().grants).is_kept());
    // What is as it should be needs nobody's help.
    assert!(only(admin.set_role(&login, Role::Responder).await.unwrap().grants).is_kept());
    let short = only(admin.set_role(&login, Role::Viewer).await.unwrap().grants);
    assert!(short.exceeds.contains(&"delete on message".to_owned()) && short.lacks.is_empty(), "{short:?}");
    assert_eq!(short.why, Some(Excess::Elsewhere));
    admin.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_grant_changes_is_named() {
    let Some(bed) = Bed::postgres().await else { return };
    let owner = bed.open().await;
    let (group, member) = (new_login(&owner, "group").await, new_login(&owner, "eve").await);
    owner.set_role("postgres", Role::Admin).await.unwrap();

    // Through a role that it is a member of.
    run(&owner, format!("grant insert on integration to \"{group}\"")).await.unwrap();
    run(&owner, format!("grant \"{group}\" to \"{member}\"")).await.unwrap();
    let short = only(owner.set_role(&member, Role::Viewer).await.unwrap().grants);
    assert_eq!(
        (short.exceeds.clone(), short.why),
        (vec!["insert on integration".to_owned()], Some(Excess::Elsewhere))
    );
    assert!(short.lacks.is_empty());

    // As the owner of a table: its rights there stay, and the rest follows.
    run(&owner, format!("alter table integration owner to \"{member}\"")).await.unwrap();
    let short = only(owner.set_role(&member, Role::Responder).await.unwrap().grants);
    assert_eq!(short.why, Some(Excess::Owner));
    assert!(short.exceeds.iter().all(|one| one.ends_with(" on integration")), "{short:?}");
    let eve = as_login(&bed, &member).await;
    run(&eve, "update integration set name = name where false").await.unwrap();
    assert!(run(&eve, "delete from member where false").await.is_err());
    eve.close().await;
    assert!(only(owner.set_role(&member, Role::Admin).await.unwrap().grants).is_kept());

    // And whom nothing holds.
    run(&owner, format!("alter role \"{group}\" superuser")).await.unwrap();
    let short = only(owner.set_role(&group, Role::Viewer).await.unwrap().grants);
    assert_eq!((short.why, short.lacks.len()), (Some(Excess::Superuser), 0));
    assert!(short.fault().unwrap().hint.unwrap().contains("is a superuser"));
    // Nobody's login: nothing to grant.
    let change = owner.set_role("ann@bastion-1", Role::Responder).await.unwrap();
    assert_eq!(change.grants, Vec::new());
}

/// A schema of its own is closed to others until they are let in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_of_the_stores_own_is_opened_to_who_gets_a_role() {
    let Some(mut bed) = Bed::postgres().await else { return };
    let first = bed.open().await;
    run(&first, "create schema ops_deck").await.unwrap();
    first.close().await;
    bed.url = format!("{}&options=-c%20search_path=ops_deck", bed.url).parse().unwrap();
    let owner = bed.open().await;
    let login = new_login(&owner, "fay").await;
    assert!(only(owner.set_role(&login, Role::Responder).await.unwrap().grants).is_kept());
    let fay = as_login(&bed, &login).await;
    fay.log(NewOperation::ok("test", "x")).await.unwrap();
    fay.close().await;
}
