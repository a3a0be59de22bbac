//! The tables of the ledger, for what handles all of them alike: copies and checks.

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

use super::{FILE, LedgerError, Open, Trouble, folder_of, reason};
use crate::store::{
    StoreUrl,
    sql::{Type, Value},
};

/// A table: its name in the file (in a database it is `permit_` and that), its columns, of which the first are its
/// key.
pub(in crate::store) struct Table {
    name: &'static str,
    pub(in crate::store) shown: &'static str,
    pub(in crate::store) columns: &'static [(&'static str, Type)],
    pub(super) key: usize,
    pub(super) scope: Scope,
}

/// What its rows are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// What was counted: it goes along when a store is copied.
    Counts,
    /// They mean nothing without the clock of the place.
    Clock,
    /// The clock itself, which a file does not have.
    Database,
}

pub(in crate::store) const TABLES: &[Table] = {
    use Scope::{Clock, Counts, Database};
    use Type::{Bytes, Int, Text};
    &[
        Table {
            name: "app",
            shown: "permit_app",
            columns: &[("app", Text), ("tenant", Text)],
            key: 1,
            scope: Counts,
        },
        Table {
            name: "day",
            shown: "permit_day",
            columns: &[
                ("app", Text),
                ("day", Int),
                ("endpoint", Text),
                ("feature", Text),
                ("counted", Int),
                ("exempt", Int),
                ("failed", Int),
                ("unknown", Int),
            ],
            key: 4,
            scope: Counts,
        },
        Table {
            name: "minute",
            shown: "permit_minute",
            columns: &[("app", Text), ("minute", Int), ("calls", Int)],
            key: 2,
            scope: Counts,
        },
        Table {
            name: "month",
            shown: "permit_month",
            columns: &[
                ("app", Text),
                ("month_day", Int),
                ("base", Int),
                ("is_official", Int),
                ("is_closed", Int),
            ],
            key: 2,
            scope: Counts,
        },
        Table {
            name: "bucket",
            shown: "permit_bucket",
            columns: &[("key", Text), ("state", Bytes), ("touched_us", Int)],
            key: 1,
            scope: Clock,
        },
        Table {
            name: "clock",
            shown: "permit_clock",
            columns: &[("id", Int), ("tag", Int)],
            key: 1,
            scope: Database,
        },
    ]
};

impl Table {
    fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }

    /// What a folder's file has counted already, before the store moved away and came back, is not counted twice.
    fn insert(&self, name: &str, greater: &str) -> String {
        let marks: Vec<String> = (1..=self.columns.len()).map(|number| format!("${number}")).collect();
        let counts = self.columns.iter().skip(self.key).filter(|(_, kind)| *kind == Type::Int);
        let raised: Vec<String> =
            counts.map(|(it, _)| format!("{it} = {greater}({name}.{it}, excluded.{it})")).collect();
        let then = match raised.as_slice() {
            [] => "do nothing".to_owned(),
            _ => {
                let key: Vec<&str> = self.columns.iter().take(self.key).map(|(name, _)| *name).collect();
                format!("({}) do update set {}", key.join(", "), raised.join(", "))
            }
        };
        format!("insert into {name} ({}) values ({}) on conflict {then}", self.names(), marks.join(", "))
    }
}

pub(super) type Rows = Vec<Vec<Value>>;

/// Either engine's rows.
pub(super) enum Side {
    File(Box<Open>),
    Database(Box<sqlx::PgConnection>),
}

macro_rules! read {
    ($connection:expr, $table:ident, $name:expr) => {{
        let order: Vec<String> = (1..=$table.key).map(|at| at.to_string()).collect();
        let text = format!("select {} from {} order by {}", $table.names(), $name, order.join(", "));
        let mut out = Vec::new();
        let query = sqlx::query(AssertSqlSafe(text)).persistent(false);
        for row in query.fetch_all($connection).await? {
            let mut values = Vec::with_capacity($table.columns.len());
            for (at, (_, kind)) in $table.columns.iter().enumerate() {
                values.push(match kind {
                    Type::Text => Value::Text(row.try_get::<&str, _>(at)?.into()),
                    Type::Int => Value::Int(row.try_get(at)?),
                    Type::Bytes => Value::Bytes(row.try_get(at)?),
                });
            }
            out.push(values);
        }
        out
    }};
}

macro_rules! write {
    ($connection:expr, $table:ident, $name:expr, $greater:expr, $rows:ident) => {{
        let text = $table.insert($name, $greater);
        let mut tx = $connection.begin().await?;
        for row in $rows {
            let mut query = sqlx::query(AssertSqlSafe(text.clone()));
            for value in row {
                query = match value {
                    Value::Text(text) => query.bind(text.to_string()),
                    Value::Int(number) => query.bind(*number),
                    Value::Bytes(bytes) => query.bind(bytes.clone()),
                    Value::Null(_) => query,
                };
            }
            query.execute(&mut *tx).await?;
        }
        tx.commit().await?;
    }};
}

impl Side {
    pub(super) async fn open(url: &StoreUrl) -> Result<Self, LedgerError> {
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

    /// Whether this side has that table.
    pub(super) fn has(&self, table: &Table) -> bool {
        table.scope != Scope::Database || matches!(self, Self::Database(_))
    }

    pub(super) async fn read(&mut self, table: &Table) -> Result<Rows, Trouble> {
        Ok(match self {
            Self::File(open) => read!(&mut open.connection, table, table.name),
            Self::Database(connection) => read!(&mut **connection, table, table.shown),
        })
    }

    pub(super) async fn write(&mut self, table: &Table, rows: &Rows) -> Result<(), Trouble> {
        match self {
            Self::File(open) => write!(open.connection, table, table.name, "max", rows),
            Self::Database(connection) => write!(connection, table, table.shown, "greatest", rows),
        }
        Ok(())
    }

    pub(super) async fn close(self) {
        // What was read is read, and what was written is committed.
        let _ = match self {
            Self::File(open) => open.connection.close().await,
            Self::Database(connection) => connection.close().await,
        };
    }
}
