//! Bad days: the built program against the simulated platform while things go wrong. What is wrong is data
//! in the `*.toml` beside this file; days that are a list of commands are played from there entirely.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

#[path = "../common/mod.rs"]
mod common;
mod disk;
mod gap;
mod holder;
mod hostile;
mod link;

mod play;
mod send;
#[path = "../pty/terminal.rs"]
#[allow(dead_code, reason = "the tests of the terminal itself use the rest")]
mod terminal;

/// Runs several days at once: most of each is waiting. All that fail are named.
#[track_caller]
fn together(days: Vec<(String, Box<dyn FnOnce() + Send>)>) {
    let run = |(name, day): (String, Box<dyn FnOnce() + Send>)| {
        (name.clone(), std::thread::Builder::new().name(name).spawn(day).unwrap())
    };
    let running: Vec<_> = days.into_iter().map(run).collect();
    assert!(!running.is_empty());
    let failed: Vec<String> =
        running.into_iter().filter_map(|(name, day)| day.join().is_err().then_some(name)).collect();
    assert!(failed.is_empty(), "failed: {failed:?}; each has said why above");
}

#[test]
fn scripted_days_go_as_written() {
    together(play::days());
}
