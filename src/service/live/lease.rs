//! The lease as this process sees it: when a holder counts as dead, and when this one may still act.
//! Everything is measured on the own monotonic clock.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::store::LeaseMark;

use super::super::deck::lock;

/// How often a holder raises the beat.
pub(super) const BEAT_EVERY: Duration = Duration::from_secs(2);
/// How often a follower looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A beat that has not moved for so long is a dead holder's.
const DEAD_AFTER: Duration = Duration::from_secs(6);
/// A holder that could not renew for so long acts no more. Less than [`DEAD_AFTER`], so that two never act
/// at once.
const SILENT_AFTER: Duration = Duration::from_secs(5);

/// What a follower has seen of a holder.
#[derive(Debug, Default)]
pub(super) struct Follower {
    seen: Option<(LeaseMark, Instant)>,
}

impl Follower {
    /// Takes in the lease as it stands; the answer names it when its holder is dead.
    pub(super) fn saw(&mut self, mark: LeaseMark, now: Instant) -> Option<LeaseMark> {
        match self.seen {
            Some((known, since)) if known == mark => {
                (now.saturating_duration_since(since) >= DEAD_AFTER).then_some(mark)
            }
            _ => {
                self.seen = Some((mark, now));
                None
            }
        }
    }
}

/// A lease that this process holds.
#[derive(Debug)]
pub(super) struct Held {
    /// Number of the holding.
    pub(super) epoch: i64,
    renewed: Mutex<Instant>,
    /// Fires when the lease is lost or given back.
    pub(super) lost: CancellationToken,
}

impl Held {
    pub(super) fn new(epoch: i64, now: Instant, lost: CancellationToken) -> Self {
        Self { epoch, renewed: Mutex::new(now), lost }
    }

    /// The beat that was begun at `at` went through.
    pub(super) fn renewed(&self, at: Instant) {
        *lock(&self.renewed) = at;
    }

    /// Whether acks, fills and sends may go out. Also false for a process that was stopped and goes on.
    pub(super) fn is_valid(&self, now: Instant) -> bool {
        !self.lost.is_cancelled() && self.left(now) > Duration::ZERO
    }

    /// How long it may still act without being renewed.
    pub(super) fn left(&self, now: Instant) -> Duration {
        SILENT_AFTER.saturating_sub(now.saturating_duration_since(*lock(&self.renewed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_dead_when_its_beat_stands_still() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mark = |beat| LeaseMark { epoch: 1, beat };
        let mut follower = Follower::default();
        assert_eq!(follower.saw(mark(1), at(0)), None);
        assert_eq!(follower.saw(mark(1), at(5)), None);
        assert_eq!(follower.saw(mark(2), at(6)), None);
        assert_eq!(follower.saw(mark(2), at(11)), None);
        assert_eq!(follower.saw(mark(2), at(12)), Some(mark(2)));
    }

    #[test]
    fn a_holder_acts_only_while_it_renews() {
        let start = Instant::now();
        let held = Held::new(1, start, CancellationToken::new());
        assert!(held.is_valid(start + Duration::from_secs(4)));
        assert_eq!(held.left(start + Duration::from_secs(4)), Duration::from_secs(1));
        assert!(!held.is_valid(start + Duration::from_secs(5)));
        assert_eq!(held.left(start + Duration::from_secs(6)), Duration::ZERO);
        held.renewed(start + Duration::from_secs(4));
        assert!(held.is_valid(start + Duration::from_secs(8)));
        held.lost.cancel();
        assert!(!held.is_valid(start + Duration::from_secs(8)));
    }
}
