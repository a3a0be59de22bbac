//! The private PostgreSQL that other tests stand on.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "common/postgres.rs"]
mod postgres;

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use postgres::{Settings, Stop};
use sqlx::{ConnectOptions as _, Connection as _};

/// Where the test below runs this binary once more, to kill it.
const VICTIM: &str = "POSTGRES_TEST_VICTIM";

#[tokio::test]
async fn every_test_has_a_database_of_its_own() {
    let (Some(one), Some(two)) = (postgres::database().await, postgres::database().await) else { return };
    for database in [&one, &two] {
        let mut connection = database.connect().await;
        sqlx::raw_sql("create table only_once (id int)").execute(&mut connection).await.unwrap();
        let durable: String =
            sqlx::query_scalar("select current_setting('fsync')").fetch_one(&mut connection).await.unwrap();
        assert_eq!(durable, "on");
    }
    let mut by_url = sqlx::PgConnection::connect(&one.url()).await.unwrap();
    let name: String =
        sqlx::query_scalar("select current_database()::text").fetch_one(&mut by_url).await.unwrap();
    assert_eq!(name, one.name);
}

#[tokio::test]
async fn a_server_can_crash_stall_and_end() {
    let Some(server) = postgres::start(&Settings { tcp: true, ..Settings::default() }) else { return };
    let folder = server.folder().to_owned();
    let database = server.database().await;
    let mut connection = server.over_tcp(&database).connect().await.unwrap();
    sqlx::raw_sql("create table kept (id int); insert into kept values (1)")
        .execute(&mut connection)
        .await
        .unwrap();
    for how in [Stop::Immediate, Stop::Fast] {
        server.stop(how);
        assert!(database.options.connect().await.is_err());
        server.start();
        let mut connection = database.connect().await;
        let kept: i64 =
            sqlx::query_scalar("select count(*) from kept").fetch_one(&mut connection).await.unwrap();
        assert_eq!(kept, 1);
        server.pause();
        let mut asked = tokio::spawn(async move { connection.ping().await });
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut asked).await.is_err());
        server.resume();
        asked.await.unwrap().unwrap();
    }
    assert!(server.over_tcp(&database).password("wrong").connect().await.is_err());
    server.pause();
    drop(server);
    assert!(!folder.exists());
}

#[test]
fn it_ends_with_its_process_however_that_ends() {
    if std::env::var_os(VICTIM).is_some() {
        println!("\nfolder {}", postgres::shared().unwrap().folder().display());
        loop {
            std::thread::park();
        }
    }
    if postgres::shared().is_none() {
        return;
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "it_ends_with_its_process_however_that_ends", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let said = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("folder ").map(str::to_owned));
    let folder = said.expect("the victim's server");
    let folder = Path::new(&folder);
    assert!(folder.join(".s.PGSQL.5432").exists());
    victim.kill().unwrap();
    victim.wait().unwrap();
    let killed = Instant::now();
    while folder.exists() {
        assert!(killed.elapsed() < Duration::from_secs(60), "{} is still there", folder.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}
