//! A process that dies while it sends: the message is known to be there, or is said to be unknown; it is never
//! sent by somebody else.

use std::process::Stdio;

use larkdeck::sim::{Fault, FaultKind};

use crate::{
    common::platform::{Platform, until},
    common::{Home, signal, wait},
    terminal::{PATIENCE, Start},
    together,
};

#[test]
fn a_sender_may_die() {
    together(vec![
        ("arrived".to_owned(), Box::new(|| died(FaultKind::LoseAnswer, 1))),
        ("did not arrive".to_owned(), Box::new(|| died(FaultKind::Drop, 0))),
    ]);
}

fn died(kind: FaultKind, arrives: usize) {
    let platform = Platform::of("send");
    let home = platform.home();
    platform.say("alpha", "first");
    home.run(&["room", "list", "--refresh"]).expect(0);
    platform.control().set_fault(Fault::on("im.message.create", kind));
    kill_while_sending(&platform, &home);
    platform.control().clear_faults();
    assert_eq!(platform.count("alpha", "rolling back"), arrives);

    let mut terminal = Start::new(&["--lang", "en"], &home.path("")).start();
    terminal.wait_text("Integrations");
    terminal.type_keys("3");
    terminal.wait_text("alpha");
    terminal.type_keys("\r");
    terminal.wait_text("rolling back");
    if arrives == 1 {
        // History knows it: nothing is left in doubt.
        terminal.wait("the doubt is gone", |terminal| !terminal.text().contains("nobody knows"));
    } else {
        terminal.wait_text("nobody knows whether it arrived");
    }
    until("the console is live", || crate::common::platform::live(&home)["state"] == "live");
    assert_eq!(platform.count("alpha", "rolling back"), arrives, "nobody else sends it");
    let history = home.run(&["room", "history", "alpha", "--fetch", "--json"]).expect(0).stdout;
    assert_eq!(history.matches("rolling back").count(), arrives * 2, "text and content, once: {history}");
    terminal.type_keys("\u{3}");
    assert_eq!(terminal.end(PATIENCE), 0);
    terminal.assert_restored();
}

fn kill_while_sending(platform: &Platform, home: &Home) {
    let mut command = home.command(&["room", "send", "alpha", "rolling back"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the call is made", || platform.calls("im.message.create") > 0);
    signal(child.id(), "KILL");
    assert!(wait(&mut child).unwrap().code().is_none(), "it was killed");
}
