//! Rooms and who is in them.

use super::{Reader, Store, StoreError};
use crate::core::{
    ids::{ChatId, IntegrationId, OpenId},
    room::{Room, RoomKind, RoomMember, RoomStatus},
};

/// A chat as the platform lists it; `None` leaves what is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatRow {
    /// Which.
    pub chat_id: ChatId,
    /// Foreign text.
    pub name: Option<String>,
    /// Foreign text.
    pub description: Option<String>,
    /// Open or disbanded.
    pub status: Option<RoomStatus>,
    /// Members without bots.
    pub member_count: Option<u32>,
}

impl Store {
    /// Adds and updates rooms as the platform lists them.
    ///
    /// # Errors
    /// The engine's.
    pub async fn upsert_chats(
        &self,
        integration: &IntegrationId,
        chats: Vec<ChatRow>,
    ) -> Result<(), StoreError> {
        let _ = (integration, chats);
        Err(StoreError::Closed)
    }

    /// The rooms of an integration for a reader: those with unread messages first, then by the newest
    /// message; rooms that are over come last.
    ///
    /// # Errors
    /// The engine's.
    pub async fn rooms(&self, integration: &IntegrationId, reader: &Reader) -> Result<Vec<Room>, StoreError> {
        let _ = (integration, reader);
        Err(StoreError::Closed)
    }

    /// One room for a reader, and its integration.
    ///
    /// # Errors
    /// The engine's.
    pub async fn room(
        &self,
        chat: &ChatId,
        reader: &Reader,
    ) -> Result<Option<(IntegrationId, Room)>, StoreError> {
        let _ = (chat, reader);
        Err(StoreError::Closed)
    }

    /// Changes what a room is; `false` when there is no such room.
    ///
    /// # Errors
    /// The engine's.
    pub async fn set_room_status(&self, chat: &ChatId, status: RoomStatus) -> Result<bool, StoreError> {
        let _ = (chat, status);
        Err(StoreError::Closed)
    }

    /// Changes the kind of a room; `false` when there is no such room.
    ///
    /// # Errors
    /// The engine's.
    pub async fn set_room_kind(&self, chat: &ChatId, kind: RoomKind) -> Result<bool, StoreError> {
        let _ = (chat, kind);
        Err(StoreError::Closed)
    }

    /// Replaces the members of a room by what the platform lists, and remembers their names.
    ///
    /// # Errors
    /// The engine's.
    pub async fn set_room_members(
        &self,
        chat: &ChatId,
        people: Vec<(OpenId, String)>,
    ) -> Result<(), StoreError> {
        let _ = (chat, people);
        Err(StoreError::Closed)
    }

    /// The members of a room, by name.
    ///
    /// # Errors
    /// The engine's.
    pub async fn room_members(&self, chat: &ChatId) -> Result<Vec<RoomMember>, StoreError> {
        let _ = chat;
        Err(StoreError::Closed)
    }
}
