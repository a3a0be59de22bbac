//! What the tests of the built program share: a home of its own for each, and a simulator beside it.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod browser;
pub mod deck;
pub mod dice;
pub mod http;
pub mod linking;
pub mod mortal;
pub mod platform;
pub mod push;
pub mod serve;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

/// The program.
pub const LARKDECK: &str = env!("CARGO_BIN_EXE_larkdeck");

/// A command that takes longer has hung.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a finished command left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The only line of stdout, as JSON.
    #[track_caller]
    pub fn object(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Every line of stdout, as JSON.
    #[track_caller]
    pub fn objects(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// Panics unless the command ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

/// A home without anything in it.
pub struct Home {
    folder: TempDir,
    /// What starts the program in its place, such as `ip netns exec NAME`.
    pub within: Vec<String>,
    /// Variables besides the usual ones.
    pub variables: Vec<(&'static str, String)>,
}

impl Home {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), within: Vec::new(), variables: Vec::new() }
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Writes a file below the home, readable by its owner alone.
    pub fn write(&self, below: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// The program in this home, with nothing else of the environment that it could read.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut all = self.within.iter().map(String::as_str).chain([LARKDECK]);
        let mut command = Command::new(all.next().unwrap());
        command.args(all).args(args).env_clear().envs(self.environment()).stdin(Stdio::null());
        command
    }

    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let below = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let usual = [
            ("HOME", below("")),
            ("XDG_CONFIG_HOME", below("config")),
            ("XDG_DATA_HOME", below("data")),
            ("XDG_STATE_HOME", below("state")),
            ("XDG_RUNTIME_DIR", below("run")),
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("USER", "tester".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("RUST_BACKTRACE", "0".to_owned()),
        ];
        usual.into_iter().chain(self.variables.iter().cloned()).collect()
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        finish(self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// The same command in several processes at the same instant.
    pub fn run_at_once(&self, args: &[&str], processes: usize) -> Vec<Ran> {
        let mut commands: Vec<Command> = (0..processes).map(|_| self.command(args)).collect();
        let children: Vec<Child> = commands
            .iter_mut()
            .map(|command| command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
            .collect();
        children.into_iter().map(finish).collect()
    }

    /// The same for a command that reads all of a large store.
    pub fn run_slowly(&self, args: &[&str]) -> Ran {
        let mut command = self.command(args);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        finish_within(PATIENCE * 10, child)
    }

    pub fn run_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Ran {
        let mut command = self.command(args);
        command.envs(environment.iter().copied());
        finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    pub fn run_input(&self, args: &[&str], input: &str) -> Ran {
        let mut command = self.command(args);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        // Whoever does not read all of it closes the pipe: that is no failure of the test.
        std::thread::spawn(move || _ = stdin.write_all(input.as_bytes()));
        finish(child)
    }

    /// Adds the simulator's app as the integration `ops`.
    #[track_caller]
    pub fn add(&self, sim: &Sim) {
        self.run_with(
            &["integration", "add", "ops", "--app-id", &sim.app_id, "--base-url", &sim.base_url],
            &sim.secrets(),
        )
        .expect(0);
    }
}

/// Waits for a command, and kills it when it has hung.
pub fn finish(child: Child) -> Ran {
    finish_within(PATIENCE, child)
}

/// The same where it may take longer.
pub fn finish_within(patience: Duration, mut child: Child) -> Ran {
    let read = |stream: Option<Box<dyn std::io::Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut stream) = stream {
                _ = stream.read_to_end(&mut bytes);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let stdout = read(child.stdout.take().map(|stream| Box::new(stream) as _));
    let stderr = read(child.stderr.take().map(|stream| Box::new(stream) as _));
    let status = wait_within(patience, &mut child);
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    let Some(status) = status else { panic!("the command hung\nstdout: {stdout}\nstderr: {stderr}") };
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().unwrap_or_else(|| 1000 + status.signal().unwrap_or_default());
    Ran { code, stdout, stderr }
}

/// Waits for the end of a child; kills it and returns `None` when it takes too long.
pub fn wait(child: &mut Child) -> Option<std::process::ExitStatus> {
    wait_within(PATIENCE, child)
}

fn wait_within(patience: Duration, child: &mut Child) -> Option<std::process::ExitStatus> {
    let pid = child.id();
    let (done, watch) = mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        let is_late = watch.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout);
        if is_late {
            signal(pid, "KILL");
        }
        is_late
    });
    let status = child.wait().unwrap();
    drop(done);
    (!watchdog.join().unwrap()).then_some(status)
}

/// Sends a signal to a process.
pub fn signal(pid: u32, name: &str) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let signal = match name {
        "INT" => rustix::process::Signal::INT,
        "TERM" => rustix::process::Signal::TERM,
        "HUP" => rustix::process::Signal::HUP,
        "STOP" => rustix::process::Signal::STOP,
        "CONT" => rustix::process::Signal::CONT,
        _ => rustix::process::Signal::KILL,
    };
    _ = rustix::process::kill_process(pid, signal);
}

/// A simulator in a process of its own; ends with the test.
pub struct Sim {
    child: Child,
    pub base_url: String,
    pub app_id: String,
    pub app_secret: String,
    pub verification_token: String,
    pub encrypt_key: String,
}

impl Sim {
    pub fn start(args: &[&str]) -> Self {
        let mut child = Command::new(LARKDECK)
            .arg("sim")
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let access: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        let text = |key: &str| access[key].as_str().unwrap().to_owned();
        Self {
            base_url: text("base_url"),
            app_id: text("app_id"),
            app_secret: text("app_secret"),
            verification_token: text("verification_token"),
            encrypt_key: text("encrypt_key"),
            child,
        }
    }

    pub fn secrets(&self) -> [(&str, &str); 3] {
        [
            ("LARKDECK_APP_SECRET", &self.app_secret),
            ("LARKDECK_ENCRYPT_KEY", &self.encrypt_key),
            ("LARKDECK_VERIFICATION_TOKEN", &self.verification_token),
        ]
    }

    /// Gives an order at the simulator's desk.
    #[track_caller]
    pub fn order(&self, what: &str, order: &Value) {
        let headers = [("content-type", "application/json")];
        let path = format!("/_sim/{what}");
        let answer = http::request(&self.base_url, "POST", &path, &headers, order.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// The tenant's people, as `member import` takes them.
    pub fn people(&self) -> String {
        http::get(&self.base_url, "/_sim/members.csv").body
    }

    pub fn stop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A command that goes on until it is ended: its lines as they come.
pub struct Running {
    pub child: Child,
    lines: mpsc::Receiver<String>,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        command.stderr(Stdio::inherit());
        Self::start_as_it_is(command)
    }

    /// The same, where stderr goes where the command says.
    pub fn start_as_it_is(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    #[track_caller]
    pub fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line of output")
    }

    /// The next line, or none when it does not come.
    pub fn try_line(&self) -> Option<String> {
        self.lines.recv_timeout(PATIENCE).ok()
    }

    pub fn end(mut self, name: &str) -> Option<i32> {
        signal(self.child.id(), name);
        wait(&mut self.child).and_then(|status| status.code())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Makes a file readable for everybody.
pub fn expose(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}
