//! The simulator's time: real instants for limits, scaled spans for everything that takes minutes or hours.

use std::time::Duration;

use tokio::time::Instant;

use crate::core::time::{Clock as _, SystemClock};

/// Wall clock and scale of one simulator.
#[derive(Debug, Clone)]
pub(super) struct SimClock {
    start: Instant,
    start_ms: i64,
    scale: f64,
}

impl SimClock {
    /// `scale`: so many platform seconds pass in a real one. `skew_ms`: the platform's clock is ahead by it.
    pub(super) fn new(scale: f64, skew_ms: i64) -> Self {
        let scale = if scale.is_finite() && scale > 0.0 { scale } else { 1.0 };
        Self { start: Instant::now(), start_ms: SystemClock.now().ms() + skew_ms, scale }
    }

    /// The monotonic clock; follows tokio's paused time in tests.
    pub(super) fn instant(&self) -> Instant {
        Instant::now()
    }

    /// Milliseconds since the epoch, as the platform's clock shows them.
    pub(super) fn now_ms(&self) -> i64 {
        self.start_ms + i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// How long a span of platform time really takes.
    pub(super) fn span(&self, platform: Duration) -> Duration {
        platform.div_f64(self.scale)
    }

    /// When the simulator was started.
    pub(super) fn start(&self) -> Instant {
        self.start
    }
}
