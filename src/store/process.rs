//! Processes that live on the store: who they are, and which keys each of them can read. A key that one of them
//! lacks must not seal what it will have to open.
//!
//! Whether one of another host still lives is told by its row alone: it says something new every minute, and
//! whoever has watched it say nothing for [`SILENT_FOR`] of its own clock takes it off the list. No clock of one
//! host is compared with that of another. Commands that end by themselves, and viewers, are not listed.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{
    Store, StoreError, View,
    db::Tx,
    key::{KeyInfo, RingReport},
    sql::{Conn, Row, q},
};
use crate::core::{integration::Holder, time::Timestamp};

/// A process of another host that has said nothing for so long is taken for dead. Those of this host are
/// looked for among its processes.
const SILENT_FOR: Duration = Duration::from_secs(200);

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

/// A console or a gateway that is connected to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    /// Who: by name, host and pid.
    pub holder: Holder,
    /// Who that is where roles are assigned.
    pub identity: String,
    /// `console`, `gateway`, `tail`; empty where an older program does not say.
    pub what: String,
    /// Since when, on its own clock.
    pub since_at: Option<Timestamp>,
}

/// A process of the list.
struct Process {
    console: Console,
    start: String,
    ring: RingReport,
    said: i64,
}

/// Which row it is.
type RowKey = (String, u32, String);

/// What one process has watched the others say: the instant on its own clock since when a row is as it is.
#[derive(Debug, Default)]
pub struct Seen(HashMap<RowKey, (i64, Instant)>);

impl Seen {
    /// The rows, with what they said last, that have been silent for too long.
    fn silent(&mut self, rows: &[Process], now: Instant) -> Vec<(RowKey, i64)> {
        let mut silent = Vec::new();
        let mut known = HashMap::with_capacity(rows.len());
        for row in rows {
            let since = match self.0.get(&row.key()) {
                Some((said, since)) if *said == row.said => *since,
                _ => now,
            };
            if now.saturating_duration_since(since) >= SILENT_FOR {
                silent.push((row.key(), row.said));
            }
            known.insert(row.key(), (row.said, since));
        }
        self.0 = known;
        silent
    }
}

const SELECT: &str =
    "select holder_user, holder_host, holder_pid, holder_start, ring, keys, seen_at, identity, what,
    since_at from process order by holder_host, holder_user, holder_pid";

fn read(row: &Row) -> Result<Process, StoreError> {
    let holder = Holder { user: row.string(0)?, host: row.string(1)?, pid: row.count(2)? };
    let identity = Some(row.string(7)?).filter(|told| !told.is_empty()).unwrap_or_else(|| holder.to_string());
    Ok(Process {
        start: row.string(3)?,
        ring: RingReport {
            origin: row.string(4)?,
            keys: row.text(5)?.split_ascii_whitespace().map(str::to_owned).collect(),
        },
        said: row.int(6)?,
        console: Console { holder, identity, what: row.string(8)?, since_at: row.opt_at(9)? },
    })
}

impl Process {
    fn key(&self) -> RowKey {
        (self.console.holder.host.clone(), self.console.holder.pid, self.start.clone())
    }

    /// Whether it can open what is sealed with a key of the ring `mine`. A process of this host with the same
    /// file reads it again when it meets a key that it does not know.
    fn has(&self, key_id: &str, me: &Holder, mine: &RingReport) -> bool {
        let reads_mine =
            self.console.holder.host == me.host && mine.is_file() && self.ring.origin == mine.origin;
        (reads_mine && mine.keys.iter().any(|key| key == key_id))
            || self.ring.keys.iter().any(|key| key == key_id)
    }
}

/// Those of this host that run, and those of other hosts that nobody has found silent.
async fn living(conn: &mut Conn, me: &Holder) -> Result<Vec<Process>, StoreError> {
    let mut all = q(SELECT).all(conn).await?.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    all.retain(|process| may_live(&process.console.holder, &process.start, &me.host));
    Ok(all)
}

/// The living processes that cannot open what is sealed with this key.
pub(super) async fn without_key(
    tx: &mut Tx<'_>,
    key_id: &str,
    mine: &RingReport,
) -> Result<Vec<Holder>, StoreError> {
    let me = tx.db().me.clone();
    let all = living(tx, &me).await?;
    Ok(all.into_iter().filter(|one| !one.has(key_id, &me, mine)).map(|one| one.console.holder).collect())
}

async fn forget(conn: &mut Conn, (host, pid, start): &RowKey, said: i64) -> Result<(), StoreError> {
    q("delete from process where holder_host = $1 and holder_pid = $2 and holder_start = $3 and seen_at = $4")
        .bind(host.as_str())
        .bind(*pid)
        .bind(start.as_str())
        .bind(said)
        .run(conn)
        .await
        .map(drop)
}

impl Store {
    /// Lists this process (`what` it is) with the keys that it can read now, and forgets those that have died.
    /// To be said again every minute, with the same `seen`.
    ///
    /// # Errors
    /// Those of reading the ring, or the engine's.
    pub async fn report_ring(&self, what: &str, seen: &mut Seen) -> Result<(), StoreError> {
        let ring = self.ring_report()?;
        let db = self.db();
        let mut touch = db.touch("list this process").await?;
        let (start, now) = (start_of(db.me.pid), db.now());
        let rows = q(SELECT).all(&mut touch).await?.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let (here, elsewhere): (Vec<Process>, Vec<Process>) =
            rows.into_iter().partition(|row| row.console.holder.host == db.me.host);
        for dead in here.iter().filter(|row| !may_live(&row.console.holder, &row.start, &db.me.host)) {
            forget(&mut touch, &dead.key(), dead.said).await?;
        }
        for (dead, said) in seen.silent(&elsewhere, db.clock.instant()) {
            forget(&mut touch, &dead, said).await?;
        }
        q("insert into process (holder_user, holder_host, holder_pid, holder_start, ring, keys, seen_at, identity,
                what, since_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $7) on conflict (holder_host, holder_pid, holder_start)
            do update set ring = excluded.ring, keys = excluded.keys, seen_at = excluded.seen_at,
                holder_user = excluded.holder_user, identity = excluded.identity, what = excluded.what")
        .bind(db.me.user.as_str())
        .bind(db.me.host.as_str())
        .bind(db.me.pid)
        .bind(start)
        .bind(ring.origin)
        .bind(ring.keys.join(" "))
        .bind(now)
        .bind(self.identity())
        .bind(what)
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
}

impl View {
    /// The consoles and gateways that are connected, by host and name.
    ///
    /// # Errors
    /// The engine's.
    pub async fn consoles(&self) -> Result<Vec<Console>, StoreError> {
        let db = self.db();
        let mut read = db.read("list the processes").await?;
        Ok(living(&mut read, &db.me).await?.into_iter().map(|one| one.console).collect())
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
        let all = living(&mut read, &db.me).await?;
        let lacking = |key: &KeyInfo| {
            let without = all.iter().filter(|one| !one.has(&key.id, &db.me, &mine));
            without.map(|one| one.console.holder.clone()).collect()
        };
        Ok(keys.into_iter().map(|key| (key.clone(), lacking(&key))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(host: &str, said: i64) -> Process {
        let holder = Holder { user: "ann".to_owned(), host: host.to_owned(), pid: 7 };
        let console =
            Console { identity: holder.to_string(), holder, what: "console".to_owned(), since_at: None };
        Process {
            console,
            start: "1".to_owned(),
            ring: RingReport { origin: "text".to_owned(), keys: Vec::new() },
            said,
        }
    }

    #[test]
    fn a_process_of_another_host_is_dead_once_it_was_watched_saying_nothing() {
        let (mut seen, begun) = (Seen::default(), Instant::now());
        let minute = |n: u64| begun + Duration::from_secs(60 * n);
        // Its clock is a year behind and is set back: what it says is news all the same.
        for (at, said) in [(0, 50), (1, 40), (2, 41), (3, 42), (4, 43), (5, 44)] {
            assert!(seen.silent(&[process("b2", said)], minute(at)).is_empty(), "minute {at}");
        }
        for at in 6..=8 {
            assert!(seen.silent(&[process("b2", 44)], minute(at)).is_empty(), "minute {at}");
        }
        let dead = seen.silent(&[process("b2", 44), process("b3", 1)], minute(9));
        assert_eq!(dead, [(("b2".to_owned(), 7, "1".to_owned()), 44)]);
    }
}
