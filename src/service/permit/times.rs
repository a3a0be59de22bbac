//! What time it is for the rows, and how sure that is. Rows of one machine go by its clock; rows in a database
//! by the database's, which is read in each transaction and held against this process's own.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    core::{
        permit_rows::RowsClock,
        time::{Clock, Timestamp},
    },
    ledger::{
        BootClock,
        bucket::LATE_MAX_US,
        limits::{guard_us, micros},
        pairing::{Lag, Pairing},
        round::{AHEAD_MAX_US, DOUBT_MAX_US, LEAD_MAX_US, Moment},
    },
};

/// Of the smallest guard half may be lost on the way from a permit to its request's leaving; the other half is the
/// network's. A permit may be older, since it counts accordingly.
const FRESH_US: i64 = guard_us(Duration::from_secs(1)) / 2;

/// The clocks of a process.
pub(super) struct Times {
    pub(super) clock: Arc<dyn Clock>,
    boot: Arc<dyn BootClock>,
    /// Where the rows have a clock of their own.
    rows: Option<Rows>,
}

struct Rows {
    pairing: Pairing,
    lag: Lag,
    /// The run of their clock that the pairing is of.
    tag: Option<u64>,
    /// Their clock was set, and its run needs a new name.
    was_set: bool,
}

/// What the clocks said when a decision was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) moment: Moment,
    /// How much of its time is not known.
    pub(super) doubt: i64,
    /// Of what run of the clock.
    pub(super) tag: u64,
    /// Whether that is a new one, to be written down.
    pub(super) is_new_run: bool,
    /// How far ahead of now permits of another run may lie.
    pub(super) ahead: i64,
    /// `moment.now` on this process's monotonic clock, at the latest.
    pub(super) instant: Instant,
    pub(super) wall: Timestamp,
    /// How long a permit of this decision may be used.
    pub(super) fresh_for: Duration,
}

impl Times {
    pub(super) fn new(clock: Arc<dyn Clock>, boot: Arc<dyn BootClock>) -> Self {
        Self { clock, boot, rows: None }
    }

    pub(super) fn instant(&self) -> Instant {
        self.clock.instant()
    }

    /// Before a question leaves: to be given to [`Self::read`] with its answer.
    pub(super) fn before(&self) -> i64 {
        self.boot.now_us()
    }

    /// About now, on the clock of the rows.
    pub(super) fn now_us(&self) -> i64 {
        let own = self.boot.now_us();
        self.rows.as_ref().map_or(own, |rows| rows.pairing.there(own))
    }

    /// About now: this process's own wall clock counts only where the rows have none.
    pub(super) fn wall(&self) -> Timestamp {
        if self.rows.is_some() { wall_of(self.now_us()) } else { self.clock.now() }
    }

    /// The run of the clock of rows that were read with `clock`.
    pub(super) fn tag(&self, clock: Option<RowsClock>) -> u64 {
        clock.map_or_else(|| self.boot.boot_tag(), |clock| clock.tag.unwrap_or(0))
    }

    /// What an answer says that has just come.
    pub(super) fn read(&mut self, clock: Option<RowsClock>, before: i64) -> Reading {
        // Something else may run between the readings of two clocks.
        let earliest = self.clock.instant();
        let own = self.boot.now_us();
        let instant = self.clock.instant();
        let apart = micros(instant.saturating_duration_since(earliest));
        let Some(clock) = clock else {
            return Reading {
                moment: Moment { now: own, lead: 0, doubt: uncovered(apart) },
                doubt: apart,
                tag: self.boot.boot_tag(),
                is_new_run: false,
                ahead: 0,
                instant,
                wall: self.clock.now(),
                fresh_for: fresh_for(apart),
            };
        };
        let rows = match &mut self.rows {
            Some(rows) => {
                let fits = rows.pairing.learn(clock, before, own);
                // Where it has another name, somebody has seen it before.
                rows.was_set = clock.tag == rows.tag && (rows.was_set || !fits);
                rows
            }
            None => self.rows.insert(Rows {
                pairing: Pairing::of(clock, before, own),
                lag: Lag::default(),
                tag: None,
                was_set: false,
            }),
        };
        rows.tag = clock.tag;
        let known = clock.tag.filter(|_| !rows.was_set);
        let doubt = rows.pairing.doubt() + apart;
        Reading {
            moment: Moment {
                now: clock.now_us,
                lead: rows.lag.usual().min(LEAD_MAX_US),
                doubt: uncovered(doubt),
            },
            doubt,
            tag: known.unwrap_or_else(|| getrandom::u64().unwrap_or_else(|_| own.unsigned_abs())),
            is_new_run: known.is_none(),
            ahead: AHEAD_MAX_US,
            instant: instant.checked_sub(span(own - rows.pairing.latest(clock.now_us))).unwrap_or(instant),
            wall: wall_of(clock.now_us),
            fresh_for: fresh_for(doubt),
        }
    }

    /// The decision that was made at `reading` is committed.
    pub(super) fn committed(&mut self, reading: &Reading) {
        let own = self.boot.now_us();
        if let Some(rows) = &mut self.rows {
            rows.lag.learn(own - rows.pairing.earliest(reading.moment.now));
            rows.tag = Some(reading.tag);
            rows.was_set = false;
        }
    }

    /// What is left of the patience of a call that came at `asked_at`, as an instant on the rows' clock.
    pub(super) fn deadline(&self, asked_at: Instant, patience: Duration) -> i64 {
        let left = (asked_at + patience).saturating_duration_since(self.instant());
        self.now_us().saturating_add(micros(left))
    }
}

/// How long a permit may be used: what it is not known to be late takes from it, at most the half.
fn fresh_for(doubt: i64) -> Duration {
    span(FRESH_US - doubt.min(FRESH_US / 2) + LATE_MAX_US)
}

/// What of a doubt that does not cover.
fn uncovered(doubt: i64) -> i64 {
    (doubt - FRESH_US / 2).clamp(0, DOUBT_MAX_US)
}

fn span(us: i64) -> Duration {
    Duration::from_micros(u64::try_from(us).unwrap_or(0))
}

fn wall_of(us: i64) -> Timestamp {
    Timestamp::from_ms(us.div_euclid(1000))
}
