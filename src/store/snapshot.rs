//! Reading the store as it stood in one instant, while others go on writing.

use std::ops::{Deref, DerefMut};

use super::{
    StoreError,
    db::Db,
    postgres,
    sql::{Conn, Engine, q},
    sqlite::{self, Role},
};

/// A connection of its own, inside a transaction that sees one instant.
pub(super) struct Snapshot(Conn);

impl Db {
    /// Begins one; `doing` completes "cannot …". Dropping it ends it.
    pub(super) async fn snapshot(&self, doing: &'static str) -> Result<Snapshot, StoreError> {
        let mut conn = self.connect(Role::Reader).await?;
        conn.doing = doing;
        let Conn { engine, place, .. } = &mut conn;
        match engine {
            Engine::Sqlite(_) => drop(q("begin").run(&mut conn).await?),
            Engine::Postgres(conn) => {
                conn.begin_snapshot().await.map_err(|error| postgres::explain(error, doing, place))?;
            }
        }
        Ok(Snapshot(conn))
    }
}

impl Snapshot {
    /// What the engine finds wrong with its files, where it can tell.
    pub(super) async fn damage(&mut self) -> Result<Vec<String>, StoreError> {
        if matches!(self.0.engine, Engine::Postgres(_)) {
            // It says so itself when a page is read whose checksum is wrong, and every page is about to be.
            return Ok(Vec::new());
        }
        let rows = q("pragma integrity_check").all(&mut self.0).await?;
        let texts = rows.iter().map(|row| row.string(0)).collect::<Result<Vec<_>, _>>()?;
        Ok(texts.into_iter().filter(|text| text != "ok").collect())
    }

    /// Closes the connection.
    pub(super) async fn end(self) {
        match self.0.engine {
            Engine::Sqlite(conn) => sqlite::close(conn).await,
            Engine::Postgres(mut conn) => {
                conn.rollback().await;
                conn.close().await;
            }
        }
    }
}

impl Deref for Snapshot {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.0
    }
}

impl DerefMut for Snapshot {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.0
    }
}
