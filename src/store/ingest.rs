//! What comes from the platform: committed in groups, each thing once.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{
    Store, StoreError, absorb,
    db::{CHUNK_ROWS, Db},
    sql::q,
};
use crate::core::{
    ids::{AppKey, ChatId, IntegrationId, MessageId, OpenId, Seq},
    message::{NewMessage, Via},
    room::Missing,
    time::Timestamp,
};

/// Calls that may wait for the queue before callers wait themselves.
const QUEUE: usize = 1024;

/// How long a commit waits for as many callers as there were of late. Where there was one, it waits for nothing.
const GATHER: Duration = Duration::from_millis(1);

/// So many callers at once are served in halves: one half's requests are read while the other's are committed.
const CROWD: usize = 16;

/// What comes in a stream by the long connection is committed at most so often, the first after a pause at
/// once: no screen shows more frames than that, and each commit waits for the disk.
const STREAM_PAUSE: Duration = Duration::from_millis(25);

/// The same for a stream that nobody can read line by line any more.
const DENSE_PAUSE: Duration = Duration::from_millis(50);

/// Rows of a commit, for each [`STREAM_PAUSE`] since the one before, from which on a stream is dense.
const DENSE_ROWS: u128 = 2;

/// Between two tries while the store is away: doubled each time, up to the second.
const AWAY_PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// One thing that came in.
#[derive(Debug, Clone)]
pub struct IngestItem {
    /// By which integration.
    pub integration: IntegrationId,
    /// The platform's id of the event, where it was one.
    pub event_id: Option<String>,
    /// Which way it came.
    pub via: Via,
    /// What it is.
    pub what: Incoming,
}

/// What came in.
#[derive(Debug, Clone)]
pub enum Incoming {
    /// A message; `own` when the integration's own bot wrote it (own messages are never unread).
    Message {
        /// The message.
        message: NewMessage,
        /// Written by the integration's own bot.
        own: bool,
    },
    /// A message was edited: new content for the same place. Unknown messages are stored.
    Edited {
        /// The message as it is now.
        message: NewMessage,
        /// Written by the integration's own bot.
        own: bool,
    },
    /// A message was recalled. Unknown ones are remembered as recalled once they come.
    Recalled {
        /// Where.
        chat_id: ChatId,
        /// Which.
        message_id: MessageId,
    },
    /// A reaction was added or taken away.
    Reaction {
        /// On which message.
        message_id: MessageId,
        /// The platform's word for it.
        emoji: String,
        /// open_id or app_id of who did it.
        operator: String,
        /// Added, or taken away.
        added: bool,
    },
    /// The chat has a new name or description.
    ChatUpdated {
        /// Which.
        chat_id: ChatId,
        /// Its name now, where that changed.
        name: Option<String>,
        /// Its description now, where that changed.
        description: Option<String>,
    },
    /// The chat was disbanded (R24).
    ChatDisbanded {
        /// Which.
        chat_id: ChatId,
    },
    /// The bot came into the chat.
    BotAdded {
        /// Which.
        chat_id: ChatId,
        /// Its name.
        name: String,
    },
    /// The bot was taken out of the chat.
    BotRemoved {
        /// Which.
        chat_id: ChatId,
    },
    /// People came into the chat.
    MembersAdded {
        /// Which.
        chat_id: ChatId,
        /// Who, with names as far as known.
        people: Vec<(OpenId, String)>,
    },
    /// People left the chat.
    MembersLeft {
        /// Which.
        chat_id: ChatId,
        /// Who.
        people: Vec<OpenId>,
    },
    /// Only to be remembered as seen: a card action, an event that nothing is kept of.
    Seen,
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ingested {
    /// Stored for the first time.
    New(Seq),
    /// It changed something that was there: an edit, a recall, a reaction, a room.
    Changed(Seq),
    /// It was there already; nothing changed.
    Duplicate,
}

impl Ingested {
    /// Whether it was stored for the first time.
    pub const fn is_new(self) -> bool {
        matches!(self, Self::New(_))
    }
}

/// Why a page of history is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillKind {
    /// It repairs a gap: what it brings counts as unread.
    Gap,
    /// A person scrolled back, or a room is seen for the first time: nothing of it counts as unread.
    Older,
}

/// A page of a listing, committed together with what it proves.
#[derive(Debug, Clone)]
pub struct FillPage {
    /// By which integration.
    pub integration: IntegrationId,
    /// Of which chat.
    pub chat_id: ChatId,
    /// Its messages, and whether the integration's own bot wrote each.
    pub messages: Vec<(NewMessage, bool)>,
    /// Everything of the chat before this instant is now in the store. Never moves backwards.
    pub complete_to: Option<Timestamp>,
    /// The seam that the fill leaves, on its last page.
    pub seam: Option<NewSeam>,
    /// Why it is stored.
    pub kind: FillKind,
}

/// A seam that is about to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSeam {
    /// Start of the gap.
    pub from: Timestamp,
    /// End of the gap.
    pub to: Timestamp,
    /// Messages recovered by the fill.
    pub recovered: u32,
    /// What may still be missing.
    pub missing: Missing,
}

/// Something to be committed, and who waits for it.
pub(super) enum Job {
    Items { items: Vec<IngestItem>, reply: Reply },
    Page { page: FillPage, reply: Reply },
}

type Reply = oneshot::Sender<Result<Vec<Ingested>, StoreError>>;

impl Job {
    fn rows(&self) -> usize {
        match self {
            Self::Items { items, .. } => items.len(),
            Self::Page { page, .. } => page.messages.len(),
        }
    }

    /// Whether nobody waits for it but the platform, which sends on meanwhile.
    fn may_gather(&self) -> bool {
        matches!(self, Self::Items { items, .. } if items.iter().all(|item| item.via == Via::Live))
    }

    fn answer(self, answer: Result<Vec<Ingested>, StoreError>) {
        let (Self::Items { reply, .. } | Self::Page { reply, .. }) = self;
        // Nobody waits any more: it is stored all the same.
        let _ = reply.send(answer);
    }
}

/// The queue in front of the writer. While one commit is under way, what comes in gathers for the next: a
/// lone event is committed at once, a flood in groups. Events of the long connection that follow each other
/// within [`STREAM_PAUSE`] wait for each other.
pub(super) struct Queue {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    /// Told nothing, and closed at the worker's end.
    worker: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Queue {
    /// The worker has a thread of its own: on one of the runtime's it would wait, between any two trips to the engine,
    /// behind the requests that are being read there, and everybody who waits for a commit with it.
    ///
    /// # Errors
    /// The system's, where it has no thread left.
    pub(super) fn start(db: Arc<Db>) -> io::Result<Self> {
        let (jobs, inbox) = mpsc::channel(QUEUE);
        let (end, worker) = oneshot::channel();
        let runtime = Handle::current();
        thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
            runtime.block_on(work(db, inbox));
            drop(end);
        })?;
        Ok(Self { jobs: Mutex::new(Some(jobs)), worker: Mutex::new(Some(worker)) })
    }

    async fn submit(&self, job: impl FnOnce(Reply) -> Job) -> Result<Vec<Ingested>, StoreError> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (reply, answer) = oneshot::channel();
        jobs.ok_or(StoreError::Closed)?.send(job(reply)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Commits what has been handed over and ends.
    pub(super) async fn close(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(worker) = worker {
            // It says nothing, it ends.
            let _ = worker.await;
        }
    }
}

async fn work(db: Arc<Db>, mut inbox: mpsc::Receiver<Job>) {
    let mut ahead: Option<Job> = None;
    let mut crowd = 1;
    let mut committed_at: Option<Instant> = None;
    let mut pause = STREAM_PAUSE;
    loop {
        let Some(first) = (match ahead.take() {
            Some(job) => Some(job),
            None => inbox.recv().await,
        }) else {
            return;
        };
        let mut group = Group { rows: first.rows(), jobs: vec![first] };
        while ahead.is_none()
            && let Ok(job) = inbox.try_recv()
        {
            ahead = group.add(job);
        }
        // Who was answered by the last commit is about to send the next: a moment later one commit takes what
        // would be several, and a commit costs as much as many events.
        let enough = if crowd < CROWD { crowd } else { crowd / 2 };
        let until = Instant::now() + GATHER;
        while ahead.is_none() && group.jobs.len() < enough {
            match timeout_at(until, inbox.recv()).await {
                Ok(Some(job)) => ahead = group.add(job),
                Ok(None) | Err(_) => break,
            }
        }
        if let Some(at) = committed_at {
            // A stream: those that follow within the pause share a commit.
            while ahead.is_none() && group.jobs.iter().all(Job::may_gather) {
                match timeout_at(at + pause, inbox.recv()).await {
                    Ok(Some(job)) => ahead = group.add(job),
                    Ok(None) | Err(_) => break,
                }
            }
        }
        let (jobs, rows) = (group.jobs.len(), group.rows);
        commit_group(&db, group.jobs, &inbox).await;
        crowd = jobs + inbox.len();
        let now = Instant::now();
        let since = committed_at.map_or(Duration::MAX, |at| now - at);
        let is_dense = rows as u128 * STREAM_PAUSE.as_micros() >= DENSE_ROWS * since.as_micros();
        pause = if is_dense { DENSE_PAUSE } else { STREAM_PAUSE };
        committed_at = Some(now);
    }
}

/// Jobs of one commit.
struct Group {
    jobs: Vec<Job>,
    rows: usize,
}

impl Group {
    /// Takes a job in, or gives it back for the next commit.
    fn add(&mut self, job: Job) -> Option<Job> {
        if self.rows + job.rows() > CHUNK_ROWS {
            return Some(job);
        }
        self.rows += job.rows();
        self.jobs.push(job);
        None
    }
}

async fn commit_group(db: &Db, group: Vec<Job>, inbox: &mpsc::Receiver<Job>) {
    match store_jobs_somehow(db, &group, inbox).await {
        Ok(answers) => {
            for (job, answer) in group.into_iter().zip(answers) {
                job.answer(Ok(answer));
            }
        }
        // One of them may be at fault: each by itself then, so that it fails alone.
        Err(error) if group.len() > 1 && !matches!(error, StoreError::Closed) => {
            for job in group {
                let answer = store_jobs(db, std::slice::from_ref(&job)).await;
                job.answer(answer.map(|mut answers| answers.pop().unwrap_or_default()));
            }
        }
        Err(error) => {
            // The others of a group, where the store is closed, see that their queue is gone.
            if let Some(job) = group.into_iter().next() {
                job.answer(Err(error));
            }
        }
    }
}

/// Tries until the store is there. Nobody is told anything meanwhile, the queue fills up and then holds its callers
/// back; what was stored without an answer is found to be there, and stored once.
async fn store_jobs_somehow(
    db: &Db,
    group: &[Job],
    inbox: &mpsc::Receiver<Job>,
) -> Result<Vec<Vec<Ingested>>, StoreError> {
    let (mut pause, last) = AWAY_PAUSES;
    loop {
        match store_jobs(db, group).await {
            Err(error) if error.is_passing() && !inbox.is_closed() => {
                tracing::warn!(%error, jobs = group.len(), "what came in waits for the store");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(last);
            }
            done => return done,
        }
    }
}

/// Stores jobs in one transaction; a job that is longer than a transaction may be takes several.
async fn store_jobs(db: &Db, group: &[Job]) -> Result<Vec<Vec<Ingested>>, StoreError> {
    if let [Job::Items { items, .. }] = group
        && items.len() > CHUNK_ROWS
    {
        let mut answers = Vec::with_capacity(items.len());
        for chunk in items.chunks(CHUNK_ROWS) {
            let mut tx = db.write("store what came in").await?;
            answers.extend(absorb::items(&mut tx, chunk.iter()).await?);
            tx.commit().await?;
        }
        return Ok(vec![answers]);
    }
    let mut tx = db.write("store what came in").await?;
    // Loose items of all jobs share statements; pages have their own mark and seam.
    let loose = group.iter().flat_map(|job| match job {
        Job::Items { items, .. } => items.as_slice(),
        Job::Page { .. } => &[],
    });
    let mut loose_answers = absorb::items(&mut tx, loose).await?.into_iter();
    let mut answers = Vec::with_capacity(group.len());
    for job in group {
        answers.push(match job {
            Job::Items { items, .. } => loose_answers.by_ref().take(items.len()).collect(),
            Job::Page { page, .. } => absorb::page(&mut tx, page).await?,
        });
    }
    tx.commit().await?;
    Ok(answers)
}

impl Store {
    /// Stores what came in; returns after the commit, with what became of each item, in order. Calls of
    /// many tasks at once share a commit. Dropping the future does not undo it.
    ///
    /// # Errors
    /// The engine's: then nothing of this call is stored (of a call with over 256 items: the last part).
    pub async fn ingest(&self, items: Vec<IngestItem>) -> Result<Vec<Ingested>, StoreError> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        self.inner().queue.submit(|reply| Job::Items { items, reply }).await
    }

    /// Stores a page of a listing with its mark and seam in one transaction. Messages that are already there
    /// are compared: a newer content, edit or recall is taken over as a change.
    ///
    /// # Errors
    /// The engine's: then nothing of this page is stored.
    pub async fn fill_page(&self, page: FillPage) -> Result<Vec<Ingested>, StoreError> {
        self.inner().queue.submit(|reply| Job::Page { page, reply }).await
    }

    /// An unbroken connection, held under the epoch, proves that the rooms of `integration` that were complete to
    /// `filled_to` or later are complete to `to`. Where the lease is not held under it (any more, or in a store that
    /// was restored meanwhile) nothing is proved.
    ///
    /// # Errors
    /// The engine's.
    pub async fn advance_complete(
        &self,
        integration: &IntegrationId,
        (app, epoch): (&AppKey, i64),
        filled_to: Timestamp,
        to: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db().write("move the marks of rooms").await?;
        q("update room set complete_to = $3
            where integration_id = $1 and complete_to >= $2 and complete_to < $3 and status = 'open'
                and exists (select 1 from lease where base_url = $4 and app_id = $5 and epoch = $6
                    and holder_user is not null)")
        .bind(integration)
        .bind(filled_to)
        .bind(to)
        .bind(&*app.base_url)
        .bind(&app.app_id)
        .bind(epoch)
        .run(&mut tx)
        .await?;
        tx.commit().await
    }
}
