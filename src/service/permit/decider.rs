//! What one process decides with the rows in its hands: who goes, who waits, what is written down.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};

use super::{
    handle::{Held, Message, Settled, Waiting},
    times::{Reading, Times},
};
use crate::{
    core::{
        ids::AppKey,
        permit::{Call, Denied, MonthClass, Permit},
        permit_rows::{BucketRow, RowsAsked, RowsAway, RowsChanged, RowsFound},
        time::Timestamp,
    },
    ledger::{
        MonthRules,
        bucket::Bucket,
        limits::{BucketSpec, name},
        month::{Month, MonthDenial},
        notes::{Booked, Note, Pulse},
        round::{Ask, Buckets, Moment, Round, Verdict, decide},
        tally::{add_day, add_minute, day_tally, granted},
    },
};

/// What was late, or what those who wait may profit by, is written with the next permits, at the latest after this.
const NOTE_AFTER: Duration = Duration::from_millis(400);
/// While the rows are away, what was settled is tried again so often.
const AWAY_RETRY: Duration = Duration::from_secs(2);
/// Notes that are kept while the rows are away.
const NOTES_MAX: usize = 4096;

/// What a decision needs beside the rows.
pub(super) struct Core {
    me: u64,
    pub(super) rules: MonthRules,
    pub(super) times: Times,
    pub(super) waiting: Vec<Waiting>,
    pub(super) notes: Vec<Note>,
    /// Who waits until the notes are written.
    unwritten: Vec<oneshot::Sender<()>>,
    /// A decision of which it is not known whether it is in the rows.
    lost: Option<Lost>,
    booked: HashMap<i64, Booked>,
    last_id: i64,
    pulses: HashMap<&'static str, Pulse>,
    /// Buckets in whose rows this process stands as a waiter.
    pub(super) registered: BTreeSet<String>,
    pub(super) wake_at: Option<Instant>,
    pub(super) is_due: bool,
    pub(super) is_closed: bool,
}

/// What a transaction decided, to be told when it is committed.
pub(super) struct Decided {
    round: Round,
    pub(super) reading: Reading,
    registered: BTreeSet<String>,
}

struct Lost {
    /// So many of the notes, from the first.
    notes: usize,
    went: Vec<(Call, Booked)>,
}

impl Core {
    pub(super) fn new(times: Times, rules: MonthRules) -> Self {
        Self {
            me: getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id())),
            rules,
            times,
            waiting: Vec::new(),
            notes: Vec::new(),
            unwritten: Vec::new(),
            lost: None,
            booked: HashMap::new(),
            last_id: 0,
            pulses: HashMap::new(),
            registered: BTreeSet::new(),
            wake_at: None,
            is_due: false,
            is_closed: false,
        }
    }

    pub(super) fn acquire(&mut self, mut waiting: Waiting) {
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

    /// The last instant for a call, on the clock of the rows.
    fn deadline(&self, waiting: &Waiting) -> Option<i64> {
        Some(self.times.deadline(waiting.asked_at, waiting.call.patience?))
    }

    pub(super) fn settle(&mut self, settled: Settled) {
        let Settled { permit, outcome, at, written } = settled;
        let Some(booked) = self.booked.remove(&permit.id) else { return };
        let pulse = self.pulses.entry(permit.call.endpoint).or_default();
        let note = Note::of(permit, outcome, at, booked, pulse);
        if note.is_urgent() {
            self.is_due = true;
        } else if !note.is_rider() || !self.waiting.is_empty() {
            let at = self.times.instant() + NOTE_AFTER;
            self.wake_at = Some(self.wake_at.map_or(at, |wake| wake.min(at)));
        }
        if self.notes.len() < NOTES_MAX {
            self.notes.push(note);
            self.unwritten.extend(written);
        }
    }

    /// What the next decision has to see.
    pub(super) fn asked(&self) -> RowsAsked {
        let mut keys: BTreeSet<String> = self.registered.clone();
        let mut months: Vec<(AppKey, i64)> = Vec::new();
        let month_day = self.rules.month_day(self.times.wall());
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
    pub(super) fn decide(
        &mut self,
        found: RowsFound,
        before: i64,
        months: &[(AppKey, i64)],
    ) -> Result<(RowsChanged, Decided), RowsAway> {
        let reading = self.times.read(found.clock, before);
        let (now_us, wall) = (reading.moment.now, reading.wall);
        self.learn_of_lost(found.was_committed);
        let mut buckets = Buckets::default();
        for (key, bytes) in found.buckets {
            let bucket = Bucket::decode(&bytes, reading.tag, now_us, reading.ahead)
                .map_err(|bad| RowsAway { reason: format!("{bad} (bucket {})", name(&key)) })?;
            buckets.insert(key, bucket);
        }
        let clock_tag = reading.is_new_run.then_some(reading.tag);
        let mut changed = RowsChanged { clock_tag, ..RowsChanged::default() };
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
        let round = decide(&mut buckets, &mut found_months, &self.rules, self.me, &asks, reading.moment);
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
                state: bucket.encode(reading.tag),
                touched_us: bucket.touched(),
            })
            .collect();
        Ok((changed, Decided { round, reading, registered }))
    }

    /// The answer to a commit was lost; now it is known whether it was made. Where it was, its notes are
    /// written, and its permits go back: nobody got them.
    fn learn_of_lost(&mut self, was_committed: bool) {
        let Some(lost) = self.lost.take() else { return };
        if was_committed {
            self.notes.drain(..lost.notes.min(self.notes.len()));
            self.notes.extend(lost.went.into_iter().map(|(call, booked)| Note::unused(call, booked)));
        }
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
    pub(super) fn tell(&mut self, decided: Decided, inbox: &mpsc::Sender<Message>) {
        let Decided { round, reading, registered } = decided;
        let Reading { moment, instant, wall, fresh_for, .. } = reading;
        let now_us = moment.now;
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
                    self.booked.insert(self.last_id, booked(&waiting, at, day, &reading));
                    let permit = Permit {
                        id: self.last_id,
                        granted_at: instant + after(at),
                        fresh_for,
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

    /// Whether something was settled that has to be written, though nobody waits.
    pub(super) fn has_news(&self) -> bool {
        self.notes.iter().any(|note| !note.is_rider())
    }

    pub(super) fn forget_notes(&mut self) {
        self.notes.clear();
        for written in self.unwritten.drain(..) {
            let _ = written.send(());
        }
    }

    /// The rows are away: nobody goes. What was settled is kept for when they are back.
    pub(super) fn away(&mut self, away: &RowsAway, decided: Option<Decided>) {
        if let Some(Decided { round, reading, .. }) = decided {
            let day = self.rules.day(reading.wall);
            let went =
                self.waiting.iter().zip(round.verdicts).filter_map(|(waiting, verdict)| match verdict {
                    Verdict::Goes { at } => Some((waiting.call.clone(), booked(waiting, at, day, &reading))),
                    _ => None,
                });
            self.lost = Some(Lost { notes: self.notes.len(), went: went.collect() });
        }
        tracing::warn!(error = %away, waiting = self.waiting.len(), "the call ledger is away");
        for waiting in self.waiting.drain(..) {
            let _ = waiting.reply.send(Err(Denied::StoreAway { reason: away.reason.clone() }));
        }
        // Who waits for a note goes on: it could not be written yet.
        self.unwritten.clear();
        if self.has_news() {
            self.wake_at = Some(self.times.instant() + AWAY_RETRY);
        }
    }
}

fn booked(waiting: &Waiting, at: i64, day: i64, reading: &Reading) -> Booked {
    let keys = waiting.specs.iter().map(|spec| spec.key.clone()).collect();
    let Moment { doubt, .. } = reading.moment;
    Booked {
        at: at + doubt,
        doubt: reading.doubt - doubt,
        from: reading.moment.counts_from(at),
        keys,
        day,
        minute: reading.wall.ms().div_euclid(60_000),
    }
}

pub(super) fn closed() -> Denied {
    Denied::StoreAway { reason: "the call ledger is closed".to_owned() }
}
