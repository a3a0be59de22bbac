//! Processes that are killed and rise again.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{Home, platform::until, signal};

/// A gateway that is started again when it is killed.
pub struct Gateway<'a> {
    home: &'a Home,
    args: &'static [&'static str],
    child: Child,
    pub base: String,
}

impl<'a> Gateway<'a> {
    pub fn start(home: &'a Home, args: &'static [&'static str]) -> Self {
        let all = [&["serve", "--json", "--listen", "127.0.0.1:0"], args].concat();
        let mut child = home.command(&all).stdout(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let first: Value = serde_json::from_str(&first).unwrap_or_else(|error| panic!("{error}: {first:?}"));
        let base = first["listening"].as_str().unwrap().to_owned();
        Self { home, args, child, base }
    }

    pub fn die_and_rise(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        *self = Self::start(self.home, self.args);
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Gateway<'_> {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Number and message of each line that a follower has printed.
pub type Printed = Vec<(i64, String)>;

/// A `room tail` that goes on where it was when it is killed.
pub struct Follower<'a> {
    home: &'a Home,
    chat: String,
    child: Child,
    reader: Option<JoinHandle<()>>,
    printed: Arc<Mutex<Printed>>,
}

impl<'a> Follower<'a> {
    pub fn start(home: &'a Home, chat: &str) -> Self {
        let printed = Arc::default();
        let (child, reader) = Self::follow(home, chat, &printed);
        Self { home, chat: chat.to_owned(), child, reader: Some(reader), printed }
    }

    fn follow(home: &Home, chat: &str, printed: &Arc<Mutex<Printed>>) -> (Child, JoinHandle<()>) {
        let since = printed.lock().unwrap().last().map_or(0, |(seq, _)| *seq).to_string();
        let mut child = home
            .command(&["room", "tail", chat, "--since", &since, "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, printed) = (BufReader::new(child.stdout.take().unwrap()), Arc::clone(printed));
        let reader = std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Killed in the middle of a line, it has not said it.
                let Ok(message) = serde_json::from_str::<Value>(&line) else { return };
                let (seq, id) = (message["seq"].as_i64().unwrap(), message["message_id"].as_str().unwrap());
                printed.lock().unwrap().push((seq, id.to_owned()));
            }
        });
        (child, reader)
    }

    pub fn die_and_rise(&mut self) {
        self.end();
        let (child, reader) = Self::follow(self.home, &self.chat, &self.printed);
        (self.child, self.reader) = (child, Some(reader));
    }

    /// Kills it; what it had printed is there.
    pub fn end(&mut self) {
        _ = self.child.kill();
        self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn count(&self) -> usize {
        self.printed.lock().unwrap().len()
    }

    pub fn printed(&self) -> Printed {
        self.printed.lock().unwrap().clone()
    }
}

impl Drop for Follower<'_> {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Stops a process at an instant at which it holds none of the locks of a SQLite store: the engine cannot take a
/// lock from a process that stands still, and everybody would wait for it to go on.
pub fn stop_between_writes(home: &Home, pid: u32) {
    until("it stands without a lock", || {
        signal(pid, "STOP");
        let mut write = home.command(&["member", "add", "Probe"]);
        let mut write = write.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(3) {
            if let Some(status) = write.try_wait().unwrap() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        signal(pid, "CONT");
        write.wait().unwrap();
        false
    });
}
