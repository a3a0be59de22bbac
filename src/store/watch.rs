//! Waking up when something was committed, here or in another process.
//!
//! In the process it is a channel. Other processes are noticed by inotify on the store's folder: the bell that
//! each of them rings after a commit, and the journal for whatever rings no bell. The number in the store
//! decides; a lost wake-up loses nothing. Where there is no inotify the number is looked at every 5 s.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::StreamExt;
use inotify::{EventStream, Inotify, WatchMask};
use tokio::{sync::watch, task::AbortHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Store, StoreError,
    db::{Db, bell_path},
    sql::q,
};
use crate::core::ids::Seq;

/// How long after a write to the journal the number is looked at when no bell rings: the writer may have died
/// between its commit and the bell, or may be another program.
const UNRUNG: Duration = Duration::from_millis(25);

/// How often the number is looked at where there is no inotify.
const POLL: Duration = Duration::from_secs(5);

/// Waits for commits. Any number of commits between two waits wake it once.
#[derive(Debug)]
pub struct Watch {
    head: watch::Receiver<Seq>,
    closed: CancellationToken,
}

impl Watch {
    /// Waits until the feed has grown since the last call (or since [`Store::watch`]); returns its head.
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
            // Set up here, so that nothing committed after the call is missed.
            let events = folder_events(&db.path);
            *task = Some(tokio::spawn(follow(Arc::clone(db), events)).abort_handle());
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

type Events = EventStream<Box<[u8]>>;

fn folder_events(store: &Path) -> Option<Events> {
    let folder = store.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let inotify = Inotify::init().ok()?;
    inotify.watches().add(folder, WatchMask::MODIFY | WatchMask::CREATE | WatchMask::MOVED_TO).ok()?;
    inotify.into_event_stream(vec![0u8; 4096].into_boxed_slice()).ok()
}

/// What a change in the folder means.
enum Heard {
    Bell,
    Journal,
    Nothing,
    /// The watch is gone.
    Silence,
}

async fn follow(db: Arc<Db>, events: Option<Events>) {
    look(&db).await;
    if let Some(events) = events {
        listen(&db, events).await;
    }
    loop {
        tokio::time::sleep(POLL).await;
        look(&db).await;
    }
}

async fn listen(db: &Db, mut events: Events) {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_owned();
    let bell = name(&bell_path(&db.path));
    let mut journal = name(&db.path);
    journal.push("-wal");
    let mut due: Option<Instant> = None;
    loop {
        let heard = async {
            match events.next().await {
                None | Some(Err(_)) => Heard::Silence,
                Some(Ok(event)) => match event.name {
                    Some(name) if name == bell => Heard::Bell,
                    Some(name) if name == journal => Heard::Journal,
                    // An overflow of the queue has no name.
                    None => Heard::Journal,
                    Some(_) => Heard::Nothing,
                },
            }
        };
        let heard = match due {
            None => heard.await,
            Some(at) => match tokio::time::timeout_at(at, heard).await {
                Ok(heard) => heard,
                Err(_) => Heard::Bell,
            },
        };
        match heard {
            Heard::Bell => {
                due = None;
                look(db).await;
            }
            Heard::Journal => due = due.or_else(|| Some(Instant::now() + UNRUNG)),
            Heard::Nothing => {}
            Heard::Silence => return,
        }
    }
}

/// Looks at the number, and tells this process when it has grown.
async fn look(db: &Db) {
    let Ok(mut read) = db.read("follow the feed").await else { return };
    // A store that is away for a moment is looked at again at the next sign of it.
    if let Ok(row) = q("select seq from store_meta where id = 1").must(&mut read).await
        && let Ok(seq) = row.int(0)
    {
        db.announce(Seq(seq));
    }
}

impl Store {
    /// Starts to watch for commits, those of other processes too.
    pub fn watch(&self) -> Watch {
        self.0.watcher.ensure_running(&self.0.db);
        Watch { head: self.0.db.head.subscribe(), closed: self.0.db.closed.clone() }
    }
}
