//! Reading transcripts: by time and message id, not by the order in which the store learned.

use super::{Store, StoreError};
use crate::core::{
    ids::{ChatId, MessageId, ThreadId},
    message::Message,
    room::Seam,
    time::Timestamp,
};

/// A place in a transcript.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When the message there was written.
    pub at: Timestamp,
    /// Its id.
    pub message_id: MessageId,
}

/// From where a page of a transcript is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    /// The newest messages.
    Latest,
    /// Those right before a place.
    Before(Place),
    /// Those right after a place.
    After(Place),
    /// Those written at an instant or later.
    From(Timestamp),
}

impl Store {
    /// A page of a chat, oldest first; at most `limit` messages. Senders have the newest name that is known.
    ///
    /// # Errors
    /// The engine's.
    pub async fn history(
        &self,
        chat: &ChatId,
        anchor: &Anchor,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        let _ = (chat, anchor, limit);
        Err(StoreError::Closed)
    }

    /// The messages of a thread with its root, oldest first, the newest `limit`.
    ///
    /// # Errors
    /// The engine's.
    pub async fn thread(
        &self,
        chat: &ChatId,
        thread: &ThreadId,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        let _ = (chat, thread, limit);
        Err(StoreError::Closed)
    }

    /// A message with everything that answers it, oldest first, the newest `limit`.
    ///
    /// # Errors
    /// The engine's.
    pub async fn replies(
        &self,
        chat: &ChatId,
        root: &MessageId,
        limit: u32,
    ) -> Result<Vec<Message>, StoreError> {
        let _ = (chat, root, limit);
        Err(StoreError::Closed)
    }

    /// Threads of a chat with a message since an instant, the latest first.
    ///
    /// # Errors
    /// The engine's.
    pub async fn active_threads(&self, chat: &ChatId, since: Timestamp) -> Result<Vec<ThreadId>, StoreError> {
        let _ = (chat, since);
        Err(StoreError::Closed)
    }

    /// One message.
    ///
    /// # Errors
    /// The engine's.
    pub async fn message(&self, id: &MessageId) -> Result<Option<Message>, StoreError> {
        let _ = id;
        Err(StoreError::Closed)
    }

    /// The messages of these ids, in the order asked; missing ones are left out.
    ///
    /// # Errors
    /// The engine's.
    pub async fn messages(&self, ids: &[MessageId]) -> Result<Vec<Message>, StoreError> {
        let _ = ids;
        Err(StoreError::Closed)
    }

    /// The seams of a chat that touch the span from `from` to `to`, oldest first.
    ///
    /// # Errors
    /// The engine's.
    pub async fn seams(
        &self,
        chat: &ChatId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Seam>, StoreError> {
        let _ = (chat, from, to);
        Err(StoreError::Closed)
    }
}
