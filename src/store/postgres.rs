//! Everything that only PostgreSQL needs: connections that are made anew when they break, the lock of the one
//! writer, values and rows.
//!
//! A write transaction begins by locking the row of `store_meta`: there is one writer at a time as on SQLite, so
//! that everything that reads before it writes is right on both engines, and numbers of the feed become visible
//! in order. Who stops in the middle is thrown out by the database after some seconds.

mod explain;
mod home;
mod listen;
mod schema;
mod tls;
mod url;

use std::{sync::Arc, time::Duration};

use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, Either, Executor, PgConnection, Postgres, Row as _, ValueRef,
    postgres::{PgArguments, PgValueFormat, PgValueRef},
};
use tokio::time::timeout;

#[cfg(test)]
pub(super) use self::schema::MIGRATIONS;
pub use self::url::PgUrl;
pub(super) use self::{
    explain::explain,
    home::PgHome,
    listen::{follow, is_told},
    schema::{bring_up_to_date, migrate, version},
};
use super::{
    StoreError,
    feed::Change,
    schema::newest,
    sql::{Query, Text, Type, Value},
};
use crate::core::{ids::Seq, time::Timestamp};

pub(super) type PgRow = sqlx::postgres::PgRow;
pub(super) type PgResult<T> = Result<T, sqlx::Error>;

/// The database ends a statement after 10 s: a connection that says nothing for longer is broken.
pub(super) const PATIENCE: Duration = Duration::from_secs(13);

/// How long a commit whose answer was lost is looked for.
const DOUBT: Duration = Duration::from_secs(6);

/// The database's clock, in milliseconds.
pub(super) const NOW: &str = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";

/// What a statement brought.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) changed: u64,
    pub(super) rows: Vec<PgRow>,
}

/// How far a transaction has come.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Inside {
    Nothing,
    /// A transaction of that number.
    Transaction(i64),
    /// One that has failed: the database ignores everything but its end.
    Failed,
}

/// A connection that is made when it is needed, and again when it has broken.
pub(super) struct PgConn {
    home: Arc<PgHome>,
    /// Taken out for each call: one that is given up in the middle ends its connection, and so its transaction.
    conn: Option<PgConnection>,
    inside: Inside,
}

impl std::fmt::Debug for PgConn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PgConn").field("is_open", &self.conn.is_some()).field("inside", &self.inside).finish()
    }
}

/// What is asked of the database.
enum Call<'a> {
    Query(&'a Query),
    /// The same without a statement that is kept: the next transaction may be in another session.
    Once(&'a Query),
    /// Some statements without values, in one trip.
    Script(&'a str),
}

impl PgConn {
    pub(super) const fn new(home: Arc<PgHome>) -> Self {
        Self { home, conn: None, inside: Inside::Nothing }
    }

    /// Runs what goes before a statement, one after the other, then the statement.
    pub(super) async fn ask_all(&mut self, ahead: &mut Vec<Query>, last: &Query) -> PgResult<Answer> {
        self.ask_each(ahead).await?;
        self.ask(last).await
    }

    /// Runs statements, one after the other.
    pub(super) async fn ask_each(&mut self, queries: &mut Vec<Query>) -> PgResult<()> {
        for query in queries.drain(..) {
            self.ask(&query).await?;
        }
        Ok(())
    }

    /// Runs a statement. Outside of a transaction, where only what may be done twice is, a connection that turns
    /// out to be broken, or to lead to a pooler, is replaced.
    pub(super) async fn ask(&mut self, query: &Query) -> PgResult<Answer> {
        if self.inside != Inside::Nothing {
            return self.ask_once(query).await;
        }
        let was_open = self.conn.is_some();
        match self.ask_loose(query).await {
            Err(error) if was_open && self.conn.is_none() && explain::is_broken(&error) => {
                self.ask_loose(query).await
            }
            Err(error) if self.conn.is_none() && explain::is_about_pooler(&error) => {
                self.ask_loose(query).await
            }
            answered => answered,
        }
    }

    async fn ask_loose(&mut self, query: &Query) -> PgResult<Answer> {
        self.be_connected().await?;
        if !self.home.is_pooled() {
            return self.ask_once(query).await;
        }
        // Behind a pooler a statement and its values reach the same session only inside a transaction.
        let home = Arc::clone(&self.home);
        self.call(Call::Script(home.begin_loose()), PATIENCE).await?;
        let answer = self.ask_once(query).await;
        let end = if answer.is_ok() { "commit" } else { "rollback" };
        self.call(Call::Script(end), PATIENCE).await.map_or_else(Err, |_| answer)
    }

    async fn ask_once(&mut self, query: &Query) -> PgResult<Answer> {
        let call = if self.home.is_pooled() { Call::Once(query) } else { Call::Query(query) };
        self.call(call, PATIENCE).await
    }

    /// Connects where it is not: that also tells whether there is a pooler.
    async fn be_connected(&mut self) -> PgResult<()> {
        if self.conn.is_none() {
            self.conn = Some(self.home.connect().await?);
        }
        Ok(())
    }

    /// Runs some statements without values, in one trip.
    pub(super) async fn script(&mut self, script: &str, patience: Duration) -> PgResult<Answer> {
        self.call(Call::Script(script), patience).await
    }

    /// Begins a transaction as the store's one writer, unless a newer program has changed the schema meanwhile; the
    /// database's clock as it asked for that.
    pub(super) async fn begin(&mut self) -> PgResult<Timestamp> {
        let was_open = self.conn.is_some();
        self.be_connected().await?;
        let home = Arc::clone(&self.home);
        let begun = match self.call(Call::Script(home.begin()), PATIENCE).await {
            // Not even begun: a connection that broke while it was idle.
            Err(error) if was_open && explain::is_broken(&error) => {
                self.call(Call::Script(home.begin()), PATIENCE).await
            }
            begun => begun,
        };
        match begun {
            Ok(answer) => {
                let number = |row: Option<&PgRow>, column| {
                    Ok::<_, sqlx::Error>(
                        int(row.ok_or(sqlx::Error::RowNotFound)?, column)?.unwrap_or_default(),
                    )
                };
                self.inside = Inside::Transaction(number(answer.rows.first(), 1)?);
                let version = number(answer.rows.get(1), 0)?;
                if version > newest() {
                    self.rollback().await;
                    return Err(explain::outgrown(version));
                }
                Ok(Timestamp::from_ms(number(answer.rows.first(), 0)?))
            }
            Err(error) => {
                // Refused in the middle, the transaction stays open.
                self.rollback().await;
                Err(error)
            }
        }
    }

    /// Begins a transaction that sees the database as it stands now, and changes nothing.
    pub(super) async fn begin_snapshot(&mut self) -> PgResult<()> {
        self.call(Call::Script("begin isolation level repeatable read read only"), PATIENCE).await?;
        // It has no number, and is never committed.
        self.inside = Inside::Transaction(0);
        Ok(())
    }

    /// Commits, and tells who listens that the feed reaches to `head`. `witness`: a change that is in the feed once it
    /// is committed, where there is one.
    pub(super) async fn commit(
        &mut self,
        head: Option<Seq>,
        witness: Option<&Change>,
    ) -> Result<(), Uncommitted> {
        let Inside::Transaction(number) = self.inside else {
            let reason = "a statement of the transaction failed before".to_owned();
            return Err(Uncommitted::Undone(sqlx::Error::Protocol(reason)));
        };
        let script = match head {
            Some(head) => format!("{}; commit", self.home.notify(head)),
            None => "commit".to_owned(),
        };
        let done = self.call(Call::Script(&script), PATIENCE).await;
        match done {
            Ok(_) => {
                self.inside = Inside::Nothing;
                Ok(())
            }
            Err(error) if explain::is_broken(&error) => {
                self.inside = Inside::Nothing;
                self.look_for(number, witness, error).await
            }
            Err(error) => Err(Uncommitted::Undone(error)),
        }
    }

    /// The answer to a commit was lost with its connection: the database knows what became of it. One that crashed gives
    /// the numbers of the transactions that it lost once more: then another's may be committed, and the witness is not
    /// there.
    pub(super) async fn look_for(
        &mut self,
        number: i64,
        witness: Option<&Change>,
        lost: sqlx::Error,
    ) -> Result<(), Uncommitted> {
        let identity = self.home.identity();
        // Two statements: the second sees everything that was committed when the first said so.
        let text =
            format!("select txid_status({number}); select count(*) from feed where {}", is_it(witness));
        let found = timeout(DOUBT, async {
            loop {
                let answer = self.call(Call::Script(&text), PATIENCE).await;
                if answer.as_ref().is_err_and(explain::is_about_future) {
                    return false;
                }
                let told = |rows: &[PgRow]| {
                    let status = self::text(rows.first()?, 0).ok()??.to_owned();
                    Some((status, int(rows.get(1)?, 0).ok()?? > 0))
                };
                match answer.ok().and_then(|answer| told(&answer.rows)) {
                    Some((status, is_there)) if status != "in progress" => {
                        return status == "committed" && (is_there || witness.is_none());
                    }
                    _ => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        })
        .await;
        match found {
            // A server that took over from another knows nothing of the other's numbers.
            _ if self.home.identity() != identity => Err(Uncommitted::Unknown(lost)),
            Ok(true) => Ok(()),
            Ok(false) => Err(Uncommitted::Undone(lost)),
            Err(_) => Err(Uncommitted::Unknown(lost)),
        }
    }

    /// Ends what is open without keeping it.
    pub(super) async fn rollback(&mut self) {
        self.inside = Inside::Nothing;
        // One that does not answer is closed, which ends it too.
        if self.conn.is_some() && self.call(Call::Script("rollback"), PATIENCE).await.is_err() {
            self.conn = None;
        }
    }

    /// Says goodbye.
    pub(super) async fn close(mut self) {
        use sqlx::Connection as _;
        if let Some(conn) = self.conn.take() {
            // Whoever does not hear it finds the connection closed.
            let _ = timeout(Duration::from_secs(1), conn.close()).await;
        }
    }

    async fn call(&mut self, call: Call<'_>, patience: Duration) -> PgResult<Answer> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None if self.inside == Inside::Nothing => self.home.connect().await?,
            None => return Err(explain::broken("the connection broke in the middle of the transaction")),
        };
        let done = timeout(patience, perform(&mut conn, &call)).await;
        let done = done.unwrap_or_else(|_| Err(explain::broken("it does not answer")));
        match &done {
            Err(error) if explain::is_broken(error) => {
                // Dropped: its transaction is over, whatever the other side has heard of it.
                self.home.broke(error);
            }
            Err(error) => {
                if explain::is_about_pooler(error) {
                    self.home.found_pooler();
                } else {
                    self.conn = Some(conn);
                }
                if self.inside != Inside::Nothing {
                    self.inside = Inside::Failed;
                }
            }
            Ok(_) => {
                self.conn = Some(conn);
                self.home.is_well();
            }
        }
        done
    }
}

/// The condition for a row of the feed to be this change; for none where there is no change.
fn is_it(change: Option<&Change>) -> String {
    let Some(Change { seq, key, .. }) = change else { return "false".to_owned() };
    // In digits: a script has no values to bind, and a key may have any letter.
    let key: String = key.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("seq = {seq} and convert_to(key, 'UTF8') = decode('{key}', 'hex')")
}

/// Why a commit did not go through.
#[derive(Debug)]
pub(super) enum Uncommitted {
    /// Nothing of it was kept.
    Undone(sqlx::Error),
    /// Nobody knows.
    Unknown(sqlx::Error),
}

impl Uncommitted {
    /// Says what it means for the person who reads it.
    pub(super) fn explain(self, doing: &'static str, place: &str) -> StoreError {
        match self {
            Self::Undone(error) => explain(error, doing, place),
            Self::Unknown(error) => {
                StoreError::Unsure { doing, place: place.to_owned(), reason: explain::reason(&error) }
            }
        }
    }
}

async fn perform(conn: &mut PgConnection, call: &Call<'_>) -> PgResult<Answer> {
    let mut answer = Answer::default();
    let mut stream = match call {
        Call::Query(query) => conn.fetch_many(prepared(query)?),
        Call::Once(query) => conn.fetch_many(prepared(query)?.persistent(false)),
        Call::Script(script) => conn.fetch_many(sqlx::raw_sql(AssertSqlSafe(*script))),
    };
    while let Some(part) = stream.try_next().await? {
        match part {
            Either::Left(done) => answer.changed += done.rows_affected(),
            Either::Right(row) => answer.rows.push(row),
        }
    }
    Ok(answer)
}

fn prepared(query: &Query) -> PgResult<sqlx::query::Query<'static, Postgres, PgArguments>> {
    let arguments = arguments(&query.values)?;
    Ok(match &query.text {
        Text::Written(text) => sqlx::query_with(*text, arguments),
        Text::Built(text) => sqlx::query_with(AssertSqlSafe(Arc::clone(text)), arguments),
    })
}

fn arguments(values: &[Value]) -> PgResult<PgArguments> {
    use sqlx::Arguments;
    let mut arguments = PgArguments::default();
    arguments.reserve(values.len(), values.len() * 16);
    for value in values {
        match value {
            Value::Null(Type::Int) => arguments.add(None::<i64>),
            Value::Null(Type::Text) => arguments.add(None::<&str>),
            Value::Null(Type::Bytes) => arguments.add(None::<&[u8]>),
            Value::Int(value) => arguments.add(*value),
            Value::Text(value) => arguments.add(&**value),
            Value::Bytes(value) => arguments.add(value.as_slice()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

fn value(row: &PgRow, column: usize) -> PgResult<Option<PgValueRef<'_>>> {
    let value = row.try_get_raw(column)?;
    Ok(if value.is_null() { None } else { Some(value) })
}

fn unreadable(value: &PgValueRef<'_>) -> sqlx::Error {
    sqlx::Error::Decode(format!("a value of type {} was not expected", value.type_info()).into())
}

/// A number: of whatever width, or a truth.
pub(super) fn int(row: &PgRow, column: usize) -> PgResult<Option<i64>> {
    let Some(value) = value(row, column)? else { return Ok(None) };
    let bytes = value.as_bytes().map_err(sqlx::Error::Decode)?;
    if value.format() == PgValueFormat::Text {
        let text = value.as_str().map_err(sqlx::Error::Decode)?;
        return text.parse().map(Some).map_err(|_| unreadable(&value));
    }
    let kind = value.type_info().oid().map(|oid| oid.0);
    let number = match (kind, bytes) {
        (Some(BOOL), [byte]) => i64::from(*byte),
        (Some(INT8), bytes) => bytes.try_into().map(i64::from_be_bytes).map_err(|_| unreadable(&value))?,
        (Some(INT4), bytes) => {
            i64::from(bytes.try_into().map(i32::from_be_bytes).map_err(|_| unreadable(&value))?)
        }
        _ => return Err(unreadable(&value)),
    };
    Ok(Some(number))
}

const BOOL: u32 = 16;
const BYTEA: u32 = 17;
const INT8: u32 = 20;
const INT4: u32 = 23;

pub(super) fn text(row: &PgRow, column: usize) -> PgResult<Option<&str>> {
    let Some(value) = value(row, column)? else { return Ok(None) };
    value.as_str().map(Some).map_err(sqlx::Error::Decode)
}

pub(super) fn bytes(row: &PgRow, column: usize) -> PgResult<Option<&[u8]>> {
    let Some(value) = value(row, column)? else { return Ok(None) };
    match value.type_info().oid() {
        Some(oid) if oid.0 == BYTEA => value.as_bytes().map(Some).map_err(sqlx::Error::Decode),
        _ => Err(unreadable(&value)),
    }
}

/// All members in one text, in the order of their ids: see [`super::roster`].
pub(super) const PACK_MEMBERS: &str = "select string_agg(packed, '' order by id) from member";

/// Ids of linked members in one text, the same way.
pub(super) const PACK_LINKS: &str =
    "select string_agg(member_id || chr(30), '' order by member_id) from member_link
    where integration_id = $1 and open_id is not null";
