//! The quota report out of the rows.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::{
    ids::AppKey,
    permit::{Feature, Limit},
    permit_rows::ReportRows,
    quota::{BucketUse, EndpointUse, QuotaReport},
    time::Timestamp,
};

use super::{
    bucket::Bucket,
    codec::BadRow,
    limits::{FIRST, name, prefix},
    month::{Month, MonthRules},
};

/// Minutes of history that a report shows.
pub(crate) const MINUTES: i64 = 60;

/// When a report is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) wall: Timestamp,
    /// On the clock of the rows.
    pub(crate) us: i64,
    pub(crate) tag: u64,
}

/// Puts the report together.
pub(crate) fn report(
    app: &AppKey,
    rows: &ReportRows,
    rules: &MonthRules,
    now: Now,
) -> Result<QuotaReport, BadRow> {
    let month_day = rules.month_day(now.wall);
    let mut endpoints: BTreeMap<&str, EndpointUse> = BTreeMap::new();
    let mut features: BTreeMap<Feature, u64> = BTreeMap::new();
    let count = |value: i64| u64::try_from(value).unwrap_or(0);
    for tally in rows.days.iter().filter(|tally| tally.day >= month_day) {
        let endpoint = endpoints.entry(&tally.endpoint).or_insert_with(|| EndpointUse {
            endpoint: tally.endpoint.clone(),
            counted: 0,
            exempt: 0,
            failed: 0,
        });
        endpoint.counted += count(tally.counts.counted);
        endpoint.exempt += count(tally.counts.exempt);
        endpoint.failed += count(tally.counts.failed);
        *features.entry(tally.feature).or_default() +=
            count(tally.counts.counted) + count(tally.counts.exempt);
    }
    let mut endpoints: Vec<EndpointUse> = endpoints.into_values().collect();
    endpoints.sort_by_key(|one| std::cmp::Reverse(one.counted + one.exempt + one.failed));
    let mut features: Vec<(Feature, u64)> = features.into_iter().filter(|(_, calls)| *calls > 0).collect();
    features.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
    let this_minute = now.wall.ms().div_euclid(60_000);
    let minutes = (this_minute - MINUTES + 1..=this_minute)
        .map(|minute| {
            let calls: i64 =
                rows.minutes.iter().filter(|row| row.minute == minute).map(|row| row.calls).sum();
            u32::try_from(calls).unwrap_or(0)
        })
        .collect();
    Ok(QuotaReport {
        month: Month(rows.month).shown(rules, &rows.days, now.wall),
        buckets: buckets(app, rows, now)?,
        endpoints,
        features,
        minutes,
    })
}

fn buckets(app: &AppKey, rows: &ReportRows, now: Now) -> Result<Vec<BucketUse>, BadRow> {
    let prefix = prefix(app);
    let mut found: BTreeMap<&str, Vec<Bucket>> = BTreeMap::new();
    let mut endpoints: BTreeSet<&str> = BTreeSet::new();
    for (key, bytes) in &rows.buckets {
        let Some(rest) = key.strip_prefix(&prefix) else { continue };
        found.entry(name(key)).or_default().push(Bucket::decode(bytes, now.tag, now.us, 0)?);
        if rest.starts_with("endpoint|") {
            endpoints.insert(name(key));
        }
    }
    let none = Vec::new();
    let first = FIRST.iter().map(|(name, limits)| {
        let longest = limits.iter().max_by_key(|limit| limit.window).map_or((0, 0), window_ms);
        shown(name, longest, found.get(name).unwrap_or(&none), now)
    });
    let rest = endpoints.iter().filter_map(|name| {
        let buckets = found.get(name)?;
        let longest = *buckets.first()?.limits.iter().max_by_key(|(_, window_ms)| *window_ms)?;
        Some(shown(name, longest, buckets, now))
    });
    Ok(first.chain(rest).collect())
}

fn window_ms(limit: &Limit) -> (u32, u32) {
    (limit.calls, u32::try_from(limit.window.as_millis()).unwrap_or(u32::MAX))
}

/// One line for all buckets of a name: the busiest one's use, the calls that wait for any.
fn shown(name: &str, (limit, window_ms): (u32, u32), buckets: &[Bucket], now: Now) -> BucketUse {
    let used = buckets.iter().map(|bucket| bucket.used(i64::from(window_ms) * 1000, now.us)).max();
    let waiting = buckets
        .iter()
        .flat_map(|bucket| bucket.waiters.iter().filter(|waiter| waiter.expires > now.us))
        .fold(0_u32, |sum, waiter| sum.saturating_add(waiter.calls));
    let paused = buckets.iter().map(|bucket| bucket.paused_until).max().filter(|until| *until > now.us);
    BucketUse {
        name: name.to_owned(),
        limit,
        window_s: window_ms.div_ceil(1000),
        used: u32::try_from(used.unwrap_or(0)).unwrap_or(u32::MAX),
        waiting,
        paused_until: paused
            .map(|until| Timestamp::from_ms(now.wall.ms() + (until - now.us).div_euclid(1000))),
    }
}
