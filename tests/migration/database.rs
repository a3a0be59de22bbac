//! On PostgreSQL, where nothing but the command brings a store up to date. Each version has a schema of its own in one
//! database.

use std::path::Path;

use larkdeck::{core::error::Kind, service::Opening};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::{
    LOOSE_ROWS,
    common::deck,
    everything, fill,
    postgres::{self, Database},
    scripts,
};

/// What only a database has: there the call ledger is in the store.
const LEDGER_ROWS: &str = "
    insert into permit_app values ('https://x.test|cli_1', 'a tenant');
    insert into permit_bucket values ('a bucket', '\\x0102', 5);
    insert into permit_day values ('https://x.test|cli_1', 20000, '/im', 'send', 4, 3, 2, 1);
    insert into permit_minute values ('https://x.test|cli_1', 1000, 4);
    insert into permit_month values ('https://x.test|cli_1', 19990, 7, 1, 0);
    insert into permit_clock values (1, 99) on conflict do nothing;
";

/// The store in a schema of the database.
fn opening(folder: &Path, database: &Database, schema: &str) -> Opening {
    let store_url = format!("{}&options=-c%20search_path%3D{schema}", database.url());
    Opening { store_url, ..deck::opening(folder, "ann") }
}

async fn run(conn: &mut PgConnection, script: &str) {
    conn.execute(sqlx::raw_sql(AssertSqlSafe(script.to_owned())))
        .await
        .unwrap_or_else(|error| panic!("{error}: {script}"));
}

async fn texts(conn: &mut PgConnection, query: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_all(conn).await.unwrap()
}

/// The columns of a table, as a list.
async fn columns(conn: &mut PgConnection, schema: &str, table: &str) -> String {
    let query = format!(
        "select column_name::text from information_schema.columns
         where table_schema = '{schema}' and table_name = '{table}' order by ordinal_position"
    );
    texts(conn, &query).await.join(", ")
}

async fn dump(conn: &mut PgConnection, schema: &str, table: &str, columns: &str) -> Vec<String> {
    let mut rows = texts(conn, &format!("select row({columns})::text from {schema}.{table}")).await;
    rows.sort();
    rows
}

/// A table as it was: its name, its columns, its rows.
type Table = (String, String, Vec<String>);

/// A schema as a program of that version left it, with what the store of today has of its columns.
async fn older(conn: &mut PgConnection, schema: &str, version: usize) -> Vec<Table> {
    run(conn, &format!("create schema {schema}; set search_path = {schema}")).await;
    for (number, script) in (1..=version).zip(scripts("postgres")) {
        run(conn, &std::fs::read_to_string(script).unwrap()).await;
        run(conn, &format!("insert into larkdeck_schema values ({number}, 0)")).await;
    }
    let tables =
        format!("select tablename::text from pg_tables where schemaname = '{schema}' order by tablename");
    let mut filled = Vec::new();
    for table in texts(conn, &tables).await {
        if table == "larkdeck_schema" {
            continue;
        }
        let columns = columns(conn, schema, &table).await;
        run(conn, &format!("insert into {schema}.{table} ({columns}) select {columns} from today.{table}"))
            .await;
        let rows = dump(conn, schema, &table, &columns).await;
        assert!(!rows.is_empty(), "no row in {table}: give it one in this test");
        filled.push((table, columns, rows));
    }
    filled
}

#[tokio::test(flavor = "multi_thread")]
async fn every_older_version_is_brought_up_to_date_by_the_command_with_all_that_is_in_it() {
    let Some(database) = postgres::database().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut conn = database.connect().await;
    run(&mut conn, "create schema today").await;
    fill(opening(folder.path(), &database, "today")).await;
    // There the login is who one is.
    let loose = LOOSE_ROWS.replace("ann@test", postgres::USER);
    run(&mut conn, &format!("set search_path = today; {loose}; {LEDGER_ROWS}")).await;
    let expected = everything(opening(folder.path(), &database, "today")).await;
    assert!(expected.contains("an encrypt key") && expected.contains("line 3") && expected.contains("王伟"));
    let newest = scripts("postgres").len();
    for version in 1..=newest {
        let schema = format!("v{version}");
        let at = || opening(folder.path(), &database, &schema);
        let before = older(&mut conn, &schema, version).await;
        if version < newest {
            let refused = at().open().await.err().unwrap();
            assert!(refused.kind == Kind::Config && refused.message.contains("needs version"), "{refused}");
            assert!(refused.hint.unwrap().contains("larkdeck store migrate"));
        }
        let done = at().migrate_store().await.unwrap();
        assert_eq!(done.from, i64::try_from(version).unwrap());
        assert_eq!(done.to, i64::try_from(newest).unwrap());
        for (table, columns, rows) in before {
            assert_eq!(dump(&mut conn, &schema, &table, &columns).await, rows, "{table} since {version}");
        }
        assert_eq!(everything(at()).await, expected, "from version {version}");
        assert_eq!(at().migrate_store().await.unwrap().from, done.to, "nothing left to do");
    }
    conn.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_bring_it_up_to_date_at_once_one_does() {
    let Some(database) = postgres::database().await else { return };
    let home = crate::common::Home::new();
    let mut conn = database.connect().await;
    for round in 0..3 {
        let schema = format!("r{round}");
        run(&mut conn, &format!("create schema {schema}; set search_path = {schema}")).await;
        for (number, script) in (1..=4).zip(scripts("postgres")) {
            run(&mut conn, &std::fs::read_to_string(script).unwrap()).await;
            run(&mut conn, &format!("insert into larkdeck_schema values ({number}, 0)")).await;
        }
        run(&mut conn, "insert into store_meta values (1, 'g_old', '', 0, 0, 0, 0)").await;
        let url = opening(&home.path(""), &database, &schema).store_url;
        let all = home.run_at_once(&["--store", &url, "store", "migrate", "--json"], 6);
        let from: Vec<i64> =
            all.into_iter().map(|ran| ran.expect(0).object()["from"].as_i64().unwrap()).collect();
        assert_eq!(from.iter().filter(|from| **from == 4).count(), 1, "{from:?}");
        home.run(&["--store", &url, "store", "check"]).expect(0);
    }
}
