//! The one object that commands and the console share: what it is made of, the gate before every change,
//! and the log behind it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    time::{Duration, Instant},
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    core::{
        error::{Fault, Kind, Problem},
        health::StoreHealth,
        ids::{IntegrationId, Seq},
        integration::{AppCredentials, Holder},
        operation::{NewOperation, Operation, OperationResult},
        permit::PermitSource,
        quota::QuotaReport,
        role::{Right, Role},
        time::{Clock, Timestamp},
    },
    feishu::{Client, Network},
    store::{OperationQuery, Reader, Store, View},
};

use super::{gate::Gate, member::Roster, permit::Ledger, view::*};

/// What a service call answers.
pub type Answer<T> = Result<T, Fault>;

/// How long [`Deck::close`] waits for what is under way.
const CLOSE_PATIENCE: Duration = Duration::from_secs(3);
/// How long the accounts of the reader are taken to be the same.
const READER_FRESH: Duration = Duration::from_secs(30);

/// What a deck is made of.
pub struct DeckOptions {
    /// Where everything is kept.
    pub store: Store,
    /// The call budget.
    pub permits: Arc<Ledger>,
    /// The way to the platform.
    pub network: Network,
    /// Who this process is.
    pub me: Holder,
    /// Whose read marks and drafts these are: a member's name, email or id, else OS user@host.
    pub reader: String,
    /// Settings.
    pub settings: DeckSettings,
    /// Whether changes are allowed.
    pub access: Access,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Everything larkdeck does. Cheap to clone.
#[derive(Clone)]
pub struct Deck {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    /// To be read. Whoever wants to write passes the gate.
    pub(super) store: View,
    gate: Gate,
    pub(super) permits: Arc<Ledger>,
    pub(super) network: Network,
    pub(super) me: Holder,
    pub(super) reader: String,
    pub(super) settings: DeckSettings,
    /// The process is in the list of those that live on the store.
    pub(super) is_listed: AtomicBool,
    pub(super) clock: Arc<dyn Clock>,
    /// What runs in the background; [`Deck::close`] waits for it.
    pub(super) tasks: TaskTracker,
    /// Fires when the deck is closed.
    pub(super) closing: CancellationToken,
    clients: Mutex<HashMap<IntegrationId, (AppCredentials, Client)>>,
    readers: Mutex<HashMap<IntegrationId, (Instant, Reader)>>,
    pub(super) rosters: tokio::sync::Mutex<HashMap<IntegrationId, Roster>>,
    /// The ways in for what is pushed.
    pub(super) doors: Mutex<HashMap<IntegrationId, Arc<super::door::Door>>>,
    /// People whose names are to be looked up.
    pub(super) wanted_names: Mutex<super::live::names::Wanted>,
    /// Rooms and threads whose facts were asked for lately.
    pub(super) asked: Mutex<HashMap<String, Instant>>,
    pub(super) logins: super::login::Logins,
    /// Tells living connections that an integration was edited here.
    pub(super) edited: tokio::sync::watch::Sender<u64>,
}

/// Writes an error of a lower layer down.
pub(super) trait Told<T> {
    /// The same result with a [`Fault`].
    fn told(self) -> Answer<T>;
}

impl<T, E: Problem> Told<T> for Result<T, E> {
    fn told(self) -> Answer<T> {
        self.map_err(|error| Fault::of(&error))
    }
}

/// Locks for a moment; a lock that a panic left behind still holds sound data here.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Deck {
    /// Opens the deck. Nothing is asked or written yet.
    pub fn open(options: DeckOptions) -> Self {
        let gate = Gate::new(options.store, options.access, options.clock.clone());
        Self {
            inner: Arc::new(Inner {
                store: gate.view(),
                gate,
                permits: options.permits,
                network: options.network,
                me: options.me,
                reader: options.reader,
                settings: options.settings,
                is_listed: AtomicBool::new(false),
                clock: options.clock,
                tasks: TaskTracker::new(),
                closing: CancellationToken::new(),
                clients: Mutex::default(),
                readers: Mutex::default(),
                rosters: tokio::sync::Mutex::default(),
                doors: Mutex::default(),
                wanted_names: Mutex::default(),
                asked: Mutex::default(),
                logins: super::login::Logins::default(),
                edited: tokio::sync::watch::channel(0).0,
            }),
        }
    }

    /// This process.
    pub fn me(&self) -> &Holder {
        &self.inner.me
    }

    /// How the store is reached, now and whenever that changes.
    pub fn store_health(&self) -> tokio::sync::watch::Receiver<StoreHealth> {
        self.inner.store.health()
    }

    /// Whose read marks and drafts these are.
    pub fn reader(&self) -> &str {
        &self.inner.reader
    }

    /// The address that the URLs of integrations begin with, where one is set.
    pub fn public_url(&self) -> Option<&str> {
        self.inner.settings.public_url.as_deref()
    }

    /// The store below, past the gate: for tests, which stand in for what is outside.
    pub fn store(&self) -> &Store {
        self.inner.gate.whole()
    }

    /// Whether changes are allowed.
    pub fn access(&self) -> Access {
        self.inner.gate.access()
    }

    /// Lifts or sets the read-only gate of this process.
    pub fn set_access(&self, access: Access) {
        self.inner.gate.set_access(access);
    }

    /// The role of this process.
    ///
    /// # Errors
    /// The store's.
    pub async fn role(&self) -> Answer<Role> {
        self.inner.gate.role().await
    }

    /// Ends what runs in the background; connections are handed over, and messages under way get a moment
    /// to finish. The store stays open.
    pub async fn close(&self) {
        self.inner.closing.cancel();
        self.inner.tasks.close();
        // Whoever is cut off here is found by the next process: leases by their beat, messages by their author.
        _ = tokio::time::timeout(CLOSE_PATIENCE, self.inner.tasks.wait()).await;
        // They hold the deck, as it holds them.
        lock(&self.inner.doors).clear();
        self.inner.permits.close().await;
    }

    /// Closes the deck and the store below it: the end of a process.
    pub async fn shut(&self) {
        self.close().await;
        self.inner.store.close().await;
    }

    /// Changes when the figures of the quota do, at most once a second.
    pub fn quota_watch(&self) -> tokio::sync::watch::Receiver<u64> {
        self.inner.permits.watch()
    }

    /// Rows of the operation log before `before`, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn operations(&self, before: Option<Seq>, limit: u32) -> Answer<Vec<Operation>> {
        let query = OperationQuery { before, limit, ..OperationQuery::default() };
        let mut rows = self.inner.store.operations(query).await.told()?;
        rows.reverse();
        Ok(rows)
    }

    /// Rows of the operation log since an instant, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn operations_since(&self, since: Option<Timestamp>) -> Answer<Vec<Operation>> {
        self.inner.store.operations(OperationQuery { since, ..OperationQuery::default() }).await.told()
    }

    /// The call budget of an integration's app.
    ///
    /// # Errors
    /// Where the integration has no app, or the store's.
    pub async fn quota(&self, integration: &IntegrationId) -> Answer<QuotaReport> {
        let view = self.app_of(integration).await?;
        self.inner.permits.report(&view.key).await.told()
    }

    /// Sets the month's official figure, as the admin console shows it.
    ///
    /// # Errors
    /// Read-only, no app, or the store's.
    pub async fn rebase_quota(&self, integration: &IntegrationId, official: u64) -> Answer<QuotaReport> {
        const OPERATION: &str = "quota.rebase";
        let name = self.inner.store.integration(integration).await.told()?.name;
        self.gate(Right::Administer, OPERATION, &name).await?;
        let app = self.app_of(integration).await?;
        let done = self.inner.permits.rebase_month(&app.key, official).await.told();
        self.logged(OPERATION, &name, done).await?;
        self.quota(integration).await
    }

    /// Keeps a piece of the reader's screen: pane, room, place, drafts. An empty text forgets it. Of viewers
    /// nothing is kept.
    ///
    /// # Errors
    /// The store's.
    pub async fn put_session(&self, key: &str, value: &str) -> Answer<()> {
        let Some(store) = self.keeping_or_viewer().await? else { return Ok(()) };
        let value = (!value.is_empty()).then_some(value);
        store.put_ui(&self.inner.reader, key, value).await.told()
    }

    /// A piece of the reader's screen.
    ///
    /// # Errors
    /// The store's.
    pub async fn session(&self, key: &str) -> Answer<Option<String>> {
        self.inner.store.get_ui(&self.inner.reader, key).await.told()
    }

    /// All pieces of the reader's screen whose key begins with `prefix`.
    ///
    /// # Errors
    /// The store's.
    pub async fn sessions(&self, prefix: &str) -> Answer<Vec<(String, String)>> {
        self.inner.store.list_ui(&self.inner.reader, prefix).await.told()
    }

    /// Number of the latest change.
    ///
    /// # Errors
    /// The store's.
    pub async fn head(&self) -> Answer<Seq> {
        self.inner.store.head().await.told()
    }

    /// The gate before every change that a person asks for. A refusal is logged.
    pub(super) async fn gate(
        &self,
        right: Right,
        operation: &'static str,
        target: impl ToString,
    ) -> Answer<&Store> {
        match self.inner.gate.pass(right).await {
            Ok(store) => Ok(store),
            Err(mut fault) if matches!(fault.kind, Kind::Refused | Kind::Permission) => {
                let target = target.to_string();
                fault.message = format!("{}: {operation} on {target} is not done", fault.message);
                let mut row = NewOperation::failed(operation, target, &fault);
                row.result = OperationResult::Refused;
                self.log(row).await;
                Err(fault)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Now, as all who share the store see it: for what is kept there and read on other hosts.
    pub(super) async fn shared_now(&self) -> Answer<Timestamp> {
        self.inner.store.now().await.told()
    }

    /// Whether a person's change of this kind would pass. Nothing is logged.
    pub(super) async fn passes(&self, right: Right) -> Answer<bool> {
        self.refusal(right).await.map(|refusal| refusal.is_none())
    }

    /// Why such a change would not pass: Refused when read-only, Permission where the role does not reach.
    pub(super) async fn refusal(&self, right: Right) -> Answer<Option<Fault>> {
        match self.inner.gate.pass(right).await {
            Ok(_) => Ok(None),
            Err(fault) if matches!(fault.kind, Kind::Refused | Kind::Permission) => Ok(Some(fault)),
            Err(fault) => Err(fault),
        }
    }

    /// The gate before what a console does by itself.
    ///
    /// # Errors
    /// Permission for a viewer.
    pub(super) async fn keeping(&self) -> Answer<&Store> {
        self.inner.gate.pass(Right::Keep).await
    }

    /// The same where a viewer just does without.
    pub(super) async fn keeping_or_viewer(&self) -> Answer<Option<&Store>> {
        match self.keeping().await {
            Ok(store) => Ok(Some(store)),
            Err(fault) if fault.kind == Kind::Permission => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Writes what came of a change to the log, and passes it on.
    pub(super) async fn logged<T>(
        &self,
        operation: &'static str,
        target: impl ToString,
        result: Answer<T>,
    ) -> Answer<T> {
        let row = match &result {
            Ok(_) => NewOperation::ok(operation, target.to_string()),
            Err(fault) => NewOperation::failed(operation, target.to_string(), fault),
        };
        self.log(row).await;
        result
    }

    /// Writes a row to the operation log. That the log cannot be written stops nothing that is done already; of
    /// viewers there is nothing to log.
    pub(super) async fn log(&self, row: NewOperation) {
        let operation = row.operation;
        let done = match self.keeping_or_viewer().await {
            Ok(Some(store)) => store.log(row).await.told(),
            Ok(None) => return,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = done {
            tracing::error!(operation, %fault, "operation log not written");
        }
    }

    /// The client of an integration, made anew when its credentials have changed.
    ///
    /// # Errors
    /// Permission for a viewer, who calls nothing.
    pub(super) async fn client(&self, integration: &IntegrationId) -> Answer<Client> {
        let pass = self.keeping().await?;
        let app = self.inner.store.credentials(integration).await.told()?;
        if let Some((of, client)) = lock(&self.inner.clients).get(integration)
            && *of == app
        {
            return Ok(client.clone());
        }
        let client = self.make_client(pass, app.clone())?;
        lock(&self.inner.clients).insert(integration.clone(), (app, client.clone()));
        Ok(client)
    }

    /// A client of credentials that may not be saved yet, for whoever has passed the gate.
    pub(super) fn make_client(&self, _pass: &Store, app: AppCredentials) -> Answer<Client> {
        let permits: Arc<dyn PermitSource> = self.inner.permits.clone();
        Client::new(app, permits, &self.inner.network, self.inner.clock.clone()).told()
    }

    /// The reader with the accounts that count as mentions.
    pub(super) async fn reader_at(&self, integration: &IntegrationId) -> Answer<Reader> {
        let now = self.inner.clock.instant();
        if let Some((at, reader)) = lock(&self.inner.readers).get(integration)
            && now.saturating_duration_since(*at) < READER_FRESH
        {
            return Ok(reader.clone());
        }
        let found = self.inner.store.named_member(integration, &self.inner.reader).await.told()?;
        let link = found.and_then(|member| member.link);
        let reader = Reader {
            name: self.inner.reader.clone(),
            open_ids: link.map(|link| link.open_id).into_iter().collect(),
        };
        lock(&self.inner.readers).insert(integration.clone(), (now, reader.clone()));
        Ok(reader)
    }

    /// Whether `what` was not asked for within `every`; notes that it is asked for now.
    pub(super) fn is_due(&self, what: &str, every: Duration) -> bool {
        let now = self.inner.clock.instant();
        let mut asked = lock(&self.inner.asked);
        if asked.get(what).is_some_and(|at| now.saturating_duration_since(*at) < every) {
            return false;
        }
        asked.insert(what.to_owned(), now);
        true
    }

    /// Forgets that `what` was asked for: the answer did not come.
    pub(super) fn not_asked(&self, what: &str) {
        lock(&self.inner.asked).remove(what);
    }
}

/// 32 hexadecimal digits that nobody else has.
pub(super) fn fresh_id() -> Answer<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Fault::new(Kind::Bug, format!("the system has no randomness: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
