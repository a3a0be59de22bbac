//! What becomes of processes whose store is a newer program's: those that begin, and those that were there before.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use sqlx::{Connection as _, Row as _};

use crate::{
    common::{self, Home, Sim, serve::Gateway},
    connect,
    postgres::{self, Database},
    run, scripts,
};

/// A store of either engine, and a way past the program.
enum Place {
    File(PathBuf),
    Database(Box<Database>),
}

impl Place {
    async fn all(home: &Home) -> Vec<Self> {
        let file = Self::File(home.path("store.db"));
        std::iter::once(file)
            .chain(postgres::database().await.map(|it| Self::Database(Box::new(it))))
            .collect()
    }

    fn url(&self) -> String {
        match self {
            Self::File(path) => format!("sqlite:{}", path.display()),
            Self::Database(database) => database.url(),
        }
    }

    /// Does what a newer program's migration does; the number that the feed had then.
    async fn outgrow(&self) -> i64 {
        let version = scripts("sqlite").len() + 1;
        match self {
            Self::File(path) => {
                let mut conn = connect(path).await;
                run(&mut conn, "begin immediate; alter table message add column shine integer").await;
                let head =
                    sqlx::query("select seq from store_meta").fetch_one(&mut conn).await.unwrap().get(0);
                run(&mut conn, &format!("pragma user_version = {version}; commit")).await;
                conn.close().await.unwrap();
                head
            }
            Self::Database(database) => {
                let mut conn = database.connect().await;
                let mut tx = conn.begin().await.unwrap();
                let text = "select seq from store_meta where id = 1 for update";
                let head = sqlx::query_scalar(text).fetch_one(&mut *tx).await.unwrap();
                let text = format!(
                    "alter table message add column shine bigint; insert into larkdeck_schema values ({version}, 0)"
                );
                sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut *tx).await.unwrap();
                tx.commit().await.unwrap();
                head
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_begins_on_a_newer_store_is_refused_with_the_reason() {
    for place in Place::all(&Home::new()).await {
        let home = Home::new();
        if let Place::File(path) = &place {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        }
        let url = place.url();
        home.run(&["--store", &url, "store", "init"]).expect(0);
        place.outgrow().await;
        let every: [&[&str]; 7] = [
            &[],
            &["room", "list"],
            &["member", "list", "--json"],
            &["serve", "--listen", "127.0.0.1:0"],
            &["store", "check"],
            &["store", "migrate"],
            &["store", "init"],
        ];
        for command in every {
            let ran = home.run(&[&["--store", url.as_str()], command].concat()).expect(3);
            for part in ["this larkdeck knows versions up to", "Use the newer larkdeck"] {
                assert!(ran.stderr.contains(part), "{command:?}: {}", ran.stderr);
            }
            assert!(ran.stdout.is_empty(), "{command:?}: {}", ran.stdout);
        }
    }
}

/// A gateway holds the connection and stores what comes while a newer program changes the schema under it: it stores
/// nothing more, says so, and lets go of the connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_connected_makes_way_for_a_newer_program() {
    let place_home = Home::new();
    for place in Place::all(&place_home).await {
        let sim = Sim::start(&["--seed", "8"]);
        let mut home = Home::new();
        home.variables.push(("LARKDECK_STORE", place.url()));
        home.add(&sim);
        let gateway = Gateway::start(&home, &[]);
        let until = async |what: &str, is_so: &dyn Fn(u16, &str) -> bool| {
            let begun = Instant::now();
            loop {
                let answer = gateway.get("/readyz");
                if is_so(answer.status, &answer.body) {
                    return;
                }
                assert!(begun.elapsed() < common::PATIENCE, "{what}: {answer:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        until("it receives", &|status, _| status == 200).await;
        let head = place.outgrow().await;
        until("it says why not", &|status, body| status == 503 && body.contains("of a newer larkdeck")).await;
        assert_eq!(gateway.get("/healthz").status, 200);
        if let Place::Database(database) = &place {
            let mut conn = database.connect().await;
            let now: i64 =
                sqlx::query_scalar("select seq from store_meta").fetch_one(&mut conn).await.unwrap();
            assert_eq!(now, head, "not a row more than when the schema changed");
        }
        assert_eq!(gateway.running.end("TERM"), Some(0));
    }
}

/// Roles are advice there, but nobody's looking changes the file for everybody.
#[tokio::test]
async fn a_viewers_console_does_not_bring_a_file_up_to_date() {
    let home = Home::new();
    let path = home.path("store.db");
    let url = format!("sqlite:{}", path.display());
    let run_as =
        |user: &str| home.run_with(&["--store", &url, "member", "list", "--json"], &[("USER", user)]);
    home.run(&["--store", &url, "store", "init"]).expect(0);
    home.run(&["--store", &url, "role", "set", "*", "viewer"]).expect(0);
    let mut conn = connect(&path).await;
    run(&mut conn, "alter table member drop column licence; pragma user_version = 8").await;
    let refused = run_as("somebody").expect(3);
    assert!(refused.stderr.contains("larkdeck store migrate"), "{}", refused.stderr);
    run_as("tester").expect(0);
    run_as("somebody").expect(0);
}
