//! The version of a SQLite store's schema, and the way to the newest one.

use std::path::Path;

use super::{
    StoreError,
    role::role_in,
    sql::{Conn, q},
    sqlite::{self, MIGRATIONS},
};
use crate::core::{ids::Seq, role::Role, time::Timestamp};

/// Marks a SQLite file as a store of larkdeck: "lark".
const APPLICATION: i64 = 0x6c61_726b;

/// The newest version that this program knows.
pub(super) fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// A newer program's store.
pub(super) fn newer(place: String, found: i64) -> StoreError {
    StoreError::Newer { place, found, known: newest() }
}

/// Brings the schema up to date where the process may change anything, and returns the head of the feed. A viewer
/// named by `identity` may not.
pub(super) async fn bring_up_to_date(
    conn: &mut Conn,
    path: &Path,
    create: bool,
    identity: &str,
    now: Timestamp,
) -> Result<Seq, StoreError> {
    let found = version(conn).await?;
    if found < newest() {
        let may = create && (found == 0 || role_in(conn, identity).await? != Role::Viewer);
        if !may {
            let place = conn.place.to_string();
            return Err(match found {
                0 => StoreError::Missing { place },
                _ => StoreError::Older { place, found, known: newest() },
            });
        }
        migrate(conn, path, now).await?;
    }
    let row = q("select seq, file_id from store_meta where id = 1").must(conn).await?;
    let head = Seq(row.int(0)?);
    if row.text(1)? != sqlite::file_id(path) {
        // The file is a copy or was restored: cursors into the original mean nothing here.
        q("update store_meta set generation = $1, file_id = $2 where id = 1")
            .bind(super::new_id("g_"))
            .bind(sqlite::file_id(path))
            .run(conn)
            .await?;
    }
    Ok(head)
}

pub(super) async fn version(conn: &mut Conn) -> Result<i64, StoreError> {
    // In one statement: another process may be making it just now.
    let row = q("select (select user_version from pragma_user_version),
            (select application_id from pragma_application_id), (select count(*) from sqlite_master)")
    .must(conn)
    .await?;
    let (found, application, tables) = (row.int(0)?, row.int(1)?, row.int(2)?);
    if found == 0 && application == 0 && tables == 0 {
        return Ok(0);
    }
    if application != APPLICATION {
        let reason = "it is the database of another program".to_owned();
        return Err(StoreError::Corrupt { place: conn.place.to_string(), reason });
    }
    if found > newest() {
        return Err(newer(conn.place.to_string(), found));
    }
    Ok(found)
}

/// Makes the store, or brings it up to date; the version that it had. Of several at once one does.
pub(super) async fn migrate(conn: &mut Conn, path: &Path, now: Timestamp) -> Result<i64, StoreError> {
    conn.doing = "bring the store's schema up to date";
    let found = version(conn).await?;
    if found == newest() {
        return Ok(found);
    }
    sqlite::use_wal(conn).await?;
    q("begin immediate").run(conn).await?;
    let done = migrate_inside(conn, path, now).await;
    match done {
        Ok(found) => q("commit").run(conn).await.map(|_| found),
        Err(error) => {
            // The first error is the one that counts.
            let _ = q("rollback").run(conn).await;
            Err(error)
        }
    }
}

async fn migrate_inside(conn: &mut Conn, path: &Path, now: Timestamp) -> Result<i64, StoreError> {
    // Another process may have done it while this one waited for the lock.
    let found = version(conn).await?;
    for (at, script) in (0i64..).zip(MIGRATIONS) {
        if at >= found {
            sqlite::run_script(conn, script).await?;
        }
    }
    if found == 0 {
        q("insert into store_meta (id, generation, file_id, seq, feed_floor, early_recalls, created_at)
            values (1, $1, $2, 0, 0, 0, $3)")
        .bind(super::new_id("g_"))
        .bind(sqlite::file_id(path))
        .bind(now)
        .run(conn)
        .await?;
    }
    sqlite::set_version(conn, APPLICATION, newest()).await.map(|()| found)
}
