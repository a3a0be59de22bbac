//! The limits that hold for a whole app or for one target, as data; an endpoint's own come with the call.
//! Figures: R56-R59 and the platform's rate-limit page, read 2026-05.

use std::time::Duration;

use crate::core::{
    ids::AppKey,
    permit::{Call, Class, Limit, Target, limit},
};

/// All calls of an app (R56).
pub const APP: &[Limit] = &[limit(50, 1)];
/// All sends of an app (R57).
pub const SENDS: &[Limit] = &[limit(1000, 60)];
/// Messages to one chat or person (R59).
pub const RECEIVER: &[Limit] = &[limit(5, 1)];
/// Changes of one message.
pub const PATCHED_MESSAGE: &[Limit] = &[limit(5, 1)];
/// Changes of one card entity.
pub const CARD: &[Limit] = &[limit(10, 1)];
/// One group bot's webhook (R58, A21).
pub const WEBHOOK: &[Limit] = &[limit(100, 60), limit(5, 1)];

/// Names of the four of R56-R59, in the order in which reports begin.
pub(crate) const FIRST: [(&str, &[Limit]); 4] =
    [("app", APP), ("send", SENDS), ("webhook", WEBHOOK), ("receiver", RECEIVER)];

/// A platform's clock and network may differ by so much between two calls before they look closer together
/// than a window: 20 ms for each second of it. One part in 50 is what 98 % of a limit leaves over.
pub(crate) const fn guard_us(window: Duration) -> i64 {
    micros(window) / 50
}

/// Where it is known when a call had arrived at the latest, nothing of its guard is left over but this: the clocks of
/// the platform and of the rows may run so differently, one part in 200. (Those that are kept right by slewing are
/// corrected by one part in 2000.)
pub(crate) const fn drift_us(window: Duration) -> i64 {
    micros(window) / 200
}

/// Microseconds, at most some 290,000 years of them.
#[expect(clippy::cast_possible_truncation, reason = "windows and pauses are far shorter")]
pub(crate) const fn micros(time: Duration) -> i64 {
    time.as_micros() as i64
}

/// One rate bucket that a call needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BucketSpec {
    /// Which row; see [`key`].
    pub(crate) key: String,
    /// What must hold in it.
    pub(crate) limits: &'static [Limit],
    /// Bulk work takes its share of it in steps, so that a page never finds a whole window spent at once.
    pub(crate) is_paced: bool,
}

impl BucketSpec {
    /// As reports and refusals call it.
    pub(crate) fn name(&self) -> &str {
        name(&self.key)
    }
}

/// What all keys of an app begin with.
pub(crate) fn prefix(app: &AppKey) -> String {
    format!("{}|{}|", app.base_url, app.app_id)
}

/// The bucket's name in its key: without the app, and for targets without the target.
pub(crate) fn name(key: &str) -> &str {
    let rest = key.splitn(3, '|').nth(2).unwrap_or(key);
    match rest.split_once('|') {
        Some(("endpoint", endpoint)) => endpoint,
        Some((kind, _)) => kind,
        None => rest,
    }
}

/// The key of a call's bucket of that kind: the app's own has no `of`.
fn key(prefix: &str, kind: &str, of: &str) -> String {
    if of.is_empty() { format!("{prefix}{kind}") } else { format!("{prefix}{kind}|{of}") }
}

/// The key of the bucket of a call's endpoint.
pub(crate) fn endpoint_key(call: &Call) -> String {
    key(&prefix(&call.app), "endpoint", call.endpoint)
}

/// The key of the bucket of all sends.
pub(crate) fn sends_key(call: &Call) -> String {
    key(&prefix(&call.app), "send", "")
}

/// The bucket of a call's target.
pub(crate) fn target_spec(call: &Call) -> Option<BucketSpec> {
    let (kind, of, limits) = match call.target.as_ref()? {
        Target::Receiver(id) => ("receiver", id, RECEIVER),
        Target::PatchedMessage(id) => ("message", id, PATCHED_MESSAGE),
        Target::Card(id) => ("card", id, CARD),
        Target::Webhook(id) => ("webhook", id, WEBHOOK),
    };
    Some(BucketSpec { key: key(&prefix(&call.app), kind, of), limits, is_paced: false })
}

/// Every bucket that a call needs, in the one order in which they are locked.
pub(crate) fn specs(call: &Call) -> Vec<BucketSpec> {
    let prefix = prefix(&call.app);
    let spec = |kind, limits, is_paced| BucketSpec { key: key(&prefix, kind, ""), limits, is_paced };
    let mut specs = vec![spec("app", APP, true)];
    if call.is_send {
        specs.push(spec("send", SENDS, false));
    }
    specs.push(BucketSpec { key: endpoint_key(call), limits: call.limits, is_paced: false });
    specs.extend(target_spec(call));
    specs.sort_by(|a, b| a.key.cmp(&b.key));
    specs
}

/// Whether nobody waits for a single call of the class.
pub(crate) const fn is_bulk(class: Class) -> bool {
    matches!(class, Class::Linking | Class::Fill | Class::Decoration)
}
