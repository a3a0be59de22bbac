//! What the ledger says to PostgreSQL: several statements in one message, so that a decision is two round
//! trips. Such a message has no parameters, and what is not ours in it is spelled in hexadecimal digits:
//! whatever it is, it cannot be anything but a value. It leaves nothing prepared behind, so that it passes any
//! pooler.

use std::fmt::Write as _;

use crate::core::{
    ids::{AppKey, TenantKey},
    permit_rows::{RowsAsked, RowsChanged},
};

/// The lock is held for two round trips; after so long something is wrong.
const LOCK_PATIENCE: &str = "4s";
/// A process that stops with the lock in its hands is thrown out after so long.
const HOLDER_PATIENCE: &str = "1500ms";
/// Advisory locks of months: "lark" with a 4 for the ledger.
const MONTH_LOCKS: i32 = 0x6c61_7234;

/// A message that grows.
#[derive(Debug, Default)]
pub(super) struct Message(String);

impl Message {
    pub(super) fn finish(self) -> String {
        self.0
    }

    fn say(mut self, sql: &str) -> Self {
        self.0.push_str(sql);
        self
    }

    fn hex(mut self, bytes: &[u8]) -> Self {
        self.0.push_str("decode('");
        for byte in bytes {
            // Writing to a text cannot fail.
            let _ = write!(self.0, "{byte:02x}");
        }
        self.0.push_str("','hex')");
        self
    }

    fn text(self, text: &str) -> Self {
        self.say("convert_from(").hex(text.as_bytes()).say(",'UTF8')")
    }

    fn number(mut self, number: i64) -> Self {
        let _ = write!(self.0, "{number}::bigint");
        self
    }

    fn app(self, app: &AppKey) -> Self {
        self.text(&app_text(app))
    }

    /// `each` of the items, with commas between.
    fn list<T>(self, items: impl IntoIterator<Item = T>, mut each: impl FnMut(Self, T) -> Self) -> Self {
        let mut items = items.into_iter();
        let Some(first) = items.next() else { return self };
        let begun = each(self, first);
        items.fold(begun, |message, item| each(message.say(","), item))
    }

    /// The apps of the tenant of an app, which is one of them, in brackets.
    fn tenant_of(self, app: &AppKey) -> Self {
        self.say("(select ")
            .app(app)
            .say(" union select app from permit_app where tenant = (select tenant from permit_app where app = ")
            .app(app)
            .say("))")
    }

    fn month(self, at: usize, app: &AppKey, month_day: i64) -> Self {
        self.say("select ")
            .number(i64::try_from(at).unwrap_or(i64::MAX))
            .say(
                " as month, coalesce(sum(counted), 0)::bigint, coalesce(sum(exempt), 0)::bigint,
                coalesce(sum(failed), 0)::bigint, coalesce(sum(unknown), 0)::bigint, base, is_official, is_closed
                from (select coalesce(sum(base), 0)::bigint as base, coalesce(max(is_official), 0) as is_official,
                coalesce(max(is_closed), 0) as is_closed from permit_month where app in ",
            )
            .tenant_of(app)
            .say(" and month_day = ")
            .number(month_day)
            .say(") as said left join permit_day on app in ")
            .tenant_of(app)
            .say(" and day >= ")
            .number(month_day)
            .say(" group by base, is_official, is_closed;")
    }

    /// The time, and the number of the transaction.
    fn clock(self) -> Self {
        self.say(
            "select (extract(epoch from statement_timestamp()) * 1000000)::bigint as asked_us,
            (extract(epoch from clock_timestamp()) * 1000000)::bigint,
            (select tag from permit_clock), txid_current();",
        )
    }
}

pub(super) fn app_text(app: &AppKey) -> String {
    format!("{}|{}", app.base_url, app.app_id)
}

/// The time outside of any decision.
pub(super) fn clock() -> String {
    Message::default().clock().finish()
}

/// Locks what is asked for, in the order of the keys, and reads it. A bucket that is not there is made first:
/// there has to be something to lock.
pub(super) fn lock(asked: &RowsAsked) -> String {
    let mut message = Message::default()
        .say("begin; set local lock_timeout = '")
        .say(LOCK_PATIENCE)
        .say("'; set local idle_in_transaction_session_timeout = '")
        .say(HOLDER_PATIENCE)
        .say("';");
    if !asked.months.is_empty() {
        // Apps of one tenant lock different buckets and share a month.
        message = message
            .say("select count(pg_advisory_xact_lock(")
            .say(&MONTH_LOCKS.to_string())
            .say(", at)) as months from (select distinct hashtext(coalesce(tenant, asked.app)) as at from (values ")
            .list(&asked.months, |message, (app, _)| message.say("(").app(app).say(")"))
            .say(") as asked (app) left join permit_app on permit_app.app = asked.app order by at) as one;");
    }
    if !asked.keys.is_empty() {
        message = message
            .say("insert into permit_bucket (key, state, touched_us) select key, ''::bytea, 0 from (values ")
            .list(&asked.keys, |message, key| message.say("(").text(key).say(")"))
            .say(") as asked (key) order by key collate \"C\" on conflict (key) do nothing;")
            .say("select key, state from permit_bucket where key in (")
            .list(&asked.keys, |message, key| message.text(key))
            .say(") order by key for update;");
    }
    for (at, (app, month_day)) in asked.months.iter().enumerate() {
        message = message.month(at, app, *month_day);
    }
    message.clock().finish()
}

/// Writes what was decided and commits it.
pub(super) fn commit(changed: &RowsChanged, may_be_lost: bool) -> String {
    let mut message = Message::default();
    if may_be_lost {
        message = message.say("set local synchronous_commit = off;");
    }
    if !changed.buckets.is_empty() {
        message = message
            .say("insert into permit_bucket (key, state, touched_us) values ")
            .list(&changed.buckets, |message, row| {
                message
                    .say("(")
                    .text(&row.key)
                    .say(",")
                    .hex(&row.state)
                    .say(",")
                    .number(row.touched_us)
                    .say(")")
            })
            .say(
                " on conflict (key) do update set state = excluded.state, touched_us = excluded.touched_us;",
            );
    }
    if !changed.days.is_empty() {
        message = message
            .say(
                "insert into permit_day as d (app, day, endpoint, feature, counted, exempt, failed, unknown)
                values ",
            )
            .list(&changed.days, |message, tally| {
                let counts = [
                    tally.counts.counted,
                    tally.counts.exempt,
                    tally.counts.failed,
                    tally.counts.unknown,
                ];
                message
                    .say("(")
                    .app(&tally.app)
                    .say(",")
                    .number(tally.day)
                    .say(",")
                    .text(&tally.endpoint)
                    .say(",")
                    .text(tally.feature.as_str())
                    .say(",")
                    .list(counts, Message::number)
                    .say(")")
            })
            .say(
                " on conflict (app, day, endpoint, feature) do update set counted = d.counted + excluded.counted,
                exempt = d.exempt + excluded.exempt, failed = d.failed + excluded.failed,
                unknown = d.unknown + excluded.unknown;",
            );
    }
    if !changed.minutes.is_empty() {
        message = message
            .say("insert into permit_minute as m (app, minute, calls) values ")
            .list(&changed.minutes, |message, tally| {
                message
                    .say("(")
                    .app(&tally.app)
                    .say(",")
                    .number(tally.minute)
                    .say(",")
                    .number(tally.calls)
                    .say(")")
            })
            .say(" on conflict (app, minute) do update set calls = m.calls + excluded.calls;");
    }
    for (app, month_day) in &changed.closed {
        message = message
            .say("insert into permit_month (app, month_day, base, is_official, is_closed) values (")
            .app(app)
            .say(",")
            .number(*month_day)
            .say(",0,0,1) on conflict (app, month_day) do update set is_closed = 1;");
    }
    if let Some(tag) = changed.clock_tag {
        message = message
            .say("insert into permit_clock (id, tag) values (1,")
            .number(tag.cast_signed())
            .say(") on conflict (id) do update set tag = excluded.tag;");
    }
    message.say("commit").finish()
}

/// Reads what a report is made of.
pub(super) fn report(app: &AppKey, prefix: &str, from_day: i64, from_minute: i64, month_day: i64) -> String {
    // The prefix ends in '|', and '}' comes after it.
    let end = format!("{}}}", prefix.strip_suffix('|').unwrap_or(prefix));
    Message::default()
        .month(0, app, month_day)
        .say("select key, state from permit_bucket where state <> '' and key >= ")
        .text(prefix)
        .say(" and key < ")
        .text(&end)
        .say(
            ";select day, endpoint, feature, sum(counted)::bigint, sum(exempt)::bigint, sum(failed)::bigint,
            sum(unknown)::bigint from permit_day where app in ",
        )
        .tenant_of(app)
        .say(" and day >= ")
        .number(from_day)
        .say(" group by day, endpoint, feature;select minute, calls from permit_minute where app = ")
        .app(app)
        .say(" and minute >= ")
        .number(from_minute)
        .say(";")
        .clock()
        .finish()
}

/// Sets what the official figure adds to what was counted.
pub(super) fn rebase(app: &AppKey, month_day: i64, official: u64) -> String {
    Message::default()
        .say("begin; set local lock_timeout = '")
        .say(LOCK_PATIENCE)
        .say("'; delete from permit_month where app in ")
        .tenant_of(app)
        .say(" and month_day = ")
        .number(month_day)
        .say(";insert into permit_month (app, month_day, base, is_official, is_closed) select ")
        .app(app)
        .say(",")
        .number(month_day)
        .say(",")
        .number(i64::try_from(official).unwrap_or(i64::MAX))
        .say(" - coalesce(sum(counted), 0)::bigint, 1, 0 from permit_day where app in ")
        .tenant_of(app)
        .say(" and day >= ")
        .number(month_day)
        .say(
            " on conflict (app, month_day) do update set base = excluded.base, is_official = 1, is_closed = 0;
            commit",
        )
        .finish()
}

/// Notes the tenant of an app. Two platforms may use the same key for different tenants.
pub(super) fn set_tenant(app: &AppKey, tenant: &TenantKey) -> String {
    Message::default()
        .say("insert into permit_app (app, tenant) values (")
        .app(app)
        .say(",")
        .text(&format!("{}|{tenant}", app.base_url))
        .say(
            ") on conflict (app) do update set tenant = excluded.tenant
            where permit_app.tenant <> excluded.tenant",
        )
        .finish()
}

/// Deletes what is old, some buckets at a time and none that somebody has in his hands: permits wait for them.
pub(super) fn prune(bucket_us: i64, before_minute: i64, before_day: i64) -> [String; 3] {
    let old = |sql, number| Message::default().say(sql).number(number).finish();
    let buckets = Message::default()
        .say("delete from permit_bucket where key in (select key from permit_bucket where touched_us < ")
        .number(bucket_us)
        .say(" order by key limit 500 for update skip locked)");
    [
        buckets.finish(),
        old("delete from permit_minute where minute < ", before_minute),
        old("delete from permit_day where day < ", before_day),
    ]
}

/// What became of a transaction whose commit brought no answer.
pub(super) fn fate(transaction: i64) -> String {
    Message::default().say("select txid_status(").number(transaction).say(")").finish()
}
