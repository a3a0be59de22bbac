//! What is to be written down about calls that ended. A success was counted when its permit was given, so
//! most calls leave no note at all.

use std::time::{Duration, Instant};

use super::{
    limits::{endpoint_key, micros, sends_key, target_spec},
    round::Buckets,
    tally::{add_day, add_minute, day_tally, granted},
};
use crate::core::{
    permit::{Call, LimitScope, MonthClass, Outcome, Permit},
    permit_rows::{Counts, RowsChanged},
};

/// So late a request may leave without a note: it is within what the guard covers.
const LATE: Duration = Duration::from_millis(1);
/// The longest pause that a refusal can bring.
const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// What is kept of a permit that was given.
pub(crate) struct Booked {
    /// Its instant in the buckets.
    pub(crate) at: i64,
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
    /// Learns a duration. One far beyond the usual is not learned whole, and says by how much it was late.
    fn beat(&mut self, took: Duration) -> Option<Duration> {
        const SURE_AFTER: u32 = 16;
        let took = micros(took);
        let most = self.mean_us + 4 * self.deviation_us + 20_000;
        if self.calls == 0 {
            (self.mean_us, self.deviation_us) = (took, took / 2);
        }
        let error = took.min(most.max(self.mean_us)) - self.mean_us;
        self.mean_us += error / 8;
        self.deviation_us += (error.abs() - self.deviation_us) / 4;
        self.calls = self.calls.saturating_add(1);
        let is_late = self.calls > SURE_AFTER && took > most;
        is_late.then(|| Duration::from_micros(u64::try_from(took - self.mean_us).unwrap_or(0)))
    }
}

/// One call that ended.
pub(crate) struct Note {
    call: Call,
    outcome: Outcome,
    booked: Booked,
    /// How much later than its instant it left or arrived, at most.
    late: Option<Duration>,
}

impl Note {
    pub(crate) fn of(
        permit: Permit,
        outcome: Outcome,
        at: Instant,
        booked: Booked,
        pulse: &mut Pulse,
    ) -> Self {
        let left: Instant = permit.left_at.unwrap_or(permit.granted_at);
        let waited = left.saturating_duration_since(permit.granted_at);
        // Where an answer took much longer than usual, the request may have been under way for as long.
        let strayed = match outcome {
            Outcome::Done => pulse.beat(at.saturating_duration_since(left)).unwrap_or_default(),
            _ => Duration::ZERO,
        };
        let late = waited + strayed;
        Self { call: permit.call, outcome, booked, late: (late > LATE).then_some(late) }
    }

    /// A permit that reached nobody.
    pub(crate) fn unused(call: Call, booked: Booked) -> Self {
        Self { call, outcome: Outcome::Unused, booked, late: None }
    }

    /// Whether others may go at once because of it, or somebody waits for it.
    pub(crate) fn is_urgent(&self) -> bool {
        self.outcome != Outcome::Done
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.outcome == Outcome::Done && self.late.is_none()
    }

    /// The buckets that it changes.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.booked.keys.iter().map(String::as_str)
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
                buckets.change(key).give_back(self.booked.at);
            }
            add_minute(&mut changed.minutes, &self.call.app, self.booked.minute, -1);
        } else if let Some(late) = self.late {
            for key in &self.booked.keys {
                buckets.change(key).restamp(self.booked.at, self.booked.at + micros(late), now_us);
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
