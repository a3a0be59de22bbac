//! The rows of the call ledger: on one host a SQLite file of their own beside the store, so that permits and
//! messages never wait for each other's lock; for several hosts tables in the team's database.
//!
//! In the file commits do not wait for the disk (`synchronous = normal`): after a power cut the rate buckets mean
//! nothing anyway. The month's count does mean something, so the ledger asks for a durable commit about once a
//! second while it counts; a power cut forgets the calls of a second at most. A killed process forgets none.

mod carry;
mod check;
mod postgres;
mod sql;
mod statement;
pub(in crate::store) mod table;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    ConnectOptions, Connection, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::StoreUrl;
use crate::core::{
    error::{Kind, Problem},
    ids::{AppKey, TenantKey},
    integration::Holder,
    permit::BoxFuture,
    permit_rows::{PermitRows, ReportRows, RowsAsked, RowsAway, RowsChanged, RowsClock, RowsFound},
};

const FILE: &str = "ledger.db";
const VERSION: i64 = 1;
/// The lock is held for a fraction of a millisecond at a time; after so long something is wrong.
const BUSY: Duration = Duration::from_secs(2);

pub use self::{carry::carry, check::read_all};

/// Opens the rows that go with a store: the file beside a SQLite store, the tables in a PostgreSQL store.
///
/// # Errors
/// [`LedgerError`] with the engine's words.
pub async fn open(url: &StoreUrl, me: &Holder) -> Result<Box<dyn PermitRows>, LedgerError> {
    match url {
        StoreUrl::Sqlite(path) => open_rows(folder_of(path)).await,
        StoreUrl::Postgres(url) => postgres::open_database(url, me).await,
    }
}

/// Where the file of the rows of a store is.
fn folder_of(store: &Path) -> &Path {
    store.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The ledger's rows cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the call ledger {place}: {reason}")]
pub struct LedgerError {
    place: String,
    reason: String,
}

impl Problem for LedgerError {
    fn kind(&self) -> Kind {
        Kind::Storage
    }

    fn hint(&self) -> Option<String> {
        Some("Look at the store: its disk and permissions, or its database.".to_owned())
    }
}

/// Opens `ledger.db` in the folder of the store, making it where there is none.
///
/// # Errors
/// [`LedgerError`] with the engine's words.
pub async fn open_rows(folder: &Path) -> Result<Box<dyn PermitRows>, LedgerError> {
    let path = folder.join(FILE);
    match Open::new(&path).await {
        Ok(open) => Ok(Box::new(LedgerFile { path, open: Some(open) })),
        Err(error) => Err(LedgerError { place: path.display().to_string(), reason: reason(&error) }),
    }
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    File(#[from] std::io::Error),
    #[error(transparent)]
    Engine(#[from] sqlx::Error),
    #[error("it was written by a newer larkdeck (version {0})")]
    Newer(i64),
    #[error(transparent)]
    Refused(#[from] RowsAway),
}

fn reason(trouble: &Trouble) -> String {
    match trouble {
        // Without the library's "error returned from database: (code: …)".
        Trouble::Engine(sqlx::Error::Database(error)) => error.message().to_owned(),
        other => other.to_string(),
    }
}

/// A connection to the file that stands at the path.
struct Open {
    connection: SqliteConnection,
    identity: Identity,
    /// Commits wait for the disk, which syncs all that was committed before them too.
    is_durable: bool,
}

/// Which file it is: one that was replaced under us must not be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64);

#[cfg(unix)]
fn identity(path: &Path) -> std::io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).map(|file| Identity(file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> std::io::Result<Identity> {
    fs::metadata(path).map(|_| Identity(0, 0))
}

impl Open {
    async fn new(path: &Path) -> Result<Self, Trouble> {
        super::sqlite::make_beside(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        let mut connection = options.connect().await?;
        migrate(&mut connection).await?;
        Ok(Self { connection, identity: identity(path)?, is_durable: false })
    }
}

async fn migrate(connection: &mut SqliteConnection) -> Result<(), Trouble> {
    sqlx::query("begin immediate").execute(&mut *connection).await?;
    let version: i64 = sqlx::query_scalar("pragma user_version").fetch_one(&mut *connection).await?;
    if version > VERSION {
        sqlx::query("rollback").execute(&mut *connection).await?;
        return Err(Trouble::Newer(version));
    }
    if version < VERSION {
        sqlx::raw_sql(include_str!("permit/schema.sql")).execute(&mut *connection).await?;
    }
    sqlx::query("commit").execute(&mut *connection).await?;
    Ok(())
}

struct LedgerFile {
    path: PathBuf,
    /// `None` after trouble: the next use opens it anew.
    open: Option<Open>,
}

impl LedgerFile {
    /// The connection, to be put back when all went well.
    async fn take(&mut self) -> Result<Open, Trouble> {
        if let Some(open) = self.open.take() {
            // One stat a transaction: it costs a microsecond and never waits for a disk.
            if identity(&self.path).is_ok_and(|identity| identity == open.identity) {
                return Ok(open);
            }
            let _ = open.connection.close_hard().await;
        }
        Open::new(&self.path).await
    }

    /// Runs `work`; where it fails the connection is closed, which also ends its transaction.
    async fn with<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Open) -> Result<T, Trouble>,
    ) -> Result<T, RowsAway> {
        let away = |trouble: Trouble| RowsAway { reason: reason(&trouble) };
        let mut open = self.take().await.map_err(away)?;
        match work(&mut open).await {
            Ok(value) => {
                self.open = Some(open);
                Ok(value)
            }
            Err(trouble) => {
                let _ = open.connection.close_hard().await;
                Err(away(trouble))
            }
        }
    }
}

async fn transact(
    open: &mut Open,
    asked: &RowsAsked,
    decide: &mut (dyn FnMut(RowsFound) -> Result<RowsChanged, RowsAway> + Send),
) -> Result<(), Trouble> {
    let keys = serde_json::to_string(&asked.keys).map_err(std::io::Error::from)?;
    let connection = &mut open.connection;
    if asked.is_durable != open.is_durable {
        // The engine ignores it inside a transaction.
        let pragma =
            if asked.is_durable { "pragma synchronous = full" } else { "pragma synchronous = normal" };
        sqlx::query(pragma).execute(&mut *connection).await?;
        open.is_durable = asked.is_durable;
    }
    let rows = sqlx::query(sql::BEGIN_AND_BUCKETS).bind(keys).fetch_all(&mut *connection).await?;
    let mut found = RowsFound::default();
    for row in rows {
        found.buckets.push((row.try_get(0)?, row.try_get(1)?));
    }
    for (app, month_day) in &asked.months {
        found.months.push(sql::month(&mut *connection, app, *month_day).await?);
    }
    let changed = decide(found)?;
    if changed.is_empty() {
        sqlx::query("rollback").execute(&mut *connection).await?;
        return Ok(());
    }
    sql::write(&mut *connection, &changed).await?;
    sqlx::query("commit").execute(&mut *connection).await?;
    Ok(())
}

impl PermitRows for LedgerFile {
    fn transact<'a>(
        &'a mut self,
        asked: &'a RowsAsked,
        decide: &'a mut (dyn FnMut(RowsFound) -> Result<RowsChanged, RowsAway> + Send),
    ) -> BoxFuture<'a, Result<(), RowsAway>> {
        Box::pin(self.with(async move |open| transact(open, asked, decide).await))
    }

    fn clock(&mut self) -> BoxFuture<'_, Result<Option<RowsClock>, RowsAway>> {
        // All who share the file share the machine's clock.
        Box::pin(std::future::ready(Ok(None)))
    }

    fn report<'a>(
        &'a mut self,
        app: &'a AppKey,
        prefix: &'a str,
        from_day: i64,
        from_minute: i64,
        month_day: i64,
    ) -> BoxFuture<'a, Result<ReportRows, RowsAway>> {
        Box::pin(self.with(async move |open| {
            Ok(sql::report(&mut open.connection, app, prefix, from_day, from_minute, month_day).await?)
        }))
    }

    fn rebase<'a>(
        &'a mut self,
        app: &'a AppKey,
        month_day: i64,
        official: u64,
    ) -> BoxFuture<'a, Result<(), RowsAway>> {
        Box::pin(
            self.with(async move |open| {
                Ok(sql::rebase(&mut open.connection, app, month_day, official).await?)
            }),
        )
    }

    fn set_tenant<'a>(
        &'a mut self,
        app: &'a AppKey,
        tenant: &'a TenantKey,
    ) -> BoxFuture<'a, Result<(), RowsAway>> {
        Box::pin(self.with(async move |open| Ok(sql::set_tenant(&mut open.connection, app, tenant).await?)))
    }

    fn prune(
        &mut self,
        bucket_us: i64,
        before_minute: i64,
        before_day: i64,
    ) -> BoxFuture<'_, Result<(), RowsAway>> {
        Box::pin(self.with(async move |open| {
            Ok(sql::prune(&mut open.connection, bucket_us, before_minute, before_day).await?)
        }))
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(open) = self.open.take() {
                // The last one of the host folds the journal into the file.
                let _ = open.connection.close().await;
            }
        })
    }
}
