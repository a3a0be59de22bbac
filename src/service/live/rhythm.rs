//! Is the connection deaf (G5)? The age of the last event against the rhythm of the rooms decides when it is
//! worth one call to find out.

use std::time::{Duration, Instant};

/// Silence that is never suspicious.
const FIRST_CHECK: Duration = Duration::from_secs(10 * 60);
/// Back-off of checks that found nothing.
const LAST_CHECK: Duration = Duration::from_secs(160 * 60);
/// Silence so many times the usual gap is suspicious.
const USUAL_GAPS: u32 = 8;
/// The usual gap where no two events have come yet.
const UNKNOWN_GAP: Duration = Duration::from_secs(10 * 60);

/// The rhythm of an app's events.
#[derive(Debug)]
pub(super) struct Rhythm {
    last_event: Instant,
    usual_gap: Option<Duration>,
    /// The last check, and the silence after it that calls for the next.
    checked: Option<(Instant, Duration)>,
}

impl Rhythm {
    /// The rhythm of a connection that begins now.
    pub(super) const fn new(now: Instant) -> Self {
        Self { last_event: now, usual_gap: None, checked: None }
    }

    /// An event came.
    pub(super) fn event(&mut self, now: Instant) {
        let gap = now.saturating_duration_since(self.last_event);
        // An average that forgets: the gaps of the day count, not those of last week.
        self.usual_gap = Some(self.usual_gap.map_or(gap, |usual| (usual * 7 + gap) / 8));
        self.last_event = now;
        self.checked = None;
    }

    /// Whether it is time to look. Saying so counts as having looked.
    pub(super) fn is_suspicious(&mut self, now: Instant) -> bool {
        let silence = now.saturating_duration_since(self.last_event);
        let threshold = (self.usual_gap.unwrap_or(UNKNOWN_GAP) * USUAL_GAPS).clamp(FIRST_CHECK, LAST_CHECK);
        let (is_due, next) = match self.checked {
            None => (silence >= threshold, threshold),
            Some((at, pause)) => (now.saturating_duration_since(at) >= pause, (pause * 2).min(LAST_CHECK)),
        };
        if is_due {
            self.checked = Some((now, next));
        }
        is_due
    }
}

/// What this process knows of the platform's clock: the smallest delay with which a message came, which is
/// the difference of the clocks and the fastest way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Skew {
    least_delay_ms: Option<i64>,
}

impl Skew {
    /// A message written at `written_ms` on the platform's clock came at `now_ms` on ours.
    pub(super) fn saw(&mut self, written_ms: i64, now_ms: i64) {
        let delay = now_ms.saturating_sub(written_ms);
        self.least_delay_ms = Some(self.least_delay_ms.map_or(delay, |least| least.min(delay)));
    }

    /// An instant of ours on the platform's clock, rather too early than too late.
    pub(super) fn platform_ms(self, ours_ms: i64) -> i64 {
        ours_ms.saturating_sub(self.least_delay_ms.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_measured_against_the_usual_gap() {
        let start = Instant::now();
        let at = |minutes: u64| start + Duration::from_secs(minutes * 60);
        let mut rhythm = Rhythm::new(start);
        for minute in 1..20 {
            rhythm.event(at(minute));
        }
        assert!(!rhythm.is_suspicious(at(28)));
        assert!(rhythm.is_suspicious(at(29)));
        assert!(!rhythm.is_suspicious(at(38)));
        assert!(rhythm.is_suspicious(at(39)));
        assert!(!rhythm.is_suspicious(at(58)));
        assert!(rhythm.is_suspicious(at(59)));
        rhythm.event(at(60));
        assert!(!rhythm.is_suspicious(at(69)));
    }

    #[test]
    fn checks_end_up_160_minutes_apart() {
        let start = Instant::now();
        let mut rhythm = Rhythm::new(start);
        let checks =
            (0..2000).filter(|minute| rhythm.is_suspicious(start + Duration::from_secs(minute * 60))).count();
        assert!((10..=16).contains(&checks), "{checks}");
    }

    #[test]
    fn the_fastest_message_tells_the_clocks_apart() {
        let mut skew = Skew::default();
        assert_eq!(skew.platform_ms(1_000), 1_000);
        skew.saw(1_000, 601_200);
        skew.saw(2_000, 602_050);
        assert_eq!(skew.platform_ms(602_050), 2_000);
    }
}
