//! The operation log (B12).

use super::{Store, StoreError};
use crate::core::{
    ids::Seq,
    operation::{NewOperation, Operation},
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
        let _ = operation;
        Err(StoreError::Closed)
    }

    /// Rows of the log, oldest first.
    ///
    /// # Errors
    /// The engine's.
    pub async fn operations(&self, query: OperationQuery) -> Result<Vec<Operation>, StoreError> {
        let _ = query;
        Err(StoreError::Closed)
    }
}
