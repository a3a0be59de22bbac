//! The month: where it begins, who may still call, when it will be empty.

use std::time::Duration;

use jiff::{ToSpan, civil::Date, tz::TimeZone};

use crate::core::{
    permit::Class,
    permit_rows::{DayTally, MonthFound},
    quota::{MonthUse, QuotaSource},
    time::Timestamp,
};

/// Days whose pace the forecast goes on with.
pub(crate) const PACE_DAYS: i64 = 7;
const DAY_MS: i64 = 86_400_000;

/// What is set about the month.
#[derive(Debug, Clone)]
pub struct MonthRules {
    /// Calls that the plan allows; `None` is unlimited (R55).
    pub limit: Option<u64>,
    /// Where the 1st begins at 00:00 (A11).
    pub zone: TimeZone,
    /// The last so many percent are for paging alone (G4).
    pub page_reserve_percent: u8,
}

impl Default for MonthRules {
    fn default() -> Self {
        Self { limit: Some(10_000), zone: TimeZone::fixed(jiff::tz::offset(8)), page_reserve_percent: 3 }
    }
}

impl MonthRules {
    /// The day of `at`: days since 1970-01-01 on the calendar of the zone.
    pub(crate) fn day(&self, at: Timestamp) -> i64 {
        day_of(at.in_zone(&self.zone).date())
    }

    /// The first day of the month of `at`.
    pub(crate) fn month_day(&self, at: Timestamp) -> i64 {
        day_of(at.in_zone(&self.zone).date().first_of_month())
    }

    /// The first instant of the month after that of `at`.
    pub(crate) fn resets_at(&self, at: Timestamp) -> Timestamp {
        let next = at.in_zone(&self.zone).date().first_of_month().saturating_add(1.month());
        self.starts_at(next)
    }

    fn starts_at(&self, date: Date) -> Timestamp {
        date.to_zoned_datetime(self.zone.clone())
            .map_or(Timestamp::default(), |start| Timestamp::from_ms(start.timestamp().as_millisecond()))
    }

    /// Calls that all but pages may use: what is kept for paging begins behind them.
    fn open_to_all(&self, limit: u64) -> u64 {
        let kept = limit / 100 * u64::from(self.page_reserve_percent.min(100))
            + limit % 100 * u64::from(self.page_reserve_percent.min(100)) / 100;
        limit - kept.min(limit)
    }
}

fn day_of(date: Date) -> i64 {
    date.duration_since(Date::constant(1970, 1, 1)).as_hours().div_euclid(24)
}

/// Why the month forbids a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MonthDenial {
    /// It is used up.
    Exhausted,
    /// The rest is for paging.
    Reserved,
}

/// The month while a round decides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Month(pub(crate) MonthFound);

impl Month {
    /// Calls that count, with the official figure where there is one.
    pub(crate) fn used(&self) -> u64 {
        u64::try_from(self.0.counts.counted.saturating_add(self.0.base)).unwrap_or(0)
    }

    /// Counts one call more.
    pub(crate) fn count(&mut self) {
        self.0.counts.counted += 1;
    }

    /// Whether a call that counts is forbidden. The set limit never stops a page, since it may be out of date:
    /// only the platform's word does.
    pub(crate) fn denial(&self, rules: &MonthRules, class: Class) -> Option<MonthDenial> {
        if self.0.is_closed {
            return Some(MonthDenial::Exhausted);
        }
        let limit = rules.limit.filter(|_| class != Class::Page)?;
        if self.used() >= limit {
            return Some(MonthDenial::Exhausted);
        }
        (self.used() >= rules.open_to_all(limit)).then_some(MonthDenial::Reserved)
    }

    /// As a screen shows it; `days` are those of the last days, for the pace.
    pub(crate) fn shown(&self, rules: &MonthRules, days: &[DayTally], now: Timestamp) -> MonthUse {
        let used = self.used();
        let is_over = self.0.is_closed || rules.limit.is_some_and(|limit| used >= limit);
        let count = |value: i64| u64::try_from(value).unwrap_or(0);
        MonthUse {
            used,
            exempt: count(self.0.counts.exempt),
            unknown: count(self.0.counts.unknown),
            limit: rules.limit,
            source: if self.0.is_official { QuotaSource::Official } else { QuotaSource::CountedHere },
            resets_at: rules.resets_at(now),
            forecast_empty_at: if is_over { Some(now) } else { forecast(used, rules, days, now) },
            exhausted: self.0.is_closed,
        }
    }
}

/// When the rest of the month's calls is used up at the pace of the last days; `None` when it lasts.
fn forecast(used: u64, rules: &MonthRules, days: &[DayTally], now: Timestamp) -> Option<Timestamp> {
    let left = i64::try_from(rules.limit?.saturating_sub(used)).ok()?;
    let today = rules.day(now);
    let recent = days.iter().filter(|tally| tally.day > today - PACE_DAYS && tally.counts.counted > 0);
    let (calls, first) = recent.fold((0_i64, today), |(calls, first), tally| {
        (calls.saturating_add(tally.counts.counted), first.min(tally.day))
    });
    if calls == 0 {
        return None;
    }
    let start = Date::constant(1970, 1, 1).saturating_add(first.days());
    let elapsed_ms = now.ms().saturating_sub(rules.starts_at(start).ms()).max(DAY_MS);
    let ms = i128::from(elapsed_ms) * i128::from(left) / i128::from(calls);
    let empty = now.plus(Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX)));
    (empty < rules.resets_at(now)).then_some(empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{ids::AppKey, permit::Feature, permit_rows::Counts};

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text, &TimeZone::UTC).unwrap()
    }

    fn month(counted: i64) -> Month {
        let counts = Counts { counted, ..Counts::default() };
        Month(MonthFound { counts, ..MonthFound::default() })
    }

    fn tally(day: i64, counted: i64) -> DayTally {
        DayTally {
            app: AppKey { base_url: "http://x".into(), app_id: "cli_1".parse().unwrap() },
            day,
            endpoint: "e".into(),
            feature: Feature::Send,
            counts: Counts { counted, ..Counts::default() },
        }
    }

    #[test]
    fn months_begin_in_the_set_zone() {
        let rules = MonthRules::default();
        assert_eq!(rules.resets_at(at("2026-11-30T15:59:59Z")), at("2026-11-30T16:00:00Z"));
        assert_eq!(rules.resets_at(at("2026-11-30T16:00:00Z")), at("2026-12-31T16:00:00Z"));
        assert_eq!(rules.month_day(at("2026-11-30T15:59:59Z")) + 30, rules.day(at("2026-11-30T16:00:00Z")));
        let utc = MonthRules { zone: TimeZone::UTC, ..MonthRules::default() };
        assert_eq!(utc.resets_at(at("2026-11-30T16:00:00Z")), at("2026-12-01T00:00:00Z"));
        assert_eq!(utc.day(at("1970-01-02T00:00:00Z")), 1);
        assert_eq!(utc.day(at("1969-12-31T23:00:00Z")), -1);
    }

    #[test]
    fn zones_with_summer_time_reset_at_their_own_midnight() {
        let rules = MonthRules { zone: TimeZone::get("Europe/Berlin").unwrap(), ..MonthRules::default() };
        assert_eq!(rules.resets_at(at("2026-10-20T00:00:00Z")), at("2026-10-31T23:00:00Z"));
        assert_eq!(rules.resets_at(at("2026-09-20T00:00:00Z")), at("2026-09-30T22:00:00Z"));
    }

    #[test]
    fn the_last_calls_are_for_pages() {
        let rules = MonthRules { limit: Some(1000), ..MonthRules::default() };
        assert_eq!(month(969).denial(&rules, Class::Person), None);
        assert_eq!(month(970).denial(&rules, Class::Person), Some(MonthDenial::Reserved));
        assert_eq!(month(1000).denial(&rules, Class::Decoration), Some(MonthDenial::Exhausted));
        assert_eq!(month(1000).denial(&rules, Class::Page), None);
        let closed = Month(MonthFound { is_closed: true, ..MonthFound::default() });
        assert_eq!(closed.denial(&rules, Class::Page), Some(MonthDenial::Exhausted));
        let unlimited = MonthRules { limit: None, ..MonthRules::default() };
        assert_eq!(month(1_000_000).denial(&unlimited, Class::Decoration), None);
        // A limit too small for a reserve has none.
        let small = MonthRules { limit: Some(5), ..MonthRules::default() };
        assert_eq!(month(4).denial(&small, Class::Person), None);
        assert_eq!(month(5).denial(&small, Class::Person), Some(MonthDenial::Exhausted));
    }

    #[test]
    fn the_forecast_goes_on_at_the_pace_of_the_last_days() {
        let rules = MonthRules { limit: Some(10_000), zone: TimeZone::UTC, ..MonthRules::default() };
        let now = at("2026-11-11T00:00:00Z");
        let today = rules.day(now);
        let days: Vec<_> = (1..=6).map(|back| tally(today - back, 1000)).collect();
        // 6,000 in six days, 4,000 left: four days more.
        let shown = month(6000).shown(&rules, &days, now);
        assert_eq!(shown.forecast_empty_at, Some(at("2026-11-15T00:00:00Z")));
        assert_eq!(month(100).shown(&rules, &[tally(today - 1, 100)], now).forecast_empty_at, None);
        assert_eq!(month(10_000).shown(&rules, &[], now).forecast_empty_at, Some(now));
        assert_eq!(month(0).shown(&rules, &[], now).forecast_empty_at, None);
    }

    #[test]
    fn an_official_figure_moves_the_count() {
        let found = MonthFound { base: -30, is_official: true, ..month(20).0 };
        let shown = Month(found).shown(&MonthRules::default(), &[], at("2026-11-11"));
        assert_eq!((shown.used, shown.source), (0, QuotaSource::Official));
    }
}
