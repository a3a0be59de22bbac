//! Waking up when something was committed, here or in another process.
//!
//! In the process it is a channel. On PostgreSQL, see [`super::postgres`]. On SQLite, other processes are noticed by inotify on the bell, a file that each of them
//! writes after a commit with news. The number in the store decides; a lost wake-up loses nothing: it is looked
//! at every 5 s in any case, for a writer that died before it rang, another program, or where there is no inotify.
//! The journal itself is not watched: it is written a dozen times for each commit.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::StreamExt;
use inotify::{EventStream, Inotify, WatchMask, Watches};
use tokio::{sync::watch, task::AbortHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    StoreError, View,
    db::{Db, Home, bell_path},
    postgres,
    schema::newest,
    sql::{Dialect, q},
};
use crate::core::{health::StoreHealth, ids::Seq};

/// Looks at the number that nothing asked for.
pub(super) const POLL: Duration = Duration::from_secs(5);

/// A ring that told nothing new is mostly our own. It may also cover one that another process gave in the same
/// moment, so the number is looked at soon.
const COVERED: Duration = Duration::from_millis(200);

/// Waits for commits. Any number of commits between two waits wake it once.
#[derive(Debug)]
pub struct Watch {
    head: watch::Receiver<Seq>,
    closed: CancellationToken,
}

impl Watch {
    /// Waits until the feed has grown since the last call (or since [`View::watch`]); returns its head.
    ///
    /// # Errors
    /// [`StoreError::Closed`] once the store is closed.
    pub async fn changed(&mut self) -> Result<Seq, StoreError> {
        tokio::select! {
            _ = self.closed.cancelled() => Err(StoreError::Closed),
            changed = self.head.changed() => match changed {
                Ok(()) => Ok(*self.head.borrow_and_update()),
                Err(_) => Err(StoreError::Closed),
            },
        }
    }
}

/// The task that notices other processes; runs once somebody watches.
pub(super) struct Watcher(Mutex<Option<AbortHandle>>);

impl Watcher {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    fn ensure_running(&self, db: &Arc<Db>) {
        let mut task = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if task.is_none() {
            let db = Arc::clone(db);
            let followed = match &db.home {
                Home::Sqlite { path, .. } => {
                    // Set up here, so that nothing committed after the call is missed.
                    let ear = Ear::new(path);
                    tokio::spawn(follow(db, ear))
                }
                Home::Postgres(home) => {
                    let home = Arc::clone(home);
                    tokio::spawn(postgres::follow(db, home))
                }
            };
            *task = Some(followed.abort_handle());
        }
    }

    pub(super) fn stop(&self) {
        if let Some(task) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Hears the bell.
struct Ear {
    bell: PathBuf,
    watches: Watches,
    rings: EventStream<Box<[u8]>>,
}

impl Ear {
    fn new(store: &Path) -> Option<Self> {
        let inotify = Inotify::init().ok()?;
        let watches = inotify.watches();
        let rings = inotify.into_event_stream(vec![0u8; 1024].into_boxed_slice()).ok()?;
        let mut ear = Self { bell: bell_path(store), watches, rings };
        ear.listen().then_some(ear)
    }

    /// Listens to the file that is the bell now; it may have been made anew.
    fn listen(&mut self) -> bool {
        self.watches.add(&self.bell, WatchMask::MODIFY).is_ok()
    }
}

async fn follow(db: Arc<Db>, mut ear: Option<Ear>) {
    let Home::Sqlite { path, bell } = &db.home else { return };
    look(&db).await;
    let mut due = Instant::now() + POLL;
    loop {
        let heard = async {
            match &mut ear {
                Some(ear) => ear.rings.next().await,
                None => std::future::pending().await,
            }
        };
        match tokio::time::timeout_at(due, heard).await {
            Ok(Some(Ok(_))) if !db.is_rung_for_news(bell) => due = due.min(Instant::now() + COVERED),
            Ok(Some(Ok(_))) => {
                look(&db).await;
                due = Instant::now() + POLL;
            }
            Ok(_) => ear = None,
            Err(_) => {
                if ear.as_mut().is_none_or(|ear| !ear.listen()) {
                    ear = Ear::new(path);
                }
                look(&db).await;
                due = Instant::now() + POLL;
            }
        }
    }
}

/// Looks at the number, and tells this process when it has grown; or that the store has outgrown it.
pub(super) async fn look(db: &Db) {
    let Ok(mut read) = db.read("follow the feed").await else { return };
    let text = match db.dialect() {
        Dialect::Sqlite => {
            "select seq, (select user_version from pragma_user_version) from store_meta where id = 1"
        }
        Dialect::Postgres => {
            "select seq, (select max(version) from larkdeck_schema) from store_meta where id = 1"
        }
    };
    // A store that is away for a moment is looked at again at the next sign of it.
    if let Ok(row) = q(text).must(&mut read).await
        && let (Ok(seq), Ok(version)) = (row.int(0), row.int(1))
    {
        if version > newest() {
            return db.is_outgrown(version);
        }
        db.announce(Seq(seq));
    }
}

impl View {
    /// Starts to watch for commits, those of other processes too.
    pub fn watch(&self) -> Watch {
        self.inner().watcher.ensure_running(&self.inner().db);
        Watch { head: self.db().head.subscribe(), closed: self.db().closed.clone() }
    }

    /// How the store is reached.
    pub fn health(&self) -> watch::Receiver<StoreHealth> {
        self.db().health.subscribe()
    }
}
