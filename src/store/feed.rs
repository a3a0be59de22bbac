//! The feed: in which order the store learned of things.

use super::{Store, StoreError};
use crate::core::{
    ids::{ChatId, Seq},
    message::Message,
};

/// What a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// A message came, was edited, recalled or reacted to. Key: message_id.
    Message,
    /// A room, its members or its status. Key: chat_id.
    Room,
    /// A team member. Key: member id; empty where many changed at once.
    Member,
    /// A link or the reason for none. Key: member id; empty where many changed at once.
    Link,
    /// An integration. Key: its id.
    Integration,
    /// A row of the operation log. Key: its number.
    Operation,
    /// An outgoing message. Key: its uuid.
    Outgoing,
    /// State or holder of a live connection. Key: app_id.
    Live,
    /// A seam in a transcript. Key: its number.
    Seam,
    /// A name was learned. Key: open_id or app_id; empty where many.
    Person,
}

/// A row of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number: grows from row to row, with gaps.
    pub seq: Seq,
    /// What it is about.
    pub what: ChangeKind,
    /// Of which thing; see [`ChangeKind`].
    pub key: String,
    /// In which chat, for messages, rooms, outgoing messages and seams.
    pub chat_id: Option<ChatId>,
}

impl Store {
    /// The changes after `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// The engine's.
    pub async fn changes(&self, after: Seq, limit: u32) -> Result<Vec<Change>, StoreError> {
        let _ = (after, limit);
        Err(StoreError::Closed)
    }

    /// The highest number given so far.
    ///
    /// # Errors
    /// The engine's.
    pub async fn head(&self) -> Result<Seq, StoreError> {
        Err(StoreError::Closed)
    }

    /// Rows up to this number have been pruned: a cursor below it has to load anew.
    ///
    /// # Errors
    /// The engine's.
    pub async fn feed_floor(&self) -> Result<Seq, StoreError> {
        Err(StoreError::Closed)
    }

    /// The messages whose latest change is after `after`, in the order of those changes, at most `limit`;
    /// of one chat or of all.
    ///
    /// # Errors
    /// The engine's.
    pub async fn messages_after(
        &self,
        after: Seq,
        chat: Option<&ChatId>,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        let _ = (after, chat, limit);
        Err(StoreError::Closed)
    }

    /// The number after which the first message written at or after `at` was learned: where `tail --since`
    /// starts.
    ///
    /// # Errors
    /// The engine's.
    pub async fn seq_at(&self, at: crate::core::time::Timestamp) -> Result<Seq, StoreError> {
        let _ = at;
        Err(StoreError::Closed)
    }
}
