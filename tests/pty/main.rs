//! The built program in a pseudo-terminal, as a person has it: what is on the screen, and what is left of the
//! terminal afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod away;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/postgres.rs"]
mod postgres;
mod terminal;
mod walk;

use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;
use terminal::{PATIENCE, Start, Terminal};

fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn demo(home: &TempDir) -> Start {
    Start::new(&["demo", "--seed", "7", "--lang", "en"], home.path())
}

/// The demo's console is up: header with connection and event, panes, and the rooms with one of them open.
#[track_caller]
fn wait_ready(terminal: &mut Terminal) {
    terminal.wait("the demo's rooms, live", |terminal| {
        let (header, panes) = (terminal.row(0), terminal.row(1));
        header.starts_with(" ops-prod  Feishu  ● live  < ")
            && header.contains("event < 10 s ago")
            && header.contains(" / 10,000")
            && panes.starts_with(" 1 Integrations   2 Users")
            && panes.contains("3 War Rooms")
            && terminal.text().contains("支付网关超时")
            && terminal.row(terminal.rows() - 1).contains("q quit")
    });
}

/// The console of a store without anything in it.
#[track_caller]
fn wait_empty(terminal: &mut Terminal) {
    terminal.wait("a console without integrations", |terminal| {
        terminal.row(0) == " no integration"
            && terminal.row(1).starts_with(" 1 Integrations   2 Users   3 War Rooms   4 Quota   5 Log")
            && terminal.text().contains("No integration yet")
            && terminal.text().contains("Press a to add a Feishu or Lark app")
    });
}

/// The first pane, on the demo's integration.
#[track_caller]
fn wait_integrations(terminal: &mut Terminal) {
    terminal.wait("the integrations", |terminal| {
        let text = terminal.text();
        text.contains("INTEGRATIONS 2")
            && text.contains("Slack-Prod")
            && text.contains("cli_a1b2c3d4e5f60718")
            && ["Web Configuration URL", "Redirect URL", "Message Card Request URL"]
                .into_iter()
                .all(|url| text.contains(url))
    });
}

#[test]
fn the_demo_streams_and_every_pane_opens() {
    let home = home();
    let mut terminal = demo(&home).start();
    wait_ready(&mut terminal);
    terminal.type_keys("2");
    terminal.wait_text("All 320   Linked 279   Unlinked 41");
    terminal.type_keys("4");
    terminal.wait_text("/ 10,000 calls  official figure, then counted");
    terminal.type_keys("5");
    terminal.wait_text("integration.war_room.enable");
    terminal.type_keys("1");
    wait_integrations(&mut terminal);
    terminal.type_keys("?");
    terminal.wait("the help", |terminal| {
        let text = terminal.text();
        text.contains("╭─ Keys ─")
            && text.contains("Open what is selected.")
            && terminal.row(terminal.rows() - 1) == " esc back"
    });
    terminal.type_keys("\u{1b}");
    // Apart: together they are Alt-q.
    terminal.wait("the help to close", |terminal| !terminal.text().contains("╭─ Keys ─"));
    wait_integrations(&mut terminal);
    terminal.type_keys("3");
    wait_ready(&mut terminal);
    terminal.type_keys("q");
    assert_eq!(terminal.end(PATIENCE), 0);
    terminal.assert_restored();
}

#[test]
fn any_size_is_survived() {
    let home = home();
    let mut terminal = demo(&home).start();
    wait_ready(&mut terminal);
    terminal.type_keys("3");
    for (cols, rows) in [(20, 5), (1, 1), (300, 100), (80, 24), (40, 12), (120, 40)] {
        terminal.resize(cols, rows);
        terminal.within(Duration::from_millis(150));
    }
    terminal.wait_text("支付网关超时");
    terminal.type_keys("\u{3}");
    assert_eq!(terminal.end(PATIENCE), 0);
    terminal.assert_restored();
}

#[test]
fn a_tiny_terminal_starts_and_ends() {
    let home = home();
    let mut terminal = demo(&home).sized(1, 1).start();
    terminal.wait("the alternate screen", |terminal| terminal.screen.screen().alternate_screen());
    terminal.type_keys("\u{3}");
    assert_eq!(terminal.end(PATIENCE), 0);
    terminal.assert_restored();
}

#[test]
fn sigterm_restores_the_terminal() {
    let home = home();
    let mut terminal = demo(&home).start();
    wait_ready(&mut terminal);
    terminal.signal(Signal::TERM);
    terminal.end(Duration::from_secs(10));
    terminal.assert_restored();
}

#[test]
fn a_vanished_terminal_ends_the_program_within_two_seconds() {
    let home = home();
    let mut terminal = demo(&home).start();
    wait_ready(&mut terminal);
    terminal.hang_up();
    // Its own end, in order or after its grace, and not the signal's.
    let code = terminal.end(Duration::from_secs(2));
    assert!([0, 129].contains(&code), "{code}");
}

#[test]
fn a_quiet_store_writes_nothing() {
    let home = home();
    let mut terminal = Start::new(&["--lang", "en"], home.path()).start();
    wait_empty(&mut terminal);
    terminal.settle(Duration::from_secs(1));
    let bytes = terminal.within(Duration::from_secs(4));
    assert!(bytes.is_empty(), "{} bytes while idle: {:?}", bytes.len(), String::from_utf8_lossy(&bytes));
    terminal.type_keys("q");
    assert_eq!(terminal.end(PATIENCE), 0);
    terminal.assert_restored();
}

#[test]
fn no_color_is_no_colour() {
    let home = home();
    let mut terminal = demo(&home).with("NO_COLOR", "1").start();
    wait_ready(&mut terminal);
    terminal.type_keys("3");
    terminal.wait_text("支付网关超时");
    let screen = terminal.screen.screen();
    let (rows, cols) = screen.size();
    for row in 0..rows.get() {
        for col in 0..cols.get() {
            let Some(cell) = screen.cell(row, col) else { continue };
            let colours = (cell.fgcolor(), cell.bgcolor());
            assert_eq!(
                colours,
                (vt100::Color::Default, vt100::Color::Default),
                "{row},{col}: {}",
                cell.contents()
            );
        }
    }
}

#[test]
fn addresses_are_links_of_the_terminal_unless_that_is_off() {
    for (setting, term, is_on) in
        [("true", "xterm-256color", true), ("false", "xterm-256color", false), ("true", "linux", false)]
    {
        let home = home();
        let start = demo(&home).with("LARKDECK_UI_HYPERLINKS", setting).with("TERM", term);
        let mut terminal = start.start();
        terminal.wait("the demo's rooms", |terminal| terminal.text().contains("3 War Rooms"));
        terminal.type_keys("1");
        terminal.wait_text("Message Card Request URL");
        terminal.settle(Duration::from_millis(300));
        let written = String::from_utf8_lossy(&terminal.bytes).into_owned();
        let openings: Vec<&str> = written.split("\u{1b}]8;").skip(1).collect();
        assert_eq!(!openings.is_empty(), is_on, "{setting} {term}");
        for opening in openings {
            let (link, _) = opening.split_once("\u{1b}\\").unwrap();
            assert!(link == ";" || link.starts_with("id=") && link.contains(";http"), "{link:?}");
        }
        terminal.type_keys("\u{3}");
        assert_eq!(terminal.end(PATIENCE), 0);
    }
}

#[test]
fn ascii_glyphs_are_ascii() {
    let home = home();
    let mut terminal = Start::new(&["--lang", "en"], home.path()).with("LARKDECK_UI_GLYPHS", "ascii").start();
    wait_empty(&mut terminal);
    terminal.settle(Duration::from_millis(300));
    assert!(terminal.text().is_ascii(), "{}", terminal.text());
}

#[test]
fn chinese_comes_from_the_locale() {
    let home = home();
    let mut terminal = Start::new(&[], home.path()).with("LANG", "zh_CN.UTF-8").start();
    terminal.wait("a console in Chinese", |terminal| {
        terminal.row(0) == " 未选择集成"
            && terminal.row(1).starts_with(" 1 集成   2 用户   3 作战室   4 配额   5 日志")
    });
}

#[test]
fn ctrl_z_gives_the_terminal_back_and_fg_takes_it_again() {
    let home = home();
    let mut terminal = demo(&home).in_shell().start();
    wait_ready(&mut terminal);
    terminal.type_keys("\u{1a}");
    terminal.wait("STOPPED", |terminal| {
        !terminal.screen.screen().alternate_screen() && terminal.text().contains("STOPPED")
    });
    terminal.type_keys("\n");
    wait_ready(&mut terminal);
    terminal.type_keys("q");
    terminal.wait_text("ENDED 0");
    terminal.end(PATIENCE);
}

#[test]
fn a_pasted_line_break_sends_nothing() {
    let home = home();
    let mut terminal = demo(&home).start();
    wait_ready(&mut terminal);
    terminal.type_keys(":");
    terminal.type_keys("\u{1b}[200~zzz-not-a-command\rq\u{1b}[201~");
    terminal.wait_text("zzz-not-a-command");
    assert!(terminal.child.try_wait().unwrap().is_none(), "the pasted q did not quit");
    terminal.type_keys("\u{3}");
    assert_eq!(terminal.end(PATIENCE), 0);
}

#[test]
fn what_cannot_start_leaves_the_terminal_alone() {
    let home = home();
    std::fs::create_dir_all(home.path().join("config/larkdeck")).unwrap();
    std::fs::write(home.path().join("config/larkdeck/config.toml"), "[ui]\nthema = 1\n").unwrap();
    let mut terminal = Start::new(&[], home.path()).start();
    assert_eq!(terminal.end(PATIENCE), 3);
    assert!(terminal.text().contains("config.toml:2"), "{}", terminal.text());
    assert!(!String::from_utf8_lossy(&terminal.bytes).contains("\u{1b}[?1049h"));
    terminal.assert_restored();
}

#[test]
fn a_secret_is_asked_for_and_never_shown() {
    let home = home();
    let add = ["integration", "add", "ops", "--app-id", "cli_0000000000000001", "--no-check"];
    let mut terminal = Start::new(&add, home.path()).start();
    terminal.wait_text("App Secret: ");
    terminal.type_keys("hunter2hunter2\u{7f}\u{7f}xy\r");
    terminal.wait_text("Encrypt Key");
    terminal.type_keys("\r");
    terminal.wait_text("Verification Token");
    terminal.type_keys("\r");
    assert_eq!(terminal.end(PATIENCE), 0);
    assert!(!terminal.text().contains("hunter2"), "{}", terminal.text());
    terminal.assert_restored();
}

#[test]
fn ctrl_c_at_a_prompt_gives_the_terminal_back() {
    let home = home();
    let add = ["integration", "add", "ops", "--app-id", "cli_0000000000000001"];
    for how in ["\u{3}", "TERM"] {
        let mut terminal = Start::new(&add, home.path()).start();
        terminal.wait_text("App Secret: ");
        if how == "TERM" {
            terminal.signal(Signal::TERM);
        } else {
            terminal.type_keys(how);
        }
        assert_eq!(terminal.end(PATIENCE), if how == "TERM" { 143 } else { 130 });
        terminal.assert_restored();
    }
}
