//! Is the connection deaf (G5)? The age of the last event against the rhythm of the rooms decides when it is
//! worth one call to find out.

use std::time::{Duration, Instant};

/// The least time between two checks.
const FIRST_PAUSE: Duration = Duration::from_secs(10 * 60);
/// The longest, of checks that found nothing.
const LAST_PAUSE: Duration = Duration::from_secs(160 * 60);
/// Silence so many times the usual gap is suspicious.
const USUAL_GAPS: u32 = 8;
/// The usual gap where no two events have come yet.
const UNKNOWN_GAP: Duration = Duration::from_secs(10 * 60);

/// The rhythm of an app's events.
#[derive(Debug)]
pub(super) struct Rhythm {
    last_event: Instant,
    usual_gap: Option<Duration>,
    /// Silence that is never suspicious.
    floor: Duration,
    /// The last check, and the pause after it before the next.
    checked: Option<(Instant, Duration)>,
}

impl Rhythm {
    /// The rhythm of a connection that begins now. A silence shorter than `floor` is never suspicious.
    pub(super) const fn new(now: Instant, floor: Duration) -> Self {
        Self { last_event: now, usual_gap: None, floor, checked: None }
    }

    /// An event came.
    pub(super) fn event(&mut self, now: Instant) {
        let gap = now.saturating_duration_since(self.last_event);
        // An average that forgets: the gaps of the day count, not those of last week.
        self.usual_gap = Some(self.usual_gap.map_or(gap, |usual| (usual * 7 + gap) / 8));
        self.last_event = now;
    }

    fn threshold(&self) -> Duration {
        (self.usual_gap.unwrap_or(UNKNOWN_GAP) * USUAL_GAPS).min(LAST_PAUSE).max(self.floor)
    }

    /// When the silence becomes suspicious, if it goes on.
    pub(super) fn suspicious_at(&self) -> Instant {
        match self.checked {
            None => self.last_event + self.threshold(),
            // The same silence goes on.
            Some((at, pause)) if self.last_event <= at => at + pause,
            // A room that talks in bursts must not cost a call for each of its pauses.
            Some((at, _)) => (self.last_event + self.threshold()).max(at + FIRST_PAUSE),
        }
    }

    /// Whether it is time to look. Saying so counts as having looked.
    pub(super) fn is_suspicious(&mut self, now: Instant) -> bool {
        if now < self.suspicious_at() {
            return false;
        }
        let pause = match self.checked {
            Some((at, pause)) if self.last_event <= at => (pause * 2).min(LAST_PAUSE),
            _ => self.threshold().clamp(FIRST_PAUSE, LAST_PAUSE),
        };
        self.checked = Some((now, pause));
        true
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
        let mut rhythm = Rhythm::new(start, Duration::from_secs(600));
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
        // The long pause has made longer ones usual.
        assert!(!rhythm.is_suspicious(at(107)));
        assert!(rhythm.is_suspicious(at(108)));
    }

    #[test]
    fn a_lively_room_is_looked_after_soon_but_not_at_each_pause() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut rhythm = Rhythm::new(start, Duration::from_secs(120));
        for second in 1..=60 {
            rhythm.event(at(second));
        }
        assert!(!rhythm.is_suspicious(at(179)));
        assert!(rhythm.is_suspicious(at(180)));
        // It talks on, and pauses every three minutes.
        let mut checks = 0;
        for second in 181..=3780 {
            if second % 180 < 40 {
                rhythm.event(at(second));
            }
            checks += usize::from(rhythm.is_suspicious(at(second)));
        }
        assert!((1..=6).contains(&checks), "{checks} calls in an hour");
    }

    #[test]
    fn checks_end_up_160_minutes_apart() {
        let start = Instant::now();
        let mut rhythm = Rhythm::new(start, Duration::from_secs(600));
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
