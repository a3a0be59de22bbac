//! The operation log (B12).

use super::{
    Store, StoreError, View,
    db::Tx,
    feed::ChangeKind,
    sql::{Row, q},
};
use crate::core::{
    ids::Seq,
    integration::Holder,
    operation::{NewOperation, Operation, OperationResult},
    time::Timestamp,
};

/// Which rows of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OperationQuery {
    /// Only those with a lower number.
    pub before: Option<Seq>,
    /// Only those with a higher number.
    pub after: Option<Seq>,
    /// Only those of this instant or later.
    pub since: Option<Timestamp>,
    /// The newest so many; 0: all.
    pub limit: u32,
}

impl Store {
    /// Writes a row of the log; the author is this process.
    ///
    /// # Errors
    /// The engine's.
    pub async fn log(&self, operation: NewOperation) -> Result<Seq, StoreError> {
        let mut tx = self.db().write("write the operation log").await?;
        let seq = write(&mut tx, operation).await?;
        tx.commit().await?;
        Ok(seq)
    }
}

impl View {
    /// Rows of the log, oldest first.
    ///
    /// # Errors
    /// The engine's.
    pub async fn operations(&self, query: OperationQuery) -> Result<Vec<Operation>, StoreError> {
        let mut read = self.db().read("read the operation log").await?;
        let limit = if query.limit == 0 { i64::MAX } else { i64::from(query.limit) };
        let rows = q(
            "select seq, at, author_user, author_host, author_pid, operation, target, result, code, log_id,
            reason, hint from operation where seq < $1 and seq > $2 and at >= $3 order by seq desc limit $4",
        )
        .bind(query.before.unwrap_or(Seq(i64::MAX)))
        .bind(query.after.unwrap_or(Seq(0)))
        .bind(query.since.map_or(i64::MIN, Timestamp::ms))
        .bind(limit)
        .all(&mut read)
        .await?;
        rows.iter().rev().map(read_row).collect()
    }
}

async fn write(tx: &mut Tx<'_>, operation: NewOperation) -> Result<Seq, StoreError> {
    let seq = tx.take_numbers(1).await?;
    let (db, now) = (tx.db(), tx.now());
    q("insert into operation (seq, at, author_user, author_host, author_pid, operation, target, result, code, log_id,
        reason, hint) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")
    .bind(seq)
    .bind(now)
    .bind(db.me.user.as_str())
    .bind(db.me.host.as_str())
    .bind(db.me.pid)
    .bind(operation.operation)
    .bind(operation.target)
    .bind(operation.result.as_str())
    .bind(operation.code)
    .bind(operation.log_id)
    .bind(operation.reason)
    .bind(operation.hint)
    .run(tx)
    .await?;
    tx.tell_at(seq, ChangeKind::Operation, &seq.to_string(), None);
    Ok(seq)
}

fn read_row(row: &Row) -> Result<Operation, StoreError> {
    let word = row.text(7)?;
    let result = [OperationResult::Ok, OperationResult::Failed, OperationResult::Refused]
        .into_iter()
        .find(|result| result.as_str() == word)
        .ok_or_else(|| StoreError::data("result of an operation", word))?;
    Ok(Operation {
        seq: Seq(row.int(0)?),
        at: row.at(1)?,
        author: Holder { user: row.string(2)?, host: row.string(3)?, pid: row.count(4)? },
        operation: row.string(5)?,
        target: row.string(6)?,
        result,
        code: row.opt_int(8)?,
        log_id: row.opt_string(9)?,
        reason: row.opt_string(10)?,
        hint: row.opt_string(11)?,
    })
}
