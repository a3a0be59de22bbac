//! What the console is measured on: a home with a store in it, and a simulated platform beside it.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use larkdeck::{
    core::{
        integration::Holder,
        message::{NewMessage, Sender, SenderKind, Via},
        time::{Clock as _, SystemClock, Timestamp},
    },
    sim::{Control, Scenario, Sim, SimOptions, Speech},
    store::{
        Incoming, IngestItem, Store, StoreOptions, StoreUrl,
        key::{KeyRing, KeySource},
    },
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::terminal::Terminal;

/// The program.
pub const LARKDECK: &str = env!("CARGO_BIN_EXE_larkdeck");
/// Name of the room that everything is said in.
pub const ROOM: &str = "checkout latency";
/// What the newest message of a full store ends with.
pub const NEWEST: &str = "the newest of the store";
/// Messages that are made and stored at once.
const AT_ONCE: usize = 10_000;
/// A usual terminal.
pub const WIDE: (u16, u16) = (120, 40);
/// A small one.
pub const SMALL: (u16, u16) = (80, 24);

const SCENARIO: &str = r#"
[limits]
per_minute = 0
per_second = 0
app_per_second = 0
sends_per_minute = 0

[socket]
reconnect_interval_s = 1
reconnect_nonce_s = 0
queue = 200000
ack_ms = 60000

[[room]]
name = "checkout latency"
[[room]]
name = "payments gateway"
[[room]]
name = "数据库主从切换"
[[room]]
name = "edge certificates"
"#;

/// A home, a simulator, and how much is in the store.
pub struct Bed {
    pub home: TempDir,
    pub runtime: Runtime,
    pub control: Control,
    /// Where the store is, if not in the home.
    store: Option<String>,
    _sim: Sim,
    names: Vec<(String, String)>,
}

impl Bed {
    /// An empty store with one integration, whose War Room has been opened once.
    pub fn empty() -> Self {
        Self::on(None)
    }

    /// The same in the store of that URL, which is made.
    pub fn on(store: Option<String>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let scenario = Scenario::parse("bench", SCENARIO).unwrap();
        let options = SimOptions { seed: Some(7), ..SimOptions::local(scenario) };
        let sim = runtime.block_on(Sim::start(options)).unwrap();
        let control = sim.control();
        let names = control.chats();
        let home = tempfile::tempdir().unwrap();
        let bed = Self { home, runtime, control, store, _sim: sim, names };
        run(bed.command(&["store", "init"]));
        bed.add_integration();
        bed
    }

    /// The same with members and messages in the store.
    pub fn full(members: usize, messages: usize) -> Self {
        let bed = Self::empty();
        bed.fill(members, messages);
        bed
    }

    pub fn fill(&self, members: usize, messages: usize) {
        self.import(members);
        self.runtime.block_on(self.store_messages(messages));
    }

    fn add_integration(&self) {
        let access = self._sim.access();
        let mut command =
            self.command(&["integration", "add", "ops", "--no-check", "--app-id", &access.app_id]);
        command.args(["--base-url", &access.base_url]);
        command.env("LARKDECK_APP_SECRET", &access.app_secret);
        command.env("LARKDECK_ENCRYPT_KEY", &access.encrypt_key);
        command.env("LARKDECK_VERIFICATION_TOKEN", &access.verification_token);
        run(command);
        run(self.command(&["integration", "war-room", "enable", "ops"]));
    }

    fn import(&self, members: usize) {
        let mut csv = "name,email,phone,team\n".to_owned();
        for (name, email) in people(members) {
            let number = csv.len() % 89 + 10;
            _ = writeln!(csv, "{name},{email},,team {number}");
        }
        let path = self.home.path().join("roster.csv");
        std::fs::write(&path, csv).unwrap();
        run(self.command(&["member", "import", path.to_str().unwrap()]));
    }

    async fn store_messages(&self, count: usize) {
        let store = self.open_store().await;
        let integration = store.integrations().await.unwrap().remove(0).id;
        let now_ms = SystemClock.now().ms();
        let mut items = Vec::with_capacity(AT_ONCE);
        for n in 0..count {
            // The room that is open has half of them.
            let room = if n % 2 == 0 || n + 1 == count { 0 } else { 1 + n % 3 };
            let left = i64::try_from(count - n).unwrap();
            let words = if n + 1 == count { NEWEST.to_owned() } else { words(n) };
            let message = NewMessage {
                chat_id: self.names[room].0.parse().unwrap(),
                message_id: format!("om_{:032x}", (n as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c))
                    .parse()
                    .unwrap(),
                root_id: None,
                parent_id: None,
                thread_id: None,
                sender: Sender {
                    id: format!("ou_{:032x}", n % 40),
                    name: Some(format!("Engineer {}", n % 40)),
                    kind: SenderKind::User,
                },
                msg_type: "text".to_owned(),
                content: format!("{{\"text\":\"{words}\"}}"),
                mentions: Vec::new(),
                created_at: Timestamp::from_ms(now_ms - left * 1000),
                updated_at: None,
                edited: false,
                recalled: false,
            };
            let what = Incoming::Message { message, own: false };
            items.push(IngestItem { integration: integration.clone(), event_id: None, via: Via::Live, what });
            if items.len() == AT_ONCE || n + 1 == count {
                store.ingest(std::mem::take(&mut items)).await.unwrap();
            }
        }
        store.close().await;
    }

    /// The store, opened by this process as well.
    pub async fn open_store(&self) -> Store {
        open_store(&self.store_url(), &self.key_file()).await
    }

    pub fn store_url(&self) -> String {
        let own = || format!("sqlite:{}", self.path("data/larkdeck/larkdeck.db").display());
        self.store.clone().unwrap_or_else(own)
    }

    pub fn key_file(&self) -> PathBuf {
        self.path("config/larkdeck/key")
    }

    /// The War Room's id.
    pub fn room(&self) -> &str {
        &self.names[0].0
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.home.path().join(below)
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let below = |name: &str| self.path(name).to_str().unwrap().to_owned();
        vec![
            ("HOME", below("")),
            ("XDG_CONFIG_HOME", below("config")),
            ("XDG_DATA_HOME", below("data")),
            ("XDG_STATE_HOME", below("state")),
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("USER", "bench".to_owned()),
            ("TERM", "xterm-256color".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("LARKDECK_QUOTA_MONTH_LIMIT", "unlimited".to_owned()),
            ("LARKDECK_STORE", self.store_url()),
        ]
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(LARKDECK);
        command.args(args).env_clear().envs(self.environment()).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// The console in a terminal.
    pub fn console(&self, size: (u16, u16)) -> Terminal {
        Terminal::start(LARKDECK, &["--lang", "en"], &self.environment(), size)
    }

    /// The console with the War Room open and connected; it is left that way by [`Terminal::leave`].
    pub fn console_in_room(&self, size: (u16, u16)) -> Terminal {
        let mut terminal = self.console(size);
        terminal.wait_text("ops");
        terminal.type_keys("3");
        terminal.wait_text(ROOM);
        terminal.type_keys("\r");
        self.wait_connected();
        terminal.settle(Duration::from_millis(600));
        terminal
    }

    /// Waits for the long connection.
    pub fn wait_connected(&self) {
        assert!(self.runtime.block_on(self.control.wait_connections(1, Duration::from_secs(30))));
    }

    /// Says something in the War Room.
    pub fn say(&self, text: &str) {
        let speech = Speech { chat: ROOM.to_owned(), text: text.to_owned(), ..Speech::default() };
        self.control.say(&speech).unwrap();
    }
}

/// A store, opened by this process.
pub async fn open_store(url: &str, key_file: &Path) -> Store {
    let url: StoreUrl = url.parse().unwrap();
    let keys = KeyRing::load(KeySource::File(key_file.to_owned()), Some(&url)).unwrap();
    let me = Holder { user: "bench".to_owned(), host: "here".to_owned(), pid: std::process::id() };
    let options = StoreOptions { url, create: false, me, name: None };
    Store::open(options, keys, Arc::new(SystemClock)).await.unwrap()
}

/// Plausible names and emails, as `name <email>` has them.
pub fn people(count: usize) -> impl Iterator<Item = (String, String)> {
    const GIVEN: [&str; 16] = [
        "Wei", "Fang", "Anna", "Bjorn", "Carla", "Dmitri", "Elena", "Farid", "Grace", "Hiro", "Ines",
        "Jonas", "Keiko", "Liang", "Maria", "Noor",
    ];
    const FAMILY: [&str; 14] = [
        "Wang",
        "Zhang",
        "Okafor",
        "Lindqvist",
        "Moreau",
        "Petrov",
        "Silva",
        "Tanaka",
        "Ueda",
        "Novak",
        "Rossi",
        "Haddad",
        "Jensen",
        "Kowalski",
    ];
    (0..count).map(|n| {
        let mixed = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let given = GIVEN[usize::try_from(mixed % 16).unwrap()];
        let family = FAMILY[usize::try_from(mixed / 16 % 14).unwrap()];
        let email = format!("{}.{}{n}@example.com", given.to_lowercase(), family.to_lowercase());
        (format!("{given} {family}"), email)
    })
}

/// What people say, in two scripts and of different length.
pub fn words(n: usize) -> String {
    const LINES: [&str; 6] = [
        "p99 of checkout is back to 180 ms, watching",
        "正在回滚 2026.11.24-rc1 到上一个稳定版本",
        "the replica lags by 40 s, I am moving reads to the primary",
        "ok",
        "谁在看 payments gateway 的告警？已经 5 分钟了",
        "error budget for the week is at 61 %, no need to page anybody else for now",
    ];
    format!("{n} {}", LINES[n % LINES.len()])
}

fn run(mut command: Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}
