//! A database that is away when a process starts: after a reboot nobody says who comes up first.
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
    net::TcpListener,
    time::{Duration, Instant},
};

use common::{Home, Running, Sim, http};
use postgres::{Settings, Stop};

fn patiently<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < common::PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_waits_for_its_database_and_a_command_ends_with_what_helps() {
    let Some(server) = postgres::start(&Settings::default()) else { return };
    let sim = Sim::start(&[]);
    let mut home = Home::new();
    home.variables.push(("LARKDECK_STORE", server.database().await.url()));
    home.run(&["store", "init"]).expect(0);
    home.add(&sim);
    server.stop(Stop::Fast);

    let ended = home.run(&["room", "list"]).expect(1);
    assert!(ended.stderr.contains("is away") && ended.stderr.contains("Look at the database"), "{ended:?}");

    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (listen, base) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
    let serve = || home.command(&["serve", "--json", "--listen", &listen]);
    let is_up = || std::net::TcpStream::connect(("127.0.0.1", port)).ok().map(drop);

    // Told to end while it waits, it ends as ever.
    let running = Running::start(serve());
    patiently("it listens", is_up);
    assert_eq!(running.end("TERM"), Some(0));

    let running = Running::start(serve());
    patiently("it listens", is_up);
    assert_eq!(http::get(&base, "/healthz").status, 200);
    let ready = http::get(&base, "/readyz");
    assert_eq!((ready.status, ready.body.as_str()), (503, "store: away\n"));
    assert!(http::get(&base, "/metrics").body.contains("larkdeck_store_up 0\n"));
    // The platform tries again later: what cannot be kept is not acknowledged.
    assert_eq!(http::request(&base, "POST", "/i/i_x/event", &[], b"{}").status, 503);

    server.start();
    assert!(running.line().contains("\"listening\""), "the first line of stdout is what it always is");
    patiently("it receives", || (http::get(&base, "/readyz").status == 200).then_some(()));
    let log = std::fs::read_to_string(home.path("state/larkdeck/larkdeck.log")).unwrap_or_default();
    let told = log.lines().filter(|line| line.contains("the gateway waits for the store")).count();
    assert!((1..=4).contains(&told), "two starts, and hardly more than one reason each: {log}");
    assert_eq!(running.end("TERM"), Some(0));
}
