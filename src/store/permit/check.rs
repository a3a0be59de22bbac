//! Every row of the ledger, for a check: the ledger itself knows what they have to be like.

use super::{
    FILE, LedgerError, folder_of, postgres, reason,
    table::{Side, TABLES},
};
use crate::{
    core::{
        permit_rows::{AllRows, CountRow},
        time::Timestamp,
    },
    store::{StoreUrl, TableSum, copy, sql::Value},
};

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

/// Reads every row that goes with a store, and sums its tables up. Beside a SQLite store there may be no file yet: none is
/// made.
///
/// # Errors
/// [`LedgerError`] with the engine's words.
pub async fn read_all(url: &StoreUrl) -> Result<(Vec<TableSum>, AllRows), LedgerError> {
    let (mut sums, mut all) = (Vec::new(), AllRows::default());
    if let StoreUrl::Sqlite(path) = url
        && !folder_of(path).join(FILE).exists()
    {
        return Ok((sums, all));
    }
    let mut side = Side::open(url).await?;
    for table in TABLES {
        if !side.has(table) {
            continue;
        }
        let rows = side.read(table).await;
        let rows =
            rows.map_err(|trouble| LedgerError { place: url.to_string(), reason: reason(&trouble) })?;
        sums.push(copy::sum_up(table.shown, &rows));
        for row in rows {
            match row.as_slice() {
                // A bucket that was only made to be locked is none yet.
                [Value::Text(_), Value::Bytes(state), _] if state.is_empty() => {}
                [Value::Text(key), Value::Bytes(state), _] => {
                    all.buckets.push((key.to_string(), state.clone()))
                }
                [Value::Text(app), Value::Text(tenant)] => {
                    all.apps.push((app.to_string(), tenant.to_string()))
                }
                [Value::Text(app), Value::Int(minute), calls @ Value::Int(_)] => {
                    let calls = std::slice::from_ref(calls);
                    all.counts.push(count(table.shown, app, (*minute, MINUTE_MS), "", calls));
                }
                [Value::Text(app), Value::Int(day), Value::Int(_), flags @ ..] => {
                    // The base may be below zero.
                    all.counts.push(count(table.shown, app, (*day, DAY_MS), "", flags));
                }
                [Value::Text(app), Value::Int(day), Value::Text(endpoint), _, counts @ ..] => {
                    all.counts.push(count(table.shown, app, (*day, DAY_MS), endpoint, counts));
                }
                // The clock's.
                _ => {}
            }
        }
    }
    side.close().await;
    if let StoreUrl::Postgres(database) = url {
        all.clock = postgres::clock_of(database).await?;
    }
    Ok((sums, all))
}

fn count(table: &'static str, app: &str, from: (i64, i64), endpoint: &str, numbers: &[Value]) -> CountRow {
    let int = |value: &Value| if let Value::Int(number) = value { Some(*number) } else { None };
    CountRow {
        table,
        app: app.to_owned(),
        from: Timestamp::from_ms(from.0.saturating_mul(from.1)),
        endpoint: endpoint.to_owned(),
        numbers: numbers.iter().filter_map(int).collect(),
    }
}
