//! Links between members and accounts, each change with a journal row, and their undo (G1, G18).

use super::{Store, StoreError};
use crate::core::{
    ids::{IntegrationId, MemberId, OpenId},
    integration::Holder,
    member::{Link, LinkOrigin, Reason},
    time::Timestamp,
};

/// A change of one member's link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkChange {
    /// Whose.
    pub member: MemberId,
    /// The account to link; `None` unlinks.
    pub open_id: Option<OpenId>,
    /// How.
    pub origin: LinkOrigin,
    /// Why there is none, for an unlink; `None`: never tried.
    pub reason: Option<Reason>,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkOutcome {
    /// Done, with a journal row.
    Applied,
    /// It was so already.
    Unchanged,
    /// The account is linked to another member; that the reason says so was stored.
    TakenBy(MemberId),
    /// There is no such member.
    NoMember,
}

/// A batch of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkBatch {
    /// Its id.
    pub id: String,
    /// When it began.
    pub at: Timestamp,
    /// Who did it.
    pub author: Holder,
    /// Members whose link it changed.
    pub changes: u64,
    /// Whether it was undone.
    pub undone: bool,
}

/// What an undo did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoReport {
    /// The batch that was undone.
    pub batch: String,
    /// Links put back to what they were before.
    pub restored: Vec<MemberId>,
    /// Links left alone: changed again since, removed, or the account is now another member's.
    pub skipped: Vec<MemberId>,
}

impl Store {
    /// Applies changes under a batch id of the caller's ([`Store::new_batch_id`]); in chunks, each one
    /// transaction. Repeating the call changes nothing more.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the integration, or the engine's: chunks before it are done.
    pub async fn apply_links(
        &self,
        integration: &IntegrationId,
        batch: &str,
        changes: Vec<LinkChange>,
    ) -> Result<Vec<LinkOutcome>, StoreError> {
        let _ = (integration, batch, changes);
        Err(StoreError::Closed)
    }

    /// A new id for [`Store::apply_links`].
    pub fn new_batch_id(&self) -> String {
        String::new()
    }

    /// Remembers why members are not linked, and when the platform was asked. Linked members are left alone.
    ///
    /// # Errors
    /// The engine's.
    pub async fn set_reasons(
        &self,
        integration: &IntegrationId,
        reasons: Vec<(MemberId, Reason, Option<Timestamp>)>,
    ) -> Result<(), StoreError> {
        let _ = (integration, reasons);
        Err(StoreError::Closed)
    }

    /// Puts the links of a batch back to what they were before; the latest batch that is not undone where
    /// `batch` is `None`. The undo is a batch of its own in the journal.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the engine's.
    pub async fn undo_links(
        &self,
        integration: &IntegrationId,
        batch: Option<&str>,
    ) -> Result<UndoReport, StoreError> {
        let _ = integration;
        Err(StoreError::not_found("batch of links", batch.unwrap_or("to undo")))
    }

    /// The batches of the journal, newest first.
    ///
    /// # Errors
    /// The engine's.
    pub async fn link_batches(
        &self,
        integration: &IntegrationId,
        limit: u32,
    ) -> Result<Vec<LinkBatch>, StoreError> {
        let _ = (integration, limit);
        Err(StoreError::Closed)
    }

    /// Who has an account.
    ///
    /// # Errors
    /// The engine's.
    pub async fn member_of_account(
        &self,
        integration: &IntegrationId,
        open_id: &OpenId,
    ) -> Result<Option<(MemberId, Link)>, StoreError> {
        let _ = (integration, open_id);
        Err(StoreError::Closed)
    }
}
