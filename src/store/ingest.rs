//! What comes from the platform: committed in groups, each thing once.

use super::{Store, StoreError};
use crate::core::{
    ids::{ChatId, IntegrationId, MessageId, OpenId, Seq},
    message::{NewMessage, Via},
    room::Missing,
    time::Timestamp,
};

/// One thing that came in.
#[derive(Debug, Clone)]
pub struct IngestItem {
    /// By which integration.
    pub integration: IntegrationId,
    /// The platform's id of the event, where it was one.
    pub event_id: Option<String>,
    /// Which way it came.
    pub via: Via,
    /// What it is.
    pub what: Incoming,
}

/// What came in.
#[derive(Debug, Clone)]
pub enum Incoming {
    /// A message; `own` when the integration's own bot wrote it (own messages are never unread).
    Message {
        /// The message.
        message: NewMessage,
        /// Written by the integration's own bot.
        own: bool,
    },
    /// A message was edited: new content for the same place. Unknown messages are stored.
    Edited {
        /// The message as it is now.
        message: NewMessage,
        /// Written by the integration's own bot.
        own: bool,
    },
    /// A message was recalled. Unknown ones are remembered as recalled once they come.
    Recalled {
        /// Where.
        chat_id: ChatId,
        /// Which.
        message_id: MessageId,
    },
    /// A reaction was added or taken away.
    Reaction {
        /// On which message.
        message_id: MessageId,
        /// The platform's word for it.
        emoji: String,
        /// open_id or app_id of who did it.
        operator: String,
        /// Added, or taken away.
        added: bool,
    },
    /// The chat has a new name.
    ChatUpdated {
        /// Which.
        chat_id: ChatId,
        /// Its name now.
        name: Option<String>,
    },
    /// The chat was disbanded (R24).
    ChatDisbanded {
        /// Which.
        chat_id: ChatId,
    },
    /// The bot came into the chat.
    BotAdded {
        /// Which.
        chat_id: ChatId,
        /// Its name.
        name: String,
    },
    /// The bot was taken out of the chat.
    BotRemoved {
        /// Which.
        chat_id: ChatId,
    },
    /// People came into the chat.
    MembersAdded {
        /// Which.
        chat_id: ChatId,
        /// Who, with names as far as known.
        people: Vec<(OpenId, String)>,
    },
    /// People left the chat.
    MembersLeft {
        /// Which.
        chat_id: ChatId,
        /// Who.
        people: Vec<OpenId>,
    },
    /// Only to be remembered as seen: a card action, an event that nothing is kept of.
    Seen,
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ingested {
    /// Stored for the first time.
    New(Seq),
    /// It changed something that was there: an edit, a recall, a reaction, a room.
    Changed(Seq),
    /// It was there already; nothing changed.
    Duplicate,
}

impl Ingested {
    /// Whether it was stored for the first time.
    pub const fn is_new(self) -> bool {
        matches!(self, Self::New(_))
    }
}

/// Why a page of history is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillKind {
    /// It repairs a gap: what it brings counts as unread.
    Gap,
    /// A person scrolled back, or a room is seen for the first time: nothing of it counts as unread.
    Older,
}

/// A page of a listing, committed together with what it proves.
#[derive(Debug, Clone)]
pub struct FillPage {
    /// By which integration.
    pub integration: IntegrationId,
    /// Of which chat.
    pub chat_id: ChatId,
    /// Its messages, and whether the integration's own bot wrote each.
    pub messages: Vec<(NewMessage, bool)>,
    /// Everything of the chat before this instant is now in the store. Never moves backwards.
    pub complete_to: Option<Timestamp>,
    /// The seam that the fill leaves, on its last page.
    pub seam: Option<NewSeam>,
    /// Why it is stored.
    pub kind: FillKind,
}

/// A seam that is about to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSeam {
    /// Start of the gap.
    pub from: Timestamp,
    /// End of the gap.
    pub to: Timestamp,
    /// Messages recovered by the fill.
    pub recovered: u32,
    /// What may still be missing.
    pub missing: Missing,
}

impl Store {
    /// Stores what came in; returns after the commit, with what became of each item, in order. Calls of
    /// many tasks at once share a commit. Dropping the future does not undo it.
    ///
    /// # Errors
    /// The engine's: then nothing of this call is stored.
    pub async fn ingest(&self, items: Vec<IngestItem>) -> Result<Vec<Ingested>, StoreError> {
        let _ = items;
        Err(StoreError::Closed)
    }

    /// Stores a page of a listing with its mark and seam in one transaction. Messages that are already there
    /// are compared: a newer content, edit or recall is taken over as a change.
    ///
    /// # Errors
    /// The engine's: then nothing of this page is stored.
    pub async fn fill_page(&self, page: FillPage) -> Result<Vec<Ingested>, StoreError> {
        let _ = page;
        Err(StoreError::Closed)
    }

    /// An unbroken connection proves that the rooms of `integration` that were complete to `filled_to` or
    /// later are complete to `to`.
    ///
    /// # Errors
    /// The engine's.
    pub async fn advance_complete(
        &self,
        integration: &IntegrationId,
        filled_to: Timestamp,
        to: Timestamp,
    ) -> Result<(), StoreError> {
        let _ = (integration, filled_to, to);
        Err(StoreError::Closed)
    }
}
