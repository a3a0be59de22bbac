//! What belongs to one person: read marks, drafts, where the screen was left. No feed rows.

use super::{Place, Store, StoreError};
use crate::core::ids::{ChatId, OpenId};

/// A person who reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// A member, or OS user@host.
    pub name: String,
    /// The reader's accounts: what counts as a mention.
    pub open_ids: Vec<OpenId>,
}

impl Store {
    /// Everything of a chat up to `place` is read. Never moves backwards.
    ///
    /// # Errors
    /// The engine's.
    pub async fn mark_read(&self, reader: &str, chat: &ChatId, place: &Place) -> Result<(), StoreError> {
        let _ = (reader, chat, place);
        Err(StoreError::Closed)
    }

    /// Up to where a chat is read.
    ///
    /// # Errors
    /// The engine's.
    pub async fn read_mark(&self, reader: &str, chat: &ChatId) -> Result<Option<Place>, StoreError> {
        let _ = (reader, chat);
        Err(StoreError::Closed)
    }

    /// Keeps a piece of one's screen (`draft/oc_…`, `session`); `None` forgets it.
    ///
    /// # Errors
    /// The engine's.
    pub async fn put_ui(&self, reader: &str, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        let _ = (reader, key, value);
        Err(StoreError::Closed)
    }

    /// A piece of one's screen.
    ///
    /// # Errors
    /// The engine's.
    pub async fn get_ui(&self, reader: &str, key: &str) -> Result<Option<String>, StoreError> {
        let _ = (reader, key);
        Err(StoreError::Closed)
    }

    /// All pieces whose key begins with `prefix`, by key.
    ///
    /// # Errors
    /// The engine's.
    pub async fn list_ui(&self, reader: &str, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        let _ = (reader, prefix);
        Err(StoreError::Closed)
    }
}
