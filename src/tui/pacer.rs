//! When to draw: what the person does at once, what others send at a capped rate.

use std::time::{Duration, Instant};

/// Who made the screen change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The network, the clock, an effect's answer.
    Peer,
    /// The person at the keyboard.
    Person,
}

/// Decides when the next frame is due. Peers' frames are capped at their leading edge: the first after a
/// pause is drawn at once.
#[derive(Debug, Clone)]
pub struct Pacer {
    gap: Duration,
    last_peer: Option<Instant>,
    wants: Option<Cause>,
}

impl Pacer {
    /// At most `frames_per_second` for peers (at least one).
    pub fn new(frames_per_second: u32) -> Self {
        Self { gap: Duration::from_secs(1) / frames_per_second.max(1), last_peer: None, wants: None }
    }

    /// Something on screen changed.
    pub fn want(&mut self, cause: Cause) {
        self.wants = self.wants.max(Some(cause));
    }

    /// When the next frame is due; `None` while nothing changed.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        match self.wants? {
            Cause::Person => Some(now),
            Cause::Peer => Some(self.last_peer.map_or(now, |last| now.max(last + self.gap))),
        }
    }

    /// A frame was drawn.
    pub fn painted(&mut self, now: Instant) {
        if self.wants.take() == Some(Cause::Peer) {
            self.last_peer = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_never_wait_and_peers_are_capped() {
        let start = Instant::now();
        let ms = |n| start + Duration::from_millis(n);
        let mut pacer = Pacer::new(10);
        assert_eq!(pacer.due(start), None);
        pacer.want(Cause::Peer);
        assert_eq!(pacer.due(start), Some(start));
        pacer.painted(start);
        pacer.want(Cause::Peer);
        assert_eq!(pacer.due(ms(30)), Some(ms(100)));
        pacer.want(Cause::Person);
        assert_eq!(pacer.due(ms(30)), Some(ms(30)));
        pacer.painted(ms(30));
        assert_eq!(pacer.due(ms(40)), None);
        pacer.want(Cause::Peer);
        assert_eq!(pacer.due(ms(300)), Some(ms(300)));
    }
}
