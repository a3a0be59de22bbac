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

use common::{Home, PATIENCE, Ran, Running};
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

#[test]
fn a_tail_says_that_the_store_was_restored_and_prints_what_it_missed() {
    let platform = Platform::start(5);
    let home = platform.home();
    let say = |text: &str| {
        let speech = Speech { chat: "alpha".to_owned(), text: text.to_owned(), ..Speech::default() };
        platform.sim.control().say(&speech).unwrap()
    };
    let tail = |log: &str| {
        let mut command = home.command(&["room", "tail", "alpha", "--since", "0", "--json"]);
        command.stderr(std::fs::File::create(home.path(log)).unwrap());
        let running = Running::start_as_it_is(command);
        assert!(platform.runtime.block_on(platform.sim.control().wait_connections(1, PATIENCE)));
        running
    };
    let id_of = |line: String| -> String {
        let message: serde_json::Value = serde_json::from_str(&line).unwrap();
        message["message_id"].as_str().unwrap().to_owned()
    };
    let holder = tail("holder");
    let other = tail("other");
    let first = say("first");
    assert_eq!([id_of(holder.line()), id_of(other.line())], [first.clone(), first]);
    // It learns nothing of what follows, until the store is another one. What a first message brings with it (the name
    // of who wrote it) is stored by then: stopped in the middle of that, it would hold the store's one lock.
    std::thread::sleep(std::time::Duration::from_secs(3));
    common::signal(other.child.id(), "STOP");
    let missed = [say("second"), say("third")];
    assert_eq!([id_of(holder.line()), id_of(holder.line())], missed);
    assert_eq!(holder.end("INT"), Some(130));
    platform.runtime.block_on(restore(&home.path("data/larkdeck/larkdeck.db")));
    // It looks again after some seconds.
    std::thread::sleep(std::time::Duration::from_secs(6));
    common::signal(other.child.id(), "CONT");
    assert_eq!([id_of(other.line()), id_of(other.line())], missed);
    let last = say("last");
    assert_eq!(id_of(other.line()), last);
    assert_eq!(other.end("INT"), Some(130));
    let said = std::fs::read_to_string(home.path("other")).unwrap();
    assert!(said.contains("numbers may begin anew; 2 messages were missed"), "{said}");
}

/// Makes a store another one, as a restored backup is.
async fn restore(store: &std::path::Path) {
    use sqlx::{Connection as _, Executor as _};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(store);
    let mut conn = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    conn.execute("update store_meta set generation = 'gen_restored'").await.unwrap();
    conn.close().await.unwrap();
}
