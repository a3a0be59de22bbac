//! The rows in the team's database: a connection of their own, so that permits and messages never wait for each
//! other. A decision locks its buckets in one order and is two round trips.
//!
//! A permit survives a crash of the database, since that may be back before a window is over; what gives
//! nothing away may be lost and is not waited for.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Connection, PgConnection, Row,
    postgres::{PgConnectOptions, PgDatabaseError, PgRow, PgSeverity},
};
use tokio::time::timeout;

use super::{LedgerError, statement};
use crate::{
    core::{
        ids::{AppKey, TenantKey},
        integration::Holder,
        permit::{BoxFuture, Feature},
        permit_rows::{
            Counts, DayTally, MinuteTally, MonthFound, PermitRows, ReportRows, RowsAsked, RowsAway,
            RowsChanged, RowsClock, RowsFound,
        },
    },
    store::postgres::PgUrl,
};

/// Whatever is asked, the database answers within this or is away. Longer than locks are waited for.
const PATIENCE: Duration = Duration::from_secs(6);
/// An old bucket may be pruned by another process just when it is wanted.
const PRUNED_MAX: usize = 3;

/// Opens the rows in the database of the store, which has made the tables with its own.
///
/// # Errors
/// [`LedgerError`] with the database's words.
pub(super) async fn open_database(url: &PgUrl, me: &Holder) -> Result<Box<dyn PermitRows>, LedgerError> {
    let name = format!("larkdeck {me} {} ledger", me.pid);
    let (tables, _) = LedgerTables::open(url, &name).await?;
    Ok(Box::new(tables))
}

/// What the clock of the rows shows.
///
/// # Errors
/// [`LedgerError`] with the database's words.
pub(super) async fn clock_of(url: &PgUrl) -> Result<Option<RowsClock>, LedgerError> {
    let (mut tables, clock) = LedgerTables::open(url, "larkdeck store check").await?;
    tables.close().await;
    Ok(clock)
}

/// Why the rows cannot be used.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Engine(#[from] sqlx::Error),
    #[error("the database does not answer")]
    Slow,
    #[error("a row is missing in the answer")]
    Short,
    #[error(transparent)]
    Refused(#[from] RowsAway),
}

impl Trouble {
    /// Whether the session is gone, as opposed to a statement that was refused.
    fn is_of_session(&self) -> bool {
        match self {
            Self::Engine(sqlx::Error::Database(error)) => error
                .try_downcast_ref::<PgDatabaseError>()
                .is_none_or(|error| matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic)),
            Self::Engine(_) | Self::Slow => true,
            Self::Short | Self::Refused(_) => false,
        }
    }
}

fn reason(trouble: &Trouble) -> String {
    match trouble {
        // Without the library's "error returned from database: …".
        Trouble::Engine(sqlx::Error::Database(error)) => error.message().to_owned(),
        other => other.to_string(),
    }
}

async fn say(to: &mut PgConnection, message: String) -> sqlx::Result<Vec<PgRow>> {
    sqlx::raw_sql(AssertSqlSafe(message)).fetch_all(to).await
}

struct LedgerTables {
    options: PgConnectOptions,
    /// `None` after trouble: the next use connects anew.
    open: Option<PgConnection>,
    /// The transaction whose commit brought no answer.
    unsure: Option<i64>,
    /// Such a one was committed after all; the next decision is told.
    was_committed: bool,
}

impl LedgerTables {
    async fn open(url: &PgUrl, name: &str) -> Result<(Self, Option<RowsClock>), LedgerError> {
        let bad = |reason| LedgerError { place: url.to_string(), reason };
        let options = url.connect_options().map_err(|error| bad(error.to_string()))?.application_name(name);
        let mut tables = Self { options, open: None, unsure: None, was_committed: false };
        let clock = tables.clock().await.map_err(|away| bad(away.reason))?;
        Ok((tables, clock))
    }

    async fn connect(&mut self) -> Result<PgConnection, Trouble> {
        let mut connection = self.options.connect().await?;
        if let Some(transaction) = self.unsure {
            // A server that does not know the number has lost the transaction with it.
            let fate = match say(&mut connection, statement::fate(transaction)).await {
                Ok(rows) => rows.first().ok_or(Trouble::Short)?.try_get::<Option<String>, _>(0)?,
                Err(sqlx::Error::Database(_)) => None,
                Err(error) => return Err(error.into()),
            };
            match fate.as_deref() {
                Some("in progress") => {
                    let reason = "the database is still busy with the last decision".to_owned();
                    return Err(RowsAway { reason }.into());
                }
                fate => self.was_committed = fate == Some("committed"),
            }
            self.unsure = None;
        }
        Ok(connection)
    }

    /// Says one message, which changes nothing that a second saying would spoil: where the connection has died
    /// since it was last used, it is said once more on a new one.
    async fn ask(&mut self, message: &str) -> Result<(PgConnection, Vec<PgRow>), Trouble> {
        if let Some(mut connection) = self.open.take() {
            match say(&mut connection, message.to_owned()).await {
                Ok(rows) => return Ok((connection, rows)),
                Err(error) => {
                    let trouble = Trouble::from(error);
                    if !trouble.is_of_session() {
                        return Err(trouble);
                    }
                }
            }
        }
        let mut connection = self.connect().await?;
        let rows = say(&mut connection, message.to_owned()).await?;
        Ok((connection, rows))
    }

    /// Says messages that need nothing of each other.
    async fn tell(&mut self, messages: &[String]) -> Result<Vec<PgRow>, RowsAway> {
        let said = timeout(PATIENCE, async {
            let mut rows = Vec::new();
            for message in messages {
                let (connection, answer) = self.ask(message).await?;
                self.open = Some(connection);
                rows.extend(answer);
            }
            Ok(rows)
        });
        said.await.unwrap_or(Err(Trouble::Slow)).map_err(away)
    }

    async fn transact(
        &mut self,
        asked: &RowsAsked,
        decide: &mut (dyn FnMut(RowsFound) -> Result<RowsChanged, RowsAway> + Send),
    ) -> Result<(), Trouble> {
        let (mut connection, mut found) = self.lock(asked).await?;
        found.rows.was_committed = std::mem::take(&mut self.was_committed);
        // Trouble drops the connection, and with it the transaction.
        let changed = decide(found.rows)?;
        if changed.is_empty() {
            say(&mut connection, "rollback".to_owned()).await?;
        } else {
            let gives = changed.minutes.iter().any(|tally| tally.calls > 0);
            self.unsure = Some(found.transaction);
            let message = statement::commit(&changed, !gives && !asked.is_durable);
            if let Err(error) = say(&mut connection, message).await {
                let trouble = Trouble::from(error);
                if !trouble.is_of_session() {
                    self.unsure = None;
                }
                return Err(trouble);
            }
            self.unsure = None;
        }
        self.open = Some(connection);
        Ok(())
    }

    async fn lock(&mut self, asked: &RowsAsked) -> Result<(PgConnection, Found), Trouble> {
        let message = statement::lock(asked);
        for _ in 0..PRUNED_MAX {
            let (mut connection, rows) = self.ask(&message).await?;
            let found = Found::of(&rows)?;
            if found.locked == asked.keys.len() && found.rows.months.len() == asked.months.len() {
                return Ok((connection, found));
            }
            say(&mut connection, "rollback".to_owned()).await?;
            self.open = Some(connection);
        }
        Err(Trouble::Short)
    }
}

fn away(trouble: Trouble) -> RowsAway {
    RowsAway { reason: reason(&trouble) }
}

/// What a decision sees, out of the rows of several statements.
struct Found {
    rows: RowsFound,
    locked: usize,
    transaction: i64,
}

impl Found {
    fn of(rows: &[PgRow]) -> Result<Self, Trouble> {
        let mut found = Self { rows: RowsFound::default(), locked: 0, transaction: 0 };
        for row in rows {
            match row.try_column(0)?.name() {
                "key" => {
                    found.locked += 1;
                    found.rows.buckets.extend(bucket(row)?);
                }
                "month" => found.rows.months.push(month(row)?),
                "asked_us" => {
                    found.transaction = row.try_get(3)?;
                    found.rows.clock = Some(clock(row)?);
                }
                _ => {}
            }
        }
        if found.rows.clock.is_some() { Ok(found) } else { Err(Trouble::Short) }
    }
}

/// A bucket; one that was only made to be locked is none yet.
fn bucket(row: &PgRow) -> sqlx::Result<Option<(String, Vec<u8>)>> {
    let state: Vec<u8> = row.try_get(1)?;
    Ok(if state.is_empty() { None } else { Some((row.try_get(0)?, state)) })
}

fn month(row: &PgRow) -> sqlx::Result<MonthFound> {
    Ok(MonthFound {
        counts: counts(row, 1)?,
        base: row.try_get(5)?,
        is_official: row.try_get::<i64, _>(6)? != 0,
        is_closed: row.try_get::<i64, _>(7)? != 0,
    })
}

fn counts(row: &PgRow, from: usize) -> sqlx::Result<Counts> {
    Ok(Counts {
        counted: row.try_get(from)?,
        exempt: row.try_get(from + 1)?,
        failed: row.try_get(from + 2)?,
        unknown: row.try_get(from + 3)?,
    })
}

fn clock(row: &PgRow) -> sqlx::Result<RowsClock> {
    Ok(RowsClock {
        asked_us: row.try_get(0)?,
        now_us: row.try_get(1)?,
        tag: row.try_get::<Option<i64>, _>(2)?.map(i64::cast_unsigned),
    })
}

fn reported(app: &AppKey, rows: &[PgRow]) -> sqlx::Result<ReportRows> {
    let mut out = ReportRows::default();
    for row in rows {
        match row.try_column(0)?.name() {
            "key" => out.buckets.extend(bucket(row)?),
            "month" => out.month = month(row)?,
            "asked_us" => out.clock = Some(clock(row)?),
            "minute" => out.minutes.push(MinuteTally {
                app: app.clone(),
                minute: row.try_get(0)?,
                calls: row.try_get(1)?,
            }),
            _ => {
                // A feature of a newer larkdeck has no name here.
                let Some(feature) = Feature::named(row.try_get(2)?) else { continue };
                let (day, endpoint) = (row.try_get(0)?, row.try_get(1)?);
                let counts = counts(row, 3)?;
                out.days.push(DayTally { app: app.clone(), day, endpoint, feature, counts });
            }
        }
    }
    Ok(out)
}

impl PermitRows for LedgerTables {
    fn transact<'a>(
        &'a mut self,
        asked: &'a RowsAsked,
        decide: &'a mut (dyn FnMut(RowsFound) -> Result<RowsChanged, RowsAway> + Send),
    ) -> BoxFuture<'a, Result<(), RowsAway>> {
        Box::pin(async move {
            let done = timeout(PATIENCE, LedgerTables::transact(self, asked, decide)).await;
            done.unwrap_or(Err(Trouble::Slow)).map_err(away)
        })
    }

    fn clock(&mut self) -> BoxFuture<'_, Result<Option<RowsClock>, RowsAway>> {
        Box::pin(async move {
            let rows = self.tell(&[statement::clock()]).await?;
            Ok(Found::of(&rows).map_err(away)?.rows.clock)
        })
    }

    fn report<'a>(
        &'a mut self,
        app: &'a AppKey,
        prefix: &'a str,
        from_day: i64,
        from_minute: i64,
        month_day: i64,
    ) -> BoxFuture<'a, Result<ReportRows, RowsAway>> {
        Box::pin(async move {
            let rows = self.tell(&[statement::report(app, prefix, from_day, from_minute, month_day)]).await?;
            reported(app, &rows).map_err(|error| away(error.into()))
        })
    }

    fn rebase<'a>(
        &'a mut self,
        app: &'a AppKey,
        month_day: i64,
        official: u64,
    ) -> BoxFuture<'a, Result<(), RowsAway>> {
        Box::pin(async move { self.tell(&[statement::rebase(app, month_day, official)]).await.map(drop) })
    }

    fn set_tenant<'a>(
        &'a mut self,
        app: &'a AppKey,
        tenant: &'a TenantKey,
    ) -> BoxFuture<'a, Result<(), RowsAway>> {
        Box::pin(async move { self.tell(&[statement::set_tenant(app, tenant)]).await.map(drop) })
    }

    fn prune(
        &mut self,
        bucket_us: i64,
        before_minute: i64,
        before_day: i64,
    ) -> BoxFuture<'_, Result<(), RowsAway>> {
        Box::pin(
            async move { self.tell(&statement::prune(bucket_us, before_minute, before_day)).await.map(drop) },
        )
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(connection) = self.open.take() {
                let _ = timeout(PATIENCE, connection.close()).await;
            }
        })
    }
}
