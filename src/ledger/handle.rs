//! This process's end of the ledger.

use std::sync::Arc;

use tokio::sync::watch;

use super::MonthRules;
use crate::core::{
    error::{Fault, Kind},
    ids::{AppKey, TenantKey},
    permit::{BoxFuture, Call, Denied, Outcome, Permit, PermitSource},
    permit_rows::PermitRows,
    quota::QuotaReport,
    time::Clock,
};

/// A clock that all processes of the machine share and that goes on while it sleeps.
pub trait BootClock: Send + Sync + 'static {
    /// Microseconds since the machine started.
    fn now_us(&self) -> i64;
    /// Names this start of the machine: instants of another one mean nothing.
    fn boot_tag(&self) -> u64;
}

/// Grants permits in this process from the rows that it shares with others.
pub struct Ledger {}

impl Ledger {
    /// Starts granting. Needs a tokio runtime.
    pub fn open(rows: Box<dyn PermitRows>, rules: MonthRules, clock: Arc<dyn Clock>) -> Arc<Self> {
        let _ = (rows, rules, clock);
        Arc::new(Self {})
    }

    /// Everything that the quota pane shows.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub async fn report(&self, app: &AppKey) -> Result<QuotaReport, Fault> {
        let _ = app;
        Err(Fault::new(Kind::Bug, "not built yet"))
    }

    /// Takes `official` as the month's figure now: what the admin console shows (A10). Opens a month that the
    /// platform had declared used up.
    ///
    /// # Errors
    /// When the rows cannot be written.
    pub async fn rebase_month(&self, app: &AppKey, official: u64) -> Result<(), Fault> {
        let _ = (app, official);
        Err(Fault::new(Kind::Bug, "not built yet"))
    }

    /// Notes the tenant of an app: all its apps share the month.
    ///
    /// # Errors
    /// When the rows cannot be written.
    pub async fn set_tenant(&self, app: &AppKey, tenant: &TenantKey) -> Result<(), Fault> {
        let _ = (app, tenant);
        Err(Fault::new(Kind::Bug, "not built yet"))
    }

    /// Changes when the figures do, at most once a second.
    pub fn watch(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }

    /// Writes down what was settled and withdraws who waits. Call it before the process ends.
    pub async fn close(&self) {}
}

impl PermitSource for Ledger {
    fn acquire(&self, call: Call) -> BoxFuture<'_, Result<Permit, Denied>> {
        let _ = call;
        Box::pin(async { Err(Denied::StoreAway { reason: "not built yet".into() }) })
    }

    fn settle(&self, permit: Permit, outcome: Outcome) -> BoxFuture<'_, ()> {
        let _ = (permit, outcome);
        Box::pin(async {})
    }
}
