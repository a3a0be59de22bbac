//! Whether the rows are such as the ledger writes them; what is not, by name.

use std::collections::BTreeMap;

use crate::core::{permit_rows::AllRows, time::Timestamp};

use super::{
    bucket::{Bucket, WAITER_LIFE_US},
    limits::micros,
    notes::PAUSE_MAX,
    report::Now,
    round::AHEAD_MAX_US,
};

/// Findings of one rule that are told one by one.
const MOST_NAMED: usize = 20;
/// Calendars are at most so far apart, and clocks that nobody has set right hardly more.
const AHEAD_MAX_MS: i64 = 2 * 86_400_000;

const ANEW: &str = "End all larkdeck processes, then delete it: in ledger.db beside the store, or the row of \
    permit_bucket in the database. It is made anew.";
const REBASE: &str = "Set the official figure of the month: `larkdeck quota rebase N`.";
const CLOCK: &str = "Set the clock of the host, or of the database, right.";

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Short name of the rule that is broken.
    pub(crate) rule: &'static str,
    /// Of which row.
    pub(crate) key: String,
    pub(crate) text: String,
    /// What to do about it.
    pub(crate) fix: &'static str,
}

/// A rule that is broken: its name, what is wrong, and what to do about it.
type Rule = (&'static str, &'static str, &'static str);

/// Looks at every row.
pub(crate) fn audit(rows: &AllRows, now: Now) -> Vec<Wrong> {
    let mut found: BTreeMap<Rule, Vec<String>> = BTreeMap::new();
    let mut tell = |rule: Rule, key: &str| found.entry(rule).or_default().push(key.to_owned());
    for (app, _) in rows.apps.iter().filter(|(app, tenant)| !has_owner(app) || !has_owner(tenant)) {
        tell(("permit_owner", "a tenant of no app, or an app of no tenant", REBASE), app);
    }
    for (key, state) in &rows.buckets {
        if !key.splitn(3, '|').all(|part| !part.is_empty()) || key.matches('|').count() < 2 {
            tell(("permit_owner", "a rate bucket of no app", ANEW), key);
        }
        if let Some((rule, text)) = bucket(state, now) {
            tell((rule, text, ANEW), key);
        }
    }
    let latest = Timestamp::from_ms(now.wall.ms().saturating_add(AHEAD_MAX_MS));
    for row in &rows.counts {
        let key = match row.endpoint.as_str() {
            "" => format!("{} {} {}", row.table, row.app, row.from),
            endpoint => format!("{} {} {} {endpoint}", row.table, row.app, row.from),
        };
        if !has_owner(&row.app) {
            tell(("permit_owner", "calls of no app", REBASE), &key);
        }
        if row.numbers.iter().any(|number| *number < 0) {
            tell(("permit_count", "fewer than no calls", REBASE), &key);
        }
        if row.from > latest {
            tell(("permit_future", "calls that are still to come", CLOCK), &key);
        }
    }
    found.into_iter().flat_map(|(rule, keys)| named(rule, keys)).collect()
}

/// As apps and tenants are written: the platform, then the id.
fn has_owner(text: &str) -> bool {
    text.split_once('|').is_some_and(|(platform, id)| !platform.is_empty() && !id.is_empty())
}

/// What is wrong with a bucket. Instants of another run of the clock mean nothing, and are read accordingly.
fn bucket(state: &[u8], now: Now) -> Option<(&'static str, &'static str)> {
    let Ok((bucket, tag)) = Bucket::read(state) else {
        return Some(("permit_bucket", "a rate bucket that cannot be read"));
    };
    let Some(last) = bucket.last() else {
        return Some(("permit_bucket", "a rate bucket whose permits are in no order"));
    };
    if tag != now.tag {
        None
    } else if last > now.us.saturating_add(AHEAD_MAX_US + WAITER_LIFE_US) {
        Some(("permit_future", "a rate bucket with permits that are still to come"))
    } else if bucket.paused_until > now.us.saturating_add(micros(PAUSE_MAX) + WAITER_LIFE_US) {
        Some(("permit_pause", "a rate bucket that is paused for longer than a refusal can say"))
    } else {
        None
    }
}

/// Of each rule only so many, and how many more there are.
fn named((rule, text, fix): Rule, mut keys: Vec<String>) -> Vec<Wrong> {
    let more = keys.split_off(keys.len().min(MOST_NAMED)).len();
    let wrong = |key, text: String| Wrong { rule, key, text, fix };
    let mut out: Vec<Wrong> = keys.into_iter().map(|key| wrong(key, text.to_owned())).collect();
    if more > 0 {
        out.push(wrong(String::new(), format!("{text}: {more} more")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        core::{
            ids::AppKey,
            permit::{Call, Class, Feature, MonthClass},
            permit_rows::CountRow,
        },
        ledger::limits::specs,
    };

    const NOW: Now = Now { wall: Timestamp::from_ms(1_800_000_000_000), us: 5_000_000, tag: 7 };

    fn bucket_of(at: i64, pause: i64, tag: u64) -> Vec<u8> {
        let call = Call {
            app: AppKey { base_url: "http://sim".into(), app_id: "cli_1".parse().unwrap() },
            endpoint: "im.message.create",
            limits: &[],
            is_send: false,
            target: None,
            month: MonthClass::Exempt,
            class: Class::Person,
            feature: Feature::Send,
            patience: None,
        };
        let mut bucket = Bucket::default();
        bucket.take(&specs(&call)[0], at, at, at);
        bucket.pause(pause, at);
        bucket.encode(tag)
    }

    fn count(app: &str, from_ms: i64, numbers: &[i64]) -> CountRow {
        CountRow {
            table: "permit_day",
            app: app.to_owned(),
            from: Timestamp::from_ms(from_ms),
            endpoint: "im.message.create".to_owned(),
            numbers: numbers.to_vec(),
        }
    }

    #[test]
    fn what_the_ledger_writes_is_sound() {
        let rows = AllRows {
            clock: None,
            apps: vec![("http://sim|cli_1".to_owned(), "http://sim|t_1".to_owned())],
            // Another run's instants may be anything.
            buckets: vec![
                ("http://sim|cli_1|app".to_owned(), bucket_of(5_040_000, 3_000_000_000, 7)),
                ("http://sim|cli_1|receiver|oc_1".to_owned(), bucket_of(1 << 50, 1 << 50, 8)),
            ],
            counts: vec![count("http://sim|cli_1", NOW.wall.ms(), &[3, 0, 0, 0])],
        };
        assert_eq!(audit(&rows, NOW), []);
    }

    #[test]
    fn each_rule_is_broken_by_name() {
        let day = 86_400_000;
        let rows = AllRows {
            clock: None,
            apps: vec![("http://sim|cli_1".to_owned(), "http://sim|".to_owned())],
            buckets: vec![
                ("cli_1".to_owned(), bucket_of(0, 0, 7)),
                ("http://sim|cli_1|app".to_owned(), b"?".to_vec()),
                ("http://sim|cli_1|send".to_owned(), bucket_of(60_000_000, 0, 7)),
                ("http://sim|cli_1|endpoint|x".to_owned(), bucket_of(0, 4_000_000_000, 7)),
            ],
            counts: vec![
                count("|cli_1", 0, &[1]),
                count("http://sim|cli_1", 0, &[1, -1]),
                count("http://sim|cli_1", NOW.wall.ms() + 3 * day, &[1]),
            ],
        };
        let found: Vec<String> = audit(&rows, NOW)
            .iter()
            .map(|wrong| format!("{} {} ({})", wrong.rule, wrong.text, wrong.key))
            .collect();
        assert_eq!(
            found,
            [
                "permit_bucket a rate bucket that cannot be read (http://sim|cli_1|app)",
                "permit_count fewer than no calls (permit_day http://sim|cli_1 1970-01-01T00:00:00.000+00:00 im.message.create)",
                "permit_future a rate bucket with permits that are still to come (http://sim|cli_1|send)",
                "permit_future calls that are still to come (permit_day http://sim|cli_1 2027-01-18T08:00:00.000+00:00 im.message.create)",
                "permit_owner a rate bucket of no app (cli_1)",
                "permit_owner a tenant of no app, or an app of no tenant (http://sim|cli_1)",
                "permit_owner calls of no app (permit_day |cli_1 1970-01-01T00:00:00.000+00:00 im.message.create)",
                "permit_pause a rate bucket that is paused for longer than a refusal can say (http://sim|cli_1|endpoint|x)",
            ]
        );
    }

    #[test]
    fn many_are_counted() {
        let counts = (0..50).map(|at| count("http://sim|cli_1", at, &[-1])).collect();
        let found = audit(&AllRows { counts, ..AllRows::default() }, NOW);
        assert_eq!(found.len(), MOST_NAMED + 1);
        assert_eq!(found[MOST_NAMED].text, "fewer than no calls: 30 more");
    }
}
