//! PostgreSQL: the database itself keeps logins to their roles. `role set` sees to it, whoever may.

use larkdeck::sim;
use sqlx::{AssertSqlSafe, Connection as _};

use super::{
    common::{Home, Ran},
    postgres::{self, Database},
};

struct Stand {
    home: Home,
    database: Database,
    control: sim::Control,
    _sim: sim::Sim,
}

impl Stand {
    /// A store of the superuser's, with the simulator's app; `None` where PostgreSQL is not installed.
    async fn new() -> Option<Self> {
        let database = postgres::database().await?;
        let sim = sim::Sim::start(sim::SimOptions::local(sim::Scenario::still().unwrap())).await.unwrap();
        let stand = Self { home: Home::new(), database, control: sim.control(), _sim: sim };
        let access = stand._sim.access();
        let add = format!("integration add ops --app-id {} --base-url {}", access.app_id, access.base_url);
        let secrets = [("LARKDECK_APP_SECRET", access.app_secret.as_str())];
        stand.run_with(postgres::USER, &add, &secrets).expect(0);
        Some(stand)
    }

    fn run_with(&self, login: &str, line: &str, environment: &[(&str, &str)]) -> Ran {
        let url = self.database.url().replace("user=postgres", &format!("user={login}"));
        let args: Vec<&str> = line.split(' ').collect();
        self.home.run_with(&args, &[environment, &[("LARKDECK_STORE", url.as_str())]].concat())
    }

    fn run(&self, login: &str, line: &str) -> Ran {
        self.run_with(login, line, &[])
    }

    /// A new login. They are the whole server's, so each test names its own.
    async fn login(&self, name: &str) {
        let mut admin = self.database.connect().await;
        let text = format!("create role {name} login");
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut admin).await.unwrap();
        admin.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_responders_login_does_what_responding_takes() {
    let Some(stand) = Stand::new().await else { return };
    stand.login("rita").await;
    let set = stand.run("postgres", "role set rita responder --json").expect(0).object();
    assert_eq!(set["grants"][0]["login"], "rita");
    assert_eq!((&set["grants"][0]["kept"], &set["made_admin"]), (&true.into(), &"postgres".into()));

    let chat = stand.control.chats()[0].0.clone();
    stand.run("rita", "room list --refresh").expect(0);
    let sent = stand.run("rita", &format!("room send {chat} hello --json")).expect(0).object();
    let message = sent["message_id"].as_str().unwrap();
    for line in [
        format!("room reply {chat} {message} yes"),
        format!("room react {chat} {message} OK"),
        format!("room show {chat} --refresh"),
        format!("room history {chat} --fetch"),
        "integration check ops".to_owned(),
        "quota".to_owned(),
        "log".to_owned(),
    ] {
        let ran = stand.run("rita", &line);
        assert!(ran.code == 0 || (line.starts_with("integration") && ran.code == 1), "{line}: {ran:?}");
        assert!(!ran.stderr.contains("permission"), "{line}: {ran:?}");
    }
    stand.run("rita", "member add Zed --email zed@ex.test").expect(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_does_otherwise_than_the_role_is_said_and_ends_with_7() {
    let Some(stand) = Stand::new().await else { return };
    for name in ["amy", "vic"] {
        stand.login(name).await;
    }
    stand.run("postgres", "role set postgres admin").expect(0);
    stand.run("postgres", "role set amy admin").expect(0);
    // An admin does not own the tables.
    let ran = stand.run("amy", "role set vic responder").expect(7);
    assert!(ran.stdout.contains("vic is responder"), "{ran:?}");
    assert!(ran.stderr.contains("lacks") && ran.stderr.contains("Only postgres can change that"), "{ran:?}");
    let log = stand.run("postgres", "log --json").expect(0).objects();
    let row = log.iter().find(|row| row["operation"] == "role.set" && row["target"] == "vic").unwrap();
    assert!(row["reason"].as_str().unwrap().contains("it lacks"), "{row}");
    // The printed text does the same.
    let text = stand.run("amy", "role grants vic responder").expect(0).stdout;
    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut stand.database.connect().await).await.unwrap();
    let set = stand.run("amy", "role set vic responder --json").expect(0).object();
    assert_eq!((&set["grants"][0]["kept"], &set["before"]), (&true.into(), &"responder".into()));

    // Taken away: what everybody else has.
    let removed = stand.run("postgres", "role remove vic --json").expect(0).object();
    assert_eq!((&removed["role"], &removed["grants"][0]["kept"]), (&"viewer".into(), &true.into()));
    // Nobody's login.
    let ran = stand.run("postgres", "role set nobody@here viewer").expect(0);
    assert!(ran.stderr.contains("the database has no login nobody@here"), "{ran:?}");
}
