//! What strangers typed, wherever it can come out: nothing of it acts, all of it can be seen.

use larkdeck::sim::{Fault, FaultKind, Speech};

use crate::{
    common::platform::{Platform, Tail},
    terminal::{PATIENCE, Start, Terminal},
};

const MAL: &str = "Mal\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}ory";
const MAL_SEEN: &str = "Mal␛]0;owned␇‹009b›2J‹202e›ory";
const TEXT: &str = "say\u{1b}[?1049l\u{1b}P+q\u{1b}\\\u{85}\u{2066}\u{200b}end";
const TEXT_SEEN: &str = "say␛[?1049l␛P+q␛\\‹0085›‹2066›‹200b›end";
/// No letter has so many marks.
const MARKS: usize = 3000;

/// Characters that act, hide or turn text round.
fn acts(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
        || matches!(c, '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[track_caller]
fn assert_harmless(what: &str, text: &str) {
    let at = text.find(acts);
    assert!(at.is_none(), "{what}: {:?}", text[at.unwrap_or(0)..].chars().take(20).collect::<String>());
    let marks = text.chars().filter(|c| *c == '\u{301}').count();
    assert!(marks < MARKS / 10, "{what}: {marks} combining marks");
}

fn say(platform: &Platform, msg_type: &str, text: &str) {
    let speech = Speech {
        who: MAL.to_owned(),
        msg_type: msg_type.to_owned(),
        text: text.to_owned(),
        ..Speech::default()
    };
    platform.control().say(&speech).unwrap();
}

#[test]
fn nothing_acts_and_all_is_seen() {
    let platform = Platform::of("hostile");
    let home = platform.home();
    let chat = platform.control().chats()[0].0.clone();
    say(&platform, "text", TEXT);
    say(&platform, "text", &format!("zal{}go", "\u{301}".repeat(MARKS)));
    let file = serde_json::json!({"file_key": "file_v3_1", "file_name": format!("report{MAL}.pdf")});
    say(&platform, "file", &file.to_string());
    let csv = format!("name,email\n\"{MAL}\",mal@lumenpay.example\n\"=1+1{TEXT}\",x@ex.test\n");
    home.run_input(&["member", "import", "-"], &csv).expect(0);

    let rooms = home.run(&["room", "list", "--refresh"]).expect(0).stdout;
    assert!(rooms.contains("ops␛[2J‹009d›0;owned‹009c›‹202e›room"), "{rooms}");
    let history = home.run(&["room", "history", &chat, "--fetch"]).expect(0).stdout;
    let history_again = home.run(&["room", "history", &chat]).expect(0).stdout;
    assert!(history.contains(TEXT_SEEN) && history.contains("report"), "{history}");
    let table = home.run(&["member", "list"]).expect(0).stdout;
    assert!(table.contains(MAL_SEEN), "{table}");
    let exported = home.run(&["member", "list", "--csv"]).expect(0).stdout;
    assert!(exported.contains(MAL_SEEN) && exported.contains("'=1+1say"), "{exported}");
    let shown = home.run(&["room", "show", &chat, "--refresh"]).expect(0).stdout;
    let json = home.run(&["room", "history", &chat, "--limit", "0", "--json"]).expect(0).stdout;
    for (what, text) in [
        ("room list", &rooms),
        ("room history", &history),
        ("room history again", &history_again),
        ("room show", &shown),
        ("member list", &table),
        ("CSV", &exported),
    ] {
        assert_harmless(what, text);
    }
    assert!(!json.contains(acts), "JSON keeps the text, escaped");
    assert!(
        json.lines().any(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["text"] == TEXT)
    );

    let words = FaultKind::Says { status: 400, code: 230_099, msg: format!("no: {MAL}") };
    platform.control().set_fault(Fault::on("im.message.create", words));
    let refused = home.run(&["room", "send", &chat, "hello"]).expect(1).stderr;
    platform.control().clear_faults();
    assert!(refused.contains(MAL_SEEN) && refused.contains("230099"), "{refused}");
    assert_harmless("an error", &refused);
    let log = home.run(&["log"]).expect(0).stdout;
    assert!(log.contains(MAL_SEEN), "{log}");
    assert_harmless("log", &log);

    console(&platform, &home);
    let file = std::fs::read_to_string(home.path("state/larkdeck/larkdeck.log")).unwrap();
    assert!(!file.is_empty());
    assert_harmless("the log file", &file);
}

/// The same room on a screen, and its reasons in the log file.
fn console(platform: &Platform, home: &crate::common::Home) {
    let mut tail =
        Tail::of(home, &platform.control().chats()[0].0.clone(), &[("LARKDECK_LOG_LEVEL", "debug")]);
    let mut terminal = Start::new(&["--lang", "en"], &home.path(""))
        .with("LARKDECK_LOG_LEVEL", "debug")
        .sized(160, 45)
        .start();
    terminal.wait_text("Integrations");
    terminal.type_keys("3");
    terminal.wait_text("ops␛[2J");
    terminal.type_keys("\r");
    terminal.wait_text(TEXT_SEEN);
    terminal.wait_text("report");
    say(platform, "text", &format!("live {TEXT}"));
    terminal.wait_text(&format!("live {TEXT_SEEN}"));
    tail.wait(&platform.written(&platform.control().chats()[0].0));
    // A reason that the platform gives, on its way to the header and to the log.
    let words = FaultKind::Says { status: 400, code: 1_000_040_343, msg: format!("away {MAL}") };
    platform.control().set_fault(Fault::on("ws.endpoint", words));
    platform.control().drop_connections();
    terminal.wait("the loss is shown", |terminal| {
        terminal.text().contains("link lost") || terminal.text().contains("reconnecting")
    });
    platform.control().clear_faults();
    terminal.type_keys("2");
    terminal.wait_text("Mal␛]0;owned");
    assert_unharmed(&terminal);
    terminal.type_keys("\u{3}");
    assert_eq!(terminal.end(PATIENCE), 0);
    terminal.assert_restored();
}

/// Nothing of it was taken for an instruction: the bytes hold none of its controls, the title is ours.
#[track_caller]
fn assert_unharmed(terminal: &Terminal) {
    let text = String::from_utf8_lossy(&terminal.bytes);
    for bad in
        ["\u{1b}]0;owned", "\u{9b}", "\u{9d}", "\u{85}", "\u{202e}", "\u{2066}", "\u{200b}", "\u{1b}P+q"]
    {
        assert!(!text.contains(bad), "{bad:?} reached the terminal");
    }
    assert!(terminal.screen.screen().alternate_screen(), "it was not thrown out of its screen");
    let marks = text.chars().filter(|c| *c == '\u{301}').count();
    assert!(marks < MARKS / 2, "{marks} combining marks");
}
