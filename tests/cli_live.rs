//! The built program against the simulated platform.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod common;

use std::collections::BTreeSet;

use common::{Home, Running, Sim};
use serde_json::Value;

#[test]
fn a_check_tells_good_credentials_from_bad() {
    let sim = Sim::start(&["--seed", "1"]);
    let home = Home::new();
    home.add(&sim);
    let check = home.run(&["integration", "check", "--json"]).expect(0).object();
    assert!(check["bot_name"].is_string(), "{check}");

    let other = Home::new();
    let add = ["integration", "add", "ops", "--app-id", &sim.app_id, "--base-url", &sim.base_url];
    let wrong = other.run_with(&add, &[("LARKDECK_APP_SECRET", "not-the-secret-at-all")]).expect(4);
    assert!(!wrong.stderr.contains("not-the-secret"), "{}", wrong.stderr);
    assert!(other.run(&["integration", "list", "--json"]).expect(0).stdout.is_empty(), "nothing was saved");
    let missing = other.run(&add).expect(2);
    assert!(missing.stderr.contains("--app-secret-file"), "{}", missing.stderr);
}

#[test]
fn no_platform_is_8() {
    let mut sim = Sim::start(&["--seed", "1"]);
    let home = Home::new();
    home.add(&sim);
    sim.stop();
    home.run(&["integration", "check"]).expect(8);
    home.run(&["room", "list"]).expect(8);
}

#[test]
fn rooms_are_listed_read_and_written() {
    let sim = Sim::start(&["--seed", "2"]);
    let home = Home::new();
    home.add(&sim);
    let rooms = home.run(&["room", "list", "--json"]).expect(0).objects();
    assert!(rooms.len() >= 3, "{rooms:?}");
    let keys = ["chat_id", "name", "kind", "status", "members", "unread", "last_message_at"];
    for room in &rooms {
        assert!(keys.iter().all(|key| room.get(*key).is_some()), "{room}");
    }
    let chat = rooms[0]["chat_id"].as_str().unwrap();
    let sent = home.run(&["room", "send", chat, "hello \u{202e}there", "--json"]).expect(0).object();
    let message_id = sent["message_id"].as_str().unwrap();
    assert!(sent["seq"].as_i64().unwrap() > 0);
    let history = home.run(&["room", "history", chat, "--fetch", "--limit", "0", "--json"]).expect(0);
    assert!(history.stdout.contains("\\u202e") && !history.stdout.contains('\u{202e}'));
    let messages = history.objects();
    let own = messages.iter().find(|message| message["message_id"] == message_id).unwrap();
    assert_eq!((own["text"].as_str(), own["via"].as_str()), (Some("hello \u{202e}there"), Some("send")));
    assert_eq!(own["sender"]["kind"], "bot");
    assert!(own["root_id"].is_null() && own.get("thread_id").is_some());
    let order: Vec<(&str, &str)> = messages
        .iter()
        .map(|message| (message["created_at"].as_str().unwrap(), message["message_id"].as_str().unwrap()))
        .collect();
    assert!(order.is_sorted(), "{order:?}");

    let reply =
        home.run_input(&["room", "reply", chat, message_id, "-", "--json"], "a reply\n").expect(0).object();
    assert_ne!(reply["message_id"], sent["message_id"]);
    home.run(&["room", "react", chat, message_id, "THUMBSUP"]).expect(0);
    home.run(&["room", "react", chat, message_id, "THUMBSUP", "--remove"]).expect(0);
    let gone = home.run(&["room", "react", chat, message_id, "THUMBSUP", "--remove"]).expect(6);
    assert!(gone.stderr.contains("the bot has no reaction THUMBSUP"), "{gone:?}");
    home.run(&["room", "show", chat, "--json"]).expect(0).object();
    home.run(&["room", "send", chat, ""]).expect(2);
    home.run(&["room", "send", "no such room", "x"]).expect(6);
    home.run(&["--read-only", "room", "send", chat, "x"]).expect(9);

    let log = home.run(&["log", "--json"]).expect(0).objects();
    assert!(log.iter().any(|row| row["result"] == "refused"), "{log:?}");
    assert!(log.iter().all(|row| row["author"]["user"] == "tester" && row.get("log_id").is_some()));
    assert!(log.windows(2).all(|pair| pair[0]["seq"].as_i64() < pair[1]["seq"].as_i64()));
}

/// The chat of the simulator in which most is said.
fn busiest(home: &Home) -> String {
    let rooms = home.run(&["room", "list", "--json"]).expect(0).objects();
    let busiest =
        rooms.iter().max_by_key(|room| room["last_message_at"].as_str().map(str::to_owned)).unwrap();
    busiest["chat_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_tail_streams_with_growing_seq_and_ends_on_signals() {
    let sim = Sim::start(&["--seed", "3"]);
    let home = Home::new();
    home.add(&sim);
    let chat = busiest(&home);
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let tail = Running::start(home.command(&["room", "tail", &chat, "--since", "0", "--json"]));
        let mut last = 0;
        for _ in 0..3 {
            let message: Value = serde_json::from_str(&tail.line()).unwrap();
            assert_eq!(message["chat_id"], chat.as_str());
            let seq = message["seq"].as_i64().unwrap();
            assert!(seq > last, "{message}");
            last = seq;
        }
        assert_eq!(tail.end(signal), Some(code));
    }
    let shown = home.run(&["integration", "show", "ops", "--json"]).expect(0).object();
    assert_eq!(shown["live"]["state"], "off", "the connection was handed back: {shown}");
}

#[test]
fn two_tails_see_the_same() {
    let sim = Sim::start(&["--seed", "4"]);
    let home = Home::new();
    home.add(&sim);
    let chat = busiest(&home);
    let first = Running::start(home.command(&["room", "tail", &chat, "--since", "0", "--json"]));
    let second = Running::start(home.command(&["room", "tail", &chat, "--since", "0", "--json"]));
    let take = |tail: &Running| -> Vec<String> { (0..4).map(|_| tail.line()).collect() };
    assert_eq!(take(&first), take(&second));
    // The second takes over when the first is killed without a word.
    first.end("KILL");
    let seen: BTreeSet<String> = (0..4).map(|_| second.line()).collect();
    assert_eq!(seen.len(), 4);
    assert_eq!(second.end("INT"), Some(130));
}

#[test]
fn the_budget_is_told() {
    let sim = Sim::start(&["--seed", "5"]);
    let home = Home::new();
    home.add(&sim);
    home.run(&["room", "list"]).expect(0);
    let quota = home.run(&["quota", "--json"]).expect(0).object();
    assert_eq!(quota["integration"], "ops");
    assert_eq!(quota["month"]["limit"], 10_000);
    assert!(quota["month"]["used"].as_u64().unwrap() >= 1);
    assert!(quota["month"].get("forecast_empty_at").is_some());
    let names: Vec<&str> =
        quota["buckets"].as_array().unwrap().iter().map(|bucket| bucket["name"].as_str().unwrap()).collect();
    assert!(names.len() >= 4, "{names:?}");
    let rebased = home.run(&["quota", "rebase", "4321", "--json"]).expect(0).object();
    assert_eq!(rebased["month"]["used"], 4321);
    assert_eq!(rebased["month"]["source"], "official");
    let unlimited =
        home.run_with(&["quota", "--json"], &[("LARKDECK_QUOTA_MONTH_LIMIT", "unlimited")]).expect(0);
    assert!(unlimited.object()["month"]["limit"].is_null());
}

#[test]
fn the_zone_of_times_is_set() {
    let sim = Sim::start(&["--seed", "6"]);
    let home = Home::new();
    home.add(&sim);
    let run = |zone| {
        let ran = home.run_with(&["log", "--json"], &[("LARKDECK_UI_ZONE", zone)]).expect(0);
        ran.objects()[0]["at"].as_str().unwrap().to_owned()
    };
    assert!(run("+08:00").ends_with("+08:00"));
    assert!(run("Asia/Kolkata").ends_with("+05:30"));
}
