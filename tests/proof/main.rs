//! What is acknowledged is stored once, whatever happens: the built program on a store that others use too, with
//! the platform in this process, while processes are killed and stopped, databases restart, networks part, clocks
//! step and disks fill. Each test is short; `tests/proof/run.sh` does the same many times and prints a table.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod apart;
mod clock;
#[path = "../common/mod.rs"]
mod common;
mod disk;
mod kill;
mod network;
mod partition;
#[path = "../common/postgres.rs"]
mod postgres;
mod restart;
mod rough;
mod stage;
mod stall;
mod table;
#[allow(dead_code, reason = "each test binary uses its part")]
#[path = "../pty/terminal.rs"]
mod terminal;

use std::time::Duration;

use table::{
    Engine::{self, Postgres, Sqlite},
    HEAD, Row, say,
};

/// Longer than a holder may be silent.
const STALL: Duration = Duration::from_secs(10);
const LONG_STALL: Duration = Duration::from_secs(30);

/// Of the instants: another for each run of the long proof, and written down with it.
const SEED: u64 = 20_261_128;

#[test]
fn kills_while_events_come_in() {
    kill::ingest(Sqlite, 8, SEED).assert_clean();
}

#[test]
fn kills_while_events_come_in_on_postgres() {
    kill::ingest(Postgres, 8, SEED).assert_clean();
}

#[test]
fn kills_while_sending() {
    kill::sending(Sqlite, 6, SEED).assert_clean();
}

#[test]
fn kills_while_sending_on_postgres() {
    kill::sending(Postgres, 6, SEED).assert_clean();
}

#[test]
fn kills_while_linking_on_postgres() {
    kill::linking(Postgres, 4, SEED).assert_clean();
}

#[test]
fn the_database_restarts() {
    restart::restarts(1, SEED).assert_clean();
}

#[test]
fn who_holds_the_connection_stands_still_on_postgres() {
    stall::stalls(Postgres, 1, STALL, SEED).assert_clean();
}

#[test]
fn clocks_step() {
    clock::steps(Sqlite, 3, SEED).assert_clean();
}

#[test]
fn clocks_step_on_postgres() {
    clock::steps(Postgres, 3, SEED).assert_clean();
}

#[test]
fn the_holder_is_cut_off_from_the_database() {
    apart::run(partition::FROM_DATABASE, Postgres, 1).assert_clean();
}

#[test]
fn the_holder_is_cut_off_from_the_platform() {
    apart::run(partition::FROM_PLATFORM, Postgres, 1).assert_clean();
}

#[test]
fn the_disk_of_the_database_is_full() {
    apart::run(disk::WHAT, Postgres, 1).assert_clean();
}

#[test]
fn consoles_are_handled_roughly() {
    rough::run(&rough::SHORT, seed()).assert_clean();
}

/// What runs in namespaces of its own.
#[test]
#[ignore = "the others begin it"]
fn inside() {
    apart::inside();
}

/// The seed of this run.
fn seed() -> u64 {
    std::env::var("LARKDECK_PROOF_SEED").map_or(SEED, |seed| seed.parse().unwrap())
}

/// Something to prove.
type Trial = (&'static str, Engine, Box<dyn FnOnce() -> Row + Send>);

fn trials(seed: u64) -> Vec<Trial> {
    fn trial(what: &'static str, engine: Engine, run: impl FnOnce() -> Row + Send + 'static) -> Trial {
        (what, engine, Box::new(run))
    }
    vec![
        trial("kill -9, ingest", Sqlite, move || kill::ingest(Sqlite, 120, seed)),
        trial("kill -9, ingest", Postgres, move || kill::ingest(Postgres, 60, seed)),
        trial("kill -9, sending", Sqlite, move || kill::sending(Sqlite, 60, seed)),
        trial("kill -9, sending", Postgres, move || kill::sending(Postgres, 30, seed)),
        trial("kill -9, linking", Sqlite, move || kill::linking(Sqlite, 24, seed)),
        trial("kill -9, linking", Postgres, move || kill::linking(Postgres, 16, seed)),
        trial("database restarts", Postgres, move || restart::restarts(20, seed)),
        trial("holder stopped", Sqlite, move || stall::stalls(Sqlite, 2, LONG_STALL, seed)),
        trial("holder stopped", Postgres, move || stall::stalls(Postgres, 2, LONG_STALL, seed)),
        trial("clock steps of 1 h", Sqlite, move || clock::steps(Sqlite, 12, seed)),
        trial("clock steps of 1 h", Postgres, move || clock::steps(Postgres, 12, seed)),
        trial(partition::FROM_DATABASE, Postgres, || apart::run(partition::FROM_DATABASE, Postgres, 3)),
        trial(partition::FROM_PLATFORM, Postgres, || apart::run(partition::FROM_PLATFORM, Postgres, 3)),
        trial(disk::WHAT, Sqlite, || apart::run(disk::WHAT, Sqlite, 3)),
        trial(disk::WHAT, Postgres, || apart::run(disk::WHAT, Postgres, 3)),
        trial(rough::LONG.what, Postgres, move || rough::run(&rough::LONG, seed)),
    ]
}

/// All of it, many times; `LARKDECK_PROOF_ONLY` names a part.
#[test]
#[ignore = "takes half an hour: tests/proof/run.sh"]
fn long() {
    let seed = seed();
    let only = std::env::var("LARKDECK_PROOF_ONLY").unwrap_or_default();
    let mut rows = Vec::new();
    for (what, engine, run) in trials(seed) {
        if !format!("{what} {engine}").contains(&only) {
            continue;
        }
        let done = std::thread::Builder::new().name(format!("{what}, {engine}")).spawn(run).unwrap().join();
        let row = done.unwrap_or_else(|_| {
            let mut row = Row::new(what, engine, 0, Duration::ZERO);
            row.integrity = "FAILED".to_owned();
            row.note = "it has said why above".to_owned();
            row
        });
        say(&row.to_string());
        rows.push(row);
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    say(&format!("\nseed {seed}, load of the machine {}\n{HEAD}", load.trim()));
    rows.iter().for_each(|row| say(&row.to_string()));
    assert!(rows.iter().all(Row::is_clean), "not all of it holds");
}
