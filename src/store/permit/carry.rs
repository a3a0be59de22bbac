//! What was counted goes along when a store is copied. The rate buckets do not: their instants are of a clock that
//! the copy does not share, and a minute later they mean nothing anyway.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

use super::{FILE, LedgerError, Open, Trouble, folder_of, reason};
use crate::store::{CopiedTable, StoreUrl, copy, sql::Value};

/// A table: its name in the file (in a database it is `permit_` and that), its columns, how many of them are text
/// and how many are its key.
struct Kept {
    name: &'static str,
    shown: &'static str,
    columns: &'static str,
    texts: &'static [usize],
    width: usize,
    key: usize,
}

const KEPT: [Kept; 4] = [
    Kept { name: "app", shown: "permit_app", columns: "app, tenant", texts: &[0, 1], width: 2, key: 1 },
    Kept {
        name: "day",
        shown: "permit_day",
        columns: "app, day, endpoint, feature, counted, exempt, failed, unknown",
        texts: &[0, 2, 3],
        width: 8,
        key: 4,
    },
    Kept {
        name: "minute",
        shown: "permit_minute",
        columns: "app, minute, calls",
        texts: &[0],
        width: 3,
        key: 2,
    },
    Kept {
        name: "month",
        shown: "permit_month",
        columns: "app, month_day, base, is_official, is_closed",
        texts: &[0],
        width: 5,
        key: 2,
    },
];

type Rows = Vec<Vec<Value>>;

/// Either engine's rows.
enum Side {
    File(Box<Open>),
    Database(Box<sqlx::PgConnection>),
}

macro_rules! read {
    ($connection:ident, $kept:ident, $table:expr) => {{
        let text = format!("select {} from {} order by {}", $kept.columns, $table, order($kept));
        let mut out = Vec::new();
        let query = sqlx::query(AssertSqlSafe(text)).persistent(false);
        for row in query.fetch_all(&mut *$connection).await? {
            let mut values = Vec::with_capacity($kept.width);
            for at in 0..$kept.width {
                values.push(match $kept.texts.contains(&at) {
                    true => Value::Text(row.try_get(at)?),
                    false => Value::Int(row.try_get(at)?),
                });
            }
            out.push(values);
        }
        out
    }};
}

macro_rules! write {
    ($connection:ident, $kept:ident, $table:expr, $rows:ident) => {{
        let marks: Vec<String> = (1..=$kept.width).map(|number| format!("${number}")).collect();
        let text = format!(
            "insert into {} ({}) values ({}) on conflict do nothing",
            $table,
            $kept.columns,
            marks.join(", ")
        );
        let mut tx = $connection.begin().await?;
        for row in $rows {
            let mut query = sqlx::query(AssertSqlSafe(text.clone()));
            for value in row {
                query = match value {
                    Value::Text(text) => query.bind(text.clone()),
                    Value::Int(number) => query.bind(*number),
                    Value::Bytes(_) | Value::Null(_) => query,
                };
            }
            query.execute(&mut *tx).await?;
        }
        tx.commit().await?;
    }};
}

fn order(kept: &Kept) -> String {
    (1..=kept.key).map(|at| at.to_string()).collect::<Vec<_>>().join(", ")
}

impl Side {
    async fn open(url: &StoreUrl) -> Result<Self, LedgerError> {
        let opened = match url {
            StoreUrl::Sqlite(path) => {
                Open::new(&folder_of(path).join(FILE)).await.map(|open| Self::File(Box::new(open)))
            }
            StoreUrl::Postgres(database) => match database.connect_options() {
                Ok(options) => {
                    let connected = options.connect().await.map_err(Trouble::from);
                    connected.map(|connection| Self::Database(Box::new(connection)))
                }
                Err(error) => return Err(LedgerError { place: url.to_string(), reason: error.to_string() }),
            },
        };
        opened.map_err(|trouble| LedgerError { place: url.to_string(), reason: reason(&trouble) })
    }

    async fn read(&mut self, kept: &Kept) -> Result<Rows, Trouble> {
        Ok(match self {
            Self::File(open) => {
                let connection = &mut open.connection;
                read!(connection, kept, kept.name)
            }
            Self::Database(connection) => {
                let connection = &mut **connection;
                read!(connection, kept, kept.shown)
            }
        })
    }

    async fn write(&mut self, kept: &Kept, rows: &Rows) -> Result<(), Trouble> {
        match self {
            Self::File(open) => {
                let connection = &mut open.connection;
                write!(connection, kept, kept.name, rows);
            }
            Self::Database(connection) => write!(connection, kept, kept.shown, rows),
        }
        Ok(())
    }

    async fn close(self) {
        // What was read is read, and what was written is committed.
        let _ = match self {
            Self::File(open) => open.connection.close().await,
            Self::Database(connection) => connection.close().await,
        };
    }
}

/// Takes along what was counted in the store `from`, and reads it back.
///
/// # Errors
/// [`LedgerError`] with the engine's words.
pub async fn carry(from: &StoreUrl, to: &StoreUrl) -> Result<Vec<CopiedTable>, LedgerError> {
    let (mut source, mut target) = (Side::open(from).await?, Side::open(to).await?);
    let mut carried = Vec::new();
    for kept in &KEPT {
        let bad = |place: &StoreUrl, trouble: Trouble| LedgerError {
            place: place.to_string(),
            reason: reason(&trouble),
        };
        let rows = source.read(kept).await.map_err(|trouble| bad(from, trouble))?;
        target.write(kept, &rows).await.map_err(|trouble| bad(to, trouble))?;
        // What else is there belongs to other stores of the same folder.
        let mut there = target.read(kept).await.map_err(|trouble| bad(to, trouble))?;
        let key = |row: &Vec<Value>| format!("{:?}", row.iter().take(kept.key).collect::<Vec<_>>());
        let wanted: BTreeSet<String> = rows.iter().map(key).collect();
        there.retain(|row| wanted.contains(&key(row)));
        carried.push(CopiedTable {
            from: copy::sum_up(kept.shown, &rows),
            to: copy::sum_up(kept.shown, &there),
        });
    }
    source.close().await;
    target.close().await;
    Ok(carried)
}
