//! Moving a store into another, of the same engine or not, and proving that what arrived is what was there.

use sha2::{Digest as _, Sha256};

use super::{
    Store, StoreError,
    db::Tx,
    sql::{Bulk, Conn, Value, q},
    table::{Pages, Scope, TABLES, Table},
};

/// What a table holds: how many rows, and a hash over all of them in the order of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSum {
    /// Its name.
    pub table: &'static str,
    /// How many rows.
    pub rows: u64,
    /// SHA-256 over every value, the same for the same rows on every engine; in hexadecimal.
    pub sha256: String,
}

/// A table that was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    /// What was read.
    pub from: TableSum,
    /// What is there now, read again.
    pub to: TableSum,
}

impl CopiedTable {
    /// Whether it is the same on both sides.
    pub fn is_same(&self) -> bool {
        self.from == self.to
    }
}

/// Sums a table up, value by value.
struct Sum {
    rows: u64,
    hash: Sha256,
}

impl Sum {
    fn new() -> Self {
        Self { rows: 0, hash: Sha256::new() }
    }

    fn add(&mut self, row: &[Value]) {
        self.rows += 1;
        for value in row {
            match value {
                Value::Null(_) => self.hash.update([0]),
                Value::Int(value) => {
                    self.hash.update([1]);
                    self.hash.update(value.to_be_bytes());
                }
                Value::Text(value) => self.put(2, value.as_bytes()),
                Value::Bytes(value) => self.put(3, value),
            }
        }
    }

    fn put(&mut self, kind: u8, bytes: &[u8]) {
        self.hash.update([kind]);
        // With its length: where one value ends and the next begins is part of the sum.
        self.hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.hash.update(bytes);
    }

    fn done(self, table: &'static str) -> TableSum {
        let sha256 = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        TableSum { table, rows: self.rows, sha256 }
    }
}

/// Sums up rows that were read already.
pub(super) fn sum_up(table: &'static str, rows: &[Vec<Value>]) -> TableSum {
    let mut sum = Sum::new();
    rows.iter().for_each(|row| sum.add(row));
    sum.done(table)
}

pub(super) async fn sum_of(conn: &mut Conn, table: &'static Table) -> Result<TableSum, StoreError> {
    let (mut pages, mut sum) = (Pages::of(table), Sum::new());
    loop {
        let rows = pages.next(conn).await?;
        if rows.is_empty() {
            return Ok(sum.done(table.name));
        }
        rows.iter().for_each(|row| sum.add(row));
    }
}

impl Store {
    /// Copies everything that belongs to the team into `to`, an empty store, and reads it back. What belongs to
    /// living processes (leases, who is connected) stays. The source is read as it stands in one instant; it may
    /// be in use. `told` hears of each table as it is done.
    ///
    /// # Errors
    /// Occupied where `to` holds anything already, or the engine's of either side: then `to` is half full and to
    /// be thrown away.
    pub async fn copy_to(
        &self,
        to: &Self,
        mut told: impl FnMut(&CopiedTable),
    ) -> Result<Vec<CopiedTable>, StoreError> {
        to.must_be_empty().await?;
        let mut from = self.db().snapshot("read the store that is copied").await?;
        let mut copied = Vec::new();
        for table in TABLES.iter().filter(|table| table.scope == Scope::Team) {
            let sum = copy_table(&mut from, to, table).await?;
            let mut there = to.db().snapshot("read the copy").await?;
            let arrived = sum_of(&mut there, table).await;
            there.end().await;
            let one = CopiedTable { from: sum, to: arrived? };
            told(&one);
            copied.push(one);
        }
        let meta =
            q("select seq, feed_floor, early_recalls, created_at, kept_from from store_meta where id = 1")
                .must(&mut from)
                .await?;
        from.end().await;
        let mut tx = to.db().write("finish the copy").await?;
        q("update store_meta set seq = $1, feed_floor = $2, early_recalls = $3, created_at = $4,
            generation = $5, kept_from = $6 where id = 1")
        .bind(meta.int(0)?)
        .bind(meta.int(1)?)
        .bind(meta.int(2)?)
        .bind(meta.int(3)?)
        .bind(super::new_id("g_"))
        .bind(meta.opt_int(4)?)
        .run(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(copied)
    }

    async fn must_be_empty(&self) -> Result<(), StoreError> {
        let mut read = self.db().read("look whether the store is empty").await?;
        for table in TABLES.iter().filter(|table| table.scope == Scope::Team) {
            let rows = Pages::of(table).next(&mut read).await?;
            if !rows.is_empty() {
                return Err(StoreError::Occupied { place: self.db().place.to_string(), table: table.name });
            }
        }
        Ok(())
    }
}

async fn copy_table(from: &mut Conn, to: &Store, table: &'static Table) -> Result<TableSum, StoreError> {
    let (mut pages, mut sum) = (Pages::of(table), Sum::new());
    let insert = Bulk::rows(table.insert, table.columns.len(), "");
    loop {
        let rows = pages.next(from).await?;
        if rows.is_empty() {
            return Ok(sum.done(table.name));
        }
        rows.iter().for_each(|row| sum.add(row));
        let mut tx: Tx<'_> = to.db().write("write the copy").await?;
        insert.run(&mut tx, rows.into_iter().flatten().collect()).await?;
        tx.commit().await?;
    }
}
