//! The whole roster at once, as little of it as an index in memory needs.

use super::{Store, StoreError};
use crate::core::ids::{IntegrationId, Seq};

/// A piece of the roster, packed.
#[derive(Debug, Clone)]
pub struct RosterChunk(String);

/// A member of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RosterRow<'a> {
    /// The member's id.
    pub id: &'a str,
    /// Foreign text.
    pub name: &'a str,
    /// Empty where there is none.
    pub email: &'a str,
    /// Whether the member is linked at the integration asked for.
    pub linked: bool,
}

impl RosterChunk {
    /// The members of the piece, in the order of the roster.
    pub fn rows(&self) -> impl Iterator<Item = RosterRow<'_>> {
        let _ = &self.0;
        std::iter::empty()
    }
}

impl Store {
    /// All members in pieces of some thousand, in no order. With the number up to which it is current.
    ///
    /// # Errors
    /// The engine's.
    pub async fn roster(&self, integration: &IntegrationId) -> Result<(Seq, Vec<RosterChunk>), StoreError> {
        let _ = integration;
        Err(StoreError::Closed)
    }

    /// The members changed or linked otherwise after `after`; removed ones are in the feed by their id.
    ///
    /// # Errors
    /// The engine's.
    pub async fn roster_after(
        &self,
        integration: &IntegrationId,
        after: Seq,
    ) -> Result<(Seq, Vec<RosterChunk>), StoreError> {
        let _ = (integration, after);
        Err(StoreError::Closed)
    }
}
