//! The clock of the rows against one's own, where they are not the same.
//!
//! Each reading bounds how far the two are apart: the rows' clock was read after the question left and before
//! the answer came. What all readings allow together is known; when a reading allows none of it, a clock was
//! set.

use crate::core::permit_rows::RowsClock;

/// The two clocks may run so differently, one part in so many, and nothing is said of it: half of what the
/// guards of the limits leave.
const DRIFT_PART: i64 = 100;
/// What clocks in microseconds cannot tell apart.
const GRAIN_US: i64 = 10;

/// How far one's own clock is ahead of the rows' clock, as far as it is known. Microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pairing {
    low: i64,
    high: i64,
    /// The last reading, on one's own clock.
    read_at: i64,
}

impl Pairing {
    /// What one reading says: the question left at `before` and the answer was here at `after`, on one's own
    /// clock.
    pub(crate) fn of(clock: RowsClock, before: i64, after: i64) -> Self {
        let (low, high) = (before - clock.asked_us, after - clock.now_us);
        // They cross where the rows' clock was set in between.
        Self { low: low.min(high), high: low.max(high), read_at: after }
    }

    /// Learns from another reading; false when a clock was set since the last one, and only this one counts.
    pub(crate) fn learn(&mut self, clock: RowsClock, before: i64, after: i64) -> bool {
        let read = Self::of(clock, before, after);
        let was_set = before - clock.asked_us > after - clock.now_us + GRAIN_US;
        let slack = (after - self.read_at).max(0) / DRIFT_PART + GRAIN_US;
        let low = read.low.max(self.low - slack);
        let high = read.high.min(self.high + slack);
        let fits = low <= high && !was_set;
        *self = if fits { Self { low, high, ..read } } else { read };
        fits
    }

    /// The latest that one's own clock may have shown when the rows' clock showed `at`.
    pub(crate) fn latest(&self, at: i64) -> i64 {
        at.saturating_add(self.high)
    }

    /// The earliest.
    pub(crate) fn earliest(&self, at: i64) -> i64 {
        at.saturating_add(self.low)
    }

    /// How much the two are apart: what is not known.
    pub(crate) fn doubt(&self) -> i64 {
        self.high - self.low
    }

    /// About what the rows' clock shows when one's own shows `own`.
    pub(crate) fn there(&self, own: i64) -> i64 {
        own - self.low - self.doubt() / 2
    }
}

/// How long after the reading of the clock the answer to the commit is here: mean and mean deviation, as TCP
/// keeps them. Microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lag {
    mean: i64,
    deviation: i64,
}

impl Lag {
    pub(crate) fn learn(&mut self, took: i64) {
        if self.mean == 0 {
            (self.mean, self.deviation) = (took, took / 4);
        }
        let error = took - self.mean;
        self.mean += error / 8;
        self.deviation += (error.abs() - self.deviation) / 4;
    }

    /// Few take longer.
    pub(crate) fn usual(&self) -> i64 {
        (self.mean + 2 * self.deviation).max(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A reading at `at` of a clock that is `ahead` of one's own, with so long a way there and back.
    fn read(at: i64, ahead: i64, there: i64, locked: i64, back: i64) -> (RowsClock, i64, i64) {
        let asked = at + there;
        let clock = RowsClock { asked_us: asked + ahead, now_us: asked + locked + ahead, tag: Some(1) };
        (clock, at, asked + locked + back)
    }

    proptest! {
        /// Whatever the network and the locks take: the truth stays inside, and is never said to be a step.
        #[test]
        fn the_truth_stays_within(
            ahead in -4_000_000_000_000i64..4_000_000_000_000,
            steps in prop::collection::vec((1i64..60_000_000, 1i64..300_000, 0i64..2_000_000, 1i64..300_000, -50i64..50), 1..40),
        ) {
            let mut own = 5_000_000;
            let mut ahead = ahead;
            let mut pairing: Option<Pairing> = None;
            for (pause, there, locked, back, drift) in steps {
                own += pause;
                // As far as slewing may take it.
                ahead += pause / 10_000 * drift;
                let (clock, before, after) = read(own, ahead, there, locked, back);
                own = after;
                match &mut pairing {
                    None => pairing = Some(Pairing::of(clock, before, after)),
                    Some(pairing) => prop_assert!(pairing.learn(clock, before, after)),
                }
                let known = pairing.unwrap();
                prop_assert!(known.earliest(clock.now_us) <= clock.now_us - ahead);
                prop_assert!(known.latest(clock.now_us) >= clock.now_us - ahead);
                prop_assert!(known.doubt() <= there + back);
            }
        }

        /// A step beyond what is unknown is seen, either way.
        #[test]
        fn steps_are_seen(by in 3_000i64..4_000_000_000_000, is_back: bool) {
            let (clock, before, after) = read(1_000_000, 77, 500, 0, 500);
            let mut pairing = Pairing::of(clock, before, after);
            let by = if is_back { -by } else { by };
            let (clock, before, after) = read(1_100_000, 77 + by, 500, 0, 500);
            prop_assert!(!pairing.learn(clock, before, after));
            prop_assert_eq!(pairing, Pairing::of(clock, before, after));
        }
    }

    #[test]
    fn a_clock_that_is_set_while_it_is_read_crosses() {
        let clock = RowsClock { asked_us: 1_000_000, now_us: 4_000_000, tag: None };
        let mut pairing = Pairing::of(RowsClock { now_us: 1_000_000, ..clock }, 999_900, 1_000_100);
        assert!(!pairing.learn(clock, 1_000_200, 1_000_400));
        assert!(pairing.doubt() > 2_000_000);
    }

    #[test]
    fn the_lag_follows_what_is_usual() {
        let mut lag = Lag::default();
        assert_eq!(lag.usual(), 0);
        for _ in 0..100 {
            lag.learn(2_000);
        }
        assert!((2_000..2_020).contains(&lag.usual()), "{lag:?}");
        lag.learn(50_000);
        for _ in 0..100 {
            lag.learn(2_000);
        }
        assert!(lag.usual() < 3_000, "{lag:?}");
    }
}
