//! Transactions of the one writer, and changes that wait for nobody.

use std::ops::{Deref, DerefMut};

use tokio::sync::OwnedMutexGuard;

use super::{
    StoreError,
    db::{Db, Home, ReadConn},
    feed::{Change, ChangeKind},
    postgres,
    sql::{Conn, Engine, Query, q, together},
};
use crate::core::{
    ids::{ChatId, Seq},
    time::Timestamp,
};

/// Begins a transaction on SQLite: with the lock, so that what it reads stays as it is.
const BEGIN: &str = "begin immediate";

/// Whether it is more than a word that goes with the first statement.
fn has_begun(ahead: &[Query]) -> bool {
    ahead.first().is_none_or(|first| first.text.as_str() != BEGIN)
}

/// A change that waits for nobody.
pub(super) enum Touch<'a> {
    Inside(Tx<'a>),
    Alone(ReadConn),
}

impl Touch<'_> {
    /// Makes sure that it is kept.
    pub(super) async fn done(self) -> Result<(), StoreError> {
        match self {
            Self::Inside(tx) => tx.commit().await,
            Self::Alone(_) => Ok(()),
        }
    }
}

impl Deref for Touch<'_> {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        match self {
            Self::Inside(tx) => tx,
            Self::Alone(conn) => conn,
        }
    }
}

impl DerefMut for Touch<'_> {
    fn deref_mut(&mut self) -> &mut Conn {
        match self {
            Self::Inside(tx) => tx,
            Self::Alone(conn) => conn,
        }
    }
}

/// A write transaction.
pub(super) struct Tx<'a> {
    db: &'a Db,
    /// The database's clock; `None`: this process's, which all who share the file have.
    now: Option<Timestamp>,
    /// `None` once it has ended.
    slot: Option<OwnedMutexGuard<Option<Conn>>>,
    told: Told,
}

/// What a transaction tells the feed.
#[derive(Default)]
struct Told {
    /// The number before the first that it took, and the last.
    numbers: Option<(Seq, Seq)>,
    changes: Vec<Change>,
}

/// Numbers of the feed, and what is read with them.
pub(super) struct Taken {
    /// The first of the numbers.
    pub(super) first: Seq,
    /// Recalls that wait for their message.
    pub(super) early_recalls: i64,
    /// The instant from which on messages are kept; `None`: for ever.
    pub(super) kept_from: Option<Timestamp>,
}

impl<'a> Tx<'a> {
    /// Begins it on the connection that writes, which it has for itself.
    pub(super) async fn begin(db: &'a Db, slot: OwnedMutexGuard<Option<Conn>>) -> Result<Self, StoreError> {
        let mut tx = Self { db, now: None, slot: Some(slot), told: Told::default() };
        let Conn { engine, place, doing, ahead } = &mut *tx;
        tx.now = match engine {
            // It begins with its first statement, in one trip.
            Engine::Sqlite(_) => {
                *ahead = vec![q(BEGIN)];
                None
            }
            Engine::Postgres(conn) => {
                let begun = Box::pin(conn.begin()).await;
                let begun = begun.map_err(|error| postgres::explain(error, doing, place));
                if let Err(StoreError::Newer { found, .. }) = &begun {
                    db.is_outgrown(*found);
                }
                Some(begun?)
            }
        };
        Ok(tx)
    }

    pub(super) const fn db(&self) -> &'a Db {
        self.db
    }

    /// Now, as all who share the store see it: what is written with it may be compared on any host.
    pub(super) fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(|| self.db.clock.now())
    }

    /// Takes `count` numbers of the feed; the first of them. They become visible with the commit.
    pub(super) async fn take_numbers(&mut self, count: usize) -> Result<Seq, StoreError> {
        Ok(self.take_numbers_for(count, Vec::new()).await?.0.first)
    }

    /// The same; statements that reckon with the numbers go in the same trip. How many rows these changed together.
    pub(super) async fn take_numbers_for(
        &mut self,
        count: usize,
        statements: Vec<Query>,
    ) -> Result<(Taken, u64), StoreError> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let take =
            q("update store_meta set seq = seq + $1 where id = 1 returning seq, early_recalls, kept_from");
        let queries = std::iter::once(take.bind(count)).chain(statements).collect();
        let answers = together(self, queries).await?;
        let row = answers.rows.first().ok_or_else(|| StoreError::data("row", "it is missing"))?;
        let last = Seq(row.int(0)?);
        let before = self.told.numbers.map_or(Seq(last.0 - count), |(before, _)| before);
        self.told.numbers = Some((before, last));
        let first = Seq(last.0 - count + 1);
        let taken = Taken { first, early_recalls: row.int(1)?, kept_from: row.opt_at(2)? };
        Ok((taken, answers.changed.iter().skip(1).sum()))
    }

    /// Writes one row of the feed.
    pub(super) async fn tell(
        &mut self,
        what: ChangeKind,
        key: &str,
        chat: Option<&ChatId>,
    ) -> Result<Seq, StoreError> {
        let seq = self.take_numbers(1).await?;
        self.tell_at(seq, what, key, chat);
        Ok(seq)
    }

    /// Writes one row of the feed under a number that was taken before.
    pub(super) fn tell_at(&mut self, seq: Seq, what: ChangeKind, key: &str, chat: Option<&ChatId>) {
        self.tell_all(vec![Change { seq, what, key: key.to_owned(), chat_id: chat.cloned() }]);
    }

    /// Writes rows of the feed under numbers that were taken before.
    pub(super) fn tell_all(&mut self, changes: Vec<Change>) {
        let mut values = Vec::with_capacity(changes.len() * 4);
        for change in &changes {
            values.extend([
                change.seq.into(),
                change.what.code().into(),
                change.key.as_str().into(),
                change.chat_id.as_ref().into(),
            ]);
        }
        self.told.changes.extend(changes);
        self.db.texts.feed.later(self, values);
    }

    /// Commits, then wakes who waits: here and in other processes.
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        let told = std::mem::take(&mut self.told);
        let head = told.numbers.map(|(_, head)| head);
        let Conn { engine, place, doing, ahead } = &mut *self;
        match engine {
            // There is nothing to keep.
            Engine::Sqlite(_) if ahead.len() == 1 && !has_begun(ahead) => ahead.clear(),
            Engine::Sqlite(_) => drop(q("commit").run(&mut self).await?),
            Engine::Postgres(conn) => {
                Box::pin(conn.ask_each(ahead))
                    .await
                    .map_err(|error| postgres::explain(error, doing, place))?;
                let witness = told.changes.last();
                Box::pin(conn.commit(head, witness)).await.map_err(|error| error.explain(doing, place))?;
            }
        }
        if let Some((before, head)) = told.numbers {
            // While the writer is still ours: in the order of the numbers.
            self.db.recent().add(before, head, told.changes);
        }
        self.slot = None;
        if let Some(head) = head {
            self.db.announce(head);
            if let Home::Sqlite { bell, .. } = &self.db.home {
                bell.ring(head);
            }
        }
        Ok(())
    }
}

impl Deref for Tx<'_> {
    type Target = Conn;

    #[expect(clippy::expect_used, reason = "the slot is emptied by commit, which takes the transaction")]
    fn deref(&self) -> &Conn {
        self.slot.as_ref().and_then(|slot| slot.as_ref()).expect("an open transaction has its connection")
    }
}

impl DerefMut for Tx<'_> {
    #[expect(clippy::expect_used, reason = "the slot is emptied by commit, which takes the transaction")]
    fn deref_mut(&mut self) -> &mut Conn {
        self.slot.as_mut().and_then(|slot| slot.as_mut()).expect("an open transaction has its connection")
    }
}

impl Drop for Tx<'_> {
    fn drop(&mut self) {
        let Some(mut slot) = self.slot.take() else { return };
        if let Some(conn) = slot.as_mut() {
            let has_begun = has_begun(&conn.ahead);
            conn.ahead.clear();
            if !has_begun {
                return;
            }
        }
        // SQLite may have rolled back by itself (full disk), and then says so: that error says nothing new.
        // Without a runtime the connection is dropped, which rolls back as well.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                match slot.as_mut() {
                    Some(Conn { engine: Engine::Postgres(conn), .. }) => Box::pin(conn.rollback()).await,
                    Some(conn) => {
                        if matches!(q("rollback").run(conn).await, Err(StoreError::Engine { reason, .. }) if !reason.contains("no transaction is active"))
                        {
                            *slot = None;
                        }
                    }
                    None => {}
                }
            })),
            Err(_) => *slot = None,
        }
    }
}
