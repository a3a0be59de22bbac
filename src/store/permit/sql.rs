//! The statements.

use sqlx::{Row, SqliteConnection};

use crate::core::{
    ids::{AppKey, TenantKey},
    permit::Feature,
    permit_rows::{Counts, DayTally, MinuteTally, MonthFound, ReportRows, RowsChanged},
};

/// Takes the lock and reads in one trip to the engine's thread.
pub(super) const BEGIN_AND_BUCKETS: &str =
    "begin immediate; select key, state from bucket where key in (select value from json_each($1))";

const PUT_BUCKET: &str = "insert into bucket (key, state, touched_us) values ($1, $2, $3)
    on conflict (key) do update set state = excluded.state, touched_us = excluded.touched_us";

const ADD_DAY: &str = "insert into day (app, day, endpoint, feature, counted, exempt, failed, unknown)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (app, day, endpoint, feature) do update set counted = counted + excluded.counted,
    exempt = exempt + excluded.exempt, failed = failed + excluded.failed, unknown = unknown + excluded.unknown";

const ADD_MINUTE: &str = "insert into minute (app, minute, calls) values ($1, $2, $3)
    on conflict (app, minute) do update set calls = calls + excluded.calls";

const CLOSE_MONTH: &str = "insert into month (app, month_day, base, is_official, is_closed)
    values ($1, $2, 0, 0, 1) on conflict (app, month_day) do update set is_closed = 1";

/// All apps of the tenant of app $1, which is one of them.
macro_rules! of_tenant {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " in (select $1 union select app from app where tenant = (select tenant from app where app = $1)) ",
            $after
        )
    };
}

fn text(app: &AppKey) -> String {
    format!("{}|{}", app.base_url, app.app_id)
}

pub(super) async fn write(to: &mut SqliteConnection, changed: &RowsChanged) -> sqlx::Result<()> {
    for row in &changed.buckets {
        let query = sqlx::query(PUT_BUCKET).bind(&row.key).bind(&row.state).bind(row.touched_us);
        query.execute(&mut *to).await?;
    }
    for tally in &changed.days {
        sqlx::query(ADD_DAY)
            .bind(text(&tally.app))
            .bind(tally.day)
            .bind(&tally.endpoint)
            .bind(tally.feature.as_str())
            .bind(tally.counts.counted)
            .bind(tally.counts.exempt)
            .bind(tally.counts.failed)
            .bind(tally.counts.unknown)
            .execute(&mut *to)
            .await?;
    }
    for tally in &changed.minutes {
        let query = sqlx::query(ADD_MINUTE).bind(text(&tally.app)).bind(tally.minute).bind(tally.calls);
        query.execute(&mut *to).await?;
    }
    for (app, month_day) in &changed.closed {
        sqlx::query(CLOSE_MONTH).bind(text(app)).bind(month_day).execute(&mut *to).await?;
    }
    Ok(())
}

pub(super) async fn month(
    from: &mut SqliteConnection,
    app: &AppKey,
    month_day: i64,
) -> sqlx::Result<MonthFound> {
    let app = text(app);
    let row = sqlx::query(of_tenant!(
        "select coalesce(sum(counted), 0), coalesce(sum(exempt), 0), coalesce(sum(failed), 0),
         coalesce(sum(unknown), 0) from day where app",
        "and day >= $2"
    ))
    .bind(&app)
    .bind(month_day)
    .fetch_one(&mut *from)
    .await?;
    let counts = Counts {
        counted: row.try_get(0)?,
        exempt: row.try_get(1)?,
        failed: row.try_get(2)?,
        unknown: row.try_get(3)?,
    };
    let row = sqlx::query(of_tenant!(
        "select coalesce(sum(base), 0), coalesce(max(is_official), 0), coalesce(max(is_closed), 0)
         from month where app",
        "and month_day = $2"
    ))
    .bind(&app)
    .bind(month_day)
    .fetch_one(from)
    .await?;
    Ok(MonthFound {
        counts,
        base: row.try_get(0)?,
        is_official: row.try_get::<i64, _>(1)? != 0,
        is_closed: row.try_get::<i64, _>(2)? != 0,
    })
}

pub(super) async fn report(
    from: &mut SqliteConnection,
    app: &AppKey,
    prefix: &str,
    from_day: i64,
    from_minute: i64,
    month_day: i64,
) -> sqlx::Result<ReportRows> {
    let mut out = ReportRows { month: month(&mut *from, app, month_day).await?, ..ReportRows::default() };
    // The prefix ends in '|', and '}' comes after it.
    let rows = sqlx::query("select key, state from bucket where key >= $1 and key < $2")
        .bind(prefix)
        .bind(format!("{}}}", prefix.strip_suffix('|').unwrap_or(prefix)))
        .fetch_all(&mut *from)
        .await?;
    for row in rows {
        out.buckets.push((row.try_get(0)?, row.try_get(1)?));
    }
    let rows = sqlx::query(of_tenant!(
        "select day, endpoint, feature, sum(counted), sum(exempt), sum(failed), sum(unknown)
         from day where app",
        "and day >= $2 group by day, endpoint, feature"
    ))
    .bind(text(app))
    .bind(from_day)
    .fetch_all(&mut *from)
    .await?;
    for row in rows {
        // A feature of a newer larkdeck has no name here.
        let Some(feature) = Feature::named(row.try_get(2)?) else { continue };
        out.days.push(DayTally {
            app: app.clone(),
            day: row.try_get(0)?,
            endpoint: row.try_get(1)?,
            feature,
            counts: Counts {
                counted: row.try_get(3)?,
                exempt: row.try_get(4)?,
                failed: row.try_get(5)?,
                unknown: row.try_get(6)?,
            },
        });
    }
    let rows = sqlx::query("select minute, calls from minute where app = $1 and minute >= $2")
        .bind(text(app))
        .bind(from_minute)
        .fetch_all(from)
        .await?;
    for row in rows {
        out.minutes.push(MinuteTally { app: app.clone(), minute: row.try_get(0)?, calls: row.try_get(1)? });
    }
    Ok(out)
}

pub(super) async fn rebase(
    to: &mut SqliteConnection,
    app: &AppKey,
    month_day: i64,
    official: u64,
) -> sqlx::Result<()> {
    sqlx::query("begin immediate").execute(&mut *to).await?;
    let counted = month(&mut *to, app, month_day).await?.counts.counted;
    let base = i64::try_from(official).unwrap_or(i64::MAX).saturating_sub(counted);
    sqlx::query(of_tenant!("delete from month where app", "and month_day = $2"))
        .bind(text(app))
        .bind(month_day)
        .execute(&mut *to)
        .await?;
    sqlx::query("insert into month (app, month_day, base, is_official, is_closed) values ($1, $2, $3, 1, 0)")
        .bind(text(app))
        .bind(month_day)
        .bind(base)
        .execute(&mut *to)
        .await?;
    sqlx::query("commit").execute(to).await?;
    Ok(())
}

pub(super) async fn set_tenant(
    to: &mut SqliteConnection,
    app: &AppKey,
    tenant: &TenantKey,
) -> sqlx::Result<()> {
    // Two platforms may use the same key for different tenants.
    sqlx::query(
        "insert into app (app, tenant) values ($1, $2)
         on conflict (app) do update set tenant = excluded.tenant where tenant <> excluded.tenant",
    )
    .bind(text(app))
    .bind(format!("{}|{tenant}", app.base_url))
    .execute(to)
    .await?;
    Ok(())
}

pub(super) async fn prune(
    to: &mut SqliteConnection,
    bucket_us: i64,
    before_minute: i64,
    before_day: i64,
) -> sqlx::Result<()> {
    // Some at a time: permits wait for this lock.
    sqlx::query("delete from bucket where key in (select key from bucket where touched_us < $1 limit 500)")
        .bind(bucket_us)
        .execute(&mut *to)
        .await?;
    sqlx::query("delete from minute where minute < $1").bind(before_minute).execute(&mut *to).await?;
    sqlx::query("delete from day where day < $1").bind(before_day).execute(to).await?;
    Ok(())
}
