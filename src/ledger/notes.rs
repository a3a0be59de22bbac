//! What is to be written down about calls that ended. A success was counted when its permit was given, so
//! most calls leave no note at all.

use std::time::{Duration, Instant};

use super::{
    limits::{drift_us, endpoint_key, guard_us, micros, sends_key, target_spec},
    round::Buckets,
    tally::{add_day, add_minute, day_tally, granted},
};
use crate::core::{
    permit::{Call, LimitScope, MonthClass, Outcome, Permit},
    permit_rows::{Counts, RowsChanged},
};

/// So late a request may leave without a note: it is within what the guard covers.
const LATE: Duration = Duration::from_millis(1);
/// An answer that came sooner than this proves more than was assumed, in any window.
const SOON_US: i64 = GUARD_US - drift_us(Duration::from_secs(1));
/// The smallest guard.
const GUARD_US: i64 = guard_us(Duration::from_secs(1));
/// The longest pause that a refusal can bring.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// What is kept of a permit that was given.
pub(crate) struct Booked {
    /// Its instant on the rows' clock, with what of its doubt the guard does not cover.
    pub(crate) at: i64,
    /// The rest of the doubt.
    pub(crate) doubt: i64,
    /// From when it counts in the buckets.
    pub(crate) from: i64,
    pub(crate) keys: Vec<String>,
    pub(crate) day: i64,
    pub(crate) minute: i64,
}

/// How long an endpoint's calls usually take here: mean and mean deviation, as TCP keeps them.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    mean_us: i64,
    deviation_us: i64,
    calls: u32,
}

impl Pulse {
    /// Learns a duration. One far beyond the usual is not learned whole, and says by how much it was late. Where
    /// answers usually come within the guard, one that does not is late: nothing else is known to take so long.
    fn beat(&mut self, took: Duration) -> Option<Duration> {
        const SURE_AFTER: u32 = 16;
        let took = micros(took);
        let most = self.mean_us + 4 * self.deviation_us + GUARD_US;
        let is_near = self.mean_us < GUARD_US;
        if self.calls == 0 {
            (self.mean_us, self.deviation_us) = (took, took / 2);
        }
        let error = took.min(most.max(self.mean_us)) - self.mean_us;
        self.mean_us += error / 8;
        self.deviation_us += (error.abs() - self.deviation_us) / 4;
        self.calls = self.calls.saturating_add(1);
        let is_late = self.calls > SURE_AFTER && took > if is_near { GUARD_US } else { most };
        is_late.then(|| Duration::from_micros(u64::try_from(took - self.mean_us).unwrap_or(0)))
    }
}

/// One call that ended.
pub(crate) struct Note {
    call: Call,
    outcome: Outcome,
    booked: Booked,
    /// How much later than its instant it left or arrived, at most, so far as it matters.
    late: Duration,
    /// How much later than its instant its answer was here.
    answered: Option<Duration>,
}

impl Note {
    pub(crate) fn of(
        permit: Permit,
        outcome: Outcome,
        at: Instant,
        booked: Booked,
        pulse: &mut Pulse,
    ) -> Self {
        let since = |at: Instant| at.saturating_duration_since(permit.granted_at);
        // Where nobody has said when it left, that was as late as it may have been.
        let waited = permit.left_at.map_or_else(|| since(at).min(permit.fresh_for), since);
        // Where an answer took much longer than usual, the request may have been under way for as long.
        let strayed = match (outcome, permit.left_at) {
            (Outcome::Done, Some(left)) => pulse.beat(at.saturating_duration_since(left)).unwrap_or_default(),
            _ => Duration::ZERO,
        };
        let answered = (outcome == Outcome::Done).then(|| since(at));
        let late = Some(waited + strayed).filter(|late| *late > LATE).unwrap_or_default();
        Self { call: permit.call, outcome, booked, late, answered }
    }

    /// What is known of when it left and arrived, for [`super::bucket::Bucket::counts_from`].
    fn bounds(&self) -> (i64, Option<i64>) {
        let Booked { at, doubt, .. } = self.booked;
        (at + micros(self.late), self.answered.map(|answered| at + micros(answered) + doubt))
    }

    /// A permit that reached nobody.
    pub(crate) fn unused(call: Call, booked: Booked) -> Self {
        Self { call, outcome: Outcome::Unused, booked, late: Duration::ZERO, answered: None }
    }

    /// Whether others may go at once because of it, or somebody waits for it.
    pub(crate) fn is_urgent(&self) -> bool {
        self.outcome != Outcome::Done
    }

    /// Whether it only frees places sooner: then it goes with whatever decision has the rows in its hands, and
    /// is not worth one of its own.
    pub(crate) fn is_rider(&self) -> bool {
        let (late, by) = self.bounds();
        let from = by.map_or(late, |by| late.min(by - SOON_US));
        self.outcome == Outcome::Done && from <= self.booked.from
    }

    /// The buckets that have to be there for it.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let keys: &[String] = if self.is_rider() { &[] } else { &self.booked.keys };
        keys.iter().map(String::as_str)
    }

    /// Writes it into the rows.
    pub(crate) fn apply(
        &self,
        buckets: &mut Buckets,
        changed: &mut RowsChanged,
        month_day: i64,
        now_us: i64,
    ) {
        if self.outcome == Outcome::Unused {
            for key in &self.booked.keys {
                buckets.change(key).give_back(self.booked.from);
            }
            add_minute(&mut changed.minutes, &self.call.app, self.booked.minute, -1);
        } else {
            let (late, by) = self.bounds();
            for key in &self.booked.keys {
                if let Some(known) = buckets.get(key).map(|bucket| bucket.counts_from(late, by)) {
                    buckets.change(key).restamp(self.booked.from, known, now_us);
                }
            }
        }
        if let Some((key, wait)) = self.pause() {
            buckets.change(&key).pause(now_us + micros(wait), now_us);
        }
        if self.outcome == Outcome::MonthExhausted && self.booked.day >= month_day {
            changed.closed.push((self.call.app.clone(), month_day));
        }
        let counts = self.recount();
        if counts != Counts::default() {
            add_day(&mut changed.days, day_tally(&self.call, self.booked.day, counts));
        }
    }

    fn pause(&self) -> Option<(String, Duration)> {
        let Outcome::Limited { scope, wait } = self.outcome else { return None };
        let key = match scope {
            LimitScope::Endpoint => None,
            LimitScope::Target => target_spec(&self.call).map(|spec| spec.key),
            LimitScope::Sends => Some(sends_key(&self.call)),
        };
        Some((key.unwrap_or_else(|| endpoint_key(&self.call)), wait.min(PAUSE_MAX)))
    }

    /// How the counts differ from what was counted with the permit.
    fn recount(&self) -> Counts {
        let granted = granted(&self.call);
        let taken = Counts { counted: -granted.counted, exempt: -granted.exempt, ..Counts::default() };
        match self.outcome {
            Outcome::Done => Counts::default(),
            Outcome::Unknown if self.call.month == MonthClass::Counted => Counts { unknown: 1, ..taken },
            Outcome::Unknown => Counts::default(),
            Outcome::Unused => taken,
            Outcome::Failed | Outcome::Limited { .. } | Outcome::MonthExhausted => {
                Counts { failed: 1, ..taken }
            }
        }
    }
}
