//! A program in a pseudo-terminal: what it writes and when, what a person would see, what it uses.

use std::{
    io::{Read as _, Write},
    num::NonZero,
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::usage::Usage;

/// What takes longer has hung.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A running program and its terminal.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    output: Receiver<(Instant, Vec<u8>)>,
    screen: vt100::Parser,
    /// When the program was started.
    pub started: Instant,
    /// When the latest piece of output came.
    pub last_at: Instant,
    /// Bytes that came so far.
    pub bytes: u64,
}

impl Terminal {
    /// Starts a program with this environment and no other.
    pub fn start(program: &str, args: &[&str], environment: &[(&str, String)], size: (u16, u16)) -> Self {
        let (cols, rows) = size;
        let pty = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(pty).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env_clear();
        for (key, value) in environment {
            command.env(key, value);
        }
        let mut reader = pty.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut chunk = vec![0; 65536];
            while let Ok(count @ 1..) = reader.read(&mut chunk) {
                if sender.send((Instant::now(), chunk[..count].to_vec())).is_err() {
                    return;
                }
            }
        });
        let writer = pty.master.take_writer().unwrap();
        let started = Instant::now();
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let cells = |count| NonZero::new(count).unwrap();
        Self {
            master: pty.master,
            writer,
            child,
            output,
            screen: vt100::Parser::new(cells(rows), cells(cols), 0),
            started,
            last_at: started,
            bytes: 0,
        }
    }

    /// What is on the screen.
    pub fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// Takes the next piece of output in; `None` when none came within `patience`.
    fn next(&mut self, patience: Duration) -> Option<(Instant, Vec<u8>)> {
        let (at, chunk) = self.output.recv_timeout(patience).ok()?;
        self.screen.process(&chunk);
        self.bytes += chunk.len() as u64;
        self.last_at = at;
        Some((at, chunk))
    }

    /// Reads until the screen `is_so`; when the piece came that made it so.
    pub fn wait(&mut self, what: &str, is_so: impl Fn(&str) -> bool) -> Instant {
        let deadline = Instant::now() + PATIENCE;
        if is_so(&self.text()) {
            return self.last_at;
        }
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now())) {
                Some((at, _)) if is_so(&self.text()) => return at,
                Some(_) => {}
                None => panic!("{what} did not come; the screen is:\n{}", self.text()),
            }
        }
    }

    /// Reads until `text` is on the screen.
    pub fn wait_text(&mut self, text: &str) -> Instant {
        self.wait(text, |screen| screen.contains(text))
    }

    /// Reads until nothing has come for `pause`.
    pub fn settle(&mut self, pause: Duration) {
        while self.next(pause).is_some() {}
    }

    /// Reads for so long.
    pub fn pass(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while self.next(deadline.saturating_duration_since(Instant::now())).is_some() {}
    }

    /// Types.
    pub fn type_keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// What the program has used so far.
    pub fn usage(&self) -> Usage {
        Usage::of(self.child.process_id().unwrap())
    }

    /// Ends the program by these keys.
    pub fn leave(mut self, keys: &str) {
        self.type_keys(keys);
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it does not end; the screen is:\n{}", self.text());
            _ = self.next(Duration::from_millis(5));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // One that has ended already is as good.
        _ = self.child.kill();
        _ = self.child.wait();
        _ = self.master.get_size();
    }
}
