//! Everything larkdeck keeps, and the bus between its processes.
//!
//! One store is one SQLite file that any number of processes on the host have open, or a PostgreSQL database for
//! those of many hosts. Each committed change
//! that a screen may show has a number in the *feed*; a reader that has seen number n never finds a row <= n
//! later. Writes are short transactions on one connection a process; what comes from the platform goes
//! through one queue that commits whatever has gathered, and answers after the commit.

mod absorb;
mod check;
mod copy;
mod db;
mod error;
mod event;
mod feed;
mod granted;
mod grants;
mod ingest;
mod integration;
pub mod key;
mod known;
mod lease;
mod link;
mod login;
mod member;
mod message;
mod naming;
mod operation;
mod outbox;
pub mod permit;
mod person;
pub mod postgres;
mod press;
mod process;
mod prune;
mod reader;
mod role;
mod room;
mod roster;
mod schema;
mod seal;
mod snapshot;
mod sql;
mod sqlite;
mod table;
#[cfg(test)]
#[path = "../../tests/common/postgres.rs"]
mod test_postgres;
#[cfg(test)]
mod tests;
mod tx;
mod watch;

use std::{fmt, ops::Deref, path::PathBuf, str::FromStr, sync::Arc};

pub use self::{
    check::{Finding, StoreCheck},
    copy::{CopiedTable, TableSum},
    error::StoreError,
    feed::{Change, ChangeKind},
    granted::{Excess, Granted},
    grants::grants,
    ingest::{FillKind, FillPage, Incoming, IngestItem, Ingested, NewSeam},
    integration::{IntegrationPatch, NewIntegration, SecretPatch},
    lease::{Acquired, LeaseMark, LeaseRow},
    link::{LinkBatch, LinkChange, LinkOutcome, UndoReport},
    login::{Invitation, Session},
    member::{Imported, MemberPatch, MemberRow},
    message::{Anchor, Place},
    operation::OperationQuery,
    outbox::{NewOutgoing, OutboxRow},
    person::Person,
    press::{NewPress, Pressed},
    process::{Console, Seen},
    prune::Kept,
    reader::Reader,
    role::{Assignment, RoleChange},
    room::ChatRow,
    roster::{RosterChunk, RosterRow},
    watch::Watch,
};
use self::{db::Db, ingest::Queue, sql::q};
use crate::core::{
    integration::Holder,
    secret::Secret,
    time::{Clock, Timestamp},
};

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(postgres::PgUrl),
}

impl StoreUrl {
    /// With the password of the database, where the URL has none.
    #[must_use]
    pub fn with_password(self, password: Option<Secret>) -> Self {
        match self {
            Self::Postgres(url) => Self::Postgres(url.with_password(password)),
            file @ Self::Sqlite(_) => file,
        }
    }
}

impl FromStr for StoreUrl {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let bad = |reason: &str| {
            let url = text.chars().take_while(|c| *c != ':').collect();
            StoreError::BadUrl { url, reason: reason.to_owned() }
        };
        if text.starts_with("postgres:") || text.starts_with("postgresql:") {
            return text.parse().map(Self::Postgres);
        }
        match text.strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or(rest)) {
            Some("") => Err(bad("the path is missing")),
            Some(path) if path.contains(['?', '\0']) => Err(bad("the path has a question mark or a zero")),
            Some(path) => Ok(Self::Sqlite(PathBuf::from(path))),
            None => Err(bad("larkdeck opens sqlite:PATH and postgres://USER@HOST/DATABASE")),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

/// How to open a store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Which one.
    pub url: StoreUrl,
    /// Make it where there is none. Otherwise [`StoreError::Missing`].
    pub create: bool,
    /// This process: OS user, host, pid. Whoever that is has a role.
    pub me: Holder,
    /// What the others know it by, in place of the OS user: the author of what it writes.
    pub name: Option<String>,
}

/// An open store, to be read. Clones share the connections; the last one closes them.
#[derive(Clone)]
pub struct View(Arc<Inner>);

/// An open store, to be read and written. Whoever has one may write: see that it does not get around.
#[derive(Debug, Clone)]
pub struct Store(View);

impl Deref for Store {
    type Target = View;

    fn deref(&self) -> &View {
        &self.0
    }
}

struct Inner {
    db: Arc<Db>,
    keys: key::Keys,
    identity: String,
    queue: Queue,
    watcher: watch::Watcher,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.0.db.place).finish()
    }
}

impl Store {
    /// Opens a store, bringing its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Newer`], or one that says why the engine cannot open it.
    pub async fn open(
        options: StoreOptions,
        keys: key::KeyRing,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let identity = options.me.to_string();
        let me = match options.name {
            Some(user) => Holder { user, ..options.me },
            None => options.me,
        };
        let db = Arc::new(Db::open(&options.url, options.create, &identity, me, clock).await?);
        let identity = match options.url {
            StoreUrl::Sqlite(_) => identity,
            // There the login is who one is.
            StoreUrl::Postgres(_) => {
                let mut read = db.read("ask who this is").await?;
                q("select session_user::text").must(&mut read).await?.string(0)?
            }
        };
        let queue = Queue::start(Arc::clone(&db)).map_err(|error| StoreError::Engine {
            doing: "open the store",
            place: db.place.to_string(),
            reason: format!("no thread to write with: {error}"),
        })?;
        Ok(Self(View(Arc::new(Inner {
            queue,
            watcher: watch::Watcher::new(),
            keys: key::Keys::new(keys),
            identity,
            db,
        }))))
    }

    /// Makes the store where there is none, or brings its schema up to date; the version that it had before (0:
    /// none). Two at once are safe. A SQLite store is brought up to date by whoever opens it to change it, a PostgreSQL store
    /// by this alone.
    ///
    /// # Errors
    /// [`StoreError::Newer`], or one that says why the engine cannot.
    pub async fn migrate(url: &StoreUrl, me: Holder, clock: Arc<dyn Clock>) -> Result<i64, StoreError> {
        Db::migrate(url, me, clock).await
    }

    /// The schema's version of the store at `url`, which is opened for nothing else; 0: there is none.
    ///
    /// # Errors
    /// [`StoreError::Newer`], or one that says why the engine cannot tell.
    pub async fn version_at(url: &StoreUrl, me: &Holder, clock: &Arc<dyn Clock>) -> Result<i64, StoreError> {
        Db::version_at(url, me, clock).await
    }
}

impl View {
    /// This process, by the name that the others know.
    pub fn me(&self) -> &Holder {
        &self.inner().db.me
    }

    /// Who this process is where roles are assigned: OS user@host; on PostgreSQL the login.
    pub fn identity(&self) -> &str {
        &self.inner().identity
    }

    /// Now, as all who share the store see it: what is in the store is compared with this, and never with the clock
    /// of a host. On a file's only host that is the same.
    ///
    /// # Errors
    /// The engine's.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        let db = self.db();
        match db.dialect() {
            sql::Dialect::Sqlite => Ok(db.now()),
            sql::Dialect::Postgres => db.shared_now(&mut *db.read("ask for the time").await?).await,
        }
    }

    fn inner(&self) -> &Inner {
        &self.0
    }

    /// The generation of the store: a cursor of another generation is worthless.
    ///
    /// # Errors
    /// The engine's.
    pub async fn generation(&self) -> Result<String, StoreError> {
        let mut read = self.db().read("read the store's generation").await?;
        q("select generation from store_meta where id = 1").must(&mut read).await?.string(0)
    }

    /// Opens the first connection that reads, while the caller has something else to wait for.
    pub async fn warm_up(&self) {
        // What is wrong with it shows when somebody reads.
        drop(self.db().read("open the store").await);
    }

    /// Finishes what is queued and closes the connections. Later calls fail with [`StoreError::Closed`].
    pub async fn close(&self) {
        self.inner().queue.close().await;
        self.inner().watcher.stop();
        self.inner().db.close().await;
    }

    fn db(&self) -> &Db {
        &self.inner().db
    }
}

/// Between two chunks of a long job: SQLite's lock is unfair, and others have to get a turn.
async fn pause() {
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
}

/// A new id: `prefix` and 16 random characters.
fn new_id(prefix: &str) -> String {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut random = [0u8; 16];
    // Without the system's randomness nothing here can be made safely; the fallback only keeps ids apart.
    if getrandom::fill(&mut random).is_err() {
        let nanos =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
        random = nanos.to_le_bytes();
    }
    random
        .iter()
        .filter_map(|byte| LETTERS.get(usize::from(byte % 32)))
        .fold(prefix.to_owned(), |id, letter| id + char::from(*letter).encode_utf8(&mut [0; 4]))
}
