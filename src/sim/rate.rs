//! Rate limits as the platform counts them: sliding windows of real time.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::control::Counter;

/// A limit of one window; 0 calls: no limit, counted all the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    /// Calls.
    pub(super) calls: u32,
    /// Window in seconds.
    pub(super) window_s: u64,
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exceeded {
    /// Calls that the window allows.
    pub(super) limit: u32,
    /// Whole seconds until one is free, at least 1.
    pub(super) reset_s: u64,
}

#[derive(Debug, Default)]
struct Window {
    rate_calls: u32,
    span_s: u64,
    arrived: VecDeque<Instant>,
    admitted: VecDeque<Instant>,
    most: u32,
}

#[derive(Debug, Default)]
struct Meter {
    calls: u64,
    over: u64,
    windows: Vec<Window>,
}

/// All meters by name.
#[derive(Debug, Default)]
pub(super) struct Rates {
    meters: HashMap<String, Meter>,
}

fn forget(times: &mut VecDeque<Instant>, now: Instant, span: Duration) {
    while times.front().is_some_and(|first| now.duration_since(*first) >= span) {
        times.pop_front();
    }
}

fn count(times: &VecDeque<Instant>) -> u32 {
    u32::try_from(times.len()).unwrap_or(u32::MAX)
}

impl Rates {
    /// Counts a call at `now`; says no when a window is full and `is_enforced`.
    pub(super) fn arrive(
        &mut self,
        name: &str,
        rates: &[Rate],
        is_enforced: bool,
        now: Instant,
    ) -> Result<(), Exceeded> {
        if !self.meters.contains_key(name) {
            let windows = rates
                .iter()
                .map(|rate| Window { rate_calls: rate.calls, span_s: rate.window_s, ..Window::default() })
                .collect();
            self.meters.insert(name.to_owned(), Meter { windows, ..Meter::default() });
        }
        let Some(meter) = self.meters.get_mut(name) else { return Ok(()) };
        meter.calls += 1;
        let mut exceeded = None;
        for window in &mut meter.windows {
            let span = Duration::from_secs(window.span_s);
            forget(&mut window.arrived, now, span);
            forget(&mut window.admitted, now, span);
            window.arrived.push_back(now);
            window.most = window.most.max(count(&window.arrived));
            if window.rate_calls > 0 && count(&window.admitted) >= window.rate_calls {
                let free_in = window.admitted.front().map_or(span, |first| span - now.duration_since(*first));
                let reset_s = free_in.as_secs() + u64::from(free_in.subsec_nanos() > 0);
                exceeded = Some(Exceeded { limit: window.rate_calls, reset_s: reset_s.max(1) });
            }
        }
        if let Some(exceeded) = exceeded {
            meter.over += 1;
            if is_enforced {
                return Err(exceeded);
            }
        }
        for window in &mut meter.windows {
            window.admitted.push_back(now);
        }
        Ok(())
    }

    /// What was counted, by name.
    pub(super) fn counters(&self) -> Vec<Counter> {
        let mut all: Vec<Counter> = self
            .meters
            .iter()
            .map(|(name, meter)| Counter {
                name: name.clone(),
                calls: meter.calls,
                over: meter.over,
                windows: meter.windows.iter().map(|w| (w.span_s, w.most, w.rate_calls)).collect(),
            })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Calls over any limit.
    pub(super) fn over(&self) -> u64 {
        self.meters.values().map(|meter| meter.over).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the arrivals, no window of a second holds more admitted calls than the limit.
        #[test]
        fn no_window_admits_more_than_the_limit(gaps in proptest::collection::vec(0u64..400, 1..200), limit in 1u32..8) {
            let mut rates = Rates::default();
            let start = Instant::now();
            let mut at = start;
            let mut admitted = Vec::new();
            for gap in gaps {
                at += Duration::from_millis(gap);
                if rates.arrive("x", &[Rate { calls: limit, window_s: 1 }], true, at).is_ok() {
                    admitted.push(at);
                }
            }
            for (index, first) in admitted.iter().enumerate() {
                let within = admitted[index..].iter().filter(|t| t.duration_since(*first) < Duration::from_secs(1));
                prop_assert!(within.count() <= limit as usize);
            }
        }
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let mut rates = Rates::default();
        let start = Instant::now();
        let rate = [Rate { calls: 1, window_s: 60 }];
        assert!(rates.arrive("x", &rate, true, start).is_ok());
        let refused = rates.arrive("x", &rate, true, start + Duration::from_millis(10_500)).unwrap_err();
        assert_eq!((refused.limit, refused.reset_s), (1, 50));
        assert!(rates.arrive("x", &rate, true, start + Duration::from_secs(60)).is_ok());
        assert_eq!(rates.counters()[0].windows, vec![(60, 2, 1)]);
        assert_eq!(rates.over(), 1);
    }
}
