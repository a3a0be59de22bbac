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

mod terminal;

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

/// The console has drawn its panes and has something in them.
#[track_caller]
fn wait_ready(terminal: &mut Terminal) {
    terminal.wait_text("Integrations");
}

#[test]
fn the_demo_streams_and_every_pane_opens() {
    let home = home();
    let mut terminal = demo(&home).start();
    wait_ready(&mut terminal);
    terminal.type_keys("3");
    terminal.wait_text("支付网关超时");
    terminal.type_keys("2");
    terminal.wait_text("320");
    terminal.wait_text("41");
    terminal.type_keys("4");
    terminal.wait_text("10,000");
    terminal.type_keys("5");
    terminal.type_keys("1");
    terminal.wait_text("War Room rule");
    terminal.type_keys("?");
    terminal.wait("the help", |terminal| !terminal.text().contains("War Room rule"));
    terminal.type_keys("\u{1b}");
    // Apart: together they are Alt-q.
    terminal.wait_text("War Room rule");
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
    terminal.end(Duration::from_secs(2));
}

#[test]
fn a_quiet_store_writes_nothing() {
    let home = home();
    let mut terminal = Start::new(&["--lang", "en"], home.path()).start();
    wait_ready(&mut terminal);
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
fn ascii_glyphs_are_ascii() {
    let home = home();
    let mut terminal = Start::new(&["--lang", "en"], home.path()).with("LARKDECK_UI_GLYPHS", "ascii").start();
    wait_ready(&mut terminal);
    terminal.settle(Duration::from_millis(300));
    assert!(terminal.text().is_ascii(), "{}", terminal.text());
}

#[test]
fn chinese_comes_from_the_locale() {
    let home = home();
    let mut terminal = Start::new(&[], home.path()).with("LANG", "zh_CN.UTF-8").start();
    terminal.wait_text("集成");
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
