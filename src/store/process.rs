//! Processes that live on the store, and which keys each of them can read: a key that one of them lacks must
//! not seal what it will have to open.
//!
//! Commands that end by themselves read the ring anew each time and are not listed.

use std::time::Duration;

use super::{
    Store, StoreError,
    db::Tx,
    key::{KeyInfo, RingReport},
    sql::{Conn, Row, q},
};
use crate::core::{integration::Holder, time::Timestamp};

/// A process of another host that has not been heard of for so long is taken for dead. Those of this host are
/// looked for among its processes.
const SILENT_FOR: Duration = Duration::from_secs(180);

/// When a process of this host was started, as the system counts it: tells it from a later one with the same
/// id. Empty where the system does not say, or there is no such process.
pub(super) fn start_of(pid: u32) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name of the program stands in brackets and may hold anything; the start is the 20th field after it.
    stat.rsplit_once(')')
        .and_then(|(_, rest)| rest.split_ascii_whitespace().nth(19))
        .unwrap_or_default()
        .to_owned()
}

/// Whether a process that was started at `start` still runs, as far as this host can tell.
pub(super) fn may_live(holder: &Holder, start: &str, host: &str) -> bool {
    holder.host != host || start.is_empty() || start_of(holder.pid) == start
}

/// A process of the list.
struct Process {
    holder: Holder,
    start: String,
    ring: RingReport,
    seen_at: Timestamp,
}

fn read(row: &Row) -> Result<Process, StoreError> {
    Ok(Process {
        holder: Holder { user: row.string(0)?, host: row.string(1)?, pid: row.count(2)? },
        start: row.string(3)?,
        ring: RingReport {
            origin: row.string(4)?,
            keys: row.text(5)?.split_ascii_whitespace().map(str::to_owned).collect(),
        },
        seen_at: row.at(6)?,
    })
}

impl Process {
    fn is_alive(&self, me: &Holder, now: Timestamp) -> bool {
        may_live(&self.holder, &self.start, &me.host)
            && (self.holder.host == me.host || now.since(self.seen_at) < SILENT_FOR)
    }

    /// Whether it can open what is sealed with a key of the ring `mine`. A process of this host with the same
    /// file reads it again when it meets a key that it does not know.
    fn has(&self, key_id: &str, me: &Holder, mine: &RingReport) -> bool {
        let reads_mine = self.holder.host == me.host && mine.is_file() && self.ring.origin == mine.origin;
        (reads_mine && mine.keys.iter().any(|key| key == key_id))
            || self.ring.keys.iter().any(|key| key == key_id)
    }
}

async fn living(conn: &mut Conn, me: &Holder, now: Timestamp) -> Result<Vec<Process>, StoreError> {
    let rows =
        q("select holder_user, holder_host, holder_pid, holder_start, ring, keys, seen_at from process
        order by holder_host, holder_pid")
        .all(conn)
        .await?;
    let mut all = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    all.retain(|process| process.is_alive(me, now));
    Ok(all)
}

/// The living processes that cannot open what is sealed with this key.
pub(super) async fn without_key(
    tx: &mut Tx<'_>,
    key_id: &str,
    mine: &RingReport,
) -> Result<Vec<Holder>, StoreError> {
    let (me, now) = (tx.db().me.clone(), tx.db().now());
    let all = living(tx, &me, now).await?;
    Ok(all.into_iter().filter(|one| !one.has(key_id, &me, mine)).map(|one| one.holder).collect())
}

impl Store {
    /// Lists this process with the keys that it can read now, and forgets those that have died. To be said again
    /// every minute.
    ///
    /// # Errors
    /// Those of reading the ring, or the engine's.
    pub async fn report_ring(&self) -> Result<(), StoreError> {
        let ring = self.ring_report()?;
        let db = self.db();
        let mut touch = db.touch("list this process").await?;
        let start = start_of(db.me.pid);
        q("delete from process where holder_host = $1 and holder_pid = $2 and holder_start <> $3")
            .bind(db.me.host.as_str())
            .bind(db.me.pid)
            .bind(start.as_str())
            .run(&mut touch)
            .await?;
        q("delete from process where holder_host <> $1 and seen_at < $2")
            .bind(db.me.host.as_str())
            .bind(db.now().minus(SILENT_FOR))
            .run(&mut touch)
            .await?;
        q("insert into process (holder_user, holder_host, holder_pid, holder_start, ring, keys, seen_at)
            values ($1, $2, $3, $4, $5, $6, $7) on conflict (holder_host, holder_pid, holder_start)
            do update set ring = excluded.ring, keys = excluded.keys, seen_at = excluded.seen_at")
        .bind(db.me.user.as_str())
        .bind(db.me.host.as_str())
        .bind(db.me.pid)
        .bind(start)
        .bind(ring.origin)
        .bind(ring.keys.join(" "))
        .bind(db.now())
        .run(&mut touch)
        .await?;
        touch.done().await
    }

    /// Takes this process off the list.
    ///
    /// # Errors
    /// The engine's.
    pub async fn leave_ring(&self) -> Result<(), StoreError> {
        let db = self.db();
        let mut touch = db.touch("take this process off the list").await?;
        q("delete from process where holder_host = $1 and holder_pid = $2")
            .bind(db.me.host.as_str())
            .bind(db.me.pid)
            .run(&mut touch)
            .await?;
        touch.done().await
    }

    /// The keys of the ring, each with the living processes that lack it.
    ///
    /// # Errors
    /// Those of reading the ring, or the engine's.
    pub async fn keys_and_lacking(&self) -> Result<Vec<(KeyInfo, Vec<Holder>)>, StoreError> {
        let keys = self.keys().await?;
        let mine = self.ring_report()?;
        let db = self.db();
        let mut read = db.read("list the processes").await?;
        let all = living(&mut read, &db.me, db.now()).await?;
        let lacking = |key: &KeyInfo| {
            all.iter().filter(|one| !one.has(&key.id, &db.me, &mine)).map(|one| one.holder.clone()).collect()
        };
        Ok(keys.into_iter().map(|key| (key.clone(), lacking(&key))).collect())
    }
}
