//! Waking up when something was committed, here or in another process.

use super::{Store, StoreError};
use crate::core::ids::Seq;

/// Waits for commits. Any number of commits between two waits wake it once.
#[derive(Debug)]
pub struct Watch {
    head: tokio::sync::watch::Receiver<Seq>,
}

impl Watch {
    /// Waits until the feed has grown since the last call (or since [`Store::watch`]); returns its head.
    ///
    /// # Errors
    /// [`StoreError::Closed`] once the store is closed.
    pub async fn changed(&mut self) -> Result<Seq, StoreError> {
        self.head.changed().await.map_err(|_| StoreError::Closed)?;
        Ok(*self.head.borrow_and_update())
    }
}

impl Store {
    /// Starts to watch for commits, those of other processes too.
    pub fn watch(&self) -> Watch {
        Watch { head: tokio::sync::watch::channel(Seq(0)).1 }
    }
}
