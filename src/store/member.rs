//! The roster.

use super::{Store, StoreError};
use crate::core::{
    ids::{IntegrationId, MemberId},
    member::{Filter, Member, MemberCounts},
};

/// A member as an import or a form gives it. Already checked: a name, a phone in E.164.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// Given by the source; `None`: matched by email, else a new member with an id made here.
    pub id: Option<MemberId>,
    /// Name.
    pub name: String,
    /// Email.
    pub email: Option<String>,
    /// E.164.
    pub phone: Option<String>,
    /// Team.
    pub team: Option<String>,
}

/// Whether an import writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportMode {
    /// It writes.
    Apply,
    /// It only tells what it would do.
    DryRun,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// A new member.
    Added(MemberId),
    /// A member was changed.
    Updated(MemberId),
    /// The member was so already.
    Unchanged(MemberId),
    /// Its email belongs to the member named, who has another id.
    EmailTaken(MemberId),
}

/// Changes of a member; `None` stays, `Some(None)` empties.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberPatch {
    /// New name.
    pub name: Option<String>,
    /// New email.
    pub email: Option<Option<String>>,
    /// New phone, E.164.
    pub phone: Option<Option<String>>,
    /// New team.
    pub team: Option<Option<String>>,
}

impl Store {
    /// Adds and updates members by id, else by email (without regard to case); absent fields of a row empty
    /// nothing. In chunks, each one transaction. Answers in the order of `rows`.
    ///
    /// # Errors
    /// The engine's: chunks before it are done.
    pub async fn import_members(
        &self,
        rows: Vec<MemberRow>,
        mode: ImportMode,
    ) -> Result<Vec<Imported>, StoreError> {
        let _ = (rows, mode);
        Err(StoreError::Closed)
    }

    /// Adds one member.
    ///
    /// # Errors
    /// [`StoreError::MemberTaken`] or the engine's.
    pub async fn add_member(&self, row: MemberRow) -> Result<MemberId, StoreError> {
        let _ = row;
        Err(StoreError::Closed)
    }

    /// Changes a member. A new email or phone forgets why it could not be linked.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::MemberTaken`], or the engine's.
    pub async fn update_member(&self, id: &MemberId, patch: MemberPatch) -> Result<(), StoreError> {
        let _ = patch;
        Err(StoreError::not_found("member", id))
    }

    /// Removes a member with its links; the journal keeps them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the engine's.
    pub async fn remove_member(&self, id: &MemberId) -> Result<(), StoreError> {
        Err(StoreError::not_found("member", id))
    }

    /// The members of these ids with their state at `integration`, in the order asked; missing ones are left
    /// out.
    ///
    /// # Errors
    /// The engine's.
    pub async fn members(
        &self,
        integration: &IntegrationId,
        ids: &[MemberId],
    ) -> Result<Vec<Member>, StoreError> {
        let _ = (integration, ids);
        Err(StoreError::Closed)
    }

    /// One member.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or the engine's.
    pub async fn member(&self, integration: &IntegrationId, id: &MemberId) -> Result<Member, StoreError> {
        let _ = integration;
        Err(StoreError::not_found("member", id))
    }

    /// The members that `text` may name: the one with that id, else with that email, else all whose name
    /// contains it; at most 10.
    ///
    /// # Errors
    /// The engine's.
    pub async fn find_members(
        &self,
        integration: &IntegrationId,
        text: &str,
    ) -> Result<Vec<Member>, StoreError> {
        let _ = (integration, text);
        Err(StoreError::Closed)
    }

    /// A page of the roster, by name and id.
    ///
    /// # Errors
    /// The engine's.
    pub async fn list_members(
        &self,
        integration: &IntegrationId,
        filter: Filter,
        offset: u64,
        limit: u64,
    ) -> Result<Vec<Member>, StoreError> {
        let _ = (integration, filter, offset, limit);
        Err(StoreError::Closed)
    }

    /// How many members each filter shows.
    ///
    /// # Errors
    /// The engine's.
    pub async fn member_counts(&self, integration: &IntegrationId) -> Result<MemberCounts, StoreError> {
        let _ = integration;
        Err(StoreError::Closed)
    }
}
