//! What was counted goes along when a store is copied. The rate buckets do not: their instants are of a clock that
//! the copy does not share, and a minute later they mean nothing anyway.

use std::collections::BTreeMap;

use super::{
    LedgerError, Trouble, reason,
    table::{Rows, Scope, Side, TABLES},
};
use crate::store::{CopiedTable, StoreUrl, copy, sql::Value};

/// The row without what was counted in its place besides `row`.
fn without_more(mut there: Vec<Value>, row: &[Value]) -> Vec<Value> {
    for (value, wanted) in there.iter_mut().zip(row) {
        if let (Value::Int(value), Value::Int(wanted)) = (value, wanted) {
            *value = (*value).min(*wanted);
        }
    }
    there
}

/// Takes along what was counted in the store `from`, and reads it back.
///
/// # Errors
/// [`LedgerError`] with the engine's words.
pub async fn carry(from: &StoreUrl, to: &StoreUrl) -> Result<Vec<CopiedTable>, LedgerError> {
    let (mut source, mut target) = (Side::open(from).await?, Side::open(to).await?);
    let mut carried = Vec::new();
    for table in TABLES.iter().filter(|table| table.scope == Scope::Counts) {
        let bad = |place: &StoreUrl, trouble: Trouble| LedgerError {
            place: place.to_string(),
            reason: reason(&trouble),
        };
        let rows = source.read(table).await.map_err(|trouble| bad(from, trouble))?;
        target.write(table, &rows).await.map_err(|trouble| bad(to, trouble))?;
        // What else is there belongs to other stores of the same folder.
        let there = target.read(table).await.map_err(|trouble| bad(to, trouble))?;
        let key = |row: &Vec<Value>| format!("{:?}", row.iter().take(table.key).collect::<Vec<_>>());
        let wanted: BTreeMap<String, &Vec<Value>> = rows.iter().map(|row| (key(row), row)).collect();
        let there: Rows = there
            .into_iter()
            .filter_map(|row| wanted.get(&key(&row)).map(|wanted| without_more(row, wanted)))
            .collect();
        carried.push(CopiedTable {
            from: copy::sum_up(table.shown, &rows),
            to: copy::sum_up(table.shown, &there),
        });
    }
    source.close().await;
    target.close().await;
    Ok(carried)
}
