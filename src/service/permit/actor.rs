//! The task that decides for one process: it gathers who waits and what was settled, and makes one
//! transaction of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::sleep,
};

use super::{
    decider::{Core, closed},
    handle::Message,
    times::Times,
};
use crate::{
    core::{
        ids::AppKey,
        permit_rows::{PermitRows, RowsAway, RowsFound},
        quota::QuotaReport,
        time::Clock,
    },
    ledger::{
        BootClock, MonthRules, limits,
        month::PACE_DAYS,
        report::{self, MINUTES},
    },
};

/// Screens are told at most so often.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// A month's count may lose so much in a power cut.
const DURABLE_EVERY: Duration = Duration::from_secs(1);
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// Targets are forgotten when nothing was sent to them for so long.
const BUCKET_LIFE_US: i64 = 600_000_000;
const DAYS_KEPT: i64 = 400;
/// Messages of one round.
const BATCH: usize = 256;

pub(super) struct Actor {
    rows: Box<dyn PermitRows>,
    core: Core,
    /// The rows' clock was asked for.
    knows_clock: bool,
    inbox: mpsc::WeakSender<Message>,
    told: watch::Sender<u64>,
    tell_at: Option<Instant>,
    told_at: Option<Instant>,
    durable_at: Option<Instant>,
    pruned_at: Option<Instant>,
}

impl Actor {
    pub(super) fn new(
        rows: Box<dyn PermitRows>,
        rules: MonthRules,
        clock: Arc<dyn Clock>,
        boot: Arc<dyn BootClock>,
        inbox: mpsc::WeakSender<Message>,
        told: watch::Sender<u64>,
    ) -> Self {
        Self {
            rows,
            core: Core::new(Times::new(clock, boot), rules),
            knows_clock: false,
            inbox,
            told,
            tell_at: None,
            told_at: None,
            durable_at: None,
            pruned_at: None,
        }
    }

    /// Works until nobody holds the ledger any more.
    pub(super) async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        loop {
            let next = tokio::select! {
                message = messages.recv() => Some(message),
                () = until(&*self.core.times.clock, self.next_wake()) => None,
            };
            match next {
                Some(None) => break,
                Some(Some(message)) => self.take(message).await,
                None => {}
            }
            for _ in 0..BATCH {
                let Ok(message) = messages.try_recv() else { break };
                self.take(message).await;
            }
            let now = self.core.times.instant();
            self.core.is_due |= self.core.wake_at.is_some_and(|at| at <= now);
            if self.core.is_due {
                self.round().await;
            }
            self.tell_if_due();
        }
        if self.core.has_news() || !self.core.registered.is_empty() {
            self.core.waiting.clear();
            self.round().await;
        }
        self.rows.close().await;
    }

    fn next_wake(&self) -> Option<Instant> {
        [self.core.wake_at, self.tell_at].into_iter().flatten().min()
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Acquire(waiting) => self.core.acquire(waiting),
            Message::Settle(settled) => self.core.settle(settled),
            Message::GaveUp => self.core.is_due = true,
            Message::Report(app, reply) => {
                let _ = reply.send(self.report(&app).await);
            }
            Message::Rebase(app, official, reply) => {
                let _ = reply.send(self.rebase(&app, official).await);
                self.changed();
            }
            Message::SetTenant(app, tenant, reply) => {
                let _ = reply.send(self.rows.set_tenant(&app, &tenant).await);
                self.changed();
            }
            Message::Close(reply) => self.close(reply).await,
        }
    }

    async fn close(&mut self, reply: oneshot::Sender<()>) {
        self.core.is_closed = true;
        for waiting in self.core.waiting.drain(..) {
            let _ = waiting.reply.send(Err(closed()));
        }
        self.round().await;
        // The process may end before the last handle is gone.
        self.rows.close().await;
        let _ = reply.send(());
    }

    /// Asks for the rows' clock before anything is said in its time.
    async fn learn_clock(&mut self) -> Result<(), RowsAway> {
        if !self.knows_clock {
            let before = self.core.times.before();
            if let Some(clock) = self.rows.clock().await? {
                self.core.times.read(Some(clock), before);
            }
            self.knows_clock = true;
        }
        Ok(())
    }

    async fn rebase(&mut self, app: &AppKey, official: u64) -> Result<(), RowsAway> {
        self.learn_clock().await?;
        let month_day = self.core.rules.month_day(self.core.times.wall());
        self.rows.rebase(app, month_day, official).await
    }

    async fn report(&mut self, app: &AppKey) -> Result<QuotaReport, RowsAway> {
        self.learn_clock().await?;
        let core = &self.core;
        let wall = core.times.wall();
        let month_day = core.rules.month_day(wall);
        let from_day = month_day.min(core.rules.day(wall) - PACE_DAYS);
        let from_minute = wall.ms().div_euclid(60_000) - MINUTES;
        let prefix = limits::prefix(app);
        let rows = self.rows.report(app, &prefix, from_day, from_minute, month_day).await?;
        let us = rows.clock.map_or_else(|| core.times.now_us(), |clock| clock.now_us);
        let now = report::Now { wall, us, tag: core.times.tag(rows.clock) };
        report::report(app, &rows, &core.rules, now).map_err(|bad| RowsAway { reason: bad.to_string() })
    }

    /// One transaction for everything that is to be decided and written down.
    async fn round(&mut self) {
        let core = &mut self.core;
        core.is_due = false;
        core.waiting.retain(|waiting| !waiting.reply.is_closed());
        core.waiting.sort_by_key(|waiting| waiting.call.class);
        core.wake_at = None;
        if core.waiting.is_empty() && !core.has_news() && core.registered.is_empty() {
            return;
        }
        if let Err(away) = self.learn_clock().await {
            return self.core.away(&away, None);
        }
        let core = &mut self.core;
        let mut asked = core.asked();
        let now = core.times.instant();
        let is_synced = self.durable_at.is_some_and(|at| now.saturating_duration_since(at) < DURABLE_EVERY);
        asked.is_durable = !asked.months.is_empty() && !is_synced;
        let before = core.times.before();
        let mut decided = None;
        let (mut has_counted, mut has_changed) = (false, false);
        let mut decide = |found: RowsFound| {
            let (changed, outcome) = core.decide(found, before, &asked.months)?;
            has_counted = changed.days.iter().any(|tally| tally.counts.counted > 0);
            has_changed = !changed.is_empty();
            decided = Some(outcome);
            Ok(changed)
        };
        match self.rows.transact(&asked, &mut decide).await {
            Ok(()) => {
                if has_counted && asked.is_durable {
                    self.durable_at = Some(now);
                }
                if let Some(decided) = decided {
                    if has_changed {
                        self.core.times.committed(&decided.reading);
                    }
                    if let Some(inbox) = self.inbox.upgrade() {
                        self.core.tell(decided, &inbox);
                    }
                }
                self.core.forget_notes();
                if has_changed {
                    self.changed();
                }
                self.prune().await;
            }
            Err(away) => self.core.away(&away, decided),
        }
    }

    async fn prune(&mut self) {
        let now = self.core.times.instant();
        if self.pruned_at.is_some_and(|at| now.saturating_duration_since(at) < PRUNE_EVERY) {
            return;
        }
        self.pruned_at = Some(now);
        let wall = self.core.times.wall();
        let pruned = self.rows.prune(
            self.core.times.now_us() - BUCKET_LIFE_US,
            wall.ms().div_euclid(60_000) - 2 * MINUTES,
            self.core.rules.day(wall) - DAYS_KEPT,
        );
        if let Err(error) = pruned.await {
            tracing::warn!(%error, "the call ledger could not be pruned");
        }
    }

    fn changed(&mut self) {
        let now = self.core.times.instant();
        self.tell_at.get_or_insert(self.told_at.map_or(now, |told| (told + TELL_EVERY).max(now)));
    }

    fn tell_if_due(&mut self) {
        let now = self.core.times.instant();
        if self.tell_at.is_some_and(|at| at <= now) {
            (self.tell_at, self.told_at) = (None, Some(now));
            self.told.send_modify(|changes| *changes = changes.wrapping_add(1));
        }
    }
}

async fn until(clock: &dyn Clock, at: Option<Instant>) {
    match at {
        Some(at) => sleep(at.saturating_duration_since(clock.instant())).await,
        None => std::future::pending().await,
    }
}
