//! What only a database can do to a store: be away, be another, be somebody else's.

use std::time::Duration;

use sqlx::Connection as _;

use super::{
    super::{
        Anchor, Change, ChangeKind, Seen,
        postgres::{PgHome, Uncommitted, int},
        sql::q,
        test_postgres as postgres,
    },
    *,
};
use crate::core::error::{Kind, Problem};

/// A server of this test's own, and a database on it.
async fn own_server() -> Option<(postgres::Server, Bed)> {
    let server = postgres::start(&postgres::Settings::default())?;
    let url = server.database().await.url().parse().unwrap();
    Some((server, Bed::at(url)))
}

async fn execute(bed: &Bed, sql: &'static str) {
    let StoreUrl::Postgres(url) = &bed.url else { panic!("not a database") };
    let mut conn = sqlx::ConnectOptions::connect(&url.connect_options().unwrap()).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

async fn open_without_making(bed: &Bed) -> Result<Store, StoreError> {
    let options = StoreOptions { url: bed.url.clone(), create: false, me: holder("ann"), name: None };
    Store::open(options, KeyRing::load(KeySource::Ephemeral, None).unwrap(), Hand::new()).await
}

/// Waits until it is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let patience = tokio::time::timeout(Duration::from_secs(60), async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    patience.await.unwrap_or_else(|_| panic!("{what}: not within a minute"));
}

#[tokio::test]
async fn an_empty_database_is_made_a_store_only_where_that_is_wanted() {
    let Some(bed) = Bed::postgres().await else { return };
    let missing = open_without_making(&bed).await.unwrap_err();
    assert!(matches!(missing, StoreError::Missing { .. }), "{missing}");
    assert!(missing.hint().unwrap().contains("larkdeck store init"), "{missing}");
    // Many at once make it once.
    let handles: Vec<_> = (0..4).map(|_| bed.open()).collect();
    let stores = futures_util::future::join_all(handles).await;
    let generation = stores[0].generation().await.unwrap();
    for store in &stores {
        assert_eq!(store.generation().await.unwrap(), generation);
    }
    assert_eq!(open_without_making(&bed).await.unwrap().generation().await.unwrap(), generation);
    let newest = i64::try_from(super::super::postgres::MIGRATIONS.len()).unwrap();
    assert_eq!(Store::migrate(&bed.url, holder("ann"), Hand::new()).await.unwrap(), newest, "nothing to do");
}

#[tokio::test]
async fn an_older_store_is_brought_up_to_date_by_that_command_alone() {
    let Some(bed) = Bed::postgres().await else { return };
    for migration in &super::super::postgres::MIGRATIONS[..3] {
        execute(&bed, migration).await;
    }
    execute(
        &bed,
        "insert into larkdeck_schema select n, 0 from generate_series(1, 3) n;
        insert into store_meta values (1, 'g_old', '', 0, 0, 0, 0)",
    )
    .await;
    let older = bed.open_with("ann", Hand::new()).await.unwrap_err();
    assert!(matches!(older, StoreError::Older { found: 3, .. }) && older.kind() == Kind::Config, "{older}");
    assert!(older.hint().unwrap().contains("larkdeck store migrate"));
    assert_eq!(Store::migrate(&bed.url, holder("ann"), Hand::new()).await.unwrap(), 3);
    bed.open().await.report_ring("console", &mut Seen::default()).await.unwrap();
    execute(&bed, "insert into larkdeck_schema values (99, 0)").await;
    let newer = bed.open_with("ann", Hand::new()).await.unwrap_err();
    assert!(matches!(newer, StoreError::Newer { found: 99, .. }), "{newer}");
    assert!(Store::migrate(&bed.url, holder("ann"), Hand::new()).await.is_err());
}

#[tokio::test]
async fn a_database_that_is_somebody_elses_is_left_alone() {
    let Some(bed) = Bed::postgres().await else { return };
    execute(&bed, "create table notes (text text)").await;
    let refused = bed.open_with("ann", Hand::new()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unsuitable { .. }), "{refused}");
    assert!(refused.hint().unwrap().contains("search_path"), "{refused}");
    // A schema of one's own beside it does.
    execute(&bed, "create schema larkdeck").await;
    let own = Bed::at(format!("{}&options=-c%20search_path%3Dlarkdeck", bed.url).parse().unwrap());
    let store = own.open().await;
    let id = integration(&store).await;
    store.ingest(vec![item(&id, message(1, &chat(1), 1000))]).await.unwrap();
    assert_eq!(own.open().await.history(&chat(1), &Anchor::Latest, 9).await.unwrap().len(), 1);
    assert!(bed.open_with("ann", Hand::new()).await.is_err());
}

#[tokio::test]
async fn a_database_that_does_not_exist_or_lets_nobody_in_is_named_so() {
    let settings = postgres::Settings { tcp: true, no_fsync: true, ..postgres::Settings::default() };
    let Some(server) = postgres::start(&settings) else { return };
    let url = |user: &str, database: &str| -> StoreUrl {
        format!("postgres://{user}@127.0.0.1:{}/{database}", server.port()).parse().unwrap()
    };
    let open = async |url: StoreUrl| Bed::at(url).open_with("ann", Hand::new()).await;
    let right = || Some(Secret::new(postgres::PASSWORD));
    let refused = open(url(postgres::USER, "postgres").with_password(Some(Secret::new("wrong-0123")))).await;
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, StoreError::LoginRefused { .. }) && !refused.to_string().contains("wrong-0123")
    );
    let missing = open(url(postgres::USER, "nowhere").with_password(right())).await.unwrap_err();
    assert!(matches!(missing, StoreError::Missing { .. }), "{missing}");
    assert!(open(url(postgres::USER, "postgres").with_password(right())).await.is_ok());
    server.stop(postgres::Stop::Fast);
    let away = open(url(postgres::USER, "postgres").with_password(right())).await.unwrap_err();
    assert!(matches!(away, StoreError::Away { .. }) && away.kind() == Kind::Storage, "{away}");
}

/// The database dies again and again while events come in: none that was acknowledged is lost, each is there once,
/// nobody has to be started anew, and whoever follows sees everything in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_database_dies() {
    let Some((server, bed)) = own_server().await else { return };
    let (first, second, follower) = (bed.open().await, bed.open().await, bed.open().await);
    let id = integration(&first).await;
    let (stop, is_stopped) = tokio::sync::watch::channel(false);
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4usize {
        let store = if writer % 2 == 0 { first.clone() } else { second.clone() };
        let (id, is_stopped) = (id.clone(), is_stopped.clone());
        writers.spawn(async move {
            let mut acknowledged = Vec::new();
            while !*is_stopped.borrow() {
                let number = acknowledged.len() * 4 + writer;
                store.ingest(vec![item(&id, message(number, &chat(writer), 1000))]).await.unwrap();
                acknowledged.push(number);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            acknowledged
        });
    }
    let mut watch = follower.watch();
    for _ in 0..3 {
        let before = until_head(&follower, 0).await;
        until_head(&follower, before + 50).await;
        server.stop(postgres::Stop::Immediate);
        let mut health = follower.health();
        let away = health.wait_for(|health| health.away_since.is_some());
        tokio::time::timeout(Duration::from_secs(60), away).await.unwrap().unwrap();
        server.start();
    }
    let before = until_head(&follower, 0).await;
    until_head(&follower, before + 50).await;
    stop.send_replace(true);
    let mut acknowledged = Vec::new();
    while let Some(ended) = writers.join_next().await {
        acknowledged.extend(ended.unwrap());
    }
    let head = first.head().await.unwrap();
    let reached = async { while watch.changed().await.unwrap() < head {} };
    tokio::time::timeout(Duration::from_secs(60), reached).await.unwrap();
    assert_eq!(follower.health().borrow().away_since, None);
    let stored = follower.messages_after(crate::core::ids::Seq(0), None, 1_000_000).await.unwrap();
    let mut stored: Vec<MessageId> = stored.into_iter().map(|message| message.body.message_id).collect();
    stored.sort();
    let mut wanted: Vec<MessageId> = acknowledged.into_iter().map(message_id).collect();
    wanted.sort();
    assert_eq!(stored, wanted, "acknowledged = stored = once");
}

/// A database that crashed gives the numbers of the transactions that it lost to others: whose is committed is told by
/// what was written, and one that was never heard of was not.
#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_told_from_anothers_with_its_number() {
    let Some(bed) = Bed::postgres().await else { return };
    let store = bed.open().await;
    let id = integration(&store).await;
    store.ingest(vec![item(&id, message(1, &chat(1), 1000))]).await.unwrap();
    let told = store.changes(crate::core::ids::Seq(0), 100).await.unwrap().pop().unwrap();
    let anothers = Change { key: "om_o'ther\\".to_owned(), ..told.clone() };

    let StoreUrl::Postgres(url) = &bed.url else { panic!("not a database") };
    let home = Arc::new(PgHome::new(url, &holder("ann"), Hand::new()).unwrap());
    let mut conn = home.connection();
    let number = conn.ask(&q("select txid_current() as number")).await.unwrap();
    let number = int(&number.rows[0], 0).unwrap().unwrap();
    let lost = || sqlx::Error::WorkerCrashed;
    conn.look_for(number, Some(&told), lost()).await.unwrap();
    conn.look_for(number, None, lost()).await.unwrap();
    for (number, witness) in [(number, &anothers), (number + 1_000, &told)] {
        let found = conn.look_for(number, Some(witness), lost()).await.unwrap_err();
        assert!(matches!(found, Uncommitted::Undone(_)), "{found:?}");
    }
}

/// The head of the feed once it is at least that far.
async fn until_head(store: &Store, least: i64) -> i64 {
    let mut head = 0;
    until("the feed grows", async || match store.head().await {
        Ok(seq) => {
            head = seq.0;
            head >= least
        }
        Err(_) => false,
    })
    .await;
    head
}

/// A process that stops while it writes is thrown out, and what it had not committed is not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_in_the_middle_does_not_hold_the_others_up_for_long() {
    let Some(bed) = Bed::postgres().await else { return };
    let (stopped, other) = (bed.open().await, bed.open().await);
    let id = integration(&other).await;
    let mut tx = stopped.db().write("begin and stop").await.unwrap();
    super::super::q("delete from integration").run(&mut tx).await.unwrap();
    // Not a word from it any more, as from a process that was stopped.
    other.ingest(vec![item(&id, message(1, &chat(1), 1000))]).await.unwrap();
    let late = tx.commit().await.unwrap_err();
    assert!(matches!(late, StoreError::Away { .. }), "{late}");
    assert_eq!(stopped.integrations().await.unwrap().len(), 1);
    stopped.ingest(vec![item(&id, message(2, &chat(1), 1000))]).await.unwrap();
    // A beat and a read mark do not even wait.
    let tx = stopped.db().write("begin and stop").await.unwrap();
    let touched = other.put_ui("ann", "session", Some("{}"));
    tokio::time::timeout(Duration::from_secs(4), touched).await.unwrap().unwrap();
    drop(tx);
}

/// The answer to a commit is lost with its connection: the database is asked what became of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_was_lost_is_looked_for() {
    let Some(bed) = Bed::postgres().await else { return };
    let store = bed.open().await;
    integration(&store).await;
    // The commit itself breaks the connection, before or after it went through.
    execute(
        &bed,
        "create function gone() returns trigger language plpgsql as
            $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
        create constraint trigger gone after insert on ui deferrable initially deferred for each row
            when (new.key = 'break') execute function gone()",
    )
    .await;
    let mut tx = store.db().write("keep the screen's state").await.unwrap();
    super::super::q("insert into ui (reader, key, value) values ('ann', 'break', 'x')")
        .run(&mut tx)
        .await
        .unwrap();
    let lost = tx.commit().await.unwrap_err();
    assert!(matches!(lost, StoreError::Away { .. }), "it is known that it was not kept: {lost}");
    assert_eq!(store.get_ui("ann", "break").await.unwrap(), None);
    store.put_ui("ann", "fine", Some("y")).await.unwrap();
}

/// Somebody else has become the database: cursors of before mean nothing.
#[tokio::test]
async fn another_server_is_another_generation() {
    let Some(bed) = Bed::postgres().await else { return };
    let store = bed.open().await;
    let generation = store.generation().await.unwrap();
    assert_eq!(bed.open().await.generation().await.unwrap(), generation);
    execute(&bed, "update store_meta set file_id = 'a server that was'").await;
    assert_ne!(bed.open().await.generation().await.unwrap(), generation);
}

/// A login without the right to write reads, and is refused by the database where it writes.
#[tokio::test]
async fn a_login_that_may_only_read_reads() {
    let Some(bed) = Bed::postgres().await else { return };
    let store = bed.open().await;
    let id = integration(&store).await;
    store.ingest(vec![item(&id, message(1, &chat(1), 1000))]).await.unwrap();
    execute(
        &bed,
        "create role looker login; grant usage on schema public to looker;
        grant select on all tables in schema public to looker",
    )
    .await;
    let url = bed.url.to_string().replace("user=postgres", "user=looker");
    let looker = open_without_making(&Bed::at(url.parse().unwrap())).await.unwrap();
    assert_eq!(looker.history(&chat(1), &Anchor::Latest, 9).await.unwrap().len(), 1);
    let mut watch = looker.watch();
    store.ingest(vec![item(&id, message(2, &chat(1), 1000))]).await.unwrap();
    let head = store.head().await.unwrap();
    let reached = async { while watch.changed().await.unwrap() < head {} };
    tokio::time::timeout(Duration::from_secs(20), reached).await.unwrap();
    assert!(looker.changed_since(ChangeKind::Message, crate::core::ids::Seq(0)).await.unwrap().0);
    let denied = looker.set_war_room(&id, true).await.unwrap_err();
    assert!(matches!(denied, StoreError::Denied { .. }), "{denied}");
    let denied = looker.put_ui("ann", "session", Some("{}")).await.unwrap_err();
    assert!(matches!(denied, StoreError::Denied { .. }), "{denied}");
    execute(&bed, "drop owned by looker; drop role looker").await;
}

/// Each transaction may be in another session: nothing relies on one, and news come by looking.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_pooler_everything_works_and_news_come_by_looking() {
    let Some(bed) = Bed::postgres().await else { return };
    let pooled = Bed::at(format!("{}&pooler=transaction", bed.url).parse().unwrap());
    let (store, follower) = (pooled.open().await, pooled.open().await);
    let id = integration(&store).await;
    let mut watch = follower.watch();
    for round in 0..3usize {
        let items = (0..70).map(|n| item(&id, message(round * 100 + n, &chat(n % 3), 1000))).collect();
        assert!(store.ingest(items).await.unwrap().iter().all(|answer| answer.is_new()));
    }
    let head = store.head().await.unwrap();
    let reached = async { while watch.changed().await.unwrap() < head {} };
    tokio::time::timeout(Duration::from_secs(30), reached).await.unwrap();
    assert_eq!(follower.history(&chat(1), &Anchor::Latest, 1000).await.unwrap().len(), 69);
    follower
        .mark_read(
            "li",
            &chat(1),
            &super::super::Place { at: Timestamp::from_ms(1000), message_id: message_id(1) },
        )
        .await
        .unwrap();
    let mut health = follower.health();
    let told = health.wait_for(|health| !health.is_told);
    tokio::time::timeout(Duration::from_secs(30), told).await.unwrap().unwrap();
}

/// Clocks that differ by hours change nothing: neither who counts as living, nor who gets the lease.
#[tokio::test]
async fn hosts_need_no_common_clock() {
    let Some(bed) = Bed::postgres().await else { return };
    let early = Hand::new();
    early.forward(-7_200_000);
    let (ann, bob) = (bed.open_with("ann", early).await.unwrap(), bed.open().await);
    let id = integration(&ann).await;
    let far = Holder { host: "bastion-2".to_owned(), ..holder("far") };
    let ring = KeyRing::load(KeySource::Ephemeral, None).unwrap();
    let options = StoreOptions { url: bed.url.clone(), create: false, me: far.clone(), name: None };
    let late = Hand::new();
    late.forward(7_200_000);
    let far_away = Store::open(options, ring, late).await.unwrap();
    let mut seen = [Seen::default(), Seen::default(), Seen::default()];
    for _ in 0..2 {
        for (store, seen) in [&ann, &far_away, &bob].into_iter().zip(&mut seen) {
            store.report_ring("console", seen).await.unwrap();
        }
    }
    let key = ann.add_key().await.unwrap();
    let lacking = ann.use_key(&key).await.unwrap_err();
    assert!(matches!(lacking, StoreError::KeyLacking { ref holders, .. } if *holders == [far]), "{lacking}");
    let app = app("cli_a");
    let super::super::Acquired::Ours { epoch, .. } = ann.try_acquire(&app, None).await.unwrap() else {
        panic!()
    };
    let seen = far_away.observe(&app).await.unwrap().unwrap().mark;
    assert!(ann.beat(&app, epoch).await.unwrap());
    let kept = far_away.try_acquire(&app, Some(seen)).await.unwrap();
    assert!(matches!(kept, super::super::Acquired::HeldBy(_)), "it moved since");
    let still = far_away.observe(&app).await.unwrap().unwrap().mark;
    let taken = far_away.try_acquire(&app, Some(still)).await.unwrap();
    assert!(matches!(taken, super::super::Acquired::Ours { taken_over: true, .. }));
    assert!(!ann.beat(&app, epoch).await.unwrap());
    assert!(ann.credentials(&id).await.is_ok());
}
