//! Messages on their way out: committed before the call, never sent twice.

use super::{Store, StoreError};
use crate::core::{
    ids::{ChatId, IntegrationId, MessageId, Seq},
    integration::Holder,
    message::NewMessage,
    room::{Outgoing, OutgoingState},
};

/// A message that is about to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOutgoing {
    /// The platform's idempotency key.
    pub uuid: String,
    /// By which integration.
    pub integration: IntegrationId,
    /// Where to.
    pub chat_id: ChatId,
    /// The message replied to.
    pub reply_to: Option<MessageId>,
    /// Whether the reply opens or joins a thread.
    pub in_thread: bool,
    /// What was typed.
    pub text: String,
    /// Who typed it.
    pub author: String,
}

/// A row of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// As a screen shows it.
    pub outgoing: Outgoing,
    /// By which integration.
    pub integration: IntegrationId,
    /// Whether the reply opens or joins a thread.
    pub in_thread: bool,
    /// The process that has to send it.
    pub holder: Holder,
}

impl Store {
    /// Commits a message to the outbox as queued, to be sent by this process.
    ///
    /// # Errors
    /// The engine's.
    pub async fn queue_outgoing(&self, new: NewOutgoing) -> Result<Outgoing, StoreError> {
        let _ = new;
        Err(StoreError::Closed)
    }

    /// Changes the state of a message that is not yet sent. `false`: it is sent already, or gone.
    ///
    /// # Errors
    /// The engine's.
    pub async fn set_outgoing(&self, uuid: &str, state: &OutgoingState) -> Result<bool, StoreError> {
        let _ = (uuid, state);
        Err(StoreError::Closed)
    }

    /// Takes a failed message for sending again by this process; `false` where it is in another state.
    ///
    /// # Errors
    /// The engine's.
    pub async fn requeue_outgoing(&self, uuid: &str) -> Result<bool, StoreError> {
        let _ = uuid;
        Err(StoreError::Closed)
    }

    /// The platform has it: the state becomes sent, and the message itself is stored, in one transaction.
    ///
    /// # Errors
    /// The engine's.
    pub async fn outgoing_sent(&self, uuid: &str, message: NewMessage) -> Result<Seq, StoreError> {
        let _ = (uuid, message);
        Err(StoreError::Closed)
    }

    /// Removes a message that failed or is unknown; `false` where it is in another state.
    ///
    /// # Errors
    /// The engine's.
    pub async fn discard_outgoing(&self, uuid: &str) -> Result<bool, StoreError> {
        let _ = uuid;
        Err(StoreError::Closed)
    }

    /// One row.
    ///
    /// # Errors
    /// The engine's.
    pub async fn outgoing(&self, uuid: &str) -> Result<Option<OutboxRow>, StoreError> {
        let _ = uuid;
        Err(StoreError::Closed)
    }

    /// What is not sent yet (queued, sending, failed, unknown), oldest first; of one chat or of all.
    ///
    /// # Errors
    /// The engine's.
    pub async fn pending_outgoing(&self, chat: Option<&ChatId>) -> Result<Vec<OutboxRow>, StoreError> {
        let _ = chat;
        Err(StoreError::Closed)
    }

    /// Rows queued or sending whose process is gone become unknown, and are returned. A process of this host
    /// is gone when its id is free or was given to another; one of another host after an hour.
    ///
    /// # Errors
    /// The engine's.
    pub async fn orphan_outgoing(&self) -> Result<Vec<OutboxRow>, StoreError> {
        Err(StoreError::Closed)
    }

    /// Unknown rows of a chat whose message has turned up in it (same text, by the own bot, at the right
    /// time) become sent; returns them.
    ///
    /// # Errors
    /// The engine's.
    pub async fn reconcile_outgoing(&self, chat: &ChatId) -> Result<Vec<(String, MessageId)>, StoreError> {
        let _ = chat;
        Err(StoreError::Closed)
    }
}
