//! Events and callbacks: what they say, and the envelopes they come in (`feishu/events`, read 2026-05).

pub mod crypto;
mod door;
mod either;
#[cfg(test)]
mod tests;
mod wire;

use serde_json::Value;

use crate::core::{
    ids::{AppId, ChatId, MessageId, OpenId, TenantKey},
    message::NewMessage,
    time::Timestamp,
};

use super::endpoint::reaction::Operator;

pub use door::{EventKeys, Opened, Signed};
pub use wire::parse;

/// An event that came in, by whichever way.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// Unique for each event, the same in its repetitions. Messages are told apart by `message_id` instead:
    /// for them this id is not reliable. Empty for old card callbacks.
    pub event_id: String,
    /// The platform's word, such as `im.message.receive_v1`. Foreign text.
    pub event_type: String,
    /// The app it was sent to.
    pub app_id: Option<AppId>,
    /// The tenant it comes from.
    pub tenant_key: Option<TenantKey>,
    /// When it was made, by the platform.
    pub created_at: Option<Timestamp>,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Somebody wrote a message.
    Message {
        /// The message.
        message: Box<NewMessage>,
        /// Where: one to one or a group.
        chat_type: ChatType,
    },
    /// A chat was disbanded. (Not sent when it is disbanded with its history kept.)
    ChatDisbanded {
        /// The chat.
        chat_id: ChatId,
        /// Who did it.
        operator: Option<OpenId>,
    },
    /// The bot was added to a chat.
    BotAdded {
        /// The chat.
        chat_id: ChatId,
        /// The chat's name; some versions of the platform tell the bot's. Foreign text.
        name: String,
    },
    /// The bot was removed from a chat.
    BotRemoved {
        /// The chat.
        chat_id: ChatId,
        /// As in `BotAdded`.
        name: String,
    },
    /// People came into a chat.
    MembersAdded {
        /// The chat.
        chat_id: ChatId,
        /// Who came.
        people: Vec<Person>,
    },
    /// People left a chat, were removed, or their invitation was taken back.
    MembersLeft {
        /// The chat.
        chat_id: ChatId,
        /// Who left.
        people: Vec<Person>,
    },
    /// A chat's settings changed.
    ChatUpdated {
        /// The chat.
        chat_id: ChatId,
        /// The new name, where that changed. Foreign text.
        name: Option<String>,
        /// The new description, where that changed. Foreign text.
        description: Option<String>,
    },
    /// A message was recalled.
    MessageRecalled {
        /// The chat.
        chat_id: ChatId,
        /// The message.
        message_id: MessageId,
        /// When.
        at: Option<Timestamp>,
    },
    /// A reaction was added or taken back.
    Reaction {
        /// The message; the chat is not told.
        message_id: MessageId,
        /// The platform's word: `THUMBSUP` … Foreign text.
        emoji: String,
        /// Added, or taken back.
        is_added: bool,
        /// Who.
        operator: Operator,
        /// When.
        at: Option<Timestamp>,
    },
    /// A person read messages; one-to-one chats only.
    MessageRead {
        /// Who.
        reader: Option<OpenId>,
        /// What.
        message_ids: Vec<MessageId>,
        /// When.
        at: Option<Timestamp>,
    },
    /// An account's data changed.
    UserUpdated {
        /// The account.
        open_id: OpenId,
        /// The name, where the app may know it. Foreign text.
        name: Option<String>,
        /// Whether the person has left.
        is_resigned: bool,
    },
    /// Somebody pressed or chose something on a card.
    CardAction(Box<CardAction>),
    /// Anything else; it is answered with success all the same, or it would be sent again.
    Unknown,
}

/// Where a message was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChatType {
    /// One to one with the bot.
    P2p,
    /// A group of any kind.
    Group,
}

/// A person that an event names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The person.
    pub open_id: OpenId,
    /// Foreign text.
    pub name: String,
}

/// Something done on a card.
#[derive(Debug, Clone, PartialEq)]
pub struct CardAction {
    /// Who did it.
    pub operator: Option<OpenId>,
    /// The card's message.
    pub message_id: Option<MessageId>,
    /// The card's chat.
    pub chat_id: Option<ChatId>,
    /// The update token: 30 min, two delayed updates.
    pub token: String,
    /// What kind of component: `button`, `select_static` …
    pub tag: String,
    /// The component's name, where it has one. Foreign text.
    pub name: String,
    /// Exactly what the card's author set: an object or a string.
    pub value: Value,
    /// The single choice.
    pub option: String,
    /// The choices, and what was typed into a form. Foreign text.
    pub form_value: Value,
    /// Whether it is the old callback, which wants the new card at the top level of its answer.
    pub is_legacy: bool,
}

/// Why a payload is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not JSON, or not in a shape that is known.
    #[error("the event cannot be read: {0}")]
    Malformed(String),
    /// A known event without something that it must have.
    #[error("the event {event_type} has no valid {member}")]
    Incomplete {
        /// The event. Foreign text.
        event_type: String,
        /// What it lacks.
        member: &'static str,
    },
    /// The ciphertext does not open with the Encrypt Key.
    #[error("the event cannot be decrypted: is the Encrypt Key the app's own?")]
    Undecipherable,
    /// It came encrypted and no Encrypt Key is set, or the other way round.
    #[error("{0}")]
    Encryption(&'static str),
    /// The signature is wrong or missing.
    #[error("the event's signature is {0}")]
    Signature(&'static str),
    /// The Verification Token is another.
    #[error("the event's verification token is not the app's")]
    Token,
}

impl crate::core::error::Problem for EventError {
    fn kind(&self) -> crate::core::error::Kind {
        use crate::core::error::Kind;
        match self {
            Self::Malformed(_) | Self::Incomplete { .. } => Kind::Remote,
            Self::Undecipherable | Self::Encryption(_) | Self::Signature(_) | Self::Token => Kind::Auth,
        }
    }
}
