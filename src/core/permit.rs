//! The permit without which no request leaves. `feishu::transport` asks, `ledger` decides, the store
//! keeps the state that all processes share.

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{error::Kind, ids::AppKey, time::Timestamp};

/// A boxed future, so that the trait below can be an object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Who goes first when a limit is short. Order matters: the first is served first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Somebody is being paged.
    Page,
    /// A person waits for it: a message typed, a history scrolled to.
    Person,
    /// Bulk linking.
    Linking,
    /// Repairing rooms after a gap.
    Fill,
    /// Names, reactions, streaming cards.
    Decoration,
}

/// What a call is for; the screen shows the month's use by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Tokens and checks of the set-up.
    Setup,
    /// Linking members.
    Linking,
    /// The live connection, rooms and gap fills.
    Live,
    /// History that a person asked for.
    History,
    /// Messages, replies and reactions that a person sends.
    Send,
    /// Names of people.
    People,
    /// AI SRE.
    Ai,
    /// Notifications.
    Notify,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Setup,
        Self::Linking,
        Self::Live,
        Self::History,
        Self::Send,
        Self::People,
        Self::Ai,
        Self::Notify,
    ];

    /// As the store and the commands write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Linking => "linking",
            Self::Live => "live",
            Self::History => "history",
            Self::Send => "send",
            Self::People => "people",
            Self::Ai => "ai",
            Self::Notify => "notify",
        }
    }

    /// The feature of that name.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feature| feature.as_str() == text)
    }
}

/// So many calls in any window of so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limit {
    /// Calls.
    pub calls: u32,
    /// Length of the sliding window.
    pub window: Duration,
}

/// Makes a [`Limit`] of `calls` in `seconds`; for tables.
pub const fn limit(calls: u32, seconds: u64) -> Limit {
    Limit { calls, window: Duration::from_secs(seconds) }
}

/// Whether the platform counts the call against the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MonthClass {
    /// It counts when it succeeds.
    Counted,
    /// It never counts (tokens, contacts).
    Exempt,
}

/// Something that has a limit of its own beside the endpoint's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// The chat or person who gets a message: 5/s.
    Receiver(String),
    /// A message that is patched: 5/s.
    PatchedMessage(String),
    /// A card entity: 10/s.
    Card(String),
    /// A group-bot webhook: 100/min and 5/s.
    Webhook(String),
}

/// One call that is about to be made: everything the ledger needs to know of it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Whose limits it uses.
    pub app: AppKey,
    /// The endpoint's stable name, such as `im.message.create`. Unique in the endpoint table.
    pub endpoint: &'static str,
    /// The endpoint's own limits; every one holds.
    pub limits: &'static [Limit],
    /// Whether it is a send in the sense of R57 (1000/min over all send endpoints).
    pub is_send: bool,
    /// What it is aimed at, where that has a limit too.
    pub target: Option<Target>,
    /// Against the month or not.
    pub month: MonthClass,
    /// Who goes first.
    pub class: Class,
    /// What it is for.
    pub feature: Feature,
    /// Give up waiting after this; `None` waits as long as it takes.
    pub patience: Option<Duration>,
}

/// Leave to send one request, once.
#[derive(Debug)]
pub struct Permit {
    /// The ledger's number of it.
    pub id: i64,
    /// When it was granted, on this process's monotonic clock.
    pub granted_at: Instant,
    /// Older than this when the bytes are about to leave, it must be handed back unused.
    pub fresh_for: Duration,
    /// When the request began to leave, where that is known: see [`Permit::left`]. The ledger gives `None`, and
    /// takes that for as late as it may have been.
    pub left_at: Option<Instant>,
    /// The call it was granted for.
    pub call: Call,
}

impl Permit {
    /// Says when the request began to leave, where that was later than the permit's instant: after waiting
    /// for a processor, or for a connection that had to be made. The ledger then counts the call from there.
    pub fn left(&mut self, at: Instant) {
        self.left_at = Some(at);
    }

    /// Whether it has become too old to be used at `now`.
    pub fn is_stale(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.granted_at) > self.fresh_for
    }
}

/// What became of a permit's call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Answered with success: it counts.
    Done,
    /// Answered with a 4xx or 5xx: the platform does not count it against the month.
    Failed,
    /// No answer came: it may have counted.
    Unknown,
    /// Never sent: everything is given back.
    Unused,
    /// Refused for speed. The limit named by `scope` pauses for `wait`.
    Limited {
        /// Which limit the answer spoke of.
        scope: LimitScope,
        /// For how long.
        wait: Duration,
    },
    /// Refused because the month is used up (99991403).
    MonthExhausted,
}

/// Which limit a refusal spoke of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitScope {
    /// The endpoint's (99991400).
    Endpoint,
    /// The target's (230020, 232019).
    Target,
    /// All sends (11232 and its kin).
    Sends,
}

/// Why no permit was granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It would have had to wait longer than its patience.
    #[error("the limit {bucket} is used up until {until}")]
    TooLong {
        /// Name of the bucket that is short.
        bucket: String,
        /// When it frees.
        until: Timestamp,
    },
    /// The month is used up.
    #[error("the month's calls are used up; they come back at {resets_at}")]
    MonthExhausted {
        /// The first instant of the next month.
        resets_at: Timestamp,
    },
    /// What is left of the month is kept for paging.
    #[error("the last calls of the month are kept for paging until {resets_at}")]
    MonthReserved {
        /// The first instant of the next month.
        resets_at: Timestamp,
    },
    /// The store cannot be reached: without it nothing is sent.
    #[error("no permit: the store is away ({reason})")]
    StoreAway {
        /// The store's error.
        reason: String,
    },
}

impl super::error::Problem for Denied {
    fn kind(&self) -> Kind {
        match self {
            Self::TooLong { until, .. } => Kind::RateLimited { retry_at: Some(*until) },
            Self::MonthExhausted { .. } | Self::MonthReserved { .. } => Kind::QuotaExhausted,
            Self::StoreAway { .. } => Kind::Storage,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::TooLong { .. } => "Wait, or look at the quota pane for what uses the limit.",
                Self::MonthExhausted { .. } | Self::MonthReserved { .. } => {
                    "Ask the tenant's admin for a larger plan, or set the official figure with `larkdeck quota`."
                }
                Self::StoreAway { .. } => {
                    "Look at the store: its disk and permissions, or its database; calls resume by themselves."
                },
            }
            .to_owned(),
        )
    }
}

/// Grants permits. Dropping the future of `acquire` gives up the wait.
pub trait PermitSource: Send + Sync + 'static {
    /// Waits for a permit.
    ///
    /// # Errors
    /// [`Denied`] when the wait would be longer than the call's patience, the month is used up, or the
    /// store is away.
    fn acquire(&self, call: Call) -> BoxFuture<'_, Result<Permit, Denied>>;

    /// Tells what became of it. Always called exactly once for each permit.
    fn settle(&self, permit: Permit, outcome: Outcome) -> BoxFuture<'_, ()>;
}
