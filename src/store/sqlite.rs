//! Everything that only SQLite needs: opening, file modes, error codes.

use std::{
    fs::OpenOptions,
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::Arc,
    time::Duration,
};

use futures_util::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Decode, Either, Executor, Row as _, Sqlite, Type,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteSynchronous},
};

use super::{
    StoreError,
    sql::{Conn, Engine, Query, Text, Value, q},
};

pub(super) type SqliteConn = SqliteConnection;
pub(super) type SqliteRow = sqlx::sqlite::SqliteRow;
pub(super) type SqliteResult<T> = Result<T, sqlx::Error>;

/// How long a writer waits for another process. Transactions are short: longer than this is a fault.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The migrations, append-only: what has been released is never edited.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/sqlite/0001_base.sql"),
    include_str!("migrations/sqlite/0002_login.sql"),
    include_str!("migrations/sqlite/0003_press.sql"),
    include_str!("migrations/sqlite/0004_process.sql"),
    include_str!("migrations/sqlite/0005_threads.sql"),
    include_str!("migrations/sqlite/0006_ledger.sql"),
    include_str!("migrations/sqlite/0007_people.sql"),
    include_str!("migrations/sqlite/0008_retention.sql"),
    include_str!("migrations/sqlite/0009_licence.sql"),
];

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The one that writes.
    Writer,
    /// One that only reads.
    Reader,
}

/// Opens a connection to the file.
pub(super) async fn connect(path: &Path, place: &Arc<str>, role: Role) -> Result<Conn, StoreError> {
    let doing = "open the store";
    let mut options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(BUSY_TIMEOUT)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        .pragma("temp_store", "memory")
        .disable_statement_logging();
    options = match role {
        Role::Writer => options.pragma("cache_size", "-2000").pragma("journal_size_limit", "16777216"),
        // What is not in it is in the system's cache, a copy away.
        Role::Reader => options.pragma("cache_size", "-1000").pragma("query_only", "1"),
    };
    let sqlite = options.connect().await.map_err(|error| explain(error, doing, place))?;
    Ok(Conn { engine: Engine::Sqlite(sqlite), place: Arc::clone(place), doing, ahead: Vec::new() })
}

/// Puts the file into WAL mode, which stays with it. Another process may be doing the same.
pub(super) async fn use_wal(conn: &mut Conn) -> Result<(), StoreError> {
    let mut tries = 0;
    loop {
        match q("pragma journal_mode = wal").must(conn).await {
            Ok(row) if row.text(0)?.eq_ignore_ascii_case("wal") => return Ok(()),
            Ok(row) => {
                return Err(StoreError::Engine {
                    doing: conn.doing,
                    place: conn.place.to_string(),
                    reason: format!("its file system allows only journal mode {}, not WAL", row.text(0)?),
                });
            }
            Err(StoreError::Locked { .. }) if tries < 50 => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Closes a connection; the last one of the host folds the journal into the file.
pub(super) async fn close(conn: SqliteConn) {
    // Nothing is lost when this fails: the journal is read again at the next open.
    let _ = conn.close().await;
}

/// Runs several statements at once: a migration.
pub(super) async fn run_script(conn: &mut Conn, script: &'static str) -> Result<(), StoreError> {
    let Conn { engine: Engine::Sqlite(sqlite), place, doing, .. } = conn else { return Ok(()) };
    sqlite.execute(sqlx::raw_sql(script)).await.map_err(|error| explain(error, doing, place))?;
    Ok(())
}

/// Marks the file with the program and the schema's version; part of the transaction.
pub(super) async fn set_version(conn: &mut Conn, application: i64, version: i64) -> Result<(), StoreError> {
    for text in [format!("pragma application_id = {application}"), format!("pragma user_version = {version}")]
    {
        Query { text: Text::Built(text.into()), values: Vec::new() }.run(conn).await?;
    }
    Ok(())
}

/// Makes an empty file where there is none: 0600, or 0660 where the folder's group may write. SQLite gives
/// its journal the same mode.
pub(super) fn make_file(path: &Path) -> Result<(), StoreError> {
    let denied = |error: io::Error| file_error(path, "make the store", &error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.exists() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(denied)?;
    }
    make_beside(path).map_err(denied)
}

/// Makes a file where there is none: for the group too where the group may write in its folder, else for the
/// owner alone.
pub(super) fn make_beside(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_shared = std::fs::metadata(folder)?.mode() & 0o020 != 0;
    let mode = if is_shared { 0o660 } else { 0o600 };
    match OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
        // The process's umask may have taken the group's bits away.
        Ok(file) => file.set_permissions(PermissionsExt::from_mode(mode)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// What tells this file from a copy of it.
pub(super) fn file_id(path: &Path) -> String {
    std::fs::metadata(path).map(|meta| meta.ino().to_string()).unwrap_or_default()
}

/// An error of the file system, explained.
pub(super) fn file_error(path: &Path, doing: &'static str, error: &io::Error) -> StoreError {
    let place = path.display().to_string();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { doing, place },
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::Denied { doing, place, reason: error.to_string() }
        }
        _ => StoreError::Engine { doing, place, reason: error.to_string() },
    }
}

fn arguments(values: Vec<Value>) -> Result<SqliteArguments, sqlx::Error> {
    use sqlx::Arguments;
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        match value {
            Value::Null(_) => arguments.add(None::<i64>),
            Value::Int(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

fn prepared(query: Query) -> SqliteResult<sqlx::query::Query<'static, Sqlite, SqliteArguments>> {
    let arguments = arguments(query.values)?;
    Ok(match query.text {
        Text::Written(text) => sqlx::query_with(text, arguments),
        Text::Built(text) => sqlx::query_with(AssertSqlSafe(text), arguments),
    })
}

/// One text of several statements, for one trip to the engine's thread: a trip costs as much as some rows.
pub(super) fn joined(ahead: &mut Vec<Query>, last: Query) -> Query {
    if ahead.is_empty() {
        return last;
    }
    let queries: Vec<Query> = ahead.drain(..).chain([last]).collect();
    let is_numbered = |query: &Query| query.text.as_str().contains('$');
    // Marks without a number take the values one after the other through all statements, whatever the numbered
    // ones name: theirs stand first.
    let (mut text, mut plain, mut numbered) = (String::new(), Vec::new(), Vec::new());
    let before: usize = queries.iter().filter(|query| !is_numbered(query)).map(|q| q.values.len()).sum();
    for query in queries {
        if !text.is_empty() {
            text.push_str("; ");
        }
        if is_numbered(&query) {
            write_renumbered(&mut text, query.text.as_str(), before + numbered.len());
            numbered.extend(query.values);
        } else {
            text.push_str(query.text.as_str());
            plain.extend(query.values);
        }
    }
    plain.append(&mut numbered);
    Query { text: Text::Built(text.into()), values: plain }
}

/// Writes a statement whose `$1` becomes `$(1 + by)`, and so on.
fn write_renumbered(to: &mut String, text: &str, by: usize) {
    let mut parts = text.split('$');
    to.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = part.split_at(digits);
        to.push('$');
        match number.parse::<usize>() {
            Ok(number) => to.push_str(&(number + by).to_string()),
            Err(_) => to.push_str(number),
        }
        to.push_str(rest);
    }
}

/// The rows that the last statement changed.
pub(super) async fn run(conn: &mut SqliteConn, query: Query) -> SqliteResult<u64> {
    Ok(each(conn, query).await?.1.pop().unwrap_or_default())
}

/// The rows of all statements, and how many each changed; of one that can change nothing, whatever the connection changed
/// last.
pub(super) async fn each(conn: &mut SqliteConn, query: Query) -> SqliteResult<(Vec<SqliteRow>, Vec<u64>)> {
    let mut answers = conn.fetch_many(prepared(query)?);
    let (mut rows, mut changed) = (Vec::new(), Vec::new());
    while let Some(answer) = answers.try_next().await? {
        match answer {
            Either::Left(done) => changed.push(done.rows_affected()),
            Either::Right(row) => rows.push(row),
        }
    }
    Ok((rows, changed))
}

pub(super) async fn all(conn: &mut SqliteConn, query: Query) -> SqliteResult<Vec<SqliteRow>> {
    prepared(query)?.fetch_all(conn).await
}

pub(super) async fn one(conn: &mut SqliteConn, query: Query) -> SqliteResult<Option<SqliteRow>> {
    prepared(query)?.fetch_optional(conn).await
}

fn get<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(
    row: &'r SqliteRow,
    column: usize,
) -> SqliteResult<Option<T>> {
    row.try_get_unchecked::<Option<T>, usize>(column)
}

pub(super) fn int(row: &SqliteRow, column: usize) -> SqliteResult<Option<i64>> {
    get(row, column)
}

pub(super) fn text(row: &SqliteRow, column: usize) -> SqliteResult<Option<&str>> {
    get(row, column)
}

pub(super) fn bytes(row: &SqliteRow, column: usize) -> SqliteResult<Option<&[u8]>> {
    get(row, column)
}

/// Says what an error of the engine means for the person who reads it.
pub(super) fn explain(error: sqlx::Error, doing: &'static str, place: &str) -> StoreError {
    let place = place.to_owned();
    let reason = match &error {
        sqlx::Error::Database(database) => database.message().to_owned(),
        sqlx::Error::WorkerCrashed => "its worker is gone".to_owned(),
        other => other.to_string(),
    };
    let code =
        error.as_database_error().and_then(|database| database.code()?.parse::<i32>().ok()).unwrap_or(0);
    // The low byte is the primary code: https://www.sqlite.org/rescode.html
    match code & 0xff {
        5 | 6 => StoreError::Locked { doing, place },
        11 | 26 => StoreError::Corrupt { place, reason },
        13 => StoreError::Full { doing, place },
        3 | 8 | 14 | 23 => StoreError::Denied { doing, place, reason },
        _ => StoreError::Engine { doing, place, reason },
    }
}

/// All members in one text: `id US name US email RS`, in the order of the table, which is that of the ids.
pub(super) const PACK_MEMBERS: &str = "select group_concat(packed, '') from member";

/// Ids of linked members in one text, the same way. The `+` keeps it off the index by account.
pub(super) const PACK_LINKS: &str = "select group_concat(member_id || char(30), '') from member_link
    where integration_id = $1 and +open_id is not null";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_statements_find_their_own_values() {
        let plain = |text: &str, values: &[i64]| Query {
            text: Text::Built(text.into()),
            values: values.iter().map(|value| Value::Int(*value)).collect(),
        };
        let mut ahead = vec![
            q("begin immediate"),
            q("update a set x = $2 where y = $1").bind(10_i64).bind(20_i64),
            plain("insert into b values (?, ?)", &[1, 2]),
        ];
        let last = plain("insert into c values (?)", &[3]);
        let query = joined(&mut ahead, last);
        assert_eq!(
            query.text.as_str(),
            "begin immediate; update a set x = $5 where y = $4; insert into b values (?, ?); insert into c values (?)"
        );
        assert_eq!(query.values, [1, 2, 3, 10, 20].map(Value::Int));
        assert!(ahead.is_empty());
        let alone = joined(&mut ahead, q("select 1"));
        assert_eq!(alone.text.as_str(), "select 1");
    }

    #[tokio::test]
    async fn the_last_of_joined_statements_answers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        make_file(&path).unwrap();
        let mut conn = connect(&path, &"here".into(), Role::Writer).await.unwrap();
        q("create table t (a integer, b text)").run(&mut conn).await.unwrap();
        q("begin immediate").later(&mut conn);
        q("insert into t values ($1, $2), (2, 'x')").bind(1_i64).bind("one").later(&mut conn);
        assert_eq!(
            q("update t set b = $1 where a = $2").bind("two").bind(2_i64).run(&mut conn).await.unwrap(),
            1
        );
        q("insert into t values ($1, $2)").bind(3_i64).bind("three").later(&mut conn);
        let rows = q("select b from t where a >= $1 order by a").bind(2_i64).all(&mut conn).await.unwrap();
        let texts: Vec<_> = rows.iter().map(|row| row.text(0).unwrap()).collect();
        assert_eq!(texts, ["two", "three"]);
        q("update t set a = 0").later(&mut conn);
        let row =
            q("update t set b = 'x' where b = $1 returning a").bind("one").must(&mut conn).await.unwrap();
        assert_eq!(row.int(0).unwrap(), 0);
        // A change of nothing is told as that, whatever was changed before it.
        q("delete from t").later(&mut conn);
        q("commit").run(&mut conn).await.unwrap();
        assert_eq!(q("update t set a = 1").run(&mut conn).await.unwrap(), 0);
    }
}
