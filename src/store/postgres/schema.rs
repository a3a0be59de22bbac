//! The schema in PostgreSQL, and which server it is on.
//!
//! The store lives in one schema: the one of the search path that has its tables, or the first one when it is
//! made. Nothing brings it up to date by itself: a team's consoles are of several versions, and whoever begins
//! with the newest must not shut the others out by looking at it.

use std::time::Duration;

use sqlx::{PgConnection, Row as _};

use super::{PgConn, PgHome, PgResult, explain};
use crate::{
    core::{ids::Seq, time::Timestamp},
    store::{
        StoreError,
        schema::{newer, newest},
        sql::{Conn, Engine, q},
    },
};

/// The migrations, append-only, numbered as SQLite's: a version is the same on both engines.
pub(in super::super) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/postgres/0001_base.sql"),
    include_str!("../migrations/postgres/0002_login.sql"),
    include_str!("../migrations/postgres/0003_press.sql"),
    include_str!("../migrations/postgres/0004_process.sql"),
    include_str!("../migrations/postgres/0005_threads.sql"),
    include_str!("../migrations/postgres/0006_ledger.sql"),
    include_str!("../migrations/postgres/0007_people.sql"),
    include_str!("../migrations/postgres/0008_retention.sql"),
    include_str!("../migrations/postgres/0009_licence.sql"),
];

/// An index over millions of messages takes its time.
const MIGRATION: Duration = Duration::from_secs(3600);

/// One at a time; without the limits of a session.
const BEGIN: &str = "begin isolation level read committed read write;
    set local statement_timeout = 0; set local lock_timeout = '60s';
    set local idle_in_transaction_session_timeout = '60s';
    select pg_advisory_xact_lock(hashtextextended('larkdeck ' || current_schema(), 0))::text";

/// What the search path holds.
enum Found {
    /// No table of anybody.
    Nothing,
    /// A store of this version, in this schema.
    Store { version: i64, schema: String },
}

/// Makes the store where there is none and `create` allows it; returns the head of the feed.
pub(in super::super) async fn bring_up_to_date(
    conn: &mut Conn,
    home: &PgHome,
    create: bool,
    now: Timestamp,
) -> Result<Seq, StoreError> {
    let place = conn.place.to_string();
    let mut found = look(conn).await?;
    if matches!(found, Found::Nothing) && create {
        migrate(conn, now).await?;
        found = look(conn).await?;
    }
    let Found::Store { version, schema } = found else { return Err(StoreError::Missing { place }) };
    if version < newest() {
        return Err(StoreError::Older { place, found: version, known: newest() });
    }
    home.opened(&schema);
    let row = q("select seq, file_id from store_meta where id = 1").must(conn).await?;
    if row.text(1)? != home.identity() {
        // The database is a copy, was restored, or another server has taken over: cursors mean nothing here. Who
        // may not write leaves that to the others.
        match q(NEW_GENERATION).bind(crate::store::new_id("g_")).bind(home.identity()).run(conn).await {
            Ok(_) | Err(StoreError::Denied { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Seq(row.int(0)?))
}

async fn look(conn: &mut Conn) -> Result<Found, StoreError> {
    let row = q("select n.nspname::text, c.oid is not null, current_setting('server_encoding') = 'UTF8',
            (select count(*) from pg_class t where t.relnamespace = n.oid and t.relkind in ('r', 'p')
                and not exists (select 1 from pg_depend d where d.objid = t.oid and d.deptype = 'e'))
        from (select to_regclass('larkdeck_schema')::oid as oid) f
        left join pg_class c on c.oid = f.oid
        left join pg_namespace n on n.nspname = coalesce(c.relnamespace::regnamespace::name, current_schema())")
    .must(conn)
    .await?;
    let place = conn.place.to_string();
    let Some(schema) = row.opt_string(0)? else {
        let reason = "its search_path names no schema that exists".to_owned();
        return Err(StoreError::Unsuitable { place, reason });
    };
    if !row.flag(2)? {
        let reason = "its encoding is not UTF8".to_owned();
        return Err(StoreError::Unsuitable { place, reason });
    }
    if !row.flag(1)? {
        return match row.int(3)? {
            0 => Ok(Found::Nothing),
            _ => {
                let reason = format!("its schema {schema:?} has the tables of another program");
                Err(StoreError::Unsuitable { place, reason })
            }
        };
    }
    let version = q("select max(version) from larkdeck_schema").must(conn).await?.int(0)?;
    if version > newest() {
        return Err(newer(place, version));
    }
    Ok(Found::Store { version, schema })
}

/// The schema's version; 0: there is no store.
pub(in super::super) async fn version(conn: &mut Conn) -> Result<i64, StoreError> {
    conn.doing = "look at the store's schema";
    Ok(match look(conn).await? {
        Found::Nothing => 0,
        Found::Store { version, .. } => version,
    })
}

/// Makes the store, or brings it up to date; the version that it had. Two at once are safe.
pub(in super::super) async fn migrate(conn: &mut Conn, now: Timestamp) -> Result<i64, StoreError> {
    conn.doing = "bring the store's schema up to date";
    script(conn, BEGIN).await?;
    let done = migrate_inside(conn, now).await;
    match done {
        Ok(found) => script(conn, "commit").await.map(|()| found),
        Err(error) => {
            if let Engine::Postgres(conn) = &mut conn.engine {
                conn.rollback().await;
            }
            Err(error)
        }
    }
}

async fn migrate_inside(conn: &mut Conn, now: Timestamp) -> Result<i64, StoreError> {
    // Another process may have done it while this one waited for the lock.
    let found = match look(conn).await? {
        Found::Nothing => 0,
        Found::Store { version, .. } => version,
    };
    if found > 0 && found < newest() {
        // Nobody writes meanwhile; whoever wants to sees the new version once he has the lock.
        script(conn, "select from store_meta where id = 1 for update").await?;
    }
    for (version, migration) in (1i64..).zip(MIGRATIONS) {
        if version > found {
            script(conn, migration).await?;
            q("insert into larkdeck_schema (version, at) values ($1, $2)")
                .bind(version)
                .bind(now)
                .run(conn)
                .await?;
        }
    }
    if found == 0 {
        q("insert into store_meta (id, generation, file_id, seq, feed_floor, early_recalls, created_at)
            values (1, $1, '', 0, 0, 0, $2)")
        .bind(crate::store::new_id("g_"))
        .bind(now)
        .run(conn)
        .await?;
    }
    Ok(found)
}

async fn script(conn: &mut Conn, text: &str) -> Result<(), StoreError> {
    let Conn { engine, place, doing, .. } = conn;
    match engine {
        Engine::Postgres(conn) => script_on(conn, text).await.map_err(|error| explain(error, doing, place)),
        Engine::Sqlite(_) => Ok(()),
    }
}

async fn script_on(conn: &mut PgConn, text: &str) -> PgResult<()> {
    conn.script(text, MIGRATION).await.map(drop)
}

/// What tells this server and its history from a copy, a restored one, or one that took over from it; and for how
/// long a statement may run.
pub(super) async fn identity(conn: &mut PgConnection) -> PgResult<(String, String)> {
    const DATABASE: &str = "select oid::text, current_setting('statement_timeout') from pg_database
        where datname = current_database()";
    const SERVER: &str = "select system_identifier::text || '/' || case when pg_is_in_recovery() then ''
        else substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end from pg_control_system()";
    let row = sqlx::raw_sql(DATABASE).fetch_one(&mut *conn).await?;
    let (database, limit): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    // Some services let nobody see it.
    match sqlx::raw_sql(SERVER).fetch_one(&mut *conn).await {
        Ok(row) => Ok((format!("{}/{database}", row.try_get::<String, _>(0)?), limit)),
        Err(error) if super::explain::is_broken(&error) => Err(error),
        Err(_) => Ok((database, limit)),
    }
}

/// Whoever held a connection has to connect anew: what he committed elsewhere since may be missing here, and only what
/// comes before a connection is looked for.
const NEW_GENERATION: &str = "with begun as
    (update store_meta set generation = $1, file_id = $2 where id = 1 and file_id <> $2 returning id)
    update lease set holder_user = null, holder_host = null, holder_pid = null
    where exists (select from begun)";

/// The server is another than before: a new generation, unless somebody else has begun it, or this login may not.
pub(super) async fn begin_generation(conn: &mut PgConnection, identity: &str) {
    let begun = sqlx::query(NEW_GENERATION)
        .bind(crate::store::new_id("g_"))
        .bind(identity)
        .persistent(false)
        .execute(conn)
        .await;
    if let Err(error) = begun {
        tracing::warn!(reason = super::explain::reason(&error), "the store is on another server now");
    }
}
