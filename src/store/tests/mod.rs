//! The store from outside: what its users rely on, over real files and real databases, the same on both engines.

mod bad_days;
mod clock;
mod contract;
mod databases;
mod feed;
mod grants;
mod login;
mod messages;
mod people;
mod retention;
mod roles;
mod secrets;
mod upkeep;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use super::{
    Incoming, IngestItem, NewIntegration, Reader, Store, StoreError, StoreOptions, StoreUrl,
    key::{KeyRing, KeySource},
    sql::{Dialect, Query, Text},
};
use crate::core::{
    ids::{AppKey, ChatId, IntegrationId, MessageId},
    integration::{AppCredentials, Holder, ImKind, Receive},
    message::{NewMessage, Sender, SenderKind, Via},
    secret::Secret,
    time::{Clock, Timestamp},
};

/// A clock that a test moves.
pub(super) struct Hand(AtomicI64);

impl Hand {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_700_000_000_000)))
    }

    pub(super) fn forward(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::SeqCst))
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }
}

/// What the store compares with its own clock.
const INSTANTS: [(&str, &str); 11] = [
    ("event_seen", "at"),
    ("early_recall", "at"),
    ("feed_mark", "at"),
    ("operation", "at"),
    ("link_journal", "at"),
    ("outbox", "queued_at"),
    ("person", "known_at"),
    ("login_state", "expires_at"),
    ("session", "expires_at"),
    ("invitation", "expires_at"),
    ("session", "rotated_at"),
];

/// Lets time pass: by the clock of the process for a file; a database has its own, so that there everything grows
/// older instead.
pub(super) async fn pass(store: &Store, clock: &Hand, ms: i64) {
    if store.db().dialect() == Dialect::Sqlite {
        return clock.forward(ms);
    }
    for (table, column) in INSTANTS {
        let mut tx = store.db().write("let time pass").await.unwrap();
        let text = Text::Built(format!("update {table} set {column} = {column} - $1").into());
        Query { text, values: Vec::new() }.bind(ms).run(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
    }
}

pub(super) fn holder(user: &str) -> Holder {
    Holder { user: user.to_owned(), host: "bastion-1".to_owned(), pid: std::process::id() }
}

/// A store for one test, and a folder for what goes with it.
pub(super) struct Bed {
    folder: tempfile::TempDir,
    pub(super) url: StoreUrl,
}

impl Bed {
    /// In a file.
    pub(super) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { url: StoreUrl::Sqlite(folder.path().join("store.db")), folder }
    }

    /// In a database of its own; `None` where PostgreSQL is not installed.
    pub(super) async fn postgres() -> Option<Self> {
        Some(Self::at(super::test_postgres::database().await?.url().parse().unwrap()))
    }

    pub(super) fn at(url: StoreUrl) -> Self {
        Self { url, folder: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self.url, StoreUrl::Sqlite(_))
    }

    /// Another handle on the store, with connections of its own, as another process has.
    pub(super) async fn open_with(&self, user: &str, clock: Arc<dyn Clock>) -> Result<Store, StoreError> {
        let ring = KeyRing::load(KeySource::File(self.path().join("key")), Some(&self.url))?;
        let options = StoreOptions { url: self.url.clone(), create: true, me: holder(user), name: None };
        Store::open(options, ring, clock).await
    }

    pub(super) async fn open(&self) -> Store {
        self.open_with("ann", Hand::new()).await.unwrap()
    }
}

/// Runs each of these on each engine. A name says on which.
macro_rules! on_each_engine {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use super::super::Bed;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(Bed::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(bed) = Bed::postgres().await {
                    super::$name(bed).await;
                }
            }
        }
    )+};
}
use on_each_engine;

pub(super) fn app(id: &str) -> AppKey {
    AppKey { base_url: "https://open.feishu.cn".into(), app_id: id.parse().unwrap() }
}

pub(super) fn new_integration(name: &str, app_id: &str) -> NewIntegration {
    NewIntegration {
        name: name.to_owned(),
        kind: ImKind::Feishu,
        app: Some(AppCredentials {
            key: app(app_id),
            app_secret: Secret::new("app-secret-0123456789"),
            encrypt_key: Some(Secret::new("encrypt-key-0123456789")),
            verification_token: None,
        }),
        receive: Receive::LongConnection,
    }
}

pub(super) async fn integration(store: &Store) -> IntegrationId {
    store.add_integration(new_integration("Feishu-Prod", "cli_a")).await.unwrap().id
}

pub(super) fn chat(number: usize) -> ChatId {
    format!("oc_{number}").parse().unwrap()
}

pub(super) fn message_id(number: usize) -> MessageId {
    format!("om_{number:06}").parse().unwrap()
}

pub(super) fn message(number: usize, chat_id: &ChatId, at: i64) -> NewMessage {
    NewMessage {
        chat_id: chat_id.clone(),
        message_id: message_id(number),
        root_id: None,
        parent_id: None,
        thread_id: None,
        sender: Sender { id: "ou_1".to_owned(), name: None, kind: SenderKind::User },
        msg_type: "text".to_owned(),
        content: format!("{{\"text\":\"line {number}\"}}"),
        mentions: Vec::new(),
        created_at: Timestamp::from_ms(at),
        updated_at: None,
        edited: false,
        recalled: false,
    }
}

pub(super) fn item(integration: &IntegrationId, message: NewMessage) -> IngestItem {
    IngestItem {
        integration: integration.clone(),
        event_id: None,
        via: Via::Live,
        what: Incoming::Message { message, own: false },
    }
}

pub(super) fn reader(name: &str) -> Reader {
    Reader { name: name.to_owned(), open_ids: Vec::new() }
}
