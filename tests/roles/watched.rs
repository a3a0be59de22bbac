//! The databases of a store, watched from outside.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteRow},
};

/// What a person's changes are kept in.
pub const CHANGES: [&str; 9] = [
    "integration",
    "secret",
    "member",
    "member_link",
    "link_journal",
    "invitation",
    "outbox",
    "press",
    "role",
];

/// The store and the call ledger beside it.
pub struct Watched {
    files: Vec<(PathBuf, SqliteConnection)>,
}

/// Every row of every table, and how often somebody else has committed.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    pub tables: BTreeMap<String, Vec<String>>,
    pub commits: Vec<i64>,
}

impl Seen {
    /// The tables of people's changes alone.
    pub fn changes(self) -> BTreeMap<String, Vec<String>> {
        let is_change = |name: &str| CHANGES.iter().any(|table| name.ends_with(&format!("/{table}")));
        self.tables.into_iter().filter(|(name, _)| is_change(name)).collect()
    }
}

async fn rows(conn: &mut SqliteConnection, text: String) -> Vec<SqliteRow> {
    sqlx::query(AssertSqlSafe(text)).fetch_all(conn).await.unwrap()
}

impl Watched {
    pub async fn open(folder: &Path) -> Self {
        let mut files = Vec::new();
        for name in ["larkdeck.db", "ledger.db"] {
            let path = folder.join(name);
            let conn = SqliteConnectOptions::new().filename(&path).read_only(true).connect().await.unwrap();
            files.push((path, conn));
        }
        Self { files }
    }

    pub async fn look(&mut self) -> Seen {
        let mut seen = Seen { tables: BTreeMap::new(), commits: Vec::new() };
        for (path, conn) in &mut self.files {
            let names = rows(conn, "select name from sqlite_master where type = 'table'".to_owned()).await;
            for name in names {
                let name: String = name.get(0);
                let columns = rows(conn, format!("select name from pragma_table_info('{name}')")).await;
                let columns: Vec<String> =
                    columns.iter().map(|column| format!("quote({})", column.get::<String, _>(0))).collect();
                let text = format!("select {} from {name} order by 1", columns.join(" || '|' || "));
                let values = rows(conn, text).await.iter().map(|row| row.get::<String, _>(0)).collect();
                let file = path.file_name().unwrap().to_string_lossy();
                seen.tables.insert(format!("{file}/{name}"), values);
            }
            // Changes with each commit of another connection that wrote anything.
            seen.commits.push(rows(conn, "pragma data_version".to_owned()).await[0].get(0));
        }
        seen
    }
}
