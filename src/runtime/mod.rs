//! Between the console and the service: effects become service calls, answers and the store's news become
//! events. Every effect has a task of its own, so that none waits for another; nothing here touches the model.

mod answer;
mod convert;
mod news;
#[cfg(test)]
mod quit_test;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{runtime::Handle, sync::mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    app::{
        effect::{Ask, Effect, EffectId, EffectSink},
        event::Event,
        session::Session,
    },
    core::{
        error::Fault,
        ids::{ChatId, IntegrationId},
    },
    service::{Deck, LiveHandle},
};

/// Under which key the session is kept in the store.
const SESSION_KEY: &str = "console";

/// Carries out what the console asks for. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

struct Inner {
    deck: Deck,
    events: mpsc::Sender<Event>,
    handle: Handle,
    tasks: TaskTracker,
    cancel: CancellationToken,
    focus: Mutex<Focus>,
    linkings: Mutex<HashMap<EffectId, CancellationToken>>,
    live: Mutex<HashMap<IntegrationId, LiveHandle>>,
}

/// How long a quit waits for a busy store to keep the session.
const LAST_WORD: Duration = Duration::from_secs(2);

/// What the console is about: decides which news are worth loading.
#[derive(Debug, Clone, Default)]
struct Focus {
    integration: Option<IntegrationId>,
    room: Option<ChatId>,
}

/// Locks for a moment; what a panic left behind is still sound here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Runtime {
    /// Begins to follow the store and to take part in the live connections. Events go to `events`.
    pub fn start(deck: Deck, events: mpsc::Sender<Event>) -> Self {
        let runtime = Self {
            inner: Arc::new(Inner {
                deck,
                events,
                handle: Handle::current(),
                tasks: TaskTracker::new(),
                cancel: CancellationToken::new(),
                focus: Mutex::default(),
                linkings: Mutex::default(),
                live: Mutex::default(),
            }),
        };
        runtime.spawn(|runtime| async move { news::feed(runtime).await });
        runtime.spawn(|runtime| async move { news::quota(runtime).await });
        runtime.spawn(|runtime| async move { news::store_health(runtime).await });
        runtime
    }

    /// What the last console of this reader left; a session that cannot be read is as good as none.
    pub async fn last_session(deck: &Deck) -> Session {
        match deck.session(SESSION_KEY).await {
            Ok(Some(text)) => serde_json::from_str(&text).unwrap_or_default(),
            Ok(None) => Session::default(),
            Err(fault) => {
                tracing::warn!(%fault, "the last session");
                Session::default()
            }
        }
    }

    /// Ends what is under way, hands the connections over and closes the deck.
    pub async fn stop(self) {
        self.inner.cancel.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        let live: Vec<LiveHandle> = lock(&self.inner.live).drain().map(|(_, handle)| handle).collect();
        for handle in live {
            handle.stop().await;
        }
        // The last one to close the store folds its journal into it: the next start need not.
        self.inner.deck.shut().await;
    }

    /// Runs a task that ends with the runtime.
    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: impl FnOnce(Self) -> F) {
        let (cancel, task) = (self.inner.cancel.clone(), task(self.clone()));
        self.inner.tasks.spawn_on(
            async move {
                cancel.run_until_cancelled(task).await;
            },
            &self.inner.handle,
        );
    }

    async fn tell(&self, event: Event) {
        // The console has ended when nobody listens.
        _ = self.inner.events.send(event).await;
    }

    fn focus(&self) -> Focus {
        lock(&self.inner.focus).clone()
    }

    /// What changes the runtime itself happens at once, so that it holds for the effects behind it.
    fn note(&self, id: EffectId, ask: &Ask) {
        match ask {
            Ask::UseIntegration(integration) => {
                lock(&self.inner.focus).integration = Some(integration.clone());
            }
            Ask::OpenRoom(room) => lock(&self.inner.focus).room.clone_from(room),
            Ask::RunLink { .. } => {
                lock(&self.inner.linkings).insert(id, self.inner.cancel.child_token());
            }
            Ask::CancelLink(linking) => {
                if let Some(cancel) = lock(&self.inner.linkings).get(linking) {
                    cancel.cancel();
                }
            }
            _ => {}
        }
    }
}

impl EffectSink for Runtime {
    fn perform(&self, effect: Effect) {
        let Effect::Ask { id, ask } = effect else { return };
        self.note(id, &ask);
        let is_last_word = matches!(ask, Ask::SaveSession(_));
        let work = |runtime: Self| async move {
            let event = match runtime.answer(id, ask).await {
                Ok(answer) => Event::Answered { id, answer: Box::new(answer) },
                Err(fault) => Event::Failed { id, fault: Box::new(fault) },
            };
            lock(&runtime.inner.linkings).remove(&id);
            runtime.tell(event).await;
        };
        if is_last_word {
            // Asked for as the console quits: what ends everything else would end it before it has begun.
            let work = tokio::time::timeout(LAST_WORD, work(self.clone()));
            self.inner.tasks.spawn_on(async move { drop(work.await) }, &self.inner.handle);
        } else {
            self.spawn(work);
        }
    }
}

/// A result of the service.
type Done<T> = Result<T, Fault>;
