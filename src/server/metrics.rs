//! What is counted, and how Prometheus reads it.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::refusal::Refusal;

/// A refusal is logged once in this time for each reason, with the count of those that were not.
const QUIET: Duration = Duration::from_secs(60);

/// The kinds of events that are counted by name; a name that the outside chose must not make a label.
const KINDS: [&str; 16] = [
    "im.message.receive_v1",
    "im.chat.disbanded_v1",
    "im.chat.updated_v1",
    "im.chat.member.bot.added_v1",
    "im.chat.member.bot.deleted_v1",
    "im.chat.member.user.added_v1",
    "im.chat.member.user.withdrawn_v1",
    "im.chat.member.user.deleted_v1",
    "im.message.recalled_v1",
    "im.message.reaction.created_v1",
    "im.message.reaction.deleted_v1",
    "im.message.message_read_v1",
    "contact.user.updated_v3",
    "card.action.trigger",
    "card.action.trigger_v1",
    "other",
];

/// Upper bounds of the histogram, in microseconds: the platform's limit is 3 s.
const BOUNDS_US: [u64; 11] =
    [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 3_000_000];

/// Counters of one gateway, since its start.
#[derive(Default)]
pub(super) struct Metrics {
    accepted: [AtomicU64; KINDS.len()],
    not_understood: AtomicU64,
    refused: Vec<AtomicU64>,
    buckets: [AtomicU64; BOUNDS_US.len()],
    count: AtomicU64,
    sum_us: AtomicU64,
    /// By reason: when it was last logged, and how many were not since.
    logged: Mutex<HashMap<Refusal, (Instant, u64)>>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        Self { refused: Refusal::ALL.iter().map(|_| AtomicU64::new(0)).collect(), ..Self::default() }
    }

    /// The number under which events of this type are counted.
    pub(super) fn kind(&self, event_type: &str) -> usize {
        KINDS.iter().position(|kind| *kind == event_type).unwrap_or(KINDS.len() - 1)
    }

    /// An event was committed and is about to be answered.
    pub(super) fn accepted(&self, kind: usize, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.accepted.get(kind) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let bucket = BOUNDS_US.iter().position(|bound| us <= *bound).and_then(|at| self.buckets.get(at));
        if let Some(bucket) = bucket {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// A genuine event lacked what it must have.
    pub(super) fn not_understood(&self) {
        self.not_understood.fetch_add(1, Ordering::Relaxed);
    }

    /// A request was refused. Where it is time to log that: how many of its kind were not logged.
    pub(super) fn refused(&self, refusal: Refusal, now: Instant) -> Option<u64> {
        let at = Refusal::ALL.iter().position(|one| *one == refusal);
        if let Some(count) = at.and_then(|at| self.refused.get(at)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        match logged.get_mut(&refusal) {
            Some((last, silent)) if now.saturating_duration_since(*last) < QUIET => {
                *silent += 1;
                None
            }
            known => {
                let silent = known.map_or(0, |(_, silent)| *silent);
                logged.insert(refusal, (now, 0));
                Some(silent)
            }
        }
    }

    /// In the text format of Prometheus.
    pub(super) fn write(&self, out: &mut String) {
        head(out, "larkdeck_events_accepted_total", "counter", "Events committed and answered, by type.");
        for (kind, count) in KINDS.iter().zip(&self.accepted) {
            line(out, "larkdeck_events_accepted_total", &[("type", kind)], of(count));
        }
        head(
            out,
            "larkdeck_events_not_understood_total",
            "counter",
            "Genuine events that lack what they must have.",
        );
        line(out, "larkdeck_events_not_understood_total", &[], of(&self.not_understood));
        head(out, "larkdeck_requests_refused_total", "counter", "Requests refused, by reason.");
        for (refusal, count) in Refusal::ALL.iter().zip(&self.refused) {
            line(out, "larkdeck_requests_refused_total", &[("reason", refusal.reason())], of(count));
        }
        head(
            out,
            "larkdeck_ack_seconds",
            "histogram",
            "From the head of a request to the commit of its event.",
        );
        let mut below = 0;
        for (bound, count) in BOUNDS_US.iter().zip(&self.buckets) {
            below += of(count);
            line(out, "larkdeck_ack_seconds_bucket", &[("le", &seconds(*bound))], below);
        }
        line(out, "larkdeck_ack_seconds_bucket", &[("le", "+Inf")], of(&self.count));
        _ = writeln!(out, "larkdeck_ack_seconds_sum {}", seconds(of(&self.sum_us)));
        line(out, "larkdeck_ack_seconds_count", &[], of(&self.count));
    }
}

fn of(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

/// Microseconds as seconds, without a detour over floating point.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The two lines before the samples of a metric.
pub(super) fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a String cannot fail, here and below.
    _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// A sample.
pub(super) fn line(out: &mut String, name: &str, labels: &[(&str, &str)], value: u64) {
    out.push_str(name);
    for (at, (label, text)) in labels.iter().enumerate() {
        _ = write!(out, "{}{label}=\"{}\"", if at == 0 { '{' } else { ',' }, escaped(text));
    }
    let end = if labels.is_empty() { "" } else { "}" };
    _ = writeln!(out, "{end} {value}");
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_logged_once_a_minute_for_each_reason() {
        let metrics = Metrics::new();
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        assert_eq!(metrics.refused(Refusal::Token, at(0)), Some(0));
        assert_eq!(metrics.refused(Refusal::Token, at(1)), None);
        assert_eq!(metrics.refused(Refusal::Malformed, at(1)), Some(0));
        assert_eq!(metrics.refused(Refusal::Token, at(59)), None);
        assert_eq!(metrics.refused(Refusal::Token, at(60)), Some(2));
        assert_eq!(metrics.refused(Refusal::Token, at(61)), None);
    }

    #[test]
    fn prometheus_reads_what_was_counted() {
        let metrics = Metrics::new();
        metrics.accepted(metrics.kind("card.action.trigger"), Duration::from_micros(700));
        metrics.accepted(metrics.kind("made.up\"}\n"), Duration::from_secs(9));
        metrics.refused(Refusal::TooLarge, Instant::now());
        let mut out = String::new();
        metrics.write(&mut out);
        for wanted in [
            "larkdeck_events_accepted_total{type=\"card.action.trigger\"} 1\n",
            "larkdeck_events_accepted_total{type=\"other\"} 1\n",
            "larkdeck_requests_refused_total{reason=\"too_large\"} 1\n",
            "larkdeck_ack_seconds_bucket{le=\"0.0005\"} 0\n",
            "larkdeck_ack_seconds_bucket{le=\"0.001\"} 1\n",
            "larkdeck_ack_seconds_bucket{le=\"3\"} 1\n",
            "larkdeck_ack_seconds_bucket{le=\"+Inf\"} 2\n",
            "larkdeck_ack_seconds_sum 9.0007\n",
        ] {
            assert!(out.contains(wanted), "{wanted}{out}");
        }
        assert!(!out.contains("made"));
        let mut out = String::new();
        line(&mut out, "m", &[("a", "x\"y\\"), ("b", "z")], 7);
        assert_eq!(out, "m{a=\"x\\\"y\\\\\",b=\"z\"} 7\n");
    }
}
