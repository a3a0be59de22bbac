//! A pseudo-terminal with the program in it, and the screen that a person would see.

use std::{
    io::{Read as _, Write},
    num::NonZero,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};

use crate::common::Home;

/// What takes longer has hung.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running program and its terminal.
pub struct Terminal {
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    pub child: Box<dyn Child + Send + Sync>,
    output: Receiver<Vec<u8>>,
    /// The reader lets go of its end at the next byte.
    hang_up: Arc<AtomicBool>,
    pub screen: vt100::Parser,
    /// Everything that came, as it came.
    pub bytes: Vec<u8>,
    /// The terminal's modes before the program began.
    pub modes_before: String,
}

/// How to start a program.
pub struct Start {
    pub program: String,
    pub args: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub size: (u16, u16),
}

impl Start {
    pub fn new(args: &[&str], home: &Path) -> Self {
        let home = home.to_str().unwrap();
        let environment = [
            ("HOME", home.to_owned()),
            ("XDG_CONFIG_HOME", format!("{home}/config")),
            ("XDG_DATA_HOME", format!("{home}/data")),
            ("XDG_STATE_HOME", format!("{home}/state")),
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("USER", "tester".to_owned()),
            ("TERM", "xterm-256color".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
        ];
        Self {
            program: env!("CARGO_BIN_EXE_larkdeck").to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            environment: environment.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            size: (120, 40),
        }
    }

    /// In a home that may have a network and variables of its own.
    pub fn within(home: &Home, args: &[&str]) -> Self {
        let command = home.command(args);
        let text = |word: &std::ffi::OsStr| word.to_str().unwrap().to_owned();
        let usual = Self::new(&[], &home.path(""));
        let own = home.environment().into_iter().map(|(key, value)| (key.to_owned(), value));
        Self {
            program: text(command.get_program()),
            args: command.get_args().map(text).collect(),
            environment: usual.environment.into_iter().chain(own).collect(),
            size: usual.size,
        }
    }

    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.environment.push((key.to_owned(), value.to_owned()));
        self
    }

    pub fn sized(mut self, cols: u16, rows: u16) -> Self {
        self.size = (cols, rows);
        self
    }

    /// The same in a shell with job control, which says when the program has stopped or ended.
    pub fn in_shell(mut self) -> Self {
        let words: Vec<String> =
            std::iter::once(&self.program).chain(&self.args).map(|word| format!("'{word}'")).collect();
        let script =
            format!("set -m; {}; echo STOPPED; read line; fg >/dev/null; echo ENDED $?", words.join(" "));
        self.program = "bash".to_owned();
        self.args = vec!["--norc".to_owned(), "-c".to_owned(), script];
        self
    }

    pub fn start(self) -> Terminal {
        let (cols, rows) = self.size;
        let pty = native_pty_system().openpty(size(cols, rows)).unwrap();
        let modes_before = modes(pty.master.as_ref());
        let mut command = CommandBuilder::new(&self.program);
        command.args(&self.args);
        command.env_clear();
        for (key, value) in &self.environment {
            command.env(key, value);
        }
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let mut reader = pty.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        let hang_up = Arc::new(AtomicBool::new(false));
        let let_go = Arc::clone(&hang_up);
        std::thread::spawn(move || {
            let mut chunk = vec![0; 65536];
            while let Ok(count @ 1..) = reader.read(&mut chunk) {
                if let_go.load(Ordering::SeqCst) || sender.send(chunk[..count].to_vec()).is_err() {
                    break;
                }
            }
            // Before the channel: whoever sees it end knows that this end of the terminal is closed.
            drop(reader);
            drop(sender);
        });
        let writer = pty.master.take_writer().unwrap();
        Terminal {
            master: Some(pty.master),
            writer: Some(writer),
            child,
            output,
            hang_up,
            screen: vt100::Parser::new(cells(rows), cells(cols), 0),
            bytes: Vec::new(),
            modes_before,
        }
    }
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

fn modes(master: &dyn MasterPty) -> String {
    format!(
        "{:?}",
        master.get_termios().map(|modes| (modes.input_flags, modes.output_flags, modes.local_flags))
    )
}

impl Terminal {
    pub fn text(&self) -> String {
        self.screen.screen().contents()
    }

    pub fn rows(&self) -> u16 {
        self.screen.screen().size().0.get()
    }

    /// A line of the screen, without what is blank at its end.
    pub fn row(&self, row: u16) -> String {
        let cols = self.screen.screen().size().1.get();
        let mut rows = self.screen.screen().rows(0, cols);
        rows.nth(usize::from(row)).unwrap_or_default().trim_end().to_owned()
    }

    fn take(&mut self, chunk: &[u8]) {
        self.screen.process(chunk);
        self.bytes.extend_from_slice(chunk);
    }

    /// Reads until `is_so`; panics with the screen when that takes too long.
    #[track_caller]
    pub fn wait(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(chunk) => self.take(&chunk),
                Err(RecvTimeoutError::Disconnected) if is_so(self) => {}
                Err(error) => panic!("{what}: {error}; the screen is:\n{}", self.text()),
            }
        }
    }

    #[track_caller]
    pub fn wait_text(&mut self, text: &str) {
        self.wait(&format!("waiting for {text:?}"), |terminal| terminal.text().contains(text));
    }

    /// Reads until nothing has come for `pause`.
    pub fn settle(&mut self, pause: Duration) {
        while let Ok(chunk) = self.output.recv_timeout(pause) {
            self.take(&chunk);
        }
    }

    /// What comes within `pause`.
    pub fn within(&mut self, pause: Duration) -> Vec<u8> {
        let deadline = Instant::now() + pause;
        let before = self.bytes.len();
        while let Ok(chunk) = self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.take(&chunk);
        }
        self.bytes[before..].to_vec()
    }

    pub fn type_keys(&mut self, keys: &str) {
        let writer = self.writer.as_mut().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    pub fn resize(&mut self, cols: u16, rows: u16) {
        self.screen.screen_mut().set_size(cells(rows), cells(cols));
        self.master.as_ref().unwrap().resize(size(cols, rows)).unwrap();
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid =
            rustix::process::Pid::from_raw(i32::try_from(self.child.process_id().unwrap()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Pulls the plug: the terminal's other side is closed, all of it, and the kernel hangs up.
    #[track_caller]
    pub fn hang_up(&mut self) {
        self.hang_up.store(true, Ordering::SeqCst);
        // The reader sleeps until something is written: a new size is a new frame.
        let (rows, cols) = self.screen.screen().size();
        self.resize(cols.get() - 1, rows.get());
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the reader does not let go:\n{}", self.text()),
            }
        }
        self.writer = None;
        self.master = None;
    }

    /// Waits for the end of the program; its exit code.
    #[track_caller]
    pub fn end(&mut self, patience: Duration) -> u32 {
        let deadline = Instant::now() + patience;
        let pid = Pid::from_raw(i32::try_from(self.child.process_id().unwrap()).unwrap()).unwrap();
        // None: it has ended and was asked for its code before.
        let ended = pidfd_open(pid, PidfdFlags::empty()).ok();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                // What it wrote last is still to be read.
                self.settle(Duration::from_millis(200));
                return status.exit_code();
            }
            assert!(Instant::now() < deadline, "still running after {patience:?}:\n{}", self.text());
            // What it writes meanwhile must not block it.
            while let Ok(chunk) = self.output.try_recv() {
                self.take(&chunk);
            }
            if let Some(ended) = &ended {
                let soon = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
                _ = poll(&mut [PollFd::new(ended, PollFlags::IN)], Some(&soon));
            }
        }
    }

    /// Panics unless the terminal is as it was before the program.
    #[track_caller]
    pub fn assert_restored(&self) {
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen(), "still on the alternate screen");
        assert!(!screen.hide_cursor(), "the cursor is hidden");
        assert!(!screen.bracketed_paste(), "bracketed paste is on");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        assert_eq!(modes(self.master.as_ref().unwrap().as_ref()), self.modes_before);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        _ = self.child.kill();
    }
}
