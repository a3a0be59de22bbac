//! Keys of a store that several processes live on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod common;

use std::time::{Duration, Instant};

use common::{Home, PATIENCE, Running, Sim};
use serde_json::Value;

/// A `room tail` of the first room, with this in its environment beside the rest.
fn tail(home: &Home, room: &str, environment: &[(&str, &str)]) -> Running {
    let mut command = home.command(&["room", "tail", room, "--json"]);
    command.envs(environment.iter().copied());
    Running::start(command)
}

/// Who lacks the key, as `key list` tells.
fn lacking(home: &Home, key: &str) -> Vec<Value> {
    let keys = home.run(&["key", "list", "--json"]).expect(0).objects();
    keys.iter().find(|one| one["id"] == key).unwrap()["lacking"].as_array().unwrap().clone()
}

/// Waits until `key list` tells `is_so` of who lacks the key.
#[track_caller]
fn wait_lacking(home: &Home, key: &str, is_so: impl Fn(&[Value]) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so(&lacking(home, key)) {
        assert!(Instant::now() < deadline, "{:?}", lacking(home, key));
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn listed(home: &Home) -> Vec<String> {
    let keys = home.run(&["key", "list", "--json"]).expect(0).objects();
    keys.iter().map(|key| key["id"].as_str().unwrap().to_owned()).collect()
}

fn add(home: &Home) -> String {
    home.run(&["key", "rotate", "--add", "--json"]).expect(0).object()["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_key_is_not_used_while_a_living_process_lacks_it() {
    let (home, sim) = (Home::new(), Sim::start(&[]));
    home.add(&sim);
    let room = home.run(&["room", "list", "--json"]).expect(0).objects()[0]["chat_id"].clone();
    let room = room.as_str().unwrap();
    let first = listed(&home).remove(0);
    let path = home.run(&["key", "path"]).expect(0).stdout.trim().to_owned();
    let ring = std::fs::read_to_string(&path).unwrap();
    // One process has the ring of before, from its environment; the other reads the file.
    let old = tail(&home, room, &[("LARKDECK_KEY", ring.as_str())]);
    let same = tail(&home, room, &[]);
    old.line();
    same.line();
    let second = add(&home);
    wait_lacking(&home, &second, |who| who.len() == 1);
    let who = &lacking(&home, &second)[0];
    assert_eq!(who["pid"].as_u64(), Some(u64::from(old.child.id())));
    let refused = home.run(&["key", "rotate", "--use", &second]).expect(9);
    assert!(refused.stderr.contains(&format!("(pid {})", old.child.id())), "{}", refused.stderr);
    assert!(refused.stderr.contains(who["user"].as_str().unwrap()), "{}", refused.stderr);
    let before = home.run(&["key", "list", "--json"]).expect(0).objects();
    assert!(before.iter().any(|key| key["id"] == first.as_str() && key["current"] == true));
    // Killed, it stays in the list and does not count.
    old.end("KILL");
    assert!(lacking(&home, &second).is_empty());
    home.run(&["key", "rotate", "--use", &second]).expect(0);
    home.run(&["key", "rotate", "--drop", &first]).expect(0);
    assert_eq!(listed(&home), [second]);
    // The other one goes on.
    same.line();
    assert_eq!(same.end("INT"), Some(130));
    home.run(&["integration", "check", "ops"]).expect(0);
}
