//! A platform, a store on one of the engines, a load on them, and the verdict once it has ended.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use larkdeck::sim::{Fault, FaultKind, Scenario};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{
    common::{
        Home,
        mortal::Follower,
        platform::{Platform, until},
        push::{message_id, push},
    },
    postgres::{self, Database, Server, Settings},
    table::{Engine, Row},
};

/// The room that people talk in.
pub const ROOM: &str = "alpha";
/// Rooms that are written to.
pub const OUT: [&str; 3] = ["out-a", "out-b", "out-c"];

/// What is not acknowledged is pushed again each second; lists are answered after some time.
const PLATFORM: &str = r#"
[socket]
redeliver_s = [REDELIVER]
reconnect_interval_s = 1
reconnect_nonce_s = 0
ping_interval_s = 2

[latency]
min_ms = 10
max_ms = 60

[limits]
receiver_per_second = 5

[people]
count = PEOPLE

[[room]]
name = "alpha"
[[room]]
name = "out-a"
[[room]]
name = "out-b"
[[room]]
name = "out-c"
"#;

pub fn scenario(people: u32) -> Scenario {
    let again = vec!["1"; 900].join(", ");
    let text = PLATFORM.replace("REDELIVER", &again).replace("PEOPLE", &people.to_string());
    Scenario::parse("proof", &text).unwrap()
}

/// A private server, and the database that the store is.
pub struct Base {
    pub server: Server,
    pub database: Database,
    pub runtime: tokio::runtime::Runtime,
}

impl Base {
    pub fn start(settings: &Settings<'_>) -> Option<Self> {
        let server = postgres::start(settings)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let database = runtime.block_on(server.database());
        Some(Self { server, database, runtime })
    }
}

/// A platform and a store.
pub struct Stage {
    pub engine: Engine,
    pub home: Home,
    pub base: Option<Base>,
    pub platform: Platform,
    /// The id of its integration.
    pub integration: String,
    pub chat: String,
    told: Mutex<(UnboundedReceiver<String>, BTreeSet<String>)>,
    started: Instant,
}

impl Stage {
    /// `None` where the engine is not installed.
    pub fn of(engine: Engine) -> Option<Self> {
        let base = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Base::start(&Settings::default())?),
        };
        Some(Self::on(engine, base, Home::new(), Platform::start(scenario(60))))
    }

    pub fn on(engine: Engine, base: Option<Base>, mut home: Home, platform: Platform) -> Self {
        if let Some(base) = &base
            && !home.variables.iter().any(|(name, _)| *name == "LARKDECK_STORE")
        {
            home.variables.push(("LARKDECK_STORE", base.database.url()));
        }
        let secrets = [
            ("LARKDECK_APP_SECRET", platform.app_secret.as_str()),
            ("LARKDECK_ENCRYPT_KEY", &platform.signer.encrypt_key),
            ("LARKDECK_VERIFICATION_TOKEN", &platform.signer.verification_token),
        ];
        let add =
            ["integration", "add", "ops", "--app-id", &platform.app_id, "--base-url", &platform.base_url];
        home.run_with(&[&add[..], &["--receive", "both", "--no-check"]].concat(), &secrets).expect(0);
        home.run(&["room", "list", "--refresh"]).expect(0);
        let shown = home.run(&["integration", "show", "--json"]).expect(0).object();
        let chats = platform.control().chats();
        let chat = chats.into_iter().find(|(_, name)| name == ROOM).unwrap().0;
        let told = Mutex::new((platform.control().acknowledged(), BTreeSet::new()));
        let integration = shown["id"].as_str().unwrap().to_owned();
        Self { engine, home, base, platform, integration, chat, told, started: Instant::now() }
    }

    /// Lists of messages are refused: what is stored has come as an event, and what is lost stays lost.
    pub fn refuse_lists(&self) {
        let refusal = FaultKind::Code { status: 400, code: 230_002 };
        self.platform.control().set_fault(Fault::on("im.message.list", refusal));
    }

    /// Messages whose event the platform has seen acknowledged.
    pub fn acknowledged(&self) -> BTreeSet<String> {
        let (receiver, known) = &mut *self.told.lock().unwrap();
        while let Ok(id) = receiver.try_recv() {
            known.insert(id);
        }
        known.clone()
    }

    /// What the store has of a room, oldest first.
    #[track_caller]
    pub fn stored(&self, room: &str) -> Vec<String> {
        let all = self.home.run(&["room", "history", room, "--limit", "0", "--json"]).expect(0).objects();
        all.iter().map(|message| message["message_id"].as_str().unwrap().to_owned()).collect()
    }

    pub fn row(&self, what: &'static str, times: u32) -> Row {
        Row { integrity: self.integrity(), ..Row::new(what, self.engine, times, self.started.elapsed()) }
    }

    /// What the engine and the store's own check say.
    fn integrity(&self) -> String {
        let said = match &self.base {
            None => self.sqlite_integrity(),
            Some(base) => base.runtime.block_on(postgres_integrity(&base.database)),
        };
        let ran = self.home.run_slowly(&["store", "check", "--json"]);
        if ran.code == 0 {
            said
        } else {
            format!("{said}; store check: {}{}", ran.stdout.trim(), ran.stderr.trim())
        }
    }

    fn sqlite_integrity(&self) -> String {
        use sqlx::{Connection as _, sqlite::SqliteConnectOptions};
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let path = self.home.path("data/larkdeck/larkdeck.db");
            let options = SqliteConnectOptions::new().filename(path);
            let mut conn = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
            sqlx::query_scalar("pragma integrity_check").fetch_one(&mut conn).await.unwrap()
        })
    }

    /// A host of its own on the same store: it shares the key ring and nothing else.
    pub fn another_home(&self) -> Home {
        let mut home = Home::new();
        let store = match &self.base {
            None => format!("sqlite:{}", self.home.path("data/larkdeck/larkdeck.db").display()),
            Some(base) => base.database.url(),
        };
        let key = self.home.path("config/larkdeck/key").to_str().unwrap().to_owned();
        home.variables.extend([("LARKDECK_STORE", store), ("LARKDECK_KEY_FILE", key)]);
        home
    }

    /// The process that holds the live connection, as every console shows it.
    pub fn holder(&self) -> Option<u32> {
        crate::common::platform::holder(&self.home).map(|pid| u32::try_from(pid).unwrap())
    }
}

/// Every index against its table.
async fn postgres_integrity(database: &Database) -> String {
    let mut conn = database.connect().await;
    let made = sqlx::raw_sql("create extension if not exists amcheck").execute(&mut conn).await;
    if made.is_err() {
        return "amcheck is not installed".to_owned();
    }
    let checked = sqlx::raw_sql(
        "select count(bt_index_parent_check(c.oid::regclass, true)) from pg_index i join pg_class c on c.oid = i.indexrelid
            join pg_am a on a.oid = c.relam where a.amname = 'btree' and c.relnamespace = 'public'::regnamespace
            and i.indisvalid",
    )
    .execute(&mut conn)
    .await;
    checked.map_or_else(|error| error.to_string(), |_| "ok".to_owned())
}

/// People talk in the room, and its webhook is pushed to, until it ends.
pub struct Load<'a> {
    pub stage: &'a Stage,
    ended: AtomicBool,
    rests: AtomicBool,
    /// Where the gateways listen; none: everything comes by the long connection.
    pub bases: Mutex<Vec<String>>,
    said: Mutex<BTreeSet<String>>,
    pushed: Mutex<BTreeSet<String>>,
    next: AtomicU32,
    /// At least so long is what people say.
    length: usize,
}

impl<'a> Load<'a> {
    pub fn new(stage: &'a Stage) -> Self {
        Self {
            stage,
            ended: AtomicBool::new(false),
            rests: AtomicBool::new(false),
            bases: Mutex::default(),
            said: Mutex::default(),
            pushed: Mutex::default(),
            next: AtomicU32::new(1),
            length: 0,
        }
    }

    /// The same, where people say at least so much at once.
    pub fn at_length(mut self, bytes: usize) -> Self {
        self.length = bytes;
        self
    }

    /// Somebody says something.
    pub fn say(&self) {
        let no = self.next.fetch_add(1, Ordering::Relaxed);
        self.say_this(&format!("said {no} {}", ".".repeat(self.length)));
    }

    /// Somebody says this.
    pub fn say_this(&self, text: &str) {
        let id = self.stage.platform.say(ROOM, text);
        self.said.lock().unwrap().insert(id);
    }

    /// Nobody says anything for a while.
    pub fn rest(&self) {
        self.rests.store(true, Ordering::Relaxed);
    }

    pub fn go_on(&self) {
        self.rests.store(false, Ordering::Relaxed);
    }

    pub fn is_resting(&self) -> bool {
        self.rests.load(Ordering::Relaxed)
    }

    /// Talks until the end.
    pub fn talk(&self, pause: Duration) {
        while !self.ended.load(Ordering::Relaxed) {
            if !self.is_resting() {
                self.say();
            }
            std::thread::sleep(pause);
        }
    }

    /// Pushes until the end: each message to one gateway, or to another when that is dead, until it is
    /// acknowledged; some of them twice.
    pub fn push(&self, pause: Duration) {
        while !self.ended.load(Ordering::Relaxed) {
            if self.is_resting() {
                std::thread::sleep(pause);
                continue;
            }
            let no = self.next.fetch_add(1, Ordering::Relaxed);
            let stage = self.stage;
            let at = stage.platform.control().now_ms();
            let request = stage.platform.signer.message(&stage.integration, &stage.chat, no, at);
            let mut tries = 0;
            let mut once = || {
                tries += 1;
                let bases = self.bases.lock().unwrap().clone();
                push(&bases[(usize::try_from(no).unwrap() + tries) % bases.len()], &request)
            };
            until("a push is acknowledged", &mut once);
            if no.is_multiple_of(5) {
                once();
            }
            self.pushed.lock().unwrap().insert(message_id(no));
            std::thread::sleep(pause);
        }
    }

    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// So many were acknowledged, by either way.
    pub fn acknowledged(&self) -> usize {
        self.stage.acknowledged().len() + self.pushed.lock().unwrap().len()
    }

    /// What was acknowledged in the end, once everything that was said is.
    #[track_caller]
    pub fn all_acknowledged(&self) -> BTreeSet<String> {
        let (said, pushed) = (self.said.lock().unwrap().clone(), self.pushed.lock().unwrap().clone());
        until("everything that was said is acknowledged", || self.stage.acknowledged().is_superset(&said));
        self.stage.acknowledged().union(&pushed).cloned().collect()
    }

    /// What became of it, once everything that was said is acknowledged and every follower has all of it.
    #[track_caller]
    pub fn judge(&self, what: &'static str, times: u32, followers: &mut [Follower<'_>]) -> Row {
        let acknowledged = self.all_acknowledged();
        self.compare(what, times, followers, &acknowledged)
    }

    /// The same where the platform pushes nothing twice: what it has is to be there, by whatever way.
    #[track_caller]
    pub fn judge_filled(&self, what: &'static str, times: u32, followers: &mut [Follower<'_>]) -> Row {
        let said = self.said.lock().unwrap().clone();
        until("the gap is filled", || self.stage.stored(ROOM).len() >= said.len());
        self.compare(what, times, followers, &said)
    }

    #[track_caller]
    fn compare(
        &self,
        what: &'static str,
        times: u32,
        followers: &mut [Follower<'_>],
        acknowledged: &BTreeSet<String>,
    ) -> Row {
        let stage = self.stage;
        let rows = stage.stored(ROOM);
        let stored: BTreeSet<String> = rows.iter().cloned().collect();
        for follower in &mut *followers {
            assert!(follower.is_running(), "a console has ended");
            until("a console has everything", || follower.count() >= rows.len());
            follower.end();
        }
        let first = followers.first().map(Follower::printed).unwrap_or_default();
        let is_whole = first.len() == rows.len()
            && first.iter().map(|(_, id)| id.clone()).collect::<BTreeSet<_>>() == stored
            && first.is_sorted_by(|a, b| a.0 < b.0);
        Row {
            acknowledged: acknowledged.len(),
            stored: stored.len(),
            doubles: rows.len() - stored.len(),
            lost: acknowledged.difference(&stored).count(),
            foreign: stored.difference(acknowledged).count(),
            alike: is_whole && followers.iter().all(|one| one.printed() == first),
            ..stage.row(what, times)
        }
    }
}

/// A message that a console's line or a command's answer names.
pub fn message_of(answer: &Value) -> String {
    answer["message_id"].as_str().unwrap().to_owned()
}
