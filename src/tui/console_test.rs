//! The loop in a real pseudo-terminal: this test binary runs itself in one.

use std::{
    io::{Read as _, Write as _},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize};
use rustix::process::{Pid, Signal, kill_process};

use super::{TuiOptions, fixture, run};
use crate::{
    app::effect::{Ask, Effect, EffectSink},
    core::{lang::Lang, time::SystemClock},
};

const PATIENCE: Duration = Duration::from_secs(20);

struct Nowhere;

impl EffectSink for Nowhere {
    fn perform(&self, _effect: Effect) {}
}

/// A console with a bug: it panics where a message is to be sent.
struct Panics;

impl EffectSink for Panics {
    fn perform(&self, effect: Effect) {
        assert!(!matches!(effect, Effect::Ask { ask: Ask::Send { .. }, .. }), "a bug of the console");
    }
}

#[test]
#[ignore = "run by the other tests, in a terminal"]
fn child_with_a_bug() {
    run_child(Panics);
}

/// The console on a fixture; run by the tests below in a terminal of its own.
#[test]
#[ignore = "run by the other tests, in a terminal"]
fn child() {
    run_child(Nowhere);
}

fn run_child(sink: impl EffectSink) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_news, events) = tokio::sync::mpsc::channel(8);
    let model = fixture::rooms(Lang::En, 80, 24);
    let keymap = Arc::clone(&model.keymap);
    let options = TuiOptions::of_env(|name| std::env::var(name).ok(), None);
    let ending = runtime.block_on(run(model, keymap, sink, events, options, Arc::new(SystemClock))).unwrap();
    println!("ended: {ending:?}");
    // The harness would wait for nothing else, but threads of the terminal library may still sleep.
    std::process::exit(7);
}

#[derive(Clone, Copy)]
enum Shell {
    None,
    Jobs,
}

struct Console {
    child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn std::io::Write + Send>>,
    screen: Arc<Mutex<vt100::Parser>>,
    bytes: mpsc::Receiver<usize>,
    /// The reader lets go of the terminal after its next read.
    lets_go: Arc<AtomicBool>,
}

impl Console {
    fn start(columns: u16, rows: u16) -> Self {
        Self::start_in(Shell::None, columns, rows)
    }

    fn start_in(shell: Shell, columns: u16, rows: u16) -> Self {
        Self::start_child("child", shell, columns, rows)
    }

    fn start_child(name: &str, shell: Shell, columns: u16, rows: u16) -> Self {
        let size = PtySize { cols: columns, rows, ..PtySize::default() };
        let pair = portable_pty::native_pty_system().openpty(size).unwrap();
        let own = std::env::current_exe().unwrap();
        let own = own.to_str().unwrap();
        let child = format!("tui::console_test::{name} --exact --ignored --nocapture --test-threads=1");
        // `exec` unless there is to be a shell that a stopped job falls back to.
        let (flag, line) = match shell {
            Shell::None => ("-c", format!("exec '{own}' {child}")),
            Shell::Jobs => ("-mc", format!("'{own}' {child}; echo back in the shell; read -r line; fg")),
        };
        let mut command = CommandBuilder::new("bash");
        command.args([flag, &line]);
        command.env("TERM", "xterm-256color");
        // A panic's message would scroll off the screen.
        command.env("RUST_BACKTRACE", "0");
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let parser = vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0);
        let screen = Arc::new(Mutex::new(parser));
        let (tell, bytes) = mpsc::channel();
        let seen = Arc::clone(&screen);
        let lets_go = Arc::new(AtomicBool::new(false));
        let stops = Arc::clone(&lets_go);
        std::thread::spawn(move || {
            let mut buffer = [0; 65_536];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                seen.lock().unwrap().process(&buffer[..n]);
                _ = tell.send(n);
                if stops.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        Self { child, master: Some(pair.master), writer: Some(writer), screen, bytes, lets_go }
    }

    /// Waits until the screen is as wanted.
    fn wait(&self, what: &str, wanted: impl Fn(&vt100::Screen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !wanted(self.screen.lock().unwrap().screen()) {
            let left = deadline.saturating_duration_since(Instant::now());
            let more = self.bytes.recv_timeout(left);
            let shown = self.screen.lock().unwrap().screen().contents();
            assert!(more.is_ok() || wanted(self.screen.lock().unwrap().screen()), "{what}:\n{shown}");
        }
    }

    fn shows(&self, text: &str) {
        self.wait(text, |screen| screen.alternate_screen() && screen.contents().contains(text));
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.process_id().unwrap();
        kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
    }

    /// How the terminal treats what is typed.
    fn modes(&self) -> String {
        format!("{:?}", self.master.as_ref().unwrap().get_termios().map(|modes| modes.local_flags))
    }

    /// Waits for the end and answers the exit code.
    fn end(mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            _ = self.bytes.recv_timeout(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_signal_ends_it_and_the_terminal_is_given_back() {
    let console = Console::start(80, 24);
    console.shows("支付网关超时");
    assert!(console.screen.lock().unwrap().screen().bracketed_paste());
    console.signal(Signal::TERM);
    console.wait("the end", |screen| {
        !screen.alternate_screen() && screen.contents().contains("ended: Terminated")
    });
    assert!(!console.screen.lock().unwrap().screen().bracketed_paste());
    assert!(!console.screen.lock().unwrap().screen().hide_cursor());
    assert_eq!(console.end(), 7);
}

#[test]
fn nothing_is_written_while_nothing_happens() {
    let console = Console::start(80, 24);
    console.shows("i to write");
    while console.bytes.recv_timeout(Duration::from_millis(300)).is_ok() {}
    // The clock on screen may turn in between: once, as it does so once a minute.
    let is_silent = || console.bytes.recv_timeout(Duration::from_millis(700)).is_err();
    assert!(is_silent() || is_silent());
    console.signal(Signal::TERM);
    console.end();
}

#[test]
fn it_follows_the_size_of_the_terminal() {
    let console = Console::start(80, 24);
    console.shows("i to write");
    let size = PtySize { cols: 120, rows: 30, ..PtySize::default() };
    console.screen.lock().unwrap().screen_mut().set_size(30.try_into().unwrap(), 120.try_into().unwrap());
    console.master.as_ref().unwrap().resize(size).unwrap();
    console.shows("ROOMS");
    console.signal(Signal::TERM);
    console.end();
}

#[test]
fn a_continued_process_draws_everything_again() {
    let console = Console::start(80, 24);
    console.shows("i to write");
    // Somebody else has written over the screen.
    console.screen.lock().unwrap().process(b"\x1b[2J\x1b[?1049l");
    console.signal(Signal::CONT);
    console.shows("i to write");
    console.signal(Signal::TERM);
    console.end();
}

#[test]
fn a_vanished_terminal_ends_it() {
    let mut console = Console::start(80, 24);
    console.shows("i to write");
    let started = Instant::now();
    // Every handle of this side goes: the reader's too, once a redraw has woken it.
    console.lets_go.store(true, Ordering::SeqCst);
    console.signal(Signal::CONT);
    while console.bytes.recv_timeout(PATIENCE).is_ok() {}
    console.writer = None;
    console.master = None;
    let deadline = started + PATIENCE;
    while console.child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it outlives its terminal");
        std::thread::yield_now();
    }
}
#[test]
fn keys_typed_reach_it() {
    let mut console = Console::start(80, 24);
    console.shows("i to write");
    console.writer.as_mut().unwrap().write_all(b"?").unwrap();
    console.writer.as_mut().unwrap().flush().unwrap();
    console.wait("help", |screen| screen.contents().contains("Keys"));
    console.writer.as_mut().unwrap().write_all(b"\x03").unwrap();
    console.wait("the end", |screen| screen.contents().contains("ended: Quit"));
}

#[test]
fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_back() {
    let mut console = Console::start_in(Shell::Jobs, 80, 24);
    console.shows("i to write");
    let writer = console.writer.as_mut().unwrap();
    writer.write_all(b"\x1a").unwrap();
    console.wait("the shell", |screen| {
        !screen.alternate_screen()
            && !screen.bracketed_paste()
            && screen.contents().contains("back in the shell")
    });
    console.writer.as_mut().unwrap().write_all(b"\n").unwrap();
    console.shows("i to write");
    console.wait("its modes", vt100::Screen::bracketed_paste);
    console.writer.as_mut().unwrap().write_all(b"\x03").unwrap();
    console.wait("the end", |screen| screen.contents().contains("ended: Quit"));
}

#[test]
fn a_panic_gives_the_terminal_back_and_is_told() {
    let mut console = Console::start_child("child_with_a_bug", Shell::None, 80, 24);
    console.shows("i to write");
    let before = console.modes();
    assert!(console.screen.lock().unwrap().screen().bracketed_paste());
    for keys in ["i", "boom", "\r"] {
        console.writer.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
        console.writer.as_mut().unwrap().flush().unwrap();
    }
    console.wait("the panic, in the shell's own screen", |screen| {
        !screen.alternate_screen() && screen.contents().contains("a bug of the console")
    });
    let screen = console.screen.lock().unwrap();
    assert!(!screen.screen().bracketed_paste() && !screen.screen().hide_cursor());
    drop(screen);
    assert_ne!(console.modes(), before, "no longer raw");
    assert_ne!(console.end(), 0);
}
