//! One rate bucket: the instants of its last permits, who waits for it, and its pause.
//!
//! The rule: at the instant of a permit, fewer than N of all that were given before count less than a window and a
//! guard ago. A permit counts from its instant, and arrives within the guard of that on the clock of a server that
//! sees each after a delay which varies by less than the guard. Take any window of that server, and of the calls in
//! it the one whose permit was given last: all others arrived less than a window before it, so they were among the
//! fewer than N. So it never counts more than N, in whatever order calls leave and arrive.
//!
//! Until it is known when a permit's request left, it counts as if that had been as late as it may be
//! ([`LATE_MAX_US`]). What is then known moves it back: to the instant at which the request left, or before it, where
//! the answer came so soon that it cannot have arrived as late as the guard allows.
//!
//! All times are microseconds on the one clock that all who share the row share.

use std::time::Duration;

use crate::core::permit::{Class, Limit};

use super::{
    codec::{BadRow, Reader, Writer},
    limits::{BucketSpec, drift_us, guard_us, is_bulk, micros},
};

/// A waiter that does not renew itself for so long is dead.
pub(super) const WAITER_LIFE_US: i64 = 3_000_000;
/// The most that refusals may add to a guard, as a part of the window: 1/5.
const STRAIN_MAX_PART: i64 = 5;
/// What is added to a guard halves in so long.
const STRAIN_HALF_LIFE_US: i64 = 60_000_000;
/// A permit may be used so much later than at its instant. On a busy machine it takes a while until a processor is
/// free; permits that are thrown away for that would be half of all.
pub(crate) const LATE_MAX_US: i64 = 40_000;
const VERSION: u8 = 1;

/// Calls of one class in one process that wait for a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiter {
    /// The process's ledger.
    pub(super) who: u64,
    pub(super) class: Class,
    /// How many.
    pub(super) calls: u32,
    /// Since when without a permit: the longest goes first.
    pub(super) since: i64,
    pub(super) expires: i64,
}

/// One row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// From when each of the last permits counts, oldest first; the newest may lie a little ahead.
    instants: Vec<i64>,
    /// The instant of the permit that was given last.
    newest: i64,
    pub(super) waiters: Vec<Waiter>,
    /// No permit before this; 0 where there is no pause.
    pub(super) paused_until: i64,
    /// What refusals and late calls add to the guard, as it was at `strained_at`.
    strain: i64,
    strained_at: i64,
    /// The limits at the last writing, for reports: calls and window in ms.
    pub(super) limits: Vec<(u32, u32)>,
}

impl Bucket {
    fn strain(&self, window_us: i64, now: i64) -> i64 {
        let halvings = u32::try_from((now - self.strained_at).max(0) / STRAIN_HALF_LIFE_US).unwrap_or(63);
        (self.strain >> halvings.min(62)).min(window_us / STRAIN_MAX_PART)
    }

    /// How long after a permit its place is free again.
    fn reuse_after(&self, limit: Limit, now: i64) -> i64 {
        let window = micros(limit.window);
        window + guard_us(limit.window) + self.strain(window, now)
    }

    /// The first instant from `now` on at which another permit may lie, after `ahead` others.
    pub(super) fn free_at(&self, spec: &BucketSpec, class: Class, ahead: usize, now: i64) -> i64 {
        let mut at = now.max(self.paused_until);
        for limit in spec.limits {
            let calls = usize::try_from(limit.calls).unwrap_or(usize::MAX).max(1);
            let reuse = self.reuse_after(*limit, now);
            // Of a long queue the places come round again after a window each.
            let (rounds, ahead) = (ahead / calls, ahead % calls);
            if let Some(first) = (self.instants.len() + ahead).checked_sub(calls) {
                let first = self.instants.get(first).or(self.instants.last()).copied().unwrap_or(now);
                at = at.max(first + reuse);
            }
            at += i64::try_from(rounds).unwrap_or(0).saturating_mul(reuse);
        }
        if spec.is_paced
            && is_bulk(class)
            && let Some(limit) = spec.limits.first()
        {
            let step = self.reuse_after(*limit, now) / (2 * i64::from(limit.calls.max(1)));
            at = at.max(self.newest + step.saturating_mul(i64::try_from(ahead).unwrap_or(0) + 1));
        }
        at
    }

    /// Takes a place at `at`, which [`Bucket::free_at`] has named; it counts from `from`.
    pub(super) fn take(&mut self, spec: &BucketSpec, at: i64, from: i64, now: i64) {
        // Nothing is forgotten that counts now, though another takes its place later: that one may go back.
        let reuse = spec.limits.iter().map(|limit| self.reuse_after(*limit, now)).max();
        let old = reuse.map_or(self.instants.len(), |reuse| {
            self.instants.partition_point(|instant| *instant < now - reuse)
        });
        self.instants.drain(..old);
        if reuse.is_some() {
            self.count(from);
            self.newest = at;
        }
        self.limits = spec
            .limits
            .iter()
            .map(|limit| (limit.calls, u32::try_from(limit.window.as_millis()).unwrap_or(u32::MAX)))
            .collect();
    }

    fn count(&mut self, from: i64) {
        let index = self.instants.partition_point(|instant| *instant <= from);
        self.instants.insert(index, from);
    }

    /// Gives the place that counts from `from` back: its request never left.
    pub(super) fn give_back(&mut self, from: i64) {
        if let Ok(index) = self.instants.binary_search(&from) {
            self.instants.remove(index);
        }
    }

    /// From when a permit counts whose request left as late as `late`, and had arrived by `by` where that is known.
    pub(super) fn counts_from(&self, late: i64, by: Option<i64>) -> i64 {
        let spared = |window_ms: u32| {
            let window = Duration::from_millis(u64::from(window_ms));
            guard_us(window) - drift_us(window)
        };
        // Of several windows the one that is spared least.
        let least = self.limits.iter().map(|(_, window_ms)| spared(*window_ms)).min();
        by.zip(least).map_or(late, |(by, least)| late.min(by - least))
    }

    /// The permit that counts from `from` does so from `known`. Where its place is free already the guard grows
    /// instead: by what was too much.
    pub(super) fn restamp(&mut self, from: i64, known: i64, now: i64) {
        match self.instants.binary_search(&from) {
            Ok(index) => {
                self.instants.remove(index);
                self.count(known);
            }
            Err(_) => self.grow(known - from, now),
        }
    }

    /// Pauses the bucket: the platform refused a call although it kept the limit as we count it.
    pub(super) fn pause(&mut self, until: i64, now: i64) {
        self.paused_until = self.paused_until.max(until);
        let strain = self.strain(i64::MAX, now);
        self.grow((2 * strain).max(20_000), now);
    }

    fn grow(&mut self, to: i64, now: i64) {
        if to > self.strain(i64::MAX, now) {
            // A bucket of a minute may need the more; what is above a fifth of a window is not used.
            (self.strain, self.strained_at) = (to.min(12_000_000), now);
        }
    }

    /// Permits in the window of `window_us` that ends at `now`.
    pub(super) fn used(&self, window_us: i64, now: i64) -> usize {
        let from = self.instants.partition_point(|instant| *instant <= now - window_us);
        let to = self.instants.partition_point(|instant| *instant <= now + LATE_MAX_US);
        to.saturating_sub(from)
    }

    /// Living waiters of others.
    pub(super) fn others(&self, me: u64, now: i64) -> impl Iterator<Item = &Waiter> {
        self.waiters.iter().filter(move |waiter| waiter.who != me && waiter.expires > now)
    }

    /// Forgets the dead.
    pub(super) fn bury(&mut self, now: i64) {
        self.waiters.retain(|waiter| waiter.expires > now);
    }

    /// The newest permit or pause, to tell what stood still.
    pub(crate) fn touched(&self) -> i64 {
        self.instants.last().copied().unwrap_or(0).max(self.paused_until)
    }

    /// Writes the row: instants as differences of four bytes.
    pub(crate) fn encode(&self, clock_tag: u64) -> Vec<u8> {
        let mut out = Writer::with_capacity(64 + 4 * self.instants.len());
        out.byte(VERSION);
        out.u64(clock_tag);
        out.i64(self.paused_until);
        out.i64(self.strain);
        out.i64(self.strained_at);
        out.u16(self.limits.len());
        for (calls, window_ms) in &self.limits {
            out.u32(i64::from(*calls));
            out.u32(i64::from(*window_ms));
        }
        out.u16(self.waiters.len());
        for waiter in &self.waiters {
            out.u64(waiter.who);
            out.byte(class_code(waiter.class));
            out.u32(i64::from(waiter.calls));
            out.i64(waiter.since);
            out.i64(waiter.expires);
        }
        let first = self.instants.first().copied().unwrap_or(0);
        out.i64(first);
        out.u16(self.instants.len());
        for instant in &self.instants {
            out.u32(instant - first);
        }
        // Older versions end here.
        out.i64(self.newest);
        out.finish()
    }

    /// Reads a row. In another run of the clock (the machine started anew, the clock was set), or when it ran
    /// back, the instants say only how far the permits were apart: the newest is then taken to lie `ahead` of
    /// now.
    pub(crate) fn decode(bytes: &[u8], clock_tag: u64, now: i64, ahead: i64) -> Result<Self, BadRow> {
        let (mut bucket, tag) = Self::read(bytes)?;
        let last = bucket.instants.last().copied().unwrap_or(now);
        if tag != clock_tag || last > now + WAITER_LIFE_US {
            bucket.instants.iter_mut().for_each(|instant| *instant += now + ahead - last);
            bucket.newest = now;
            bucket.waiters.clear();
            (bucket.paused_until, bucket.strain, bucket.strained_at) = (0, 0, 0);
        }
        Ok(bucket)
    }

    /// Reads a row as it is, with the tag of its run of the clock.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, u64), BadRow> {
        let mut from = Reader::new(bytes);
        if from.byte()? != VERSION {
            return Err(BadRow::Version);
        }
        let tag = from.u64()?;
        let mut bucket = Self {
            paused_until: from.i64()?,
            strain: from.i64()?,
            strained_at: from.i64()?,
            ..Self::default()
        };
        for _ in 0..from.u16()? {
            bucket.limits.push((from.u32()?, from.u32()?));
        }
        for _ in 0..from.u16()? {
            bucket.waiters.push(Waiter {
                who: from.u64()?,
                class: class_of(from.byte()?)?,
                calls: from.u32()?,
                since: from.i64()?,
                expires: from.i64()?,
            });
        }
        let first = from.i64()?;
        for _ in 0..from.u16()? {
            bucket.instants.push(first.saturating_add(i64::from(from.u32()?)));
        }
        bucket.newest = from.i64().unwrap_or_else(|_| bucket.instants.last().copied().unwrap_or(0));
        Ok((bucket, tag))
    }

    /// When the last of its permits counts, as far as they are in order at all.
    pub(super) fn last(&self) -> Option<i64> {
        self.instants.is_sorted().then(|| self.instants.last().copied().unwrap_or(0))
    }
}

const CLASSES: [Class; 5] = [Class::Page, Class::Person, Class::Linking, Class::Fill, Class::Decoration];

fn class_code(class: Class) -> u8 {
    CLASSES.iter().position(|known| *known == class).and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
}

fn class_of(code: u8) -> Result<Class, BadRow> {
    CLASSES.get(usize::from(code)).copied().ok_or(BadRow::Content)
}
