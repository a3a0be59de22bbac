//! The connections of a process: one that writes, a few that read; and the transactions on the first.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    ops::{Deref, DerefMut},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::{
    StoreError,
    feed::{Change, ChangeKind, Recent},
    sql::{Bulk, Conn, q},
    sqlite::{self, Role},
};
use crate::core::{
    ids::{ChatId, IntegrationId, Seq},
    integration::Holder,
    message::Via,
    time::{Clock, Timestamp},
};

/// How many may read at once. Each costs a thread and some memory.
const READERS: usize = 3;

/// Rows that one transaction may touch so that it ends within 20 ms on a slow disk.
pub(super) const CHUNK_ROWS: usize = 256;

/// Begins a transaction that writes: with the lock, so that what it reads stays as it is.
const BEGIN: &str = "begin immediate";

/// How exact the instant of an integration's last event is.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// The connections and what goes with them.
pub(super) struct Db {
    pub(super) path: PathBuf,
    pub(super) place: Arc<str>,
    pub(super) me: Holder,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) texts: Texts,
    /// The highest number that this process knows of.
    pub(super) head: watch::Sender<Seq>,
    writer: Arc<AsyncMutex<Option<Conn>>>,
    idle_readers: Arc<Mutex<Vec<Conn>>>,
    reading: Arc<Semaphore>,
    /// Cancelled once the store is closed.
    pub(super) closed: CancellationToken,
    bell: Bell,
    /// The last event of each integration that was noted.
    noted: Mutex<HashMap<IntegrationId, (Via, Timestamp)>>,
    recent: Mutex<Recent>,
    /// Rooms that were there when this process looked.
    rooms: Mutex<HashSet<ChatId>>,
}

/// Statements over many rows that several families use; each family keeps its own otherwise.
pub(super) struct Texts {
    pub(super) feed: Bulk,
    pub(super) message: Bulk,
    pub(super) mention: Bulk,
    pub(super) message_ids: Bulk,
    pub(super) messages: Bulk,
}

impl Texts {
    fn new() -> Self {
        Self {
            feed: Bulk::rows("insert into feed (seq, what, key, chat_id)", 4, ""),
            message: Bulk::rows(
                super::absorb::INSERT_MESSAGE,
                super::absorb::MESSAGE_COLUMNS,
                " on conflict do nothing",
            ),
            mention: Bulk::rows(
                "insert into mention (chat_id, person, created_at, message_id)",
                4,
                " on conflict do nothing",
            ),
            message_ids: Bulk::list("select message_id, seq from message where message_id in", ""),
            messages: Bulk::list(super::message::BY_ID, ""),
        }
    }
}

impl Db {
    /// Opens the file and brings its schema up to date.
    pub(super) async fn open(
        path: &Path,
        create: bool,
        me: Holder,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let place: Arc<str> = path.display().to_string().into();
        if create {
            sqlite::make_file(path)?;
        } else if !path.try_exists().map_err(|error| sqlite::file_error(path, "open the store", &error))? {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        let mut conn = sqlite::connect(path, &place, Role::Writer).await?;
        let seq = super::schema::bring_up_to_date(&mut conn, path, clock.now()).await?;
        Ok(Self {
            bell: Bell::new(path),
            noted: Mutex::default(),
            recent: Mutex::default(),
            rooms: Mutex::default(),
            path: path.to_owned(),
            place,
            me,
            clock,
            texts: Texts::new(),
            head: watch::Sender::new(seq),
            writer: Arc::new(AsyncMutex::new(Some(conn))),
            idle_readers: Arc::default(),
            reading: Arc::new(Semaphore::new(READERS)),
            closed: CancellationToken::new(),
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A connection that reads; `doing` completes "cannot …".
    pub(super) async fn read(&self, doing: &'static str) -> Result<ReadConn, StoreError> {
        let permit = Arc::clone(&self.reading).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let idle = self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut conn = match idle {
            Some(conn) => conn,
            None => sqlite::connect(&self.path, &self.place, Role::Reader).await?,
        };
        conn.doing = doing;
        Ok(ReadConn { conn: Some(conn), home: Arc::clone(&self.idle_readers), _permit: permit })
    }

    /// Begins a write transaction; `doing` completes "cannot …". Dropping it rolls it back.
    pub(super) async fn write(&self, doing: &'static str) -> Result<Tx<'_>, StoreError> {
        if self.reading.is_closed() {
            return Err(StoreError::Closed);
        }
        let mut slot = Arc::clone(&self.writer).lock_owned().await;
        let conn = match slot.as_mut() {
            Some(conn) => conn,
            None => slot.insert(sqlite::connect(&self.path, &self.place, Role::Writer).await?),
        };
        conn.doing = doing;
        // It begins with its first statement, in one trip.
        conn.ahead = vec![q(BEGIN)];
        Ok(Tx { db: self, slot: Some(slot), told: Told::default() })
    }

    /// Ends everything; waits for the transaction that is under way.
    pub(super) async fn close(&self) {
        self.closed.cancel();
        self.reading.close();
        let writer = self.writer.lock().await.take();
        let readers = std::mem::take(&mut *self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner));
        for conn in readers.into_iter().chain(writer) {
            sqlite::close(conn).await;
        }
    }

    /// Whether an event at `now` is to be noted: it came another way than the last, or that one is a second old.
    pub(super) fn is_event_to_note(&self, integration: &IntegrationId, via: Via, now: Timestamp) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = noted
            .get(integration)
            .is_some_and(|(last_via, at)| *last_via == via && *at <= now && now.since(*at) < NOTE_EVERY);
        if !is_known {
            noted.insert(integration.clone(), (via, now));
        }
        !is_known
    }

    /// The newest changes, where this process made them.
    pub(super) fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rooms that this process has seen in the store. Others may have removed them since.
    pub(super) fn seen_rooms(&self) -> MutexGuard<'_, HashSet<ChatId>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the bell tells of something that this process does not know of.
    pub(super) fn is_rung_for_news(&self) -> bool {
        self.bell.rung().is_none_or(|rung| rung > *self.head.borrow())
    }

    /// Tells everybody in this process that the feed reaches to `head`.
    pub(super) fn announce(&self, head: Seq) {
        self.head.send_if_modified(|known| {
            let is_news = head > *known;
            *known = head.max(*known);
            is_news
        });
    }
}

/// A connection that reads, lent out.
pub(super) struct ReadConn {
    conn: Option<Conn>,
    home: Arc<Mutex<Vec<Conn>>>,
    _permit: OwnedSemaphorePermit,
}

impl Deref for ReadConn {
    type Target = Conn;

    #[expect(clippy::expect_used, reason = "the connection is taken by drop alone")]
    fn deref(&self) -> &Conn {
        self.conn.as_ref().expect("a lent connection is there until it is given back")
    }
}

impl DerefMut for ReadConn {
    #[expect(clippy::expect_used, reason = "the connection is taken by drop alone")]
    fn deref_mut(&mut self) -> &mut Conn {
        self.conn.as_mut().expect("a lent connection is there until it is given back")
    }
}

impl Drop for ReadConn {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.home.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        }
    }
}

/// A write transaction.
pub(super) struct Tx<'a> {
    db: &'a Db,
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

impl<'a> Tx<'a> {
    pub(super) const fn db(&self) -> &'a Db {
        self.db
    }

    /// Takes `count` numbers of the feed; the first of them. They become visible with the commit.
    pub(super) async fn take_numbers(&mut self, count: usize) -> Result<Seq, StoreError> {
        Ok(self.take_numbers_and_recalls(count).await?.0)
    }

    /// The same, with the number of recalls that wait for their message.
    pub(super) async fn take_numbers_and_recalls(&mut self, count: usize) -> Result<(Seq, i64), StoreError> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let row = q("update store_meta set seq = seq + $1 where id = 1 returning seq, early_recalls")
            .bind(count)
            .must(self)
            .await?;
        let last = Seq(row.int(0)?);
        let before = self.told.numbers.map_or(Seq(last.0 - count), |(before, _)| before);
        self.told.numbers = Some((before, last));
        Ok((Seq(last.0 - count + 1), row.int(1)?))
    }

    /// Writes one row of the feed.
    pub(super) async fn tell(
        &mut self,
        what: ChangeKind,
        key: &str,
        chat: Option<&ChatId>,
    ) -> Result<Seq, StoreError> {
        let seq = self.take_numbers(1).await?;
        self.tell_at(seq, what, key, chat).await?;
        Ok(seq)
    }

    /// Writes one row of the feed under a number that was taken before.
    pub(super) async fn tell_at(
        &mut self,
        seq: Seq,
        what: ChangeKind,
        key: &str,
        chat: Option<&ChatId>,
    ) -> Result<(), StoreError> {
        self.tell_all(vec![Change { seq, what, key: key.to_owned(), chat_id: chat.cloned() }]).await
    }

    /// Writes rows of the feed under numbers that were taken before.
    pub(super) async fn tell_all(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
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
        self.db.texts.feed.later(self, values).await
    }

    /// Commits, then wakes who waits: here and in other processes.
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        q("commit").run(&mut self).await?;
        let told = std::mem::take(&mut self.told);
        if let Some((before, head)) = told.numbers {
            // While the writer is still ours: in the order of the numbers.
            self.db.recent().add(before, head, told.changes);
        }
        self.slot = None;
        if let Some((_, head)) = told.numbers {
            self.db.announce(head);
            self.db.bell.ring(head);
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
            let has_begun = conn.ahead.first().is_none_or(|first| first.text.as_str() != BEGIN);
            conn.ahead.clear();
            if !has_begun {
                return;
            }
        }
        // SQLite may have rolled back by itself (full disk), and then says so: that error says nothing new.
        // Without a runtime the connection is dropped, which rolls back as well.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                if let Some(conn) = slot.as_mut()
                    && matches!(q("rollback").run(conn).await, Err(StoreError::Engine { reason, .. }) if !reason.contains("no transaction is active"))
                {
                    *slot = None;
                }
            })),
            Err(_) => *slot = None,
        }
    }
}

/// A file beside the store that is written after each commit with news, so that other processes are woken
/// once the commit can be seen: writes to the journal come before that. In it is the number that the feed
/// reached.
struct Bell {
    file: Option<File>,
}

impl Bell {
    fn new(store: &Path) -> Self {
        // Without the bell others notice through the journal, a little later.
        let path = bell_path(store);
        let mode = std::fs::metadata(store).ok();
        let file =
            std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).ok();
        if let (Some(file), Some(meta)) = (&file, mode) {
            let _ = file.set_permissions(meta.permissions());
        }
        Self { file }
    }

    /// The number that it was rung with last; `None` where that cannot be read.
    fn rung(&self) -> Option<Seq> {
        let mut bytes = [0; 8];
        self.file.as_ref()?.read_exact_at(&mut bytes, 0).ok()?;
        Some(Seq(i64::from_be_bytes(bytes)))
    }

    fn ring(&self, head: Seq) {
        if let Some(file) = &self.file {
            let _ = file.write_at(&head.0.to_be_bytes(), 0);
        }
    }
}

/// Where the bell of a store is.
pub(super) fn bell_path(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push("-bell");
    PathBuf::from(name)
}
