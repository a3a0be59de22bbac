//! What a gap in the connection leaves behind: nothing but a line that says so.

use larkdeck::sim::{Fault, FaultKind, Speech};

use crate::{
    common::Home,
    common::platform::{Platform, Tail, live, until},
    terminal::{PATIENCE, Start, Terminal},
    together,
};

#[test]
fn a_gap_is_repaired_and_said() {
    together(vec![("lost".to_owned(), Box::new(lost)), ("deaf".to_owned(), Box::new(deaf))]);
}

/// The console on the room `alpha`.
fn console(home: &Home) -> Terminal {
    let mut terminal = Start::new(&["--lang", "en"], &home.path("")).sized(150, 45).start();
    terminal.wait_text("Integrations");
    terminal.type_keys("3");
    terminal.wait_text("alpha");
    terminal.type_keys("\r");
    terminal
}

fn reply(platform: &Platform, to: &str, text: &str) {
    let speech = Speech {
        chat: "alpha".to_owned(),
        text: text.to_owned(),
        reply_to: Some(to.to_owned()),
        in_thread: true,
        ..Speech::default()
    };
    platform.control().say(&speech).unwrap();
}

/// The link goes, things are said, and it comes back.
fn lose_the_link(platform: &Platform, home: &Home, meanwhile: impl FnOnce()) {
    platform.control().set_fault(Fault::on("ws.endpoint", FaultKind::Drop));
    platform.control().drop_connections();
    meanwhile();
    until("the loss is noticed", || live(home)["state"] == "reconnecting");
    platform.control().clear_faults();
}

fn seams(home: &Home) -> Vec<serde_json::Value> {
    let room = home.run(&["room", "show", "alpha", "--json"]).expect(0).object();
    room["seams"].as_array().unwrap().clone()
}

fn lost() {
    let platform = Platform::of("gap");
    let home = platform.home();
    let mut tail = Tail::of(&home, "alpha", &[]);
    let root = platform.say("alpha", "before the gap");
    reply(&platform, &root, "a first reply");
    tail.wait(&platform.written("alpha"));
    let mut terminal = console(&home);
    terminal.wait_text("before the gap");
    terminal.wait_text("live");

    platform.control().set_fault(Fault::on("ws.endpoint", FaultKind::Drop));
    platform.control().drop_connections();
    for n in 0..5 {
        platform.say("alpha", &format!("missed {n}"));
    }
    reply(&platform, &root, "a missed reply");
    terminal.wait("the header says so", |terminal| {
        let text = terminal.text();
        text.contains("link lost") || text.contains("reconnecting")
    });
    assert_eq!(live(&home)["state"], "reconnecting");
    platform.control().clear_faults();

    tail.wait(&platform.written("alpha"));
    tail.assert_each_once();
    terminal.wait_text("recovered 6 messages");
    terminal.wait_text("missed 4");
    until("the seam is stored", || seams(&home).len() == 1);
    let seam = seams(&home).remove(0);
    assert_eq!((&seam["recovered"], &seam["missing"]), (&6.into(), &"nothing".into()), "{seam}");
    let plain = home.run(&["room", "history", "alpha"]).expect(0).stdout;
    let line_of = |text: &str| plain.lines().position(|line| line.contains(text)).expect(text);
    assert!(line_of("before the gap") < line_of("recovered 6 messages"), "{plain}");
    assert!(line_of("recovered 6 messages") < line_of("missed 0"), "{plain}");

    // More threads than are looked through: what may be missing is said.
    let roots: Vec<String> = (0..12).map(|n| platform.say("alpha", &format!("topic {n}"))).collect();
    roots.iter().for_each(|root| reply(&platform, root, "opens a thread"));
    tail.wait(&platform.written("alpha"));
    lose_the_link(&platform, &home, || {
        platform.say("alpha", "missed again");
    });
    tail.wait(&platform.written("alpha"));
    terminal.wait_text("recovered 1, thread replies");
    until("the second seam is stored", || seams(&home).len() == 2);
    assert_eq!(seams(&home)[1]["missing"], "thread_replies");
    terminal.type_keys("\u{3}");
    assert_eq!(terminal.end(PATIENCE), 0);
    terminal.assert_restored();
    assert_eq!(platform.control().counters().over, 0);
}

/// Pong goes on, events stop (G5).
fn deaf() {
    let platform = Platform::of("gap");
    let home = platform.home();
    let mut tail = Tail::of(&home, "alpha", &[("LARKDECK_LIVE_DEAF_AFTER_S", "25")]);
    until("it is live", || live(&home)["state"] == "live");
    for n in 0..20 {
        platform.say("alpha", &format!("usual {n}"));
    }
    tail.wait(&platform.written("alpha"));
    let heard_at = live(&home)["last_event_at"].clone();

    platform.control().set_fault(Fault::on("push.*", FaultKind::Drop));
    let listed = platform.calls("im.message.list");
    for n in 0..4 {
        platform.say("alpha", &format!("unheard {n}"));
    }
    // The header's two facts: the link stands, and when it last brought something.
    let now = live(&home);
    assert_eq!((&now["state"], &now["last_event_at"]), (&"live".into(), &heard_at));
    tail.wait(&platform.written("alpha"));
    tail.assert_each_once();
    assert!(
        platform.calls("im.message.list") - listed <= 3,
        "a suspicion costs one call, the repair a page or two"
    );
    let log = home.run(&["log", "--json"]).expect(0).objects();
    let alarm = log.iter().find(|row| row["operation"] == "live.deaf").expect("a row of the log");
    assert_eq!(alarm["result"], "failed");
    until("the seam is stored", || seams(&home).iter().any(|seam| seam["recovered"] == 4));

    platform.control().clear_faults();
    platform.say("alpha", "heard again");
    tail.wait(&platform.written("alpha"));
    platform.wait_connections(1);
}
