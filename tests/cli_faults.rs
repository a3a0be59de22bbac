//! The built program against a simulated platform that is held by the test: linking, and bad days.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod common;

use common::{Home, Ran, Running};
use larkdeck::sim::{Fault, FaultKind, Scenario, Sim, SimOptions, Speech};
use tokio::runtime::Runtime;

/// A still platform in this process.
struct Platform {
    runtime: Runtime,
    sim: Sim,
}

impl Platform {
    fn start(members: u32) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let mut options = SimOptions::local(Scenario::still().unwrap());
        options.members = Some(members);
        options.seed = Some(11);
        let sim = runtime.block_on(Sim::start(options)).unwrap();
        Self { runtime, sim }
    }

    fn home(&self) -> Home {
        let home = Home::new();
        let access = self.sim.access();
        let add = ["integration", "add", "ops", "--app-id", &access.app_id, "--base-url", &access.base_url];
        home.run_with(&add, &[("LARKDECK_APP_SECRET", &access.app_secret)]).expect(0);
        home
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        self.sim.control().drop_connections();
    }
}

fn import(home: &Home, csv: &str) -> Ran {
    home.run_input(&["member", "import", "-", "--json"], csv).expect(0)
}

#[test]
fn linking_tells_each_member_and_can_be_undone() {
    let platform = Platform::start(120);
    let home = platform.home();
    let csv = platform.sim.control().members_csv();
    import(&home, &format!("{csv}Nobody,nobody@nowhere.test,\nSilent,,\n"));
    let before = platform.sim.control().counters();

    let dry = home.run(&["link", "--dry-run", "--json"]).expect(0).objects();
    assert_eq!(dry.last().unwrap()["summary"]["members"], 122);
    let calls = |counters: &larkdeck::sim::Counters| -> u64 {
        counters.kinds.iter().filter(|kind| kind.name.contains("batch_get_id")).map(|kind| kind.calls).sum()
    };
    assert_eq!(calls(&platform.sim.control().counters()), calls(&before), "a dry run spends nothing");

    let lines = home.run(&["link", "--json"]).expect(7).objects();
    let (summary, members) = lines.split_last().unwrap();
    let summary = &summary["summary"];
    assert_eq!(members.len(), 122);
    assert_eq!(summary["members"], 122);
    assert_eq!(summary["linked"].as_u64().unwrap() + summary["unlinked"].as_u64().unwrap(), 122);
    assert!(summary["linked"].as_u64().unwrap() > 60, "{summary}");
    let silent = members.iter().find(|member| member["name"] == "Silent").unwrap();
    assert_eq!((&silent["result"], &silent["reason"]["code"]), (&"unlinked".into(), &"no_contact".into()));
    let nobody = members.iter().find(|member| member["name"] == "Nobody").unwrap();
    assert_eq!(nobody["reason"]["code"], "not_found");
    let linked = members.iter().find(|member| member["result"] == "linked").unwrap();
    assert_eq!((&linked["status"], &linked["origin"]), (&"linked".into(), &"one_click".into()));
    assert!(linked["open_id"].as_str().unwrap().starts_with("ou_"));
    let counters = platform.sim.control().counters();
    assert_eq!(counters.over, 0, "{counters:?}");
    assert_eq!(counters.month_counted, before.month_counted, "lookups cost no month");

    let count =
        |filter| home.run(&["member", "list", "--filter", filter, "--json"]).expect(0).objects().len() as u64;
    assert_eq!(count("linked"), summary["linked"].as_u64().unwrap());
    assert_eq!(count("unlinked"), summary["unlinked"].as_u64().unwrap());
    home.run(&["link", "undo"]).expect(0);
    assert_eq!(count("linked"), 0);

    let id = linked["id"].as_str().unwrap();
    home.run(&["link", id]).expect(0);
    assert_eq!(count("linked"), 1);
    home.run(&["unlink", id]).expect(0);
    assert_eq!(count("linked"), 0);
    home.run(&["unlink", "no such member"]).expect(6);
    home.run(&["--read-only", "link"]).expect(9);
}

#[test]
fn each_bad_day_has_its_code() {
    let platform = Platform::start(5);
    let home = platform.home();
    let control = platform.sim.control();
    let cases = [
        (FaultKind::Html { status: 200 }, &[1, 8][..]),
        (FaultKind::Drop, &[8]),
        (FaultKind::Status { status: 503 }, &[8]),
    ];
    for (kind, codes) in cases {
        control.set_fault(Fault::on("*", kind.clone()));
        let ran = home.run(&["room", "list", "--refresh"]);
        assert!(codes.contains(&ran.code), "{kind:?}: {ran:?}");
        assert!(!ran.stderr.is_empty() && !ran.stderr.contains("panicked"), "{kind:?}: {ran:?}");
        control.clear_faults();
    }
    control.revoke_tokens();
    home.run(&["room", "list", "--refresh"]).expect(0);
    control.set_scope("im:chat", false);
    control.set_scope("im:chat:readonly", false);
    let ran = home.run(&["room", "list", "--refresh"]);
    assert!([0, 4].contains(&ran.code), "{ran:?}");
}

#[test]
fn a_hostile_message_is_text_everywhere() {
    let platform = Platform::start(5);
    let home = platform.home();
    let control = platform.sim.control();
    let text = "a\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}b\u{200b}";
    control.say(&Speech { chat: "alpha".to_owned(), text: text.to_owned(), ..Speech::default() }).unwrap();
    let plain = home.run(&["room", "history", "alpha", "--fetch"]).expect(0).stdout;
    assert!(plain.contains("␛]0;owned␇‹009b›2J‹202e›b‹200b›"), "{plain}");
    let json = home.run(&["room", "history", "alpha", "--json"]).expect(0);
    assert!(!json.stdout.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{200b}']), "{}", json.stdout);
    assert!(json.objects().iter().any(|message| message["text"] == text), "{}", json.stdout);
}

#[test]
fn a_tail_survives_a_dropped_connection_without_loss_or_repetition() {
    let platform = Platform::start(5);
    let home = platform.home();
    let control = platform.sim.control();
    let say = |text: &str| {
        control.say(&Speech { chat: "alpha".to_owned(), text: text.to_owned(), ..Speech::default() }).unwrap()
    };
    let tail = Running::start(home.command(&["room", "tail", "alpha", "--since", "0", "--json"]));
    let mut seen = Vec::new();
    let first = say("first");
    let mut wait_for = |id: &str| loop {
        let message: serde_json::Value = serde_json::from_str(&tail.line()).unwrap();
        let found = message["message_id"].as_str().unwrap().to_owned();
        seen.push(found.clone());
        if found == id {
            return;
        }
    };
    wait_for(&first);
    control.drop_connections();
    let second = say("second");
    wait_for(&second);
    let unique: std::collections::BTreeSet<&String> = seen.iter().collect();
    assert_eq!(unique.len(), seen.len(), "{seen:?}");
    assert_eq!(tail.end("INT"), Some(130));
}
