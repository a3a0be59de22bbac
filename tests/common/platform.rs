//! A simulated platform in this process, and homes that know it.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use larkdeck::sim::{Control, Scenario, Sim, SimOptions, Speech};
use serde::Deserialize;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::{Home, PATIENCE, Running, push::Signer};

/// What a file of a day holds beside its steps.
#[derive(Debug, Deserialize)]
pub struct Day<Step> {
    /// What it is about.
    pub about: String,
    /// The platform.
    pub sim: Scenario,
    /// What is done, and what must come of it.
    #[serde(default = "Vec::new")]
    pub step: Vec<Step>,
}

/// A day that has no steps of its own: a test does what is to be done.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoStep {}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenario")
}

pub fn read<Step: serde::de::DeserializeOwned>(path: &Path) -> Day<Step> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub struct Platform {
    runtime: Runtime,
    sim: Option<Sim>,
    control: Control,
    pub base_url: String,
    pub app_id: String,
    pub app_secret: String,
    /// What signs and seals pushes over HTTP.
    pub signer: Signer,
}

impl Platform {
    /// The platform of `tests/scenario/NAME.toml`, whose steps a test makes.
    pub fn of(name: &str) -> Self {
        Self::start(read::<NoStep>(&folder().join(name).with_extension("toml")).sim)
    }

    pub fn start(scenario: Scenario) -> Self {
        Self::listening(SocketAddr::from(([127, 0, 0, 1], 0)), scenario)
    }

    pub fn listening(listen: SocketAddr, scenario: Scenario) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let options = SimOptions { listen, seed: Some(11), ..SimOptions::local(scenario) };
        let sim = runtime.block_on(Sim::start(options)).unwrap();
        let access = sim.access().clone();
        Self {
            control: sim.control(),
            sim: Some(sim),
            runtime,
            base_url: access.base_url,
            app_id: access.app_id.clone(),
            app_secret: access.app_secret.clone(),
            signer: Signer {
                app_id: access.app_id,
                verification_token: access.verification_token,
                encrypt_key: access.encrypt_key,
            },
        }
    }

    pub const fn control(&self) -> &Control {
        &self.control
    }

    /// The server goes down.
    pub fn stop(&mut self) {
        if let Some(sim) = self.sim.take() {
            self.runtime.block_on(sim.stop());
        }
    }

    /// A home in which the app is the integration `ops`.
    pub fn home(&self) -> Home {
        let home = Home::new();
        let add = ["integration", "add", "ops", "--app-id", &self.app_id, "--base-url", &self.base_url];
        home.run_with(&add, &[("LARKDECK_APP_SECRET", &self.app_secret)]).expect(0);
        home
    }

    /// Says something in a chat; the message's id.
    pub fn say(&self, chat: &str, text: &str) -> String {
        self.control
            .say(&Speech { chat: chat.to_owned(), text: text.to_owned(), ..Speech::default() })
            .unwrap()
    }

    /// The ids of all that was written in a chat.
    pub fn written(&self, chat: &str) -> BTreeSet<String> {
        self.control.messages(chat).into_iter().map(|(id, _, _)| id).collect()
    }

    /// How many messages of a chat are this text.
    pub fn count(&self, chat: &str, text: &str) -> usize {
        let content = serde_json::json!({ "text": text }).to_string();
        self.control.messages(chat).into_iter().filter(|(_, _, said)| *said == content).count()
    }

    /// Requests of an endpoint, whatever became of them.
    pub fn calls(&self, endpoint: &str) -> u64 {
        self.control.counters().requests.get(endpoint).copied().unwrap_or(0)
    }

    #[track_caller]
    pub fn wait_connections(&self, count: usize) {
        let came = self.runtime.block_on(self.control.wait_connections(count, PATIENCE));
        assert!(came, "{} connections, not {count}", self.control.counters().connections);
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        self.sim = None;
    }
}

/// Asks again until the answer is yes.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        // What is asked has no file to wait on.
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A `room tail --json` of everything, and what it has printed.
pub struct Tail {
    pub running: Running,
    pub ids: Vec<String>,
}

impl Tail {
    pub fn of(home: &Home, chat: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = home.command(&["room", "tail", chat, "--since", "0", "--json"]);
        command.envs(environment.iter().copied());
        Self { running: Running::start(command), ids: Vec::new() }
    }

    /// Reads until every one of `wanted` was printed.
    #[track_caller]
    pub fn wait(&mut self, wanted: &BTreeSet<String>) {
        let mut missing: BTreeSet<&String> = wanted.iter().filter(|id| !self.ids.contains(id)).collect();
        while !missing.is_empty() {
            let line = self.running.try_line();
            let line = line.unwrap_or_else(|| panic!("never printed: {missing:?}; printed: {:?}", self.ids));
            let message: Value = serde_json::from_str(&line).unwrap();
            let id = message["message_id"].as_str().unwrap().to_owned();
            missing.remove(&id);
            self.ids.push(id);
        }
    }

    /// Panics where a message came twice: nothing in these rooms is edited.
    #[track_caller]
    pub fn assert_each_once(&self) {
        let unique: BTreeSet<&String> = self.ids.iter().collect();
        assert_eq!(unique.len(), self.ids.len(), "a message twice: {:?}", self.ids);
    }

    pub fn pid(&self) -> u32 {
        self.running.child.id()
    }
}

/// What the store has of a chat.
#[track_caller]
pub fn stored(home: &Home, chat: &str) -> Vec<String> {
    let all = home.run(&["room", "history", chat, "--limit", "0", "--json"]).expect(0).objects();
    all.iter().map(|message| message["message_id"].as_str().unwrap().to_owned()).collect()
}

/// Who holds the connection, as every console shows it.
#[track_caller]
pub fn live(home: &Home) -> Value {
    home.run(&["integration", "show", "ops", "--json"]).expect(0).object()["live"].clone()
}

/// The process that holds a live connection.
#[track_caller]
pub fn holder(home: &Home) -> Option<u64> {
    let live = live(home);
    live["holder"]["pid"].as_u64().filter(|_| live["state"] == "live")
}
