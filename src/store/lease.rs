//! Who holds an app's live connection: a row with an epoch and a beat, and no clock in it.

use super::{Store, StoreError};
use crate::core::{
    ids::AppKey,
    integration::{Holder, Live, LiveState},
};

/// A state of the lease that a follower has watched: when it has not moved for long enough on the follower's
/// own clock, the follower takes over by naming it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseMark {
    /// Number of the holding; grows with each take-over.
    pub epoch: i64,
    /// Raised by the holder.
    pub beat: i64,
}

/// The lease as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRow {
    /// Who holds it; `None` when it was released.
    pub holder: Option<Holder>,
    /// Where it stands.
    pub mark: LeaseMark,
}

/// What came of trying to get the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquired {
    /// It is ours, under this epoch.
    Ours {
        /// To be named with each beat and check.
        epoch: i64,
        /// The holder before did not release it: some of its events may still come by redelivery.
        taken_over: bool,
    },
    /// Another holds it.
    HeldBy(LeaseRow),
}

impl Store {
    /// Takes the lease where nobody holds it, or where it still stands exactly at `stale`.
    ///
    /// # Errors
    /// The engine's.
    pub async fn try_acquire(&self, app: &AppKey, stale: Option<LeaseMark>) -> Result<Acquired, StoreError> {
        let _ = (app, stale);
        Err(StoreError::Closed)
    }

    /// Raises the beat. `false`: the lease is no longer held under `epoch`.
    ///
    /// # Errors
    /// The engine's.
    pub async fn beat(&self, app: &AppKey, epoch: i64) -> Result<bool, StoreError> {
        let _ = (app, epoch);
        Err(StoreError::Closed)
    }

    /// Gives the lease back if it is still held under `epoch`; its live state becomes off.
    ///
    /// # Errors
    /// The engine's.
    pub async fn release(&self, app: &AppKey, epoch: i64) -> Result<(), StoreError> {
        let _ = (app, epoch);
        Err(StoreError::Closed)
    }

    /// The lease as it stands; `None` when nobody ever held it.
    ///
    /// # Errors
    /// The engine's.
    pub async fn observe(&self, app: &AppKey) -> Result<Option<LeaseRow>, StoreError> {
        let _ = app;
        Err(StoreError::Closed)
    }

    /// Whether the lease is still held under `epoch`.
    ///
    /// # Errors
    /// The engine's.
    pub async fn check_epoch(&self, app: &AppKey, epoch: i64) -> Result<bool, StoreError> {
        let _ = (app, epoch);
        Err(StoreError::Closed)
    }

    /// Tells everybody the state of the connection held under `epoch`; `false` when it is no longer held.
    /// `since_at` is set to now when the state's word changes.
    ///
    /// # Errors
    /// The engine's.
    pub async fn set_live(&self, app: &AppKey, epoch: i64, state: LiveState) -> Result<bool, StoreError> {
        let _ = (app, epoch, state);
        Err(StoreError::Closed)
    }

    /// The live connection as its holder last told it; off where nobody holds it. `last_event_*` are of the
    /// last commit of an event of this app, by whatever way.
    ///
    /// # Errors
    /// The engine's.
    pub async fn live(&self, app: &AppKey) -> Result<Live, StoreError> {
        let _ = app;
        Err(StoreError::Closed)
    }
}
