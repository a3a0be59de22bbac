//! This process's end of the ledger.

use std::{sync::Arc, time::Instant};

use tokio::sync::{mpsc, oneshot, watch};

use super::actor::Actor;
use crate::{
    core::{
        error::{Fault, Kind},
        ids::{AppKey, TenantKey},
        permit::{BoxFuture, Call, Denied, Outcome, Permit, PermitSource},
        permit_rows::{PermitRows, RowsAway},
        quota::QuotaReport,
        time::Clock,
    },
    ledger::{BootClock, MachineClock, MonthRules, limits},
};

/// Messages to the actor that may stand in line.
const INBOX: usize = 1024;

/// What the actor is told and asked.
pub(super) enum Message {
    /// A call wants a permit.
    Acquire(Waiting),
    /// A permit's call ended.
    Settle(Settled),
    /// Somebody gave up waiting.
    GaveUp,
    Report(AppKey, oneshot::Sender<Result<QuotaReport, RowsAway>>),
    Rebase(AppKey, u64, oneshot::Sender<Result<(), RowsAway>>),
    SetTenant(AppKey, TenantKey, oneshot::Sender<Result<(), RowsAway>>),
    Close(oneshot::Sender<()>),
}

/// A call that wants a permit.
pub(super) struct Waiting {
    pub(super) call: Call,
    pub(super) specs: Vec<limits::BucketSpec>,
    pub(super) asked_at: Instant,
    pub(super) reply: oneshot::Sender<Result<Held, Denied>>,
    /// What the last decision said: not before then, for the bucket of that place in `specs`.
    pub(super) waits: Option<(i64, usize)>,
}

/// A permit whose call ended.
pub(super) struct Settled {
    pub(super) permit: Permit,
    pub(super) outcome: Outcome,
    pub(super) at: Instant,
    /// Told when it is written down; or that it could not be.
    pub(super) written: Option<oneshot::Sender<()>>,
}

/// A permit on its way to its call. Dropped there, it goes back unused.
pub(super) struct Held {
    permit: Option<Permit>,
    inbox: mpsc::Sender<Message>,
}

impl Held {
    pub(super) fn new(permit: Permit, inbox: mpsc::Sender<Message>) -> Self {
        Self { permit: Some(permit), inbox }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            let at = permit.granted_at;
            let settled = Settled { permit, outcome: Outcome::Unused, at, written: None };
            // Where the inbox is full the permit counts as used: the safe side.
            let _ = self.inbox.try_send(Message::Settle(settled));
        }
    }
}

/// Tells the actor that a wait was given up.
struct Wait<'a> {
    inbox: &'a mpsc::Sender<Message>,
    is_over: bool,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            // Where the inbox is full the next round sees it, and at the latest the waiter expires.
            let _ = self.inbox.try_send(Message::GaveUp);
        }
    }
}

/// Grants permits in this process from the rows that it shares with others.
pub struct Ledger {
    inbox: mpsc::Sender<Message>,
    changes: watch::Receiver<u64>,
    clock: Arc<dyn Clock>,
}

impl Ledger {
    /// Starts granting. Needs a tokio runtime; ends when the ledger and its permits are dropped.
    pub fn open(rows: Box<dyn PermitRows>, rules: MonthRules, clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::open_at(rows, rules, clock, Arc::new(MachineClock::new()))
    }

    /// The same with a boot clock of one's own.
    pub fn open_at(
        rows: Box<dyn PermitRows>,
        rules: MonthRules,
        clock: Arc<dyn Clock>,
        boot: Arc<dyn BootClock>,
    ) -> Arc<Self> {
        let (inbox, messages) = mpsc::channel(INBOX);
        let (told, changes) = watch::channel(0);
        let actor = Actor::new(rows, rules, clock.clone(), boot, inbox.downgrade(), told);
        tokio::spawn(actor.run(messages));
        Arc::new(Self { inbox, changes, clock })
    }

    async fn ask<T>(
        &self,
        message: impl FnOnce(oneshot::Sender<Result<T, RowsAway>>) -> Message,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        let sent = self.inbox.send(message(reply)).await.is_ok();
        let answer = if sent { answer.await.ok() } else { None };
        answer.unwrap_or_else(|| Err(closed())).map_err(|away| {
            Fault::new(Kind::Storage, format!("the call ledger cannot be reached: {away}"))
                .with_hint("Look at the store: its disk and permissions, or its database.")
        })
    }

    /// Everything that the quota pane shows.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub async fn report(&self, app: &AppKey) -> Result<QuotaReport, Fault> {
        self.ask(|reply| Message::Report(app.clone(), reply)).await
    }

    /// Takes `official` as the month's figure now: what the admin console shows (A10). Opens a month that the
    /// platform had declared used up.
    ///
    /// # Errors
    /// When the rows cannot be written.
    pub async fn rebase_month(&self, app: &AppKey, official: u64) -> Result<(), Fault> {
        self.ask(|reply| Message::Rebase(app.clone(), official, reply)).await
    }

    /// Notes the tenant of an app: all its apps share the month.
    ///
    /// # Errors
    /// When the rows cannot be written.
    pub async fn set_tenant(&self, app: &AppKey, tenant: &TenantKey) -> Result<(), Fault> {
        self.ask(|reply| Message::SetTenant(app.clone(), tenant.clone(), reply)).await
    }

    /// Changes when this process has changed the figures, at most once a second.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// Writes down what was settled and withdraws who waits; nothing is granted after it.
    pub async fn close(&self) {
        let (reply, done) = oneshot::channel();
        if self.inbox.send(Message::Close(reply)).await.is_ok() {
            let _ = done.await;
        }
    }

    async fn permit(&self, call: Call) -> Result<Permit, Denied> {
        let away = || Denied::StoreAway { reason: closed().reason };
        let (reply, answer) = oneshot::channel();
        let waiting =
            Waiting { specs: limits::specs(&call), call, asked_at: self.clock.instant(), reply, waits: None };
        self.inbox.send(Message::Acquire(waiting)).await.map_err(|_| away())?;
        let mut wait = Wait { inbox: &self.inbox, is_over: false };
        let answer = answer.await;
        wait.is_over = true;
        let mut held = answer.map_err(|_| away())??;
        if let Some(permit) = &held.permit {
            let ahead = permit.granted_at.saturating_duration_since(self.clock.instant());
            if !ahead.is_zero() {
                tokio::time::sleep(ahead).await;
            }
        }
        held.permit.take().ok_or_else(away)
    }
}

fn closed() -> RowsAway {
    RowsAway { reason: "the call ledger is closed".to_owned() }
}

impl PermitSource for Ledger {
    fn acquire(&self, call: Call) -> BoxFuture<'_, Result<Permit, Denied>> {
        Box::pin(self.permit(call))
    }

    fn settle(&self, permit: Permit, outcome: Outcome) -> BoxFuture<'_, ()> {
        let at = self.clock.instant();
        Box::pin(async move {
            // A success was counted when it was granted: nobody has to wait for anything.
            let (written, done) = oneshot::channel();
            let (written, done) =
                if outcome == Outcome::Done { (None, None) } else { (Some(written), Some(done)) };
            let settled = Settled { permit, outcome, at, written };
            if self.inbox.send(Message::Settle(settled)).await.is_ok()
                && let Some(done) = done
            {
                let _ = done.await;
            }
        })
    }
}
