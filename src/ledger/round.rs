//! One decision for all calls that wait in this process: who goes when. Pure; the caller holds the rows.

use std::collections::BTreeMap;

use crate::core::permit::Class;

use super::{
    bucket::{Bucket, LATE_MAX_US, WAITER_LIFE_US, Waiter},
    limits::BucketSpec,
    month::{Month, MonthDenial, MonthRules},
};

/// Permits are given so far ahead of their instant; their calls sleep until then. So one commit serves
/// several calls and no timer has to be exact; but nobody who comes later can go before them.
pub(crate) const HORIZON_US: i64 = 40_000;
/// So much of [`Moment::lead`] a permit may be late, since whoever gets it may use it later: one that is alone and
/// does not wait for a place then leaves as soon as it is known.
const KNOWN_LATE_US: i64 = LATE_MAX_US / 2;
/// The most that [`Moment::lead`] may be.
pub(crate) const LEAD_MAX_US: i64 = 500_000;
/// The most that [`Moment::doubt`] may be.
pub(crate) const DOUBT_MAX_US: i64 = 200_000;
/// So far ahead of its deciding a permit may count.
pub(crate) const AHEAD_MAX_US: i64 = HORIZON_US + LEAD_MAX_US + DOUBT_MAX_US + LATE_MAX_US;
/// A process looks again so long before the instant that it computed.
const LEAD_US: i64 = 20_000;
/// After so long it looks whether a higher class is done that should have been.
const LOOK_AGAIN_US: i64 = 25_000;

/// The rows of a decision, by key.
#[derive(Debug, Default)]
pub(crate) struct Buckets(BTreeMap<String, (Bucket, bool)>);

impl Buckets {
    pub(crate) fn insert(&mut self, key: String, bucket: Bucket) {
        self.0.insert(key, (bucket, false));
    }

    /// To change it: it will be written.
    pub(crate) fn change(&mut self, key: &str) -> &mut Bucket {
        if !self.0.contains_key(key) {
            self.0.insert(key.to_owned(), (Bucket::default(), true));
        }
        let (bucket, is_changed) = self.0.entry(key.to_owned()).or_default();
        *is_changed = true;
        bucket
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Bucket> {
        self.0.get(key).map(|(bucket, _)| bucket)
    }

    /// Those that were changed.
    pub(crate) fn changed(&self) -> impl Iterator<Item = (&String, &Bucket)> {
        self.0.iter().filter(|(_, (_, is_changed))| *is_changed).map(|(key, (bucket, _))| (key, bucket))
    }

    fn free_at(&self, spec: &BucketSpec, class: Class, ahead: usize, now: i64) -> i64 {
        self.get(&spec.key).map_or(now, |bucket| bucket.free_at(spec, class, ahead, now))
    }
}

/// When a round is made: microseconds on the clock of the rows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Moment {
    pub(crate) now: i64,
    /// So much later whoever gets a permit hears of it.
    pub(crate) lead: i64,
    /// Calls may leave so much later than at their instants, and nobody sees it.
    pub(crate) doubt: i64,
}

impl Moment {
    /// From when a permit at `at` counts, until more is known of it.
    pub(crate) fn counts_from(self, at: i64) -> i64 {
        at + self.doubt + LATE_MAX_US
    }

    /// No permit lies before this: it would be too old when it is known.
    fn soonest(self) -> i64 {
        self.now + (self.lead - KNOWN_LATE_US).max(0)
    }

    /// Permits lie up to here.
    fn horizon(self) -> i64 {
        self.now + self.lead + HORIZON_US
    }
}

/// A call that waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) class: Class,
    pub(crate) specs: &'a [BucketSpec],
    /// Not after this.
    pub(crate) deadline: Option<i64>,
    /// Which of the months it counts against.
    pub(crate) month: Option<usize>,
}

/// What is decided about a call. Buckets are named by their place in the call's specs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes at that instant.
    Goes { at: i64 },
    /// It waits for that bucket, until then at least.
    Waits { until: i64, spec: usize },
    /// It would have to wait too long.
    TooLong { until: i64, spec: usize },
    /// The month forbids it.
    Month(MonthDenial),
}

/// The outcome of a round.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// In the order of the asks.
    pub(crate) verdicts: Vec<Verdict>,
    /// When to look again.
    pub(crate) wake_at: Option<i64>,
}

/// Decides about `asks`, which are in the order of their class and then of their arrival, for the process
/// `me`, and writes the permits and the waiters down.
pub(crate) fn decide(
    buckets: &mut Buckets,
    months: &mut [Month],
    rules: &MonthRules,
    me: u64,
    asks: &[Ask<'_>],
    moment: Moment,
) -> Round {
    let now = moment.now;
    let mut round = Round::default();
    // Buckets at which somebody of this process waits already: who comes later needs no look.
    let mut short: Vec<(&str, i64)> = Vec::new();
    for ask in asks {
        let verdict = judge(buckets, months, rules, me, ask, &short, moment);
        match verdict {
            Verdict::Goes { at } => {
                for spec in ask.specs {
                    buckets.change(&spec.key).take(spec, at, moment.counts_from(at), now);
                }
                if let Some(month) = ask.month.and_then(|month| months.get_mut(month)) {
                    month.count();
                }
            }
            Verdict::Waits { until, spec } => {
                if let Some(spec) = ask.specs.get(spec)
                    && !short.iter().any(|(key, _)| *key == spec.key)
                {
                    short.push((&spec.key, until));
                }
            }
            Verdict::TooLong { .. } | Verdict::Month(_) => {}
        }
        round.verdicts.push(verdict);
    }
    register(buckets, me, asks, &round.verdicts, now);
    round.wake_at = wake_at(buckets, me, asks, &round.verdicts, moment);
    round
}

fn judge(
    buckets: &Buckets,
    months: &[Month],
    rules: &MonthRules,
    me: u64,
    ask: &Ask<'_>,
    short: &[(&str, i64)],
    moment: Moment,
) -> Verdict {
    let (now, soonest) = (moment.now, moment.soonest());
    let month = ask.month.and_then(|month| months.get(month));
    if let Some(denial) = month.and_then(|month| month.denial(rules, ask.class)) {
        return Verdict::Month(denial);
    }
    let known = ask.specs.iter().enumerate().find_map(|(at, spec)| {
        short.iter().find(|(key, _)| *key == spec.key).map(|(_, until)| (*until, at, true))
    });
    let (until, spec, is_blocked) = known.unwrap_or_else(|| {
        let free = ask.specs.iter().map(|spec| buckets.free_at(spec, ask.class, 0, soonest));
        let (until, last) = free
            .enumerate()
            .fold((soonest, 0), |best, (at, free)| if free > best.0 { (free, at) } else { best });
        match ask.specs.iter().position(|spec| has_higher(buckets, &spec.key, me, ask.class, now)) {
            Some(blocked) if until <= moment.horizon() => (until, blocked, true),
            _ => (until, last, false),
        }
    });
    if until <= moment.horizon() && !is_blocked {
        Verdict::Goes { at: until }
    } else if ask.deadline.is_some_and(|deadline| until > deadline || now >= deadline) {
        Verdict::TooLong { until, spec }
    } else {
        Verdict::Waits { until, spec }
    }
}

fn has_higher(buckets: &Buckets, key: &str, me: u64, class: Class, now: i64) -> bool {
    buckets.get(key).is_some_and(|bucket| bucket.others(me, now).any(|other| other.class < class))
}

/// Writes this process's waiters into the rows: for the others' order, and for the screens.
fn register(buckets: &mut Buckets, me: u64, asks: &[Ask<'_>], verdicts: &[Verdict], now: i64) {
    let mut wanted: BTreeMap<(&str, Class), u32> = BTreeMap::new();
    for (ask, verdict) in asks.iter().zip(verdicts) {
        if let Verdict::Waits { spec, .. } = verdict
            && let Some(spec) = ask.specs.get(*spec)
        {
            *wanted.entry((&spec.key, ask.class)).or_default() += 1;
        }
    }
    let has_gone = |key: &str, class| {
        asks.iter().zip(verdicts).any(|(ask, verdict)| {
            ask.class == class
                && matches!(verdict, Verdict::Goes { .. })
                && ask.specs.iter().any(|spec| spec.key == key)
        })
    };
    let keys: Vec<String> = buckets.0.keys().cloned().collect();
    for key in &keys {
        let mine: Vec<Waiter> = wanted
            .range((key.as_str(), Class::Page)..=(key.as_str(), Class::Decoration))
            .map(|(&(_, class), &calls)| {
                let before = buckets.get(key).and_then(|bucket| {
                    bucket.waiters.iter().find(|waiter| waiter.who == me && waiter.class == class)
                });
                let since = before.filter(|_| !has_gone(key, class)).map_or(now, |waiter| waiter.since);
                Waiter { who: me, class, calls, since, expires: now + WAITER_LIFE_US }
            })
            .collect();
        let is_written = buckets.0.get(key).is_some_and(|(bucket, is_changed)| {
            let before: Vec<&Waiter> = bucket.waiters.iter().filter(|waiter| waiter.who == me).collect();
            !is_changed
                && before.len() == mine.len()
                && before.iter().zip(&mine).all(|(before, mine)| {
                    before.class == mine.class && before.expires - now > WAITER_LIFE_US / 2
                })
        });
        if !is_written {
            let bucket = buckets.change(key);
            bucket.bury(now);
            bucket.waiters.retain(|waiter| waiter.who != me);
            bucket.waiters.extend(mine);
        }
    }
    for ((key, class), calls) in wanted {
        if !keys.iter().any(|known| known == key) {
            let waiter = Waiter { who: me, class, calls, since: now, expires: now + WAITER_LIFE_US };
            buckets.change(key).waiters.push(waiter);
        }
    }
}

/// When the first of those who wait may expect a place, given who waits elsewhere; or has to be heard of.
fn wake_at(
    buckets: &Buckets,
    me: u64,
    asks: &[Ask<'_>],
    verdicts: &[Verdict],
    moment: Moment,
) -> Option<i64> {
    let now = moment.now;
    let mut heads: Vec<(&str, Class)> = Vec::new();
    let mut wake: Option<i64> = None;
    for (ask, verdict) in asks.iter().zip(verdicts) {
        let Verdict::Waits { until, spec } = *verdict else { continue };
        let Some(spec) = ask.specs.get(spec) else { continue };
        let mut next = now + WAITER_LIFE_US / 2;
        next = ask.deadline.map_or(next, |deadline| next.min(deadline));
        if !heads.contains(&(spec.key.as_str(), ask.class)) {
            heads.push((&spec.key, ask.class));
            let ahead = ahead(buckets, &spec.key, me, ask.class, now);
            let place = buckets.free_at(spec, ask.class, ahead, now).max(until) - LEAD_US - moment.lead;
            next = next.min(place.max(now + if until > moment.horizon() { 1 } else { LOOK_AGAIN_US }));
        }
        wake = Some(wake.map_or(next, |wake| wake.min(next)));
    }
    wake
}

/// How many places others take first: all calls of a higher class, and one each of those in the same class
/// who have waited longer.
fn ahead(buckets: &Buckets, key: &str, me: u64, class: Class, now: i64) -> usize {
    let Some(bucket) = buckets.get(key) else { return 0 };
    let mine = bucket.waiters.iter().find(|waiter| waiter.who == me && waiter.class == class);
    let rank = mine.map_or((now, me), |waiter| (waiter.since, waiter.who));
    bucket
        .others(me, now)
        .map(|other| match other.class.cmp(&class) {
            std::cmp::Ordering::Less => usize::try_from(other.calls).unwrap_or(usize::MAX),
            std::cmp::Ordering::Equal if (other.since, other.who) < rank => 1,
            _ => 0,
        })
        .fold(0, usize::saturating_add)
}
