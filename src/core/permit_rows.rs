//! The rows behind the permits, as the ledger sees them: one transaction around one decision. The store
//! implements the trait; `main` plugs the two together.

use super::{
    ids::{AppKey, TenantKey},
    permit::{BoxFuture, Feature},
    time::Timestamp,
};

/// The rows cannot be reached, with the engine's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct RowsAway {
    /// The engine's words.
    pub reason: String,
}

/// What a decision wants to see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowsAsked {
    /// Keys of rate buckets, sorted.
    pub keys: Vec<String>,
    /// The months of these apps, each since that day (the month's first).
    pub months: Vec<(AppKey, i64)>,
    /// What is committed, and all before it, has to survive a power cut.
    pub is_durable: bool,
}

/// The clock that the rows of several machines share, as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowsClock {
    /// When the question arrived there: microseconds since the epoch.
    pub asked_us: i64,
    /// When the rows were locked, and nobody else could change them any more.
    pub now_us: i64,
    /// Names the run of the clock: instants of another run mean nothing. `None` where it has no name yet.
    pub tag: Option<u64>,
}

/// What a decision gets to see; nobody else changes it until the decision is committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowsFound {
    /// The time there; `None` where all who share the rows share the machine's clock too.
    pub clock: Option<RowsClock>,
    /// The decision before this one was said to be lost, and is in the rows after all.
    pub was_committed: bool,
    /// The buckets that exist, by key.
    pub buckets: Vec<(String, Vec<u8>)>,
    /// The months in the order they were asked for.
    pub months: Vec<MonthFound>,
}

/// The month of a tenant: of all its apps that are known here together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MonthFound {
    /// Calls by what became of them.
    pub counts: Counts,
    /// What the official figure adds to the calls counted here; below zero where they are too many.
    pub base: i64,
    /// Whether an official figure was set.
    pub is_official: bool,
    /// Whether the platform said that the month is used up.
    pub is_closed: bool,
}

/// Numbers of calls; differences where something is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// They count against the month.
    pub counted: i64,
    /// They do not.
    pub exempt: i64,
    /// Refused or failed: the platform does not count them.
    pub failed: i64,
    /// No answer came.
    pub unknown: i64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.counted += more.counted;
        self.exempt += more.exempt;
        self.failed += more.failed;
        self.unknown += more.unknown;
    }
}

/// Calls of one endpoint for one feature on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayTally {
    /// The app.
    pub app: AppKey,
    /// Days since 1970-01-01 on the calendar of the set zone.
    pub day: i64,
    /// The endpoint's stable name.
    pub endpoint: String,
    /// What for.
    pub feature: Feature,
    /// How many.
    pub counts: Counts,
}

/// Calls of one app in one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinuteTally {
    /// The app.
    pub app: AppKey,
    /// Minutes since the epoch.
    pub minute: i64,
    /// How many.
    pub calls: i64,
}

/// A rate bucket to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketRow {
    /// Its key.
    pub key: String,
    /// What the ledger keeps in it.
    pub state: Vec<u8>,
    /// When it was used last, on the clock of its instants: for pruning.
    pub touched_us: i64,
}

/// What a decision changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowsChanged {
    /// Buckets to write.
    pub buckets: Vec<BucketRow>,
    /// What to add to the days.
    pub days: Vec<DayTally>,
    /// What to add to the minutes.
    pub minutes: Vec<MinuteTally>,
    /// Months, by app and first day, that the platform declared used up.
    pub closed: Vec<(AppKey, i64)>,
    /// A new name for the run of the rows' clock.
    pub clock_tag: Option<u64>,
}

impl RowsChanged {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
            && self.days.is_empty()
            && self.minutes.is_empty()
            && self.closed.is_empty()
            && self.clock_tag.is_none()
    }
}

/// Everything that a report is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportRows {
    /// The time there, as in [`RowsFound::clock`].
    pub clock: Option<RowsClock>,
    /// The app's buckets by key.
    pub buckets: Vec<(String, Vec<u8>)>,
    /// The days asked for, of all apps of the tenant.
    pub days: Vec<DayTally>,
    /// The minutes asked for, of the app.
    pub minutes: Vec<MinuteTally>,
    /// The month.
    pub month: MonthFound,
}

/// Every row that there is, for a check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllRows {
    /// The time there, as in [`RowsFound::clock`].
    pub clock: Option<RowsClock>,
    /// Apps with their tenants, as they are written.
    pub apps: Vec<(String, String)>,
    /// Buckets by key.
    pub buckets: Vec<(String, Vec<u8>)>,
    /// Everything that counts calls.
    pub counts: Vec<CountRow>,
}

/// Calls of an app in some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountRow {
    /// The table.
    pub table: &'static str,
    /// The app, as it is written.
    pub app: String,
    /// When the time began, on the calendar that it is of.
    pub from: Timestamp,
    /// Of which endpoint, where it is of one.
    pub endpoint: String,
    /// Numbers of calls, and whether something is so.
    pub numbers: Vec<i64>,
}

/// Keeps the rows, for all processes that share them.
pub trait PermitRows: Send + 'static {
    /// Shows `decide` what it asks for and commits what it answers, with nobody else between.
    ///
    /// # Errors
    /// [`RowsAway`]: nothing was changed then; or the answer to the commit was lost, and
    /// [`RowsFound::was_committed`] tells the next time.
    fn transact<'a>(
        &'a mut self,
        asked: &'a RowsAsked,
        decide: &'a mut (dyn FnMut(RowsFound) -> Result<RowsChanged, RowsAway> + Send),
    ) -> BoxFuture<'a, Result<(), RowsAway>>;

    /// Reads the clock that the rows have; `None` where it is the machine's.
    ///
    /// # Errors
    /// [`RowsAway`].
    fn clock(&mut self) -> BoxFuture<'_, Result<Option<RowsClock>, RowsAway>>;

    /// The rows of a report: buckets whose key begins with `prefix`, days and minutes from these on,
    /// the month that began on `month_day`.
    ///
    /// # Errors
    /// [`RowsAway`].
    fn report<'a>(
        &'a mut self,
        app: &'a AppKey,
        prefix: &'a str,
        from_day: i64,
        from_minute: i64,
        month_day: i64,
    ) -> BoxFuture<'a, Result<ReportRows, RowsAway>>;

    /// Sets what the official figure adds in the month that began on `month_day`, and opens it again.
    ///
    /// # Errors
    /// [`RowsAway`].
    fn rebase<'a>(
        &'a mut self,
        app: &'a AppKey,
        month_day: i64,
        official: u64,
    ) -> BoxFuture<'a, Result<(), RowsAway>>;

    /// Notes the tenant of an app: all apps of a tenant share the month.
    ///
    /// # Errors
    /// [`RowsAway`].
    fn set_tenant<'a>(
        &'a mut self,
        app: &'a AppKey,
        tenant: &'a TenantKey,
    ) -> BoxFuture<'a, Result<(), RowsAway>>;

    /// Deletes what no report and no limit needs any more: buckets that stood still since `bucket_us` (on
    /// the clock of their instants), minutes and days before these.
    ///
    /// # Errors
    /// [`RowsAway`].
    fn prune(
        &mut self,
        bucket_us: i64,
        before_minute: i64,
        before_day: i64,
    ) -> BoxFuture<'_, Result<(), RowsAway>>;

    /// Lets go of the rows, waiting for what is under way. Whatever is settled later takes hold of them again.
    fn close(&mut self) -> BoxFuture<'_, ()>;
}
