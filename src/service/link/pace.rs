//! How many lookups are under way at once. Permits pace the calls; the number only has to be large enough
//! that the round trip is never what holds them back.

use std::time::Duration;

/// Calls a second that the platform allows (R56).
const CALLS_PER_SECOND: u32 = 50;
const FEWEST: usize = 4;
const MOST: usize = 32;

/// Follows the round trip and answers how many calls should be under way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    shortest: Option<Duration>,
}

impl Pace {
    /// Takes in how long a call took. Waiting for permits is part of it, so the shortest is the truest; it
    /// is let grow slowly, since a path may become longer.
    pub fn took(&mut self, call: Duration) {
        self.shortest = Some(match self.shortest {
            Some(shortest) if call > shortest => (shortest + shortest / 50).min(call),
            _ => call,
        });
    }

    /// How many calls should be under way: what the round trip holds at full speed, a third more for
    /// its jitter, and two for the time between an answer and the next call.
    pub fn in_flight(&self) -> usize {
        let Some(round_trip) = self.shortest else { return FEWEST };
        let millis = usize::try_from(round_trip.as_millis()).unwrap_or(usize::MAX);
        let per_second = usize::try_from(CALLS_PER_SECOND).unwrap_or(FEWEST);
        let needed = millis.saturating_mul(per_second).saturating_mul(4) / 3 / 1000;
        needed.saturating_add(3).clamp(FEWEST, MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_round_trip_decides() {
        let mut pace = Pace::default();
        assert_eq!(pace.in_flight(), FEWEST);
        for (ms, least) in [(300, 15), (140, 7), (30, 2), (5, 1)] {
            pace.took(Duration::from_millis(ms));
            assert!(pace.in_flight() > least, "{ms} ms: {}", pace.in_flight());
        }
        assert_eq!(pace.in_flight(), FEWEST);
        // A call that waited a second for its permit does not change much.
        pace.took(Duration::from_secs(1));
        assert_eq!(pace.in_flight(), FEWEST);
        for _ in 0..400 {
            pace.took(Duration::from_millis(300));
        }
        assert!(pace.in_flight() > 15);
    }
}
