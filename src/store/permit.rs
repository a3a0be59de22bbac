//! The rows of the call ledger: a SQLite file of their own beside the store, so that permits and messages
//! never wait for each other's lock.

use std::{path::Path, sync::Arc};

use crate::core::{
    error::{Kind, Problem},
    permit_rows::PermitRows,
};

/// The ledger's file cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the call ledger {path}: {reason}")]
pub struct LedgerFileError {
    path: String,
    reason: String,
}

impl Problem for LedgerFileError {
    fn kind(&self) -> Kind {
        Kind::Storage
    }
}

/// Opens `ledger.db` in the folder of the store, making it where there is none.
///
/// # Errors
/// [`LedgerFileError`] with the engine's words.
pub async fn open_rows(folder: &Path) -> Result<Box<dyn PermitRows>, LedgerFileError> {
    let _ = Arc::new(());
    Err(LedgerFileError { path: folder.display().to_string(), reason: "not built yet".into() })
}
