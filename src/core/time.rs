//! Instants. Milliseconds UTC inside; a zone only where a person reads.

use std::{
    fmt,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// From the platform's text: milliseconds, or microseconds where it has 16 digits.
    pub fn parse_platform(text: &str) -> Option<Self> {
        let value: i64 = text.trim().parse().ok()?;
        Some(Self(if value >= 100_000_000_000_000 { value / 1000 } else { value }))
    }

    /// From RFC 3339 text, or a plain date, which means its first instant in `zone`.
    pub fn parse(text: &str, zone: &TimeZone) -> Option<Self> {
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Some(Self(at.as_millisecond()));
        }
        if let Ok(at) = text.parse::<jiff::civil::DateTime>() {
            return Some(Self(at.to_zoned_datetime(zone.clone()).ok()?.timestamp().as_millisecond()));
        }
        let date: jiff::civil::Date = text.parse().ok()?;
        Some(Self(date.to_zoned_datetime(zone.clone()).ok()?.timestamp().as_millisecond()))
    }

    /// Milliseconds since the epoch.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// This instant moved by `by`; saturates.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This instant moved back by `by`; saturates.
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long ago `earlier` was; zero where it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This instant on the calendar of `zone`.
    pub fn in_zone(self, zone: &TimeZone) -> jiff::ZonedDateTime {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or_default().to_zoned_datetime(zone.clone())
    }

    /// RFC 3339 with the zone's offset, as commands print it: `2026-11-22T03:12:00.000+08:00`.
    pub fn rfc3339(self, zone: &TimeZone) -> String {
        self.in_zone(zone).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339(&TimeZone::UTC))
    }
}

/// Where time comes from. Tests bring their own.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// A clock that only goes forward.
    fn instant(&self) -> Instant;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }
}

/// An age as a person reads it at a glance; in steps of 10 s below a minute, so that an idle screen
/// does not change every second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Age {
    /// Less than so many seconds: 10, 20, … 60.
    UnderSeconds(u64),
    /// So many whole minutes, below an hour.
    Minutes(u64),
    /// So many whole hours, below two days.
    Hours(u64),
    /// So many whole days.
    Days(u64),
}

impl Age {
    /// The step that `age` falls into.
    pub fn of(age: Duration) -> Self {
        match age.as_secs() {
            s @ 0..60 => Self::UnderSeconds((s / 10 + 1) * 10),
            s @ 60..3600 => Self::Minutes(s / 60),
            s @ 3600..172_800 => Self::Hours(s / 3600),
            s => Self::Days(s / 86_400),
        }
    }

    /// How long after `age` the step changes: when a screen that shows it has to be drawn again.
    pub fn next_change(age: Duration) -> Duration {
        let s = age.as_secs();
        let step = match s {
            0..60 => 10,
            60..3600 => 60,
            3600..172_800 => 3600,
            _ => 86_400,
        };
        Duration::from_secs((s / step + 1) * step)
            - Duration::from_secs(s)
            - Duration::from_nanos(u64::from(age.subsec_nanos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platform_times_are_milliseconds_or_microseconds() {
        assert_eq!(Timestamp::parse_platform("1700000000123"), Some(Timestamp(1_700_000_000_123)));
        assert_eq!(Timestamp::parse_platform("1700000000123456"), Some(Timestamp(1_700_000_000_123)));
        assert_eq!(Timestamp::parse_platform("x"), None);
    }

    #[test]
    fn printed_times_carry_their_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        let at = Timestamp(1_700_000_000_123);
        assert_eq!(at.rfc3339(&zone), "2023-11-15T06:13:20.123+08:00");
        assert_eq!(Timestamp::parse(&at.rfc3339(&zone), &TimeZone::UTC), Some(at));
        assert_eq!(Timestamp::parse("2023-11-15", &zone), Some(Timestamp(1_699_977_600_000)));
    }

    #[test]
    fn ages_step() {
        let s = Duration::from_secs;
        assert_eq!(Age::of(s(0)), Age::UnderSeconds(10));
        assert_eq!(Age::of(s(59)), Age::UnderSeconds(60));
        assert_eq!(Age::of(s(61)), Age::Minutes(1));
        assert_eq!(Age::next_change(s(59)), s(1));
        assert_eq!(Age::next_change(Duration::from_millis(500)), Duration::from_millis(9500));
    }
}
