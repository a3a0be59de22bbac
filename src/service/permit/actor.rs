//! The task that decides for one process: it gathers who waits and what was settled, and makes one
//! transaction of it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::sleep,
};

use super::handle::{Held, Message, Settled, Waiting};
use crate::{
    core::{
        ids::AppKey,
        permit::{Denied, MonthClass, Permit},
        permit_rows::{BucketRow, PermitRows, RowsAsked, RowsAway, RowsChanged, RowsFound},
        quota::QuotaReport,
        time::{Clock, Timestamp},
    },
    ledger::{
        BootClock, MonthRules,
        bucket::Bucket,
        limits::{self, BucketSpec, guard_us, micros, name},
        month::{Month, MonthDenial, PACE_DAYS},
        notes::{Booked, Note, Pulse},
        report::{self, MINUTES},
        round::{Ask, Buckets, Round, Verdict, decide},
        tally::{add_day, add_minute, day_tally, granted},
    },
};

/// A call may spend half of the smallest guard here; the other half is the network's.
const FRESH_FOR: Duration = Duration::from_micros(guard_us(Duration::from_secs(1)).unsigned_abs() / 2);
/// What was late is written with the next permits, at the latest after this.
const NOTE_AFTER: Duration = Duration::from_millis(400);
/// Screens are told at most so often.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// A month's count may lose so much in a power cut.
const DURABLE_EVERY: Duration = Duration::from_secs(1);
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// Targets are forgotten when nothing was sent to them for so long.
const BUCKET_LIFE_US: i64 = 600_000_000;
const DAYS_KEPT: i64 = 400;
/// While the rows are away, what was settled is tried again so often.
const AWAY_RETRY: Duration = Duration::from_secs(2);
/// Messages of one round.
const BATCH: usize = 256;
/// Notes that are kept while the rows are away.
const NOTES_MAX: usize = 4096;

pub(super) struct Actor {
    rows: Box<dyn PermitRows>,
    core: Core,
    inbox: mpsc::WeakSender<Message>,
    told: watch::Sender<u64>,
    tell_at: Option<Instant>,
    told_at: Option<Instant>,
    durable_at: Option<Instant>,
    pruned_at: Option<Instant>,
}

/// What a decision needs beside the rows.
struct Core {
    me: u64,
    rules: MonthRules,
    clock: Arc<dyn Clock>,
    boot: Arc<dyn BootClock>,
    waiting: Vec<Waiting>,
    notes: Vec<Note>,
    /// Who waits until the notes are written.
    unwritten: Vec<oneshot::Sender<()>>,
    booked: HashMap<i64, Booked>,
    last_id: i64,
    pulses: HashMap<&'static str, Pulse>,
    /// Buckets in whose rows this process stands as a waiter.
    registered: BTreeSet<String>,
    wake_at: Option<Instant>,
    is_due: bool,
    is_closed: bool,
}

/// What a transaction decided, to be told when it is committed.
struct Decided {
    round: Round,
    now_us: i64,
    instant: Instant,
    wall: Timestamp,
    registered: BTreeSet<String>,
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
        let core = Core {
            me: getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id())),
            rules,
            clock,
            boot,
            waiting: Vec::new(),
            notes: Vec::new(),
            unwritten: Vec::new(),
            booked: HashMap::new(),
            last_id: 0,
            pulses: HashMap::new(),
            registered: BTreeSet::new(),
            wake_at: None,
            is_due: false,
            is_closed: false,
        };
        Self { rows, core, inbox, told, tell_at: None, told_at: None, durable_at: None, pruned_at: None }
    }

    /// Works until nobody holds the ledger any more.
    pub(super) async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        loop {
            let next = tokio::select! {
                message = messages.recv() => Some(message),
                () = until(&*self.core.clock, self.next_wake()) => None,
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
            let now = self.core.clock.instant();
            self.core.is_due |= self.core.wake_at.is_some_and(|at| at <= now);
            if self.core.is_due {
                self.round().await;
            }
            self.tell_if_due();
        }
        if !self.core.notes.is_empty() || !self.core.registered.is_empty() {
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
                let month_day = self.core.rules.month_day(self.core.clock.now());
                let _ = reply.send(self.rows.rebase(&app, month_day, official).await);
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

    async fn report(&mut self, app: &AppKey) -> Result<QuotaReport, RowsAway> {
        let core = &self.core;
        let wall = core.clock.now();
        let month_day = core.rules.month_day(wall);
        let from_day = month_day.min(core.rules.day(wall) - PACE_DAYS);
        let from_minute = wall.ms().div_euclid(60_000) - MINUTES;
        let prefix = limits::prefix(app);
        let rows = self.rows.report(app, &prefix, from_day, from_minute, month_day).await?;
        let now = report::Now { wall, boot_us: core.boot.now_us(), boot_tag: core.boot.boot_tag() };
        report::report(app, &rows, &core.rules, now).map_err(|bad| RowsAway { reason: bad.to_string() })
    }

    /// One transaction for everything that is to be decided and written down.
    async fn round(&mut self) {
        let core = &mut self.core;
        core.is_due = false;
        core.waiting.retain(|waiting| !waiting.reply.is_closed());
        core.waiting.sort_by_key(|waiting| waiting.call.class);
        core.wake_at = None;
        if core.waiting.is_empty() && core.notes.is_empty() && core.registered.is_empty() {
            return;
        }
        let mut asked = core.asked();
        let now = core.clock.instant();
        let is_synced = self.durable_at.is_some_and(|at| now.saturating_duration_since(at) < DURABLE_EVERY);
        asked.is_durable = !asked.months.is_empty() && !is_synced;
        let mut decided = None;
        let (mut has_counted, mut has_changed) = (false, false);
        let mut decide = |found: RowsFound| {
            let (changed, outcome) = core.decide(found, &asked.months)?;
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
                if let (Some(decided), Some(inbox)) = (decided, self.inbox.upgrade()) {
                    self.core.tell(decided, &inbox);
                }
                self.core.forget_notes();
                if has_changed {
                    self.changed();
                }
                self.prune().await;
            }
            Err(away) => self.core.away(&away),
        }
    }

    async fn prune(&mut self) {
        let now = self.core.clock.instant();
        if self.pruned_at.is_some_and(|at| now.saturating_duration_since(at) < PRUNE_EVERY) {
            return;
        }
        self.pruned_at = Some(now);
        let wall = self.core.clock.now();
        let pruned = self.rows.prune(
            self.core.boot.now_us() - BUCKET_LIFE_US,
            wall.ms().div_euclid(60_000) - 2 * MINUTES,
            self.core.rules.day(wall) - DAYS_KEPT,
        );
        if let Err(error) = pruned.await {
            tracing::warn!(%error, "the call ledger could not be pruned");
        }
    }

    fn changed(&mut self) {
        let now = self.core.clock.instant();
        self.tell_at.get_or_insert(self.told_at.map_or(now, |told| (told + TELL_EVERY).max(now)));
    }

    fn tell_if_due(&mut self) {
        let now = self.core.clock.instant();
        if self.tell_at.is_some_and(|at| at <= now) {
            (self.tell_at, self.told_at) = (None, Some(now));
            self.told.send_modify(|changes| *changes = changes.wrapping_add(1));
        }
    }
}

impl Core {
    fn acquire(&mut self, mut waiting: Waiting) {
        if self.is_closed {
            let _ = waiting.reply.send(Err(closed()));
            return;
        }
        // Behind somebody who waits for the same bucket nothing new can be learned from the rows.
        let ahead = self.waiting.iter().find_map(|other| {
            let (until, spec) = other.waits?;
            let key = &other.specs.get(spec)?.key;
            let place = waiting.specs.iter().position(|spec| spec.key == *key)?;
            (other.call.class <= waiting.call.class).then_some((until, place))
        });
        let deadline = self.deadline(&waiting);
        match ahead {
            Some((until, place)) if deadline.is_none_or(|deadline| until <= deadline) => {
                waiting.waits = Some((until, place));
                self.waiting.push(waiting);
            }
            _ => {
                self.waiting.push(waiting);
                self.is_due = true;
            }
        }
    }

    /// The last instant for a call, on the boot clock.
    fn deadline(&self, waiting: &Waiting) -> Option<i64> {
        let patience = waiting.call.patience?;
        let left = (waiting.asked_at + patience).saturating_duration_since(self.clock.instant());
        Some(self.boot.now_us().saturating_add(micros(left)))
    }

    fn settle(&mut self, settled: Settled) {
        let Settled { permit, outcome, at, written } = settled;
        let Some(booked) = self.booked.remove(&permit.id) else { return };
        let pulse = self.pulses.entry(permit.call.endpoint).or_default();
        let note = Note::of(permit, outcome, at, booked, pulse);
        if note.is_urgent() {
            self.is_due = true;
        } else if note.is_empty() {
            return;
        } else {
            let at = self.clock.instant() + NOTE_AFTER;
            self.wake_at = Some(self.wake_at.map_or(at, |wake| wake.min(at)));
        }
        if self.notes.len() < NOTES_MAX {
            self.notes.push(note);
            self.unwritten.extend(written);
        }
    }

    fn asked(&self) -> RowsAsked {
        let mut keys: BTreeSet<String> = self.registered.clone();
        let mut months: Vec<(AppKey, i64)> = Vec::new();
        let month_day = self.rules.month_day(self.clock.now());
        for waiting in &self.waiting {
            keys.extend(waiting.specs.iter().map(|spec| spec.key.clone()));
            if waiting.call.month == MonthClass::Counted
                && !months.iter().any(|(app, _)| *app == waiting.call.app)
            {
                months.push((waiting.call.app.clone(), month_day));
            }
        }
        for note in &self.notes {
            keys.extend(note.keys().map(str::to_owned));
        }
        RowsAsked { keys: keys.into_iter().collect(), months, is_durable: false }
    }

    /// The decision inside the transaction.
    fn decide(
        &mut self,
        found: RowsFound,
        months: &[(AppKey, i64)],
    ) -> Result<(RowsChanged, Decided), RowsAway> {
        let (now_us, instant, wall) = (self.boot.now_us(), self.clock.instant(), self.clock.now());
        let boot_tag = self.boot.boot_tag();
        let mut buckets = Buckets::default();
        for (key, bytes) in found.buckets {
            let bucket = Bucket::decode(&bytes, boot_tag, now_us)
                .map_err(|bad| RowsAway { reason: format!("{bad} (bucket {})", name(&key)) })?;
            buckets.insert(key, bucket);
        }
        let mut changed = RowsChanged::default();
        let month_day = self.rules.month_day(wall);
        for note in &self.notes {
            note.apply(&mut buckets, &mut changed, month_day, now_us);
        }
        let mut found_months: Vec<Month> = found.months.into_iter().map(Month).collect();
        let deadlines: Vec<Option<i64>> = self.waiting.iter().map(|waiting| self.deadline(waiting)).collect();
        let asks: Vec<Ask<'_>> = self
            .waiting
            .iter()
            .zip(deadlines)
            .map(|(waiting, deadline)| Ask {
                class: waiting.call.class,
                specs: &waiting.specs,
                deadline,
                month: (waiting.call.month == MonthClass::Counted)
                    .then(|| months.iter().position(|(app, _)| *app == waiting.call.app))
                    .flatten(),
            })
            .collect();
        let round = decide(&mut buckets, &mut found_months, &self.rules, self.me, &asks, now_us);
        let registered = asks
            .iter()
            .zip(&round.verdicts)
            .filter_map(|(ask, verdict)| match verdict {
                Verdict::Waits { spec, .. } => ask.specs.get(*spec).map(|spec| spec.key.clone()),
                _ => None,
            })
            .collect();
        self.tally(&round, &mut changed, wall);
        changed.buckets = buckets
            .changed()
            .map(|(key, bucket)| BucketRow {
                key: key.clone(),
                state: bucket.encode(boot_tag),
                touched_us: bucket.touched(),
            })
            .collect();
        Ok((changed, Decided { round, now_us, instant, wall, registered }))
    }

    /// Counts what goes: by day and by minute.
    fn tally(&self, round: &Round, changed: &mut RowsChanged, wall: Timestamp) {
        let (day, minute) = (self.rules.day(wall), wall.ms().div_euclid(60_000));
        for (waiting, verdict) in self.waiting.iter().zip(&round.verdicts) {
            if matches!(verdict, Verdict::Goes { .. }) {
                add_day(&mut changed.days, day_tally(&waiting.call, day, granted(&waiting.call)));
                add_minute(&mut changed.minutes, &waiting.call.app, minute, 1);
            }
        }
    }

    /// Tells the calls what was decided, now that it is committed.
    fn tell(&mut self, decided: Decided, inbox: &mpsc::Sender<Message>) {
        let Decided { round, now_us, instant, wall, registered } = decided;
        self.registered = registered;
        let after = |us: i64| Duration::from_micros(u64::try_from(us - now_us).unwrap_or(0));
        if let Some(at) = round.wake_at {
            self.wake_at = Some(instant + after(at));
        }
        let day = self.rules.day(wall);
        let resets_at = self.rules.resets_at(wall);
        let waiting = std::mem::take(&mut self.waiting);
        for (mut waiting, verdict) in waiting.into_iter().zip(round.verdicts) {
            let refusal = match verdict {
                Verdict::Waits { until, spec } => {
                    waiting.waits = Some((until, spec));
                    self.waiting.push(waiting);
                    continue;
                }
                Verdict::Goes { at } => {
                    self.last_id += 1;
                    let keys = waiting.specs.into_iter().map(|spec| spec.key).collect();
                    let minute = wall.ms().div_euclid(60_000);
                    self.booked.insert(self.last_id, Booked { at, keys, day, minute });
                    let permit = Permit {
                        id: self.last_id,
                        granted_at: instant + after(at),
                        fresh_for: FRESH_FOR,
                        left_at: None,
                        call: waiting.call,
                    };
                    // A call that went away in the meantime drops it, and so gives it back.
                    let _ = waiting.reply.send(Ok(Held::new(permit, inbox.clone())));
                    continue;
                }
                Verdict::TooLong { until, spec } => Denied::TooLong {
                    bucket: waiting.specs.get(spec).map_or("", BucketSpec::name).to_owned(),
                    until: wall.plus(after(until)),
                },
                Verdict::Month(MonthDenial::Exhausted) => Denied::MonthExhausted { resets_at },
                Verdict::Month(MonthDenial::Reserved) => Denied::MonthReserved { resets_at },
            };
            let _ = waiting.reply.send(Err(refusal));
        }
    }

    fn forget_notes(&mut self) {
        self.notes.clear();
        for written in self.unwritten.drain(..) {
            let _ = written.send(());
        }
    }

    /// The rows are away: nobody goes. What was settled is kept for when they are back.
    fn away(&mut self, away: &RowsAway) {
        tracing::warn!(error = %away, waiting = self.waiting.len(), "the call ledger is away");
        for waiting in self.waiting.drain(..) {
            let _ = waiting.reply.send(Err(Denied::StoreAway { reason: away.reason.clone() }));
        }
        // Who waits for a note goes on: it could not be written yet.
        self.unwritten.clear();
        if !self.notes.is_empty() {
            self.wake_at = Some(self.clock.instant() + AWAY_RETRY);
        }
    }
}

fn closed() -> Denied {
    Denied::StoreAway { reason: "the call ledger is closed".to_owned() }
}

async fn until(clock: &dyn Clock, at: Option<Instant>) {
    match at {
        Some(at) => sleep(at.saturating_duration_since(clock.instant())).await,
        None => std::future::pending().await,
    }
}
