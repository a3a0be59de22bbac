//! The platform, the database on a host of its own with many messages in it, and the homes on three more.

use std::{net::SocketAddr, path::PathBuf};

use sqlx::AssertSqlSafe;

use crate::{
    clock,
    common::{
        Home,
        platform::{Platform, until},
    },
    network::{self, DATABASE, Host, PLATFORM},
    postgres::{PASSWORD, Settings},
    stage::{Base, ROOM, Stage, scenario},
    table::Engine,
};

/// Who sits at the consoles; the database knows each by a login.
pub const NAMES: [&str; 3] = ["ann", "bob", "cai"];
/// What was said before, second by second: half of it in the room that is looked at.
const FILL: &str = "
with was as (
    update store_meta set seq = seq + COUNT, feed_floor = seq + COUNT returning seq - COUNT as seq
), other as (
    select chat_id, row_number() over (order by name) - 1 as no, count(*) over () as count from room where name <> 'ROOM'
)
insert into message (message_id, chat_id, created_at, seq, sender_id, sender_kind, msg_type, content, edited,
    recalled, own, via)
select 'om_before_' || i, case when i % 2 = 0 then 'CHAT' else other.chat_id end,
    extract(epoch from now())::bigint * 1000 - (COUNT - i + 60) * STEP::bigint, was.seq + i,
    'ou_' || lpad((i % 40)::text, 32, '0'), 'user', 'text',
    '{\"text\":\"before ' || i || ', p99 of checkout is back to 180 ms\"}', 0, 0, 0, 'history'
from was, generate_series(1, COUNT) i join other on other.no = (i / 2) % other.count;
update room set counted = counted + filled.count, last_message_at = filled.at
from (select chat_id, count(*) as count, max(created_at) as at from message group by chat_id) filled
where filled.chat_id = room.chat_id;
insert into person (id, name, known_at)
select 'ou_' || lpad(i::text, 32, '0'), 'Engineer ' || i, 0 from generate_series(0, 39) i;
analyze message;
";
/// Days that are filled, and days that are kept: whoever holds the connection forgets the oldest part.
const FILLED_DAYS: u32 = 20;
const KEPT_DAYS: &str = "19";

pub struct Bed {
    pub stage: Stage,
    /// None where all of it is on one host.
    pub hosts: Vec<Host>,
    pub homes: Vec<Home>,
    /// What the last host's clock is told.
    pub clock: Option<PathBuf>,
}

impl Bed {
    /// `None` where PostgreSQL is not installed.
    pub fn start(messages: u32, has_cables: bool) -> Option<Self> {
        let (platform, database) = if has_cables { (PLATFORM, DATABASE) } else { ("127.0.0.1", "127.0.0.1") };
        if has_cables {
            network::set_up();
        }
        let listen = format!("listen_addresses = '{database}'");
        let conf = [listen.as_str(), "shared_buffers = 256MB", "max_wal_size = 2GB"];
        let network = has_cables.then_some("10.77.0.0/16");
        let base = Base::start(&Settings { tcp: true, network, conf: &conf, ..Settings::default() })?;
        let platform = Platform::listening(SocketAddr::new(platform.parse().unwrap(), 0), scenario(60));
        let mut home = Home::new();
        home.variables.extend(settings());
        let stage = Stage::on(Engine::Postgres, Some(base), home, platform);
        stage.home.run(&["integration", "war-room", "enable", "ops"]).expect(0);
        let people = stage.home.write("people.csv", &stage.platform.control().members_csv());
        stage.home.run(&["member", "import", people.to_str().unwrap()]).expect(0);
        let mut bed = Self { stage, hosts: Vec::new(), homes: Vec::new(), clock: None };
        bed.fill(messages);
        bed.add_logins();
        bed.add_homes(database, has_cables);
        Some(bed)
    }

    fn run_sql(&self, sql: String) {
        let base = self.stage.base.as_ref().unwrap();
        base.runtime.block_on(async {
            let mut conn = base.database.connect().await;
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
        });
    }

    fn ask_sql(&self, sql: String) -> Vec<String> {
        let base = self.stage.base.as_ref().unwrap();
        base.runtime.block_on(async {
            let mut conn = base.database.connect().await;
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut conn).await.unwrap()
        })
    }

    fn fill(&self, messages: u32) {
        let step_ms = FILLED_DAYS * 86_400_000 / messages;
        let sql = FILL.replace("COUNT", &messages.to_string()).replace("STEP", &step_ms.to_string());
        self.run_sql(sql.replace("CHAT", &self.stage.chat).replace("'ROOM'", &format!("'{ROOM}'")));
    }

    fn add_logins(&self) {
        self.stage.home.run(&["role", "set", "postgres", "admin"]).expect(0);
        for name in NAMES {
            self.run_sql(format!("create role {name} login superuser password '{PASSWORD}'"));
            self.stage.home.run(&["role", "set", name, "admin"]).expect(0);
        }
    }

    fn add_homes(&mut self, database: &str, has_cables: bool) {
        if has_cables {
            self.hosts = (1..=3).map(Host::new).collect();
        }
        let base = self.stage.base.as_ref().unwrap();
        for (at, name) in NAMES.iter().enumerate() {
            let mut home = self.stage.another_home();
            let place = format!("{database}:{}/{}", base.server.port(), base.database.name);
            let store = format!("postgres://{name}:{PASSWORD}@{place}?sslmode=disable");
            home.variables.retain(|(name, _)| *name != "LARKDECK_STORE");
            home.variables.extend([("LARKDECK_STORE", store), ("USER", (*name).to_owned())]);
            home.variables.extend(settings());
            if let Some(host) = self.hosts.get(at) {
                host.takes(&mut home);
            }
            self.homes.push(home);
        }
        self.clock = clock::library().map(|library| clock::give_clock(&mut self.homes[2], &library));
    }

    /// Every message of the room that people wrote while it was handled, however often it is there.
    pub fn heard(&self) -> Vec<String> {
        self.messages(0)
    }

    /// What was written by consoles.
    pub fn written(&self) -> Vec<String> {
        self.messages(1)
    }

    fn messages(&self, own: u8) -> Vec<String> {
        let chat = &self.stage.chat;
        self.ask_sql(format!(
            "select message_id from message where chat_id = '{chat}' and own = {own} and message_id not like 'om_before%'"
        ))
    }

    /// What everybody has said, as a console shows it, oldest first.
    pub fn newest(&self) -> Vec<String> {
        let chat = &self.stage.chat;
        let said = self.ask_sql(format!(
            "select content::json->>'text' from message where chat_id = '{chat}' and message_id not like 'om_before%'
             order by created_at, message_id"
        ));
        said.iter().filter_map(|text| super::seen::numbered(text)).collect()
    }

    /// What consoles have sent is in the room once, or nobody was told that it is.
    pub fn assert_sent_once(&self) {
        let chat = &self.stage.chat;
        let count = |state: &str| {
            self.ask_sql(format!("select text from outbox where chat_id = '{chat}' and state {state}"))
        };
        until("nothing is on its way", || count("in ('queued', 'sending')").is_empty());
        let on_platform = |text: &String| self.stage.platform.count(ROOM, text);
        for text in count("= 'sent'") {
            let sent = count(&format!("= 'sent' and text = '{}'", text.replace('\'', "''"))).len();
            assert!(on_platform(&text) >= sent, "{text} was sent, and is not there");
        }
    }
}

fn settings() -> [(&'static str, String); 2] {
    [
        ("LARKDECK_QUOTA_MONTH_LIMIT", "unlimited".to_owned()),
        ("LARKDECK_RETENTION_MESSAGES_DAYS", KEPT_DAYS.to_owned()),
    ]
}
