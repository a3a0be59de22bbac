//! How long to wait before the next attempt.

use std::time::Duration;

use super::{frame::ClientConfig, session::Ended};

/// The first attempt after a loss: at once, but not all clients in the same instant.
const FIRST: Duration = Duration::from_secs(1);
/// A refusal that only a person can lift is asked about this often.
const REFUSED: Duration = Duration::from_secs(5 * 60);
/// The longest pause, unless the server asks for a longer one.
const LONGEST: Duration = Duration::from_secs(120);
/// The server may not ask for more.
const CEILING: Duration = Duration::from_secs(15 * 60);

/// Counts failed attempts and turns them into pauses.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failed: u32,
    longest: Option<Duration>,
}

impl Backoff {
    /// Attempts that failed since the connection last stood.
    pub(super) const fn attempt(&self) -> u32 {
        self.failed
    }

    /// The connection stood and proved useful.
    pub(super) fn reset(&mut self) {
        self.failed = 0;
    }

    /// The server's settings came.
    pub(super) fn tune(&mut self, config: &ClientConfig) {
        let asked = u64::try_from(config.reconnect_interval).ok().filter(|s| *s > 0);
        self.longest = asked.map(|s| Duration::from_secs(s).min(CEILING));
    }

    /// The pause before the next attempt: up to 1 s at first, then 1, 2, 4 … s, less up to a half.
    pub(super) fn pause(&mut self, ended: &Ended) -> Duration {
        let share = super::super::random_share();
        let pause = match ended {
            Ended::Refused(_) => REFUSED + FIRST.mul_f64(share * 10.0),
            Ended::Lost(_) if self.failed == 0 => FIRST.mul_f64(share),
            Ended::Lost(_) => {
                let doubled = FIRST * (1 << (self.failed - 1).min(10));
                let full = doubled.min(self.longest.unwrap_or(LONGEST));
                full - full.mul_f64(share / 2.0)
            }
        };
        self.failed = self.failed.saturating_add(1);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_servers_interval_and_stay_there() {
        let mut backoff = Backoff::default();
        backoff.tune(&ClientConfig { reconnect_interval: 20, ..ClientConfig::default() });
        let lost = Ended::Lost(String::new());
        let pauses: Vec<f64> = (0..40).map(|_| backoff.pause(&lost).as_secs_f64()).collect();
        assert!(pauses[0] <= 1.0);
        for (at, pause) in pauses.iter().enumerate().skip(1) {
            let full = f64::from(1u32 << (at - 1).min(10)).min(20.0);
            assert!(*pause <= full && *pause >= full / 2.0, "{at}: {pause}");
        }
        assert!(backoff.pause(&Ended::Refused(String::new())) >= REFUSED);
        backoff.reset();
        assert!(backoff.pause(&lost) <= FIRST);
    }
}
