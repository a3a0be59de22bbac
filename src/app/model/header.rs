//! The header line and the footer, as data.

use super::{Glyphs, Load, Model, Pane};
use crate::{
    app::command::Command,
    core::{
        integration::{Holder, ImKind, LiveState, Receive},
        lang::{Lang, Phrase, phrase},
        message::Via,
        role::Role,
        text::SafeText,
        time::{Age, Timestamp},
    },
};

/// The header line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The integration in use.
    pub integration: Option<SafeText>,
    /// Its platform.
    pub kind: Option<ImKind>,
    /// The connection.
    pub live: LiveLine,
    /// Who holds the connection, where that is another process.
    pub holder: Option<SafeText>,
    /// How long ago the last event came.
    pub last_event: Option<Age>,
    /// It came by webhook.
    pub is_by_webhook: bool,
    /// The month.
    pub month: Option<MonthLine>,
    /// What others commit is looked for every 5 s: the database does not tell.
    pub is_told_late: bool,
    /// This console may not change anything.
    pub is_read_only: bool,
    /// Its role, where that is not admin.
    pub role: Option<Role>,
    /// The time of day with its zone: `03:12 +08:00`.
    pub clock: String,
    /// Numbers beside the panes' names: unlinked users, rooms with something unread.
    pub counts: [Option<u64>; 5],
}

/// The connection in the header. It never says live when it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveLine {
    /// Nothing is known yet, or there is no integration.
    Unknown,
    /// Live for so long.
    Live {
        /// For so long.
        age: Option<Age>,
    },
    /// Events come by webhook alone: there is nothing to connect.
    Webhook,
    /// Connecting.
    Connecting,
    /// The link is lost; tried again in so many seconds, rounded up to steps of 5, 10, 30, 60 …
    Reconnecting {
        /// Seconds until the next attempt; `None`: it is due.
        in_s: Option<u64>,
        /// Why.
        reason: SafeText,
    },
    /// The platform refuses.
    Refused {
        /// Seconds until the next attempt; `None`: it is due.
        in_s: Option<u64>,
        /// What it said.
        reason: SafeText,
    },
    /// The store does not answer: what is shown is as of then.
    StoreAway {
        /// `HH:MM`, with the date where it is not today.
        since: String,
    },
    /// A newer larkdeck has brought the store up to date: this one has to make way.
    StoreNewer,
    /// Nobody is connected: what is shown is as of then.
    Cached {
        /// `HH:MM`, with the date where it is not today.
        since: Option<String>,
    },
}

/// The month in the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthLine {
    /// Calls used.
    pub used: u64,
    /// Of so many; `None` is unlimited.
    pub limit: Option<u64>,
    /// Whole days until it resets.
    pub days_left: u64,
    /// The day on which it will be empty at this pace, `MM-DD`.
    pub empty_on: Option<String>,
    /// It is used up.
    pub is_exhausted: bool,
}

/// The footer: hints for what has the focus.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Footer {
    /// In the order of their worth: those that do not fit are left out from the end.
    pub hints: Vec<FooterHint>,
}

/// A hint of the footer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FooterHint {
    /// The command; a click runs it.
    pub command: Command,
    /// Its first key, as text.
    pub key: String,
    /// What it is called.
    pub label: Phrase,
    /// Why it cannot be used now.
    pub disabled: Option<Phrase>,
}

const UNDER: Phrase = phrase("< {} s", "< {} 秒");
const MINUTES: Phrase = phrase("{} min", "{} 分钟");
const HOURS: Phrase = phrase("{} h", "{} 小时");
const DAYS: Phrase = phrase("{} d", "{} 天");

/// An age in words.
pub fn age_words(age: Age, lang: Lang) -> String {
    match age {
        Age::UnderSeconds(s) => UNDER.fill(lang, &[&s]),
        Age::Minutes(n) => MINUTES.fill(lang, &[&n]),
        Age::Hours(n) => HOURS.fill(lang, &[&n]),
        Age::Days(n) => DAYS.fill(lang, &[&n]),
    }
}

/// Seconds until `at` in coarse steps, rounded up; `None` when it is due. And when the step changes.
pub(in crate::app) fn countdown(now: Timestamp, at: Timestamp) -> (Option<u64>, Option<Timestamp>) {
    let left_ms = u64::try_from(at.ms().saturating_sub(now.ms())).unwrap_or(0);
    if left_ms == 0 {
        return (None, None);
    }
    let left = left_ms.div_ceil(1000);
    let step = match left {
        0..=30 => 5,
        31..=120 => 10,
        _ => 60,
    };
    let shown = left.div_ceil(step) * step;
    // The step changes when no more than the next lower one is left.
    let lower_ms = (shown - step) * 1000;
    let change = at.minus(std::time::Duration::from_millis(lower_ms));
    (Some(shown), Some(change.max(now.plus(std::time::Duration::from_millis(1)))))
}

impl Model {
    /// The header line as it is now.
    pub fn header(&self) -> Header {
        let item = self.active_item();
        let live = item.map(|item| &item.row.live);
        let other = |holder: &&Holder| **holder != self.me;
        Header {
            integration: item.map(|item| item.name.clone()),
            kind: item.map(|item| item.row.integration.kind),
            live: self.live_line(),
            holder: live
                .and_then(|live| live.holder.as_ref())
                .filter(other)
                .map(|holder| SafeText::line(&holder.to_string())),
            last_event: live.and_then(|live| live.last_event_at).map(|at| Age::of(self.now.since(at))),
            is_by_webhook: live.and_then(|live| live.last_event_via) == Some(Via::Webhook),
            month: self.month_line(),
            is_told_late: !self.store.is_told && self.store.away_since.is_none(),
            is_read_only: self.is_read_only(),
            role: Some(self.role).filter(|role| *role != Role::Admin),
            clock: self.now.in_zone(&self.zone).strftime("%H:%M %:z").to_string(),
            counts: [
                None,
                (self.users.load != Load::Never).then(|| self.users.counts.unlinked()),
                (self.rooms.load != Load::Never)
                    .then(|| u64::try_from(self.rooms.unread_rooms()).unwrap_or(u64::MAX)),
                None,
                None,
            ],
        }
    }

    fn live_line(&self) -> LiveLine {
        if self.store.is_newer {
            return LiveLine::StoreNewer;
        }
        if let Some(since) = self.store.away_since {
            return LiveLine::StoreAway { since: self.short_time(since) };
        }
        let Some(item) = self.active_item() else { return LiveLine::Unknown };
        let live = &item.row.live;
        match &live.state {
            LiveState::Live => LiveLine::Live { age: live.since_at.map(|at| Age::of(self.now.since(at))) },
            LiveState::Connecting => LiveLine::Connecting,
            LiveState::Reconnecting { retry_at, reason } => LiveLine::Reconnecting {
                in_s: countdown(self.now, *retry_at).0,
                reason: SafeText::line(reason),
            },
            LiveState::Refused { retry_at, reason } => {
                LiveLine::Refused { in_s: countdown(self.now, *retry_at).0, reason: SafeText::line(reason) }
            }
            LiveState::Off if item.row.integration.receive == Receive::Webhook => LiveLine::Webhook,
            LiveState::Off => {
                LiveLine::Cached { since: live.last_event_at.or(live.since_at).map(|at| self.short_time(at)) }
            }
        }
    }

    fn month_line(&self) -> Option<MonthLine> {
        let month = &self.quota.report.as_ref()?.month;
        Some(MonthLine {
            used: month.used,
            limit: month.limit,
            days_left: month.resets_at.since(self.now).as_secs().div_ceil(86_400),
            empty_on: month.forecast_empty_at.map(|at| at.in_zone(&self.zone).strftime("%m-%d").to_string()),
            is_exhausted: month.exhausted,
        })
    }

    /// `HH:MM`, with the date where it is not today.
    pub fn short_time(&self, at: Timestamp) -> String {
        let (there, here) = (at.in_zone(&self.zone), self.now.in_zone(&self.zone));
        let format = if there.date() == here.date() { "%H:%M" } else { "%m-%d %H:%M" };
        there.strftime(format).to_string()
    }

    /// The footer: keys of what has the focus.
    pub fn footer(&self) -> Footer {
        Footer { hints: crate::app::keymap::footer(self) }
    }

    /// The sign for a state in the set of signs of this screen.
    pub const fn sign(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        match self.glyphs {
            Glyphs::Unicode => unicode,
            Glyphs::Ascii => ascii,
        }
    }

    /// What a pane is called.
    pub const fn pane_title(pane: Pane) -> Phrase {
        match pane {
            Pane::Integrations => phrase("Integrations", "集成"),
            Pane::Users => phrase("Users", "用户"),
            Pane::Rooms => phrase("War Rooms", "作战室"),
            Pane::Quota => phrase("Quota", "配额"),
            Pane::Log => phrase("Log", "日志"),
        }
    }
}
