//! What all connections of this process to one database share: how to make one, when to try again, and whether
//! the database is there.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};
use tokio::{sync::watch, time::timeout};

use super::{NOW, PgConn, PgResult, PgUrl, explain, schema, url::Pooler};
use crate::{
    core::{health::StoreHealth, integration::Holder, time::Clock},
    store::StoreError,
};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// Between two tries while the database is away: doubled each time, up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// As the database itself writes it.
const STATEMENT_LIMIT: &str = "10s";

/// Of each session: nothing may hold the lock of the writer for long, and a peer that is gone is noticed.
const LIMITS: [(&str, &str); 7] = [
    ("statement_timeout", STATEMENT_LIMIT),
    ("lock_timeout", "8000"),
    ("idle_in_transaction_session_timeout", "5000"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "3"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10000"),
];

/// What all connections of this process to one database share.
pub(in super::super) struct PgHome {
    options: PgConnectOptions,
    clock: Arc<dyn Clock>,
    is_pooled: AtomicBool,
    /// In front of the database is something that gives a connection to one client at a time.
    has_sessions: bool,
    gate: Mutex<Gate>,
    health: watch::Sender<StoreHealth>,
    /// Of wake-ups; known once the store is open.
    channel: OnceLock<String>,
    /// Which server it is: another one, or one that was restored, has numbers of its own.
    identity: Mutex<String>,
    begin: [String; 2],
    begin_loose: String,
}

/// Closed for a while after each try that failed.
#[derive(Default)]
struct Gate {
    failures: u32,
    closed: Option<(Instant, sqlx::Error)>,
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl PgHome {
    pub(in super::super) fn new(url: &PgUrl, me: &Holder, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let name = format!("larkdeck {me} {}", me.pid);
        let options = url.connect_options()?.application_name(&name);
        let begin = "begin isolation level read committed read write";
        // The version once the lock is there: a statement of its own sees what was committed until then.
        let lock = format!(
            "{NOW}, txid_current()::text from store_meta where id = 1 for update;
            select max(version)::text from larkdeck_schema"
        );
        let limits = LIMITS.iter().take(3).map(|(name, value)| format!("set local {name} = '{value}'"));
        let limits = limits.collect::<Vec<_>>().join("; ");
        Ok(Self {
            options,
            clock,
            is_pooled: AtomicBool::new(url.pooler() == Some(Pooler::Transaction)),
            has_sessions: url.pooler() == Some(Pooler::Session),
            gate: Mutex::default(),
            health: watch::Sender::new(StoreHealth::default()),
            channel: OnceLock::new(),
            identity: Mutex::default(),
            begin: [format!("{begin}; {lock}"), format!("{begin}; {limits}; {lock}")],
            begin_loose: format!("begin; {limits}"),
        })
    }

    /// The same, telling how the database is reached by `health`.
    pub(in super::super) fn with_health(self, health: watch::Sender<StoreHealth>) -> Self {
        Self { health, ..self }
    }

    /// A connection that is made once it is needed.
    pub(in super::super) fn connection(self: &Arc<Self>) -> PgConn {
        PgConn::new(Arc::clone(self))
    }

    pub(super) fn is_pooled(&self) -> bool {
        self.is_pooled.load(Ordering::Relaxed)
    }

    /// Statements were lost: from now on each transaction brings what it needs.
    pub(super) fn found_pooler(&self) {
        self.is_pooled.store(true, Ordering::Relaxed);
    }

    /// Begins a transaction that holds the writer's lock; answers its number.
    pub(super) fn begin(&self) -> &str {
        let [direct, pooled] = &self.begin;
        if self.is_pooled() { pooled } else { direct }
    }

    /// Begins a transaction for one statement.
    pub(super) fn begin_loose(&self) -> &str {
        &self.begin_loose
    }

    /// Remembers the schema of the store, which names the channel of its wake-ups.
    pub(super) fn opened(&self, schema: &str) {
        // A name of a channel has at most 63 bytes.
        let mut channel = format!("larkdeck_{schema}");
        while channel.len() > 63 {
            channel.pop();
        }
        let _ = self.channel.set(channel);
    }

    /// The channel of wake-ups.
    pub(super) fn channel(&self) -> &str {
        self.channel.get().map_or("larkdeck", String::as_str)
    }

    /// The statement that tells who listens.
    pub(super) fn notify(&self, payload: impl std::fmt::Display) -> String {
        format!("notify {}, '{payload}'", quoted(self.channel()))
    }

    /// The statement that listens.
    pub(super) fn listen(&self) -> String {
        format!("listen {}", quoted(self.channel()))
    }

    pub(super) fn identity(&self) -> String {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a listener connects with.
    pub(super) fn options(&self) -> PgConnectOptions {
        self.with_limits(&self.options)
    }

    fn with_limits(&self, options: &PgConnectOptions) -> PgConnectOptions {
        if self.is_pooled() {
            return options.clone().statement_cache_capacity(0);
        }
        if self.has_sessions {
            return options.clone();
        }
        options.clone().options(LIMITS)
    }

    /// What a new connection has to be told before it is used.
    pub(super) fn first_words(&self) -> Option<String> {
        let is_wanted = self.has_sessions && !self.is_pooled();
        let limits = LIMITS.iter().map(|(name, value)| format!("set {name} = '{value}'"));
        is_wanted.then(|| limits.collect::<Vec<_>>().join("; "))
    }

    /// Makes a connection, unless the last try failed a moment ago.
    pub(super) async fn connect(&self) -> PgResult<PgConnection> {
        self.pass()?;
        let mut made = self.try_connect().await;
        if let Err(error) = &made
            && explain::is_startup_refused(error)
            && !self.is_pooled()
        {
            self.found_pooler();
            made = self.try_connect().await;
        }
        match made {
            Ok(mut conn) => {
                self.recognise(&mut conn).await?;
                *self.gate.lock().unwrap_or_else(PoisonError::into_inner) = Gate::default();
                Ok(conn)
            }
            Err(error) => {
                self.shut(&error);
                Err(error)
            }
        }
    }

    /// Another server than before has other numbers: who follows the feed has to load anew.
    async fn recognise(&self, conn: &mut PgConnection) -> PgResult<()> {
        let found = timeout(CONNECT, schema::identity(conn)).await;
        let (found, statement_limit) =
            found.unwrap_or_else(|_| Err(explain::broken("it does not answer")))?;
        if statement_limit != STATEMENT_LIMIT {
            // What the connection began with did not reach the database: a pooler that was told to ignore it.
            self.found_pooler();
        }
        let known = self.identity();
        if !known.is_empty() && known != found {
            schema::begin_generation(conn, &found).await;
        }
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = found;
        Ok(())
    }

    async fn try_connect(&self) -> PgResult<PgConnection> {
        let made = async {
            let mut conn = self.with_limits(&self.options).connect().await?;
            if let Some(words) = self.first_words() {
                sqlx::raw_sql(sqlx::AssertSqlSafe(words)).execute(&mut conn).await?;
            }
            Ok(conn)
        };
        match timeout(CONNECT, made).await {
            Ok(made) => made,
            Err(_) => Err(explain::broken("it does not answer")),
        }
    }

    fn pass(&self) -> PgResult<()> {
        match &self.gate.lock().unwrap_or_else(PoisonError::into_inner).closed {
            Some((until, error)) if Instant::now() < *until => Err(explain::again(error)),
            _ => Ok(()),
        }
    }

    fn shut(&self, error: &sqlx::Error) {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, last) = PAUSES;
        let pause = first.saturating_mul(1 << gate.failures.min(10)).min(last);
        gate.failures += 1;
        gate.closed = Some((Instant::now() + pause, explain::again(error)));
        drop(gate);
        self.is_away();
    }

    /// A connection broke: whether the database is away shows with the next one.
    pub(super) fn broke(&self, error: &sqlx::Error) {
        tracing::warn!(reason = explain::reason(error), "a connection to the store broke");
    }

    /// The database does not answer.
    pub(super) fn is_away(&self) {
        let now = self.clock.now();
        self.health.send_if_modified(|health| {
            let was_there = health.away_since.is_none();
            health.away_since.get_or_insert(now);
            was_there
        });
    }

    pub(super) fn is_out_of_reach(&self) -> bool {
        self.health.borrow().away_since.is_some()
    }

    /// It has answered.
    pub(super) fn is_well(&self) {
        self.health.send_if_modified(|health| health.away_since.take().is_some());
    }

    /// Whether commits of others are told as they happen.
    pub(super) fn is_told(&self, is_told: bool) {
        self.health.send_if_modified(|health| {
            let is_news = health.is_told != is_told;
            health.is_told = is_told;
            is_news
        });
    }
}
