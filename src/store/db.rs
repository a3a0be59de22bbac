//! The connections of a process: one that writes, a few that read; and the transactions on the first.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    ops::{Deref, DerefMut},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

pub(super) use super::tx::{Taken, Touch, Tx};
use super::{
    StoreError, StoreUrl,
    feed::Recent,
    postgres::{self, PgHome, PgUrl},
    sql::{Bulk, Conn, Dialect, Engine, q},
    sqlite::{self, Role},
};
use crate::core::{
    health::StoreHealth,
    ids::{ChatId, IntegrationId, Seq},
    integration::Holder,
    message::Via,
    time::{Clock, Timestamp},
};

/// How many may read at once. Each costs a thread and some memory.
const READERS: usize = 3;

/// Rows that one transaction may touch so that it ends within 20 ms on a slow disk.
pub(super) const CHUNK_ROWS: usize = 256;

/// How exact the instant of an integration's last event is.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// The connections and what goes with them.
pub(super) struct Db {
    pub(super) home: Home,
    pub(super) place: Arc<str>,
    pub(super) me: Holder,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) texts: Texts,
    /// The highest number that this process knows of.
    pub(super) head: watch::Sender<Seq>,
    writer: Arc<AsyncMutex<Option<Conn>>>,
    idle_readers: Arc<Mutex<Vec<Conn>>>,
    reading: Arc<Semaphore>,
    /// The version that a newer program has given the schema since the store was opened.
    outgrown: OnceLock<i64>,
    /// How the store is reached.
    pub(super) health: watch::Sender<StoreHealth>,
    /// Cancelled once the store is closed.
    pub(super) closed: CancellationToken,
    /// The last event of each integration that was noted.
    noted: Mutex<HashMap<IntegrationId, (Via, Timestamp)>>,
    recent: Mutex<Recent>,
    /// Rooms that were there when this process looked.
    rooms: Mutex<HashSet<ChatId>>,
}

/// Where the store is.
pub(super) enum Home {
    /// In a file, with a bell beside it.
    Sqlite {
        path: PathBuf,
        bell: Bell,
    },
    Postgres(Arc<PgHome>),
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
            message: super::absorb::insert_messages(),
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
    /// Opens the store for `identity`; makes it where there is none and `create` says so.
    pub(super) async fn open(
        url: &StoreUrl,
        create: bool,
        identity: &str,
        me: Holder,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let health = watch::Sender::default();
        let (home, conn, seq) = match url {
            StoreUrl::Sqlite(path) => Self::open_file(path, create, identity, clock.now()).await?,
            StoreUrl::Postgres(url) => Self::open_database(url, create, &me, &clock, health.clone()).await?,
        };
        Ok(Self {
            noted: Mutex::default(),
            recent: Mutex::default(),
            rooms: Mutex::default(),
            home,
            place: Arc::clone(&conn.place),
            me,
            clock,
            texts: Texts::new(),
            head: watch::Sender::new(seq),
            writer: Arc::new(AsyncMutex::new(Some(conn))),
            idle_readers: Arc::default(),
            reading: Arc::new(Semaphore::new(READERS)),
            outgrown: OnceLock::new(),
            health,
            closed: CancellationToken::new(),
        })
    }

    async fn open_file(
        path: &Path,
        create: bool,
        identity: &str,
        now: Timestamp,
    ) -> Result<(Home, Conn, Seq), StoreError> {
        let place: Arc<str> = path.display().to_string().into();
        if create {
            sqlite::make_file(path)?;
        } else if !path.try_exists().map_err(|error| sqlite::file_error(path, "open the store", &error))? {
            return Err(StoreError::Missing { place: place.to_string() });
        }
        let mut conn = sqlite::connect(path, &place, Role::Writer).await?;
        let seq = super::schema::bring_up_to_date(&mut conn, path, create, identity, now).await?;
        Ok((Home::Sqlite { path: path.to_owned(), bell: Bell::new(path) }, conn, seq))
    }

    async fn open_database(
        url: &PgUrl,
        create: bool,
        me: &Holder,
        clock: &Arc<dyn Clock>,
        health: watch::Sender<StoreHealth>,
    ) -> Result<(Home, Conn, Seq), StoreError> {
        let home = Arc::new(PgHome::new(url, me, Arc::clone(clock))?.with_health(health));
        let mut conn = postgres_conn(&home, url.to_string().into());
        let seq = postgres::bring_up_to_date(&mut conn, &home, create, clock.now()).await?;
        Ok((Home::Postgres(home), conn, seq))
    }

    /// The schema's version of the store at `url`, opened for nothing else; 0: there is none.
    pub(super) async fn version_at(
        url: &StoreUrl,
        me: &Holder,
        clock: &Arc<dyn Clock>,
    ) -> Result<i64, StoreError> {
        match url {
            StoreUrl::Sqlite(path) if !path.exists() => Ok(0),
            StoreUrl::Sqlite(path) => {
                let place = path.display().to_string().into();
                super::schema::version(&mut sqlite::connect(path, &place, Role::Reader).await?).await
            }
            StoreUrl::Postgres(url) => {
                let home = Arc::new(PgHome::new(url, me, Arc::clone(clock))?);
                let mut conn = postgres_conn(&home, url.to_string().into());
                let found = postgres::version(&mut conn).await;
                if let Engine::Postgres(conn) = conn.engine {
                    conn.close().await;
                }
                found
            }
        }
    }

    /// Makes the store where there is none, or brings it up to date; the version that it had.
    pub(super) async fn migrate(
        url: &StoreUrl,
        me: Holder,
        clock: Arc<dyn Clock>,
    ) -> Result<i64, StoreError> {
        match url {
            StoreUrl::Sqlite(path) => {
                sqlite::make_file(path)?;
                let place = path.display().to_string().into();
                let mut conn = sqlite::connect(path, &place, Role::Writer).await?;
                let found = super::schema::migrate(&mut conn, path, clock.now()).await;
                if let Engine::Sqlite(conn) = conn.engine {
                    sqlite::close(conn).await;
                }
                found
            }
            StoreUrl::Postgres(url) => {
                let home = Arc::new(PgHome::new(url, &me, Arc::clone(&clock))?);
                let mut conn = postgres_conn(&home, url.to_string().into());
                let found = postgres::migrate(&mut conn, clock.now()).await;
                if let Engine::Postgres(conn) = conn.engine {
                    conn.close().await;
                }
                found
            }
        }
    }

    pub(super) async fn connect(&self, role: Role) -> Result<Conn, StoreError> {
        match &self.home {
            Home::Sqlite { path, .. } => sqlite::connect(path, &self.place, role).await,
            Home::Postgres(home) => Ok(postgres_conn(home, Arc::clone(&self.place))),
        }
    }

    pub(super) const fn dialect(&self) -> Dialect {
        match self.home {
            Home::Sqlite { .. } => Dialect::Sqlite,
            Home::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The clock of this process: for what is only shown. Nothing that another host wrote is compared with it.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Now, as all who share the store see it. A file's processes are on one host: its clock. A database's are not:
    /// the database's. In a transaction [`Tx::now`] knows it already.
    pub(super) async fn shared_now(&self, conn: &mut Conn) -> Result<Timestamp, StoreError> {
        match conn.dialect() {
            Dialect::Sqlite => Ok(self.clock.now()),
            Dialect::Postgres => q(postgres::NOW).must(conn).await?.at(0),
        }
    }

    /// A newer program has brought the schema to that version: nothing here knows any more what a row means.
    pub(super) fn is_outgrown(&self, version: i64) {
        if self.outgrown.set(version).is_ok() {
            tracing::error!(
                version,
                "a newer larkdeck has brought the store up to date: this process has to end"
            );
            self.health.send_modify(|health| health.is_newer = true);
        }
    }

    fn must_be_known(&self) -> Result<(), StoreError> {
        match self.outgrown.get() {
            None => Ok(()),
            Some(found) => Err(super::schema::newer(self.place.to_string(), *found)),
        }
    }

    /// A connection that reads; `doing` completes "cannot …".
    pub(super) async fn read(&self, doing: &'static str) -> Result<ReadConn, StoreError> {
        self.must_be_known()?;
        let permit = Arc::clone(&self.reading).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let idle = self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut conn = match idle {
            Some(conn) => conn,
            None => self.connect(Role::Reader).await?,
        };
        conn.doing = doing;
        Ok(ReadConn { conn: Some(conn), home: Arc::clone(&self.idle_readers), _permit: permit })
    }

    /// Begins a write transaction; `doing` completes "cannot …". Dropping it rolls it back.
    pub(super) async fn write(&self, doing: &'static str) -> Result<Tx<'_>, StoreError> {
        if self.reading.is_closed() {
            return Err(StoreError::Closed);
        }
        self.must_be_known()?;
        let mut slot = Arc::clone(&self.writer).lock_owned().await;
        let conn = match slot.as_mut() {
            Some(conn) => conn,
            None => slot.insert(self.connect(Role::Writer).await?),
        };
        conn.doing = doing;
        Tx::begin(self, slot).await
    }

    /// For a change that one statement makes by itself, that no screen is told of, and that may be made twice: it
    /// does not wait for the one writer where the engine lets it.
    pub(super) async fn touch(&self, doing: &'static str) -> Result<Touch<'_>, StoreError> {
        Ok(match self.home {
            Home::Sqlite { .. } => Touch::Inside(self.write(doing).await?),
            Home::Postgres(_) => Touch::Alone(self.read(doing).await?),
        })
    }

    /// Ends everything; waits for the transaction that is under way.
    pub(super) async fn close(&self) {
        self.closed.cancel();
        self.reading.close();
        let writer = self.writer.lock().await.take();
        let readers = std::mem::take(&mut *self.idle_readers.lock().unwrap_or_else(PoisonError::into_inner));
        for conn in readers.into_iter().chain(writer) {
            match conn.engine {
                Engine::Sqlite(conn) => sqlite::close(conn).await,
                Engine::Postgres(conn) => conn.close().await,
            }
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
    pub(super) fn is_rung_for_news(&self, bell: &Bell) -> bool {
        bell.rung().is_none_or(|rung| rung > *self.head.borrow())
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

fn postgres_conn(home: &Arc<PgHome>, place: Arc<str>) -> Conn {
    let engine = Engine::Postgres(home.connection());
    Conn { engine, place, doing: "open the store", ahead: Vec::new() }
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

/// A file beside the store that is written after each commit with news, so that other processes are woken
/// once the commit can be seen: writes to the journal come before that. In it is the number that the feed
/// reached.
pub(super) struct Bell {
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

    pub(super) fn ring(&self, head: Seq) {
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
