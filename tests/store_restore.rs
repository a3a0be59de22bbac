//! A backup that is restored as the guide says, under a gateway that goes on: what came after the backup is fetched from
//! the platform again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod common;
#[path = "common/postgres.rs"]
mod postgres;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use common::{Home, Running, Sim, serve::Gateway};
use postgres::{Database, Server, Settings};

/// The messages of a store.
async fn messages(database: &Database) -> BTreeSet<String> {
    let mut conn = database.connect().await;
    let ids: Vec<String> =
        sqlx::query_scalar("select message_id from message").fetch_all(&mut conn).await.unwrap();
    ids.into_iter().collect()
}

async fn generation(database: &Database) -> String {
    let mut conn = database.connect().await;
    sqlx::query_scalar("select generation from store_meta").fetch_one(&mut conn).await.unwrap()
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < common::PATIENCE, "not so: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The steps of the guide: the restored one takes the name of the other, whose sessions are ended.
async fn swap(server: &Server, used: &str, restored: &str) {
    let mut admin = server.named("postgres").connect().await;
    for step in [
        format!("alter database {used} with allow_connections false"),
        format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{used}'"),
        format!("alter database {used} rename to {used}_before"),
        format!("alter database {restored} rename to {used}"),
        format!("alter database {used}_before with allow_connections true"),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(step)).execute(&mut admin).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_after_a_backup_is_fetched_again_once_it_is_restored() {
    let Some(server) = postgres::start(&Settings { no_fsync: true, ..Settings::default() }) else { return };
    let database = server.database().await;
    let sim = Sim::start(&["--seed", "9"]);
    let mut home = Home::new();
    home.variables.push(("LARKDECK_STORE", database.url()));
    home.run(&["store", "init"]).expect(0);
    home.add(&sim);
    let gateway = Gateway::start(&home, &[]);
    until("it receives", async || gateway.get("/readyz").status == 200).await;
    let rooms = home.run(&["room", "list", "--json"]).expect(0).objects();
    let chat = rooms[0]["chat_id"].as_str().unwrap();
    let tail = Running::start(home.command(&["room", "tail", chat, "--json"]));
    until("something was said", async || messages(&database).await.len() >= 5).await;

    let dump = home.path("larkdeck.dump").display().to_string();
    server.program("pg_dump", &["-Fc", "-f", &dump, &database.name]);
    let at_the_backup = messages(&database).await.len();
    until("more was said", async || messages(&database).await.len() >= at_the_backup + 5).await;
    let before = generation(&database).await;
    server.program("createdb", &["restored"]);
    server.program("pg_restore", &["-d", "restored", &dump]);
    swap(&server, &database.name, "restored").await;

    let lost = messages(&server.named(&format!("{}_before", database.name))).await;
    assert!(lost.len() >= at_the_backup + 5);
    // What the gateway took in by its old connection until it noticed is none of that proved.
    until("it has all that there was", async || lost.is_subset(&messages(&database).await)).await;
    assert_ne!(generation(&database).await, before, "cursors of before mean nothing here");
    // Who followed goes on, without a word said to him.
    let last = messages(&database).await.len();
    until("it goes on", async || messages(&database).await.len() > last).await;
    assert!(tail.try_line().is_some());
    assert_eq!(tail.end("INT"), Some(130));
    until("it receives again", async || gateway.get("/readyz").status == 200).await;
    assert_eq!(gateway.running.end("TERM"), Some(0));
    home.run(&["store", "check"]).expect(0);
}
