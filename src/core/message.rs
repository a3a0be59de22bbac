//! Messages of a chat, as the store keeps them.

use serde::{Deserialize, Serialize};

use super::{
    ids::{ChatId, MessageId, Seq, ThreadId},
    lang::{Lang, Phrase, phrase},
    text::truncate,
    time::Timestamp,
};

const SYSTEM: Phrase = phrase("system", "系统");
const BOT: Phrase = phrase("bot {}", "机器人 {}");
/// Characters of a bot's id that tell it from others: ids of apps begin alike.
const BOT_ID_CHARS: usize = 4;
/// Cells of the beginning of a person's id.
const SHORT_ID_CELLS: usize = 11;

/// Which way a message first came to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The long connection.
    Live,
    /// The Message Card Request URL.
    Webhook,
    /// A listing of the chat.
    History,
    /// Sent from here.
    Send,
}

impl Via {
    /// As commands and the store write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Webhook => "webhook",
            Self::History => "history",
            Self::Send => "send",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Live, Self::Webhook, Self::History, Self::Send].into_iter().find(|via| via.as_str() == text)
    }
}

/// What kind of sender wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SenderKind {
    /// A person.
    User,
    /// A bot (`bot` in events, `app` in REST).
    Bot,
    /// The platform itself, or unknown.
    System,
}

impl SenderKind {
    /// As commands and the store write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Bot => "bot",
            Self::System => "system",
        }
    }

    /// Reads the store's and the platform's words; unknown ones are `System`.
    pub fn parse(text: &str) -> Self {
        match text {
            "user" | "anonymous" => Self::User,
            "bot" | "app" => Self::Bot,
            _ => Self::System,
        }
    }
}

/// Who wrote a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// open_id of a person, app_id of a bot; empty for some system messages.
    pub id: String,
    /// The name, where it is known. Foreign text.
    pub name: Option<String>,
    /// Person, bot or system.
    pub kind: SenderKind,
}

impl Sender {
    /// The name, where there is one to read.
    pub fn known_name(&self) -> Option<&str> {
        self.name.as_deref().filter(|name| !name.trim().is_empty())
    }

    /// What the sender is called where people read it: the name, or a short form where nobody has told it.
    /// Foreign text.
    pub fn shown(&self, lang: Lang) -> String {
        match (self.known_name(), self.kind) {
            (Some(name), _) => name.to_owned(),
            (None, SenderKind::System) => SYSTEM.get(lang).to_owned(),
            (None, SenderKind::Bot) => {
                let skip = self.id.chars().count().saturating_sub(BOT_ID_CHARS);
                let end: String = self.id.chars().skip(skip).collect();
                BOT.fill(lang, &[&end]).trim_end().to_owned()
            }
            (None, SenderKind::User) => short_id(&self.id),
        }
    }
}

/// The beginning of an id, where there is no name.
pub fn short_id(id: &str) -> String {
    if id.is_empty() { "?".to_owned() } else { truncate(id, SHORT_ID_CELLS).into_owned() }
}

/// A mention inside a text or post: `key` stands in the content and `name` is what a person reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mention {
    /// `@_user_1` …, or `@_all`.
    pub key: String,
    /// open_id; `all` for everybody.
    pub id: String,
    /// Foreign text.
    pub name: String,
}

/// A message as it comes in, before the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Where it was written.
    pub chat_id: ChatId,
    /// Unique on the platform.
    pub message_id: MessageId,
    /// First message of the reply tree.
    pub root_id: Option<MessageId>,
    /// The message directly replied to.
    pub parent_id: Option<MessageId>,
    /// Only in threads.
    pub thread_id: Option<ThreadId>,
    /// Who wrote it.
    pub sender: Sender,
    /// The platform's word: `text`, `post`, `image`, `interactive` …
    pub msg_type: String,
    /// The platform's own content: usually JSON text.
    pub content: String,
    /// Mentions in the content.
    pub mentions: Vec<Mention>,
    /// When it was written, by the platform.
    pub created_at: Timestamp,
    /// When it was last changed, by the platform.
    pub updated_at: Option<Timestamp>,
    /// Known to have been edited.
    pub edited: bool,
    /// Known to have been recalled.
    pub recalled: bool,
}

/// A message of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Number of the latest change of it in the feed.
    pub seq: Seq,
    /// What it says.
    pub body: NewMessage,
    /// Which way it first came.
    pub via: Via,
    /// Reactions that are known: emoji type and count.
    pub reactions: Vec<(String, u32)>,
}

impl Message {
    /// Its place in the transcript: time, then id.
    pub fn place(&self) -> (Timestamp, &MessageId) {
        (self.body.created_at, &self.body.message_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bot_without_a_name_is_not_called_by_its_id() {
        let sender = |id: &str, name: Option<&str>, kind| Sender {
            id: id.to_owned(),
            name: name.map(str::to_owned),
            kind,
        };
        let shown = |sender: Sender| (sender.shown(Lang::En), sender.shown(Lang::Zh));
        let both = |en: &str, zh: &str| (en.to_owned(), zh.to_owned());
        let bot = |name| sender("cli_a1b2c3d4e5f60718", name, SenderKind::Bot);
        assert_eq!(shown(bot(None)), both("bot 0718", "机器人 0718"));
        assert_eq!(shown(bot(Some(" "))), both("bot 0718", "机器人 0718"));
        assert_eq!(shown(bot(Some("ops"))), both("ops", "ops"));
        assert_eq!(shown(sender("", None, SenderKind::Bot)), both("bot", "机器人"));
        assert_eq!(shown(sender("", None, SenderKind::System)), both("system", "系统"));
        assert_eq!(shown(sender("", None, SenderKind::User)), both("?", "?"));
        let short = "ou_bda860b…";
        assert_eq!(shown(sender("ou_bda860b0000001", None, SenderKind::User)), both(short, short));
    }
}
