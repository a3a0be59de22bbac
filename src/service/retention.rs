//! Forgetting what is past: what the holder of a connection does now and then, a little at a time.

use std::time::Duration;

use crate::{
    core::{error::Fault, ids::IntegrationId, retention::Cutoffs, time::Timestamp},
    store::{Kept, Store, StoreError},
};

use super::deck::{Answer, Deck, Told};

/// Between two steps others get a turn at the store.
const PAUSE: Duration = Duration::from_millis(5);

/// What is kept, for how long, and how much there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReport {
    /// Rows and the oldest, by kind.
    pub kept: Vec<Kept>,
    /// What this process would keep: the setting of whoever holds the connection counts.
    pub retention: crate::core::retention::Retention,
    /// Messages from before this instant are gone, and are not stored again.
    pub kept_from: Option<Timestamp>,
}

impl Deck {
    /// What is kept, and how much there is.
    ///
    /// # Errors
    /// The store's.
    pub async fn kept(&self) -> Answer<KeptReport> {
        let store = &self.inner.store;
        Ok(KeptReport {
            kept: store.kept().await.told()?,
            retention: self.inner.settings.retention,
            kept_from: store.kept_from().await.told()?,
        })
    }

    /// Messages of any room that were written before this instant are no longer kept.
    ///
    /// # Errors
    /// The store's.
    pub async fn kept_from(&self) -> Answer<Option<Timestamp>> {
        self.inner.store.kept_from().await.told()
    }
}

/// Forgets what is older than its time: the messages of one integration, and what is the whole store's. In steps;
/// ends early once `may_go_on` says no. Answers how many rows went.
pub(super) async fn forget(
    store: &Store,
    integration: &IntegrationId,
    before: Cutoffs,
    may_go_on: impl Fn() -> bool,
) -> Result<u64, Fault> {
    let mut gone = 0;
    store.mark_feed().await.told()?;
    store.keep_from(before.messages).await.told()?;
    if let Some(before) = before.messages {
        for chat in store.rooms_with_old(integration, before).await.told()? {
            gone += all(&may_go_on, || store.prune_room(&chat, before)).await?;
            store.settle_room(&chat, before).await.told()?;
            if !may_go_on() {
                return Ok(gone);
            }
        }
    }
    if let Some(before) = before.events {
        gone += all(&may_go_on, || store.prune_events(before)).await?;
        gone += all(&may_go_on, || store.prune_feed(before)).await?;
    }
    if let Some(before) = before.log {
        gone += all(&may_go_on, || store.prune_log(before)).await?;
    }
    Ok(gone)
}

/// Takes steps until there is nothing left to take.
async fn all<F: Future<Output = Result<u64, StoreError>>>(
    may_go_on: &impl Fn() -> bool,
    step: impl Fn() -> F,
) -> Result<u64, Fault> {
    let mut gone = 0;
    while may_go_on() {
        match step().await.told()? {
            0 => break,
            rows => gone += rows,
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(gone)
}
