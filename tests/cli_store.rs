//! `larkdeck store …` on the built program: made, checked, copied between the engines and back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "its modules are its own")]

mod common;
#[path = "common/postgres.rs"]
mod postgres;

use std::sync::Arc;

use common::Home;
use larkdeck::{
    core::{
        ids::AppKey,
        integration::Holder,
        permit::{Call, Class, Feature, MonthClass, Outcome, PermitSource as _},
        time::SystemClock,
    },
    ledger::MonthRules,
    service::Ledger,
    store::permit,
};
use serde_json::Value;
use sqlx::{ConnectOptions as _, Connection as _};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn with_roster(home: &Home) {
    home.run(&["integration", "add", "ops", "--kind", "slack"]).expect(0);
    let roster = home.write("roster.csv", "name,email\n王伟,wang@example.com\nAnn,ann@example.com\n");
    home.run(&["member", "import", roster.to_str().unwrap()]).expect(0);
}

#[test]
fn a_store_is_made_once() {
    let home = Home::new();
    let made = home.run(&["store", "init", "--json"]).expect(0);
    let made = &lines(&made.stdout)[0];
    assert_eq!(made["from"], 0);
    let again = home.run(&["store", "init"]).expect(9);
    assert!(again.stderr.contains("already"), "{}", again.stderr);
    let migrated = home.run(&["store", "migrate", "--json"]).expect(0);
    assert_eq!(lines(&migrated.stdout)[0]["from"], made["to"]);
    let missing = format!("sqlite:{}", home.path("nowhere.db").display());
    let none = home.run(&["--store", &missing, "store", "migrate"]).expect(3);
    assert!(none.stderr.contains("store init"), "{}", none.stderr);
    home.run(&["--store", &missing, "store", "check"]).expect(3);
    assert!(!home.path("nowhere.db").exists());
}

/// Of several that make a store at the same instant one does, and the others say that it is done.
#[track_caller]
fn made_once(home: &Home, url: &str) {
    let all = home.run_at_once(&["--store", url, "store", "init", "--json"], 6);
    let mut made = 0;
    for ran in all {
        match ran.code {
            0 => made += usize::from(lines(&ran.stdout)[0]["from"] == 0),
            _ => assert!(ran.expect(9).stderr.contains("already")),
        }
    }
    assert_eq!(made, 1, "{url}");
    home.run(&["--store", url, "store", "check"]).expect(0);
}

#[test]
fn many_who_make_a_file_at_once_make_it_once() {
    let home = Home::new();
    for round in 0..5 {
        made_once(&home, &format!("sqlite:{}", home.path(&format!("new{round}/store.db")).display()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_make_a_database_at_once_make_it_once() {
    let home = Home::new();
    for _ in 0..5 {
        let Some(database) = postgres::database().await else { return };
        made_once(&home, &database.url());
    }
}

#[test]
fn a_sound_store_is_said_to_be_one() {
    let home = Home::new();
    with_roster(&home);
    let ran = home.run(&["store", "check", "--json"]).expect(0);
    let rows = lines(&ran.stdout);
    let members = rows.iter().find(|row| row["table"] == "member").unwrap();
    assert_eq!(members["rows"], 2);
    assert_eq!(rows.last().unwrap()["summary"]["findings"], 0);
    assert!(home.run(&["store", "check"]).expect(0).stdout.contains("nothing wrong"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_moves_to_a_database_and_back() {
    let Some(database) = postgres::database().await else { return };
    let home = Home::new();
    with_roster(&home);
    let url = database.url();
    let here = format!("sqlite:{}", home.path("here.db").display());
    let back = format!("sqlite:{}", home.path("back.db").display());
    home.run(&["store", "copy", &here, &url]).expect(3);
    let members = home.run(&["member", "list", "--json"]).expect(0).stdout;
    let own = home.run(&["store", "init", "--json"]).expect(9);
    let own = own.stderr.split_whitespace().find(|word| word.starts_with("sqlite:")).unwrap().to_owned();
    let copied = home.run(&["store", "copy", &own, &url, "--json"]).expect(0);
    let rows = lines(&copied.stdout);
    assert!(rows.iter().filter(|row| row["table"].is_string()).all(|row| row["same"] == true), "{rows:?}");
    assert_eq!(rows.last().unwrap()["summary"]["same"], true);
    assert_eq!(home.run(&["--store", &url, "member", "list", "--json"]).expect(0).stdout, members);
    home.run(&["--store", &url, "store", "check"]).expect(0);
    let full = home.run(&["store", "copy", &own, &url]).expect(9);
    assert!(full.stderr.contains("is not empty"), "{}", full.stderr);
    home.run(&["store", "copy", &url, &back]).expect(0);
    assert_eq!(home.run(&["--store", &back, "member", "list", "--json"]).expect(0).stdout, members);
    home.run(&["store", "copy", &back, &back]).expect(2);
}

/// One permit was taken there, and written down.
async fn a_call_was_made(url: &str) {
    let me = Holder { user: "ann".to_owned(), host: "bastion".to_owned(), pid: 7 };
    let rows = permit::open(&url.parse().unwrap(), &me).await.unwrap();
    let ledger = Ledger::open(rows, MonthRules::default(), Arc::new(SystemClock));
    let call = Call {
        app: AppKey { base_url: "http://127.0.0.1:1".into(), app_id: "cli_1".parse().unwrap() },
        endpoint: "im.message.create",
        limits: &[],
        is_send: false,
        target: None,
        month: MonthClass::Counted,
        class: Class::Person,
        feature: Feature::Send,
        patience: None,
    };
    let permit = ledger.acquire(call).await.unwrap();
    ledger.settle(permit, Outcome::Done).await;
    ledger.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_names_what_is_wrong_in_the_ledger() {
    let home = Home::new();
    let file = home.path("ledger/store.db");
    std::fs::create_dir(home.path("ledger")).unwrap();
    let mut places = vec![(format!("sqlite:{}", file.display()), None)];
    if let Some(database) = postgres::database().await {
        places.push((database.url(), Some(database)));
    }
    for (url, database) in places {
        home.run(&["--store", &url, "store", "init"]).expect(0);
        a_call_was_made(&url).await;
        let sound = home.run(&["--store", &url, "store", "check", "--json"]).expect(0);
        let rows = lines(&sound.stdout);
        let of = |table: &str| rows.iter().find(|row| row["table"] == table).unwrap()["rows"].clone();
        assert_eq!(
            (of("permit_day"), of("permit_minute"), of("permit_bucket")),
            (1.into(), 1.into(), 1.into())
        );
        let break_it = "update permit_day set counted = -1; update permit_minute set minute = 9999999999;
            update permit_bucket set state = touched_us_bytes where key like '%app'";
        match &database {
            Some(database) => {
                let text = break_it.replace("touched_us_bytes", "'\\x01'::bytea");
                sqlx::raw_sql(sqlx::AssertSqlSafe(text))
                    .execute(&mut database.connect().await)
                    .await
                    .unwrap();
            }
            None => {
                let text = break_it.replace("permit_", "").replace("touched_us_bytes", "x'01'");
                let options =
                    sqlx::sqlite::SqliteConnectOptions::new().filename(file.with_file_name("ledger.db"));
                let mut connection = options.connect().await.unwrap();
                sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
        }
        let broken = home.run(&["--store", &url, "store", "check", "--json"]).expect(1);
        let found: Vec<String> =
            lines(&broken.stdout).iter().filter_map(|row| row["rule"].as_str().map(str::to_owned)).collect();
        assert_eq!(found, ["permit_bucket", "permit_count", "permit_future"], "{url}");
    }
}
