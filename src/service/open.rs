//! Opening a deck from plain settings: store, key ring, ledger and network plugged together.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use jiff::tz::TimeZone;

use super::{Access, Deck, DeckOptions, DeckSettings, Ledger, deck::Told};
use crate::{
    core::{
        error::Fault,
        integration::Holder,
        role::Right,
        secret::Secret,
        time::{Clock, Timestamp},
    },
    feishu::Network,
    ledger::MonthRules,
    store::{
        Seen, Store, StoreError, StoreOptions, StoreUrl,
        key::{KeyInfo, KeyRing, KeySource},
        permit,
    },
};

/// Between two looks at a database that is away: doubled each time, up to the second.
const AWAY_PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// How often a process says which keys it has.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// Where the key ring of a store is.
#[derive(Debug, Clone)]
pub enum KeyOrigin {
    /// A file, made on first use.
    File(PathBuf),
    /// The ring itself, from the environment.
    Text(Secret),
    /// A command that prints it, for `sh -c`.
    Command(String),
    /// A key of this process alone: for a throw-away store.
    Ephemeral,
}

impl fmt::Display for KeyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Text(_) => f.write_str("$LARKDECK_KEY"),
            Self::Command(command) => write!(f, "`{command}`"),
            Self::Ephemeral => f.write_str("this process"),
        }
    }
}

impl KeyOrigin {
    /// As the store takes it.
    pub(super) fn source(self) -> KeySource {
        match self {
            Self::File(path) => KeySource::File(path),
            Self::Text(text) => KeySource::Text(text),
            Self::Command(command) => KeySource::Command(vec!["sh".to_owned(), "-c".to_owned(), command]),
            Self::Ephemeral => KeySource::Ephemeral,
        }
    }
}

/// Everything that opening a deck takes.
#[derive(Clone)]
pub struct Opening {
    /// `sqlite:PATH` or `postgres://USER@HOST/DATABASE`.
    pub store_url: String,
    /// The password of the database, where the URL has none.
    pub store_password: Option<Secret>,
    /// The key ring.
    pub key: KeyOrigin,
    /// Calls in a month; `None` is unlimited.
    pub month_limit: Option<u64>,
    /// The zone in which the month begins.
    pub quota_zone: TimeZone,
    /// Who this process is: OS user, host, pid.
    pub me: Holder,
    /// Whose read marks and drafts these are.
    pub reader: String,
    /// What of the settings the service needs.
    pub settings: DeckSettings,
    /// Whether changes are allowed.
    pub access: Access,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// A key of the ring, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyView {
    /// Its id.
    pub id: String,
    /// When it was made, where that is known.
    pub created_at: Option<Timestamp>,
    /// Whether it seals what is written now.
    pub is_current: bool,
    /// Living processes whose ring lacks it.
    pub lacking: Vec<Holder>,
}

impl Opening {
    /// Opens the deck. A store that does not exist is made, unless changes are not allowed.
    ///
    /// # Errors
    /// Those of the store, its key ring, the ledger and the proxy settings.
    pub async fn open(self) -> Result<Deck, Fault> {
        let url = self.url(&self.store_url)?;
        let store = self.store(&url).await.told()?;
        self.with_store(store, url).await
    }

    /// The same, but a database that is away is waited for: it may start after us, as after a reboot. `told` hears
    /// why, once for each reason.
    ///
    /// # Errors
    /// As [`Self::open`], but for that one.
    pub async fn open_once_there(self, mut told: impl FnMut(&Fault)) -> Result<Deck, Fault> {
        let url = self.url(&self.store_url)?;
        let (mut pause, last) = AWAY_PAUSES;
        let mut said = None;
        let store = loop {
            match self.store(&url).await {
                Err(error) if error.is_away() => {
                    let fault = Fault::of(&error);
                    if said.as_ref() != Some(&fault.message) {
                        told(&fault);
                        said = Some(fault.message);
                    }
                }
                done => break done.told()?,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(last);
        };
        self.with_store(store, url).await
    }

    async fn store(&self, url: &StoreUrl) -> Result<Store, StoreError> {
        let keys = KeyRing::load(self.key.clone().source(), Some(url))?;
        // A store is made where changes are allowed; a read-only session wants one that is there.
        let create = self.access == Access::Write;
        let name = self.settings.name.clone();
        let options = StoreOptions { url: url.clone(), create, me: self.me.clone(), name };
        Store::open(options, keys, self.clock.clone()).await
    }

    async fn with_store(self, store: Store, url: StoreUrl) -> Result<Deck, Fault> {
        let ((), rows) = tokio::join!(store.warm_up(), permit::open(&url, &self.me));
        let rows = rows.told()?;
        let me = store.me().clone();
        let rules = MonthRules { limit: self.month_limit, zone: self.quota_zone, ..MonthRules::default() };
        Ok(Deck::open(DeckOptions {
            store,
            permits: Ledger::open(rows, rules, self.clock.clone()),
            network: Network::from_env().told()?,
            me,
            reader: self.reader,
            settings: DeckSettings { month_limit: self.month_limit, ..self.settings },
            access: self.access,
            clock: self.clock,
        }))
    }
}

impl Deck {
    /// The keys of the ring, oldest first.
    ///
    /// # Errors
    /// Those of reading the ring.
    pub async fn keys(&self) -> Result<Vec<KeyView>, Fault> {
        let keys = self.inner.store.keys_and_lacking().await.told()?;
        let view = |(key, lacking): (KeyInfo, Vec<Holder>)| KeyView {
            id: key.id,
            created_at: key.created_at,
            is_current: key.is_current,
            lacking,
        };
        Ok(keys.into_iter().map(view).collect())
    }

    /// Lists this process among those that live on the store, for as long as the deck is open: the others see
    /// it, and what it could not open must not be sealed.
    pub(super) fn report_ring(&self) {
        if self.inner.is_listed.swap(true, Ordering::Relaxed) {
            return;
        }
        let deck = self.clone();
        self.inner.tasks.spawn(async move {
            let mut seen = Seen::default();
            loop {
                if let Err(fault) = deck.say_hello(&mut seen).await {
                    tracing::warn!(%fault, "this process could not be listed");
                }
                let pause = tokio::time::sleep(REPORT_EVERY);
                if deck.inner.closing.run_until_cancelled(pause).await.is_none() {
                    break;
                }
            }
            let done = match deck.keeping_or_viewer().await {
                Ok(Some(store)) => store.leave_ring().await.told(),
                Ok(None) => Ok(()),
                Err(fault) => Err(fault),
            };
            if let Err(fault) = done {
                tracing::warn!(%fault, "this process stays listed until it has ended");
            }
        });
    }

    async fn say_hello(&self, seen: &mut Seen) -> Result<(), Fault> {
        match self.keeping_or_viewer().await? {
            Some(store) => store.report_ring(self.inner.settings.what, seen).await.told(),
            // Viewers leave no trace.
            None => Ok(()),
        }
    }

    /// Makes a key that seals nothing yet; returns its id.
    ///
    /// # Errors
    /// Read-only, or those of writing the ring.
    pub async fn add_key(&self) -> Result<String, Fault> {
        const OPERATION: &str = "key.add";
        let store = self.gate(Right::Administer, OPERATION, "the key ring").await?;
        let done = store.add_key().await.told();
        let target = done.as_ref().map_or_else(|_| "the key ring".to_owned(), String::clone);
        self.logged(OPERATION, target, done).await
    }

    /// Seals every secret with this key.
    ///
    /// # Errors
    /// Read-only, no such key, Refused while a living process lacks it, or the store's.
    pub async fn use_key(&self, id: &str) -> Result<(), Fault> {
        const OPERATION: &str = "key.use";
        let store = self.gate(Right::Administer, OPERATION, id).await?;
        let done = store.use_key(id).await.told();
        self.logged(OPERATION, id, done).await
    }

    /// Takes a key out of the ring.
    ///
    /// # Errors
    /// Read-only, or something is sealed with it.
    pub async fn drop_key(&self, id: &str) -> Result<(), Fault> {
        const OPERATION: &str = "key.drop";
        let store = self.gate(Right::Administer, OPERATION, id).await?;
        let done = store.drop_key(id).await.told();
        self.logged(OPERATION, id, done).await
    }
}
