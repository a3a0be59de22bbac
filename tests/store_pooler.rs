//! A store behind PgBouncer: everything works as without, but that news of others come by looking where each
//! transaction has another session.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod common;
#[path = "common/pgbouncer.rs"]
mod pgbouncer;
#[path = "common/postgres.rs"]
mod postgres;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use common::{Home, Running, Sim, serve::Gateway};
use pgbouncer::Pooler;
use postgres::{Database, Server, Settings};
use serde_json::Value;

/// As it comes: what a connection begins with is refused. Three sessions for all processes together.
const AS_IT_COMES: &str = "default_pool_size = 3";
/// As many set it up: what it does not know is dropped without a word.
const DROPS_OPTIONS: &str =
    "default_pool_size = 3\nignore_startup_parameters = options,extra_float_digits,search_path";

fn server() -> Option<Server> {
    postgres::start(&Settings { no_fsync: true, ..Settings::default() })
}

fn home(url: &str) -> Home {
    let mut home = Home::new();
    home.variables.push(("LARKDECK_STORE", url.to_owned()));
    home
}

/// The summary of the store's check of itself.
fn check(home: &Home) -> Value {
    // A home without the key finds that it cannot open the secrets.
    let rows = home.run(&["store", "check", "--json"]).objects();
    rows.last().unwrap()["summary"].clone()
}

async fn wait(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < common::PATIENCE, "not so: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn shown(home: &Home) -> Value {
    home.run(&["integration", "show", "ops", "--json"]).expect(0).object()["live"].clone()
}

/// Two gateways and a tail through the pooler: the connection has one holder and goes over when that one is killed, every
/// message is there once, sends of two processes are counted to the last, and nothing waits for a session of its own.
async fn a_team_works(pooler: &Pooler, database: &Database, parameters: &str) {
    let url = pooler.url(database, parameters);
    let sim = Sim::start(&["--seed", "7"]);
    let ann = home(&url);
    ann.run(&["store", "init"]).expect(0);
    ann.add(&sim);
    let mut bob = home(&url);
    let key = ann.run(&["key", "path"]).expect(0).stdout.trim().to_owned();
    bob.variables.push(("LARKDECK_KEY_FILE", key));
    let first = Gateway::start(&ann, &[]);
    wait("somebody is live", async || shown(&ann)["state"] == "live").await;
    let holder = shown(&ann)["holder"]["pid"].clone();
    assert_eq!(holder, first.running.child.id(), "the one that runs");
    let second = Gateway::start(&bob, &[]);

    let rooms = ann.run(&["room", "list", "--json"]).expect(0).objects();
    let busiest =
        rooms.iter().max_by_key(|room| room["last_message_at"].as_str().map(str::to_owned)).unwrap();
    let chat = busiest["chat_id"].as_str().unwrap().to_owned();
    let tail = Running::start(bob.command(&["room", "tail", &chat, "--since", "0", "--json"]));
    let counted = |home: &Home| {
        let quota = home.run(&["quota", "--json"]).expect(0).object();
        quota["month"]["used"].as_u64().unwrap()
    };
    let sends = async |home: &Home, who: &str| -> Vec<String> {
        let mut sent = Vec::new();
        for n in 0..5 {
            let words = format!("{who} {n}");
            let command = home.command(&["room", "send", &chat, &words, "--json"]);
            let ran = tokio::task::spawn_blocking(move || {
                let mut command = command;
                common::finish(
                    command
                        .stdout(std::process::Stdio::piped())
                        .stderr(std::process::Stdio::piped())
                        .spawn()
                        .unwrap(),
                )
            });
            let message = ran.await.unwrap().expect(0).object();
            sent.push(message["message_id"].as_str().unwrap().to_owned());
        }
        sent
    };
    let before = counted(&ann);
    let (by_ann, by_bob) = tokio::join!(sends(&ann, "ann"), sends(&bob, "bob"));
    assert!(counted(&bob) >= before + 10, "ten sends");
    let sent: BTreeSet<String> = by_ann.into_iter().chain(by_bob).collect();
    assert_eq!(sent.len(), 10);
    let (mut seen, mut last) = (BTreeSet::new(), 0);
    while !sent.is_subset(&seen) {
        let message: Value = serde_json::from_str(&tail.line()).unwrap();
        let seq = message["seq"].as_i64().unwrap();
        assert!(seq > last, "{message}");
        last = seq;
        // What is said of it later (a reaction) tells it again.
        seen.insert(message["message_id"].as_str().unwrap().to_owned());
    }
    let history = bob.run(&["room", "history", &chat, "--limit", "0", "--json"]).expect(0).objects();
    let ids: BTreeSet<&str> = history.iter().map(|one| one["message_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), history.len(), "each is there once");

    first.running.end("KILL");
    wait("the other one is live", async || {
        let live = shown(&bob);
        live["state"] == "live" && live["holder"]["pid"] == second.running.child.id()
    })
    .await;
    let newest = tail.line();
    assert!(newest.contains(&chat), "{newest}");
    assert_eq!(tail.end("INT"), Some(130));
    assert_eq!(second.running.end("TERM"), Some(0));
    assert_eq!(check(&bob)["findings"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_team_works_where_each_transaction_has_another_session() {
    let Some(server) = server() else { return };
    let Some(pooler) = Pooler::start(&server, "transaction", AS_IT_COMES) else { return };
    let database = server.database().await;
    a_team_works(&pooler, &database, "?sslmode=disable").await;
    // Found by itself, and said; named, it is the same.
    for parameters in ["", "?pooler=transaction"] {
        let home = home(&pooler.url(&database, parameters));
        assert_eq!(check(&home)["told"], false);
        let said = home.run(&["store", "check"]).stdout;
        assert!(said.contains("?pooler=transaction") && said.contains("within 5 s"), "{said}");
    }
    assert_eq!(check(&home(&database.url()))["told"], true, "without the pooler");
    // What the URL wants to be set cannot be, and how it can is said.
    let schema = pooler.url(&database, "?options=-c%20search_path%3Dlarkdeck");
    let refused = home(&schema).run(&["store", "check"]).expect(3);
    assert!(refused.stderr.contains("alter role"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_drops_what_it_is_told_is_found_too() {
    let Some(server) = server() else { return };
    let Some(pooler) = Pooler::start(&server, "transaction", DROPS_OPTIONS) else { return };
    let database = server.database().await;
    a_team_works(&pooler, &database, "").await;
    assert_eq!(check(&home(&pooler.url(&database, "")))["told"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_ones_own_behind_a_pooler_are_as_good_as_without_it() {
    let Some(server) = server() else { return };
    let Some(pooler) = Pooler::start(&server, "session", "default_pool_size = 40") else { return };
    let database = server.database().await;
    a_team_works(&pooler, &database, "?pooler=session").await;
    assert_eq!(check(&home(&pooler.url(&database, "?pooler=session")))["told"], true);
    // Unnamed it is taken for the other kind: nothing fails.
    assert_eq!(check(&home(&pooler.url(&database, "")))["told"], false);
}
