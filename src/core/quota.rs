//! The call budget as a screen shows it.

use serde::{Deserialize, Serialize};

use super::{permit::Feature, time::Timestamp};

/// Where the month's figures come from (A10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaSource {
    /// Counted here, calls of this store only.
    CountedHere,
    /// Re-based with the figure of the admin console.
    Official,
}

/// The month of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthUse {
    /// Calls that count.
    pub used: u64,
    /// Calls that do not.
    pub exempt: u64,
    /// Calls without an answer: they may have counted.
    pub unknown: u64,
    /// The limit; `None` is unlimited (R55).
    pub limit: Option<u64>,
    /// Where the figures come from.
    pub source: QuotaSource,
    /// First instant of the next month in the set zone.
    pub resets_at: Timestamp,
    /// When it will be empty at the pace of the last days; `None` when it will last.
    pub forecast_empty_at: Option<Timestamp>,
    /// The platform itself said that the month is used up.
    pub exhausted: bool,
}

/// One rate bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketUse {
    /// Stable name: `app`, `send`, `webhook`, `receiver`, then the endpoints'.
    pub name: String,
    /// Calls in a window.
    pub limit: u32,
    /// Length of the window, seconds.
    pub window_s: u32,
    /// Calls in the window that ends now. For buckets per target: of the busiest target.
    pub used: u32,
    /// Calls that wait for it.
    pub waiting: u32,
    /// Paused by the platform until.
    pub paused_until: Option<Timestamp>,
}

/// Calls of one endpoint this month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointUse {
    /// Stable name, such as `im.message.create`.
    pub endpoint: String,
    /// Calls that count.
    pub counted: u64,
    /// Calls that do not.
    pub exempt: u64,
    /// Calls refused or failed.
    pub failed: u64,
}

/// Everything that the quota pane shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaReport {
    /// The month.
    pub month: MonthUse,
    /// The buckets: the four of R56-R59 first, then those of endpoints in use.
    pub buckets: Vec<BucketUse>,
    /// By endpoint, most used first.
    pub endpoints: Vec<EndpointUse>,
    /// By feature, most used first.
    pub features: Vec<(Feature, u64)>,
    /// Calls in each of the last 60 minutes, oldest first.
    pub minutes: Vec<u32>,
}
