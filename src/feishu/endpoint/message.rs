//! Messages: send, reply, list, get (`feishu/im` 2, read 2026-05).

use serde::Deserialize;
use serde_json::{Value, json};

use crate::core::{
    ids::{ChatId, MessageId, ThreadId},
    message::{Mention, NewMessage, Sender, SenderKind},
    permit::Target,
};

use super::super::{
    answer::{Answer, ListWire, Loose},
    client::{Ask, Client, Page},
    error::FeishuError,
    transport::Request,
};
use super::{EndpointSpec, MESSAGE, MESSAGES, PATCH_CARD, REPLY_MESSAGE, SEND_MESSAGE};

/// Longest uuid that the platform takes, characters.
const UUID_MAX: usize = 50;

/// What kind of id a receiver is given by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReceiverKind {
    /// A chat.
    ChatId,
    /// A person.
    OpenId,
    /// A person.
    UnionId,
    /// A person.
    UserId,
    /// A person.
    Email,
}

impl ReceiverKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ChatId => "chat_id",
            Self::OpenId => "open_id",
            Self::UnionId => "union_id",
            Self::UserId => "user_id",
            Self::Email => "email",
        }
    }
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendMessage {
    /// Who gets it.
    pub receive_id: String,
    /// What kind of id that is.
    pub receive_id_type: ReceiverKind,
    /// The platform's word: `text`, `post`, `interactive` …
    pub msg_type: String,
    /// JSON text, as the platform wants it for the type.
    pub content: String,
    /// At most 50 characters. The same one sends at most once in an hour, which is what makes a retry safe;
    /// without it nothing is retried that may have arrived.
    pub uuid: Option<String>,
}

/// A reply to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The chat of the message replied to: it has a limit of its own.
    pub chat_id: ChatId,
    /// The platform's word: `text`, `post`, `interactive` …
    pub msg_type: String,
    /// JSON text.
    pub content: String,
    /// Whether the reply goes into a thread, made where there is none.
    pub in_thread: bool,
    /// As in [`SendMessage`].
    pub uuid: Option<String>,
}

/// What a listing lists.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Container {
    /// A chat, without the replies inside its threads.
    Chat(ChatId),
    /// A thread.
    Thread(ThreadId),
}

/// Which end a listing begins at. Must stay the same from page to page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// Oldest first.
    Ascending,
    /// Newest first.
    Descending,
}

/// How the platform gives cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CardContent {
    /// Simplified to title and elements.
    #[default]
    Simplified,
    /// The JSON that was sent.
    Original,
}

/// One page of history to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// What to list.
    pub container: Container,
    /// From this second on, inclusive; not for threads.
    pub start_s: Option<i64>,
    /// To this second, inclusive; not for threads.
    pub end_s: Option<i64>,
    /// Which end first.
    pub order: Order,
    /// 1 to 50.
    pub page_size: u32,
    /// Of the page before.
    pub page_token: Option<String>,
    /// How cards come.
    pub cards: CardContent,
}

impl Listing {
    /// The first page of everything in `container`, 50 at a time.
    pub const fn new(container: Container, order: Order) -> Self {
        Self {
            container,
            start_s: None,
            end_s: None,
            order,
            page_size: 50,
            page_token: None,
            cards: CardContent::Simplified,
        }
    }
}

/// A message as REST gives it.
#[derive(Deserialize)]
struct MessageWire {
    #[serde(default)]
    message_id: Loose,
    #[serde(default)]
    root_id: Loose,
    #[serde(default)]
    parent_id: Loose,
    #[serde(default)]
    thread_id: Loose,
    #[serde(default)]
    msg_type: Loose,
    #[serde(default)]
    create_time: Loose,
    #[serde(default)]
    update_time: Loose,
    #[serde(default)]
    deleted: Loose,
    #[serde(default)]
    updated: Loose,
    #[serde(default)]
    chat_id: Loose,
    #[serde(default)]
    sender: Option<SenderWire>,
    #[serde(default)]
    body: Option<BodyWire>,
    #[serde(default)]
    mentions: Option<Vec<MentionWire>>,
}

#[derive(Deserialize)]
struct SenderWire {
    #[serde(default)]
    id: Loose,
    #[serde(default)]
    sender_type: Loose,
}

#[derive(Deserialize)]
struct BodyWire {
    #[serde(default)]
    content: Value,
}

#[derive(Deserialize)]
struct MentionWire {
    #[serde(default)]
    key: Loose,
    #[serde(default)]
    id: Value,
    #[serde(default)]
    name: Loose,
}

impl MessageWire {
    /// `asked` is the chat that was listed: some answers leave it out.
    fn into_message(self, asked: Option<&ChatId>) -> Option<NewMessage> {
        let sender = self.sender.map_or(
            Sender { id: String::new(), name: None, kind: SenderKind::System },
            |sender| Sender {
                id: sender.id.text(),
                name: None,
                kind: SenderKind::parse(&sender.sender_type.text()),
            },
        );
        let mentions = self.mentions.unwrap_or_default().into_iter().map(MentionWire::into_mention);
        Some(NewMessage {
            chat_id: self.chat_id.parse().or_else(|| asked.cloned())?,
            message_id: self.message_id.parse()?,
            root_id: self.root_id.parse(),
            parent_id: self.parent_id.parse(),
            thread_id: self.thread_id.parse(),
            sender,
            msg_type: self.msg_type.text(),
            content: self.body.map(|body| text_of(body.content)).unwrap_or_default(),
            mentions: mentions.collect(),
            created_at: self.create_time.time()?,
            updated_at: self.update_time.time(),
            edited: self.updated.is_true(),
            recalled: self.deleted.is_true(),
        })
    }
}

impl MentionWire {
    fn into_mention(self) -> Mention {
        let id = match &self.id {
            // Events give an object here; a listing that did the same must not break.
            Value::Object(ids) => ["open_id", "union_id", "user_id"]
                .iter()
                .find_map(|kind| ids.get(*kind)?.as_str())
                .map(str::to_owned),
            Value::String(id) => Some(id.clone()),
            _ => None,
        };
        let key = self.key.text();
        let id = id
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| if key == "@_all" { "all".into() } else { String::new() });
        Mention { id, name: self.name.text(), key }
    }
}

/// A content is JSON text; an object where text belongs is kept as its text.
fn text_of(content: Value) -> String {
    match content {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn check_uuid(spec: &EndpointSpec, uuid: Option<&String>) -> Result<(), FeishuError> {
    match uuid {
        Some(uuid) if uuid.is_empty() || uuid.chars().count() > UUID_MAX => {
            Err(FeishuError::usage(spec, "a uuid has 1 to 50 characters".into()))
        }
        _ => Ok(()),
    }
}

fn sent(answer: &Answer, asked: Option<&ChatId>) -> Result<NewMessage, FeishuError> {
    let wire: MessageWire = answer.data()?;
    wire.into_message(asked).ok_or_else(|| answer.malformed("a message without id or time"))
}

impl Client {
    /// Sends a message as the bot.
    ///
    /// # Errors
    /// [`FeishuError`]; [`FeishuError::may_have_happened`] says whether it can be in the chat all the same.
    pub async fn send(&self, ask: Ask, message: SendMessage) -> Result<NewMessage, FeishuError> {
        check_uuid(&SEND_MESSAGE, message.uuid.as_ref())?;
        let mut body = json!({
            "receive_id": message.receive_id, "msg_type": message.msg_type, "content": message.content
        });
        let is_safe_to_repeat = message.uuid.is_some();
        if let (Some(uuid), Some(body)) = (message.uuid, body.as_object_mut()) {
            body.insert("uuid".into(), uuid.into());
        }
        let asked = match message.receive_id_type {
            ReceiverKind::ChatId => message.receive_id.parse().ok(),
            _ => None,
        };
        let mut request = Request::new(&SEND_MESSAGE)
            .query("receive_id_type", message.receive_id_type.as_str())
            .target(Target::Receiver(message.receive_id))
            .body(&body);
        if is_safe_to_repeat {
            request = request.idempotent();
        }
        sent(&self.transport.call(&ask, request).await?, asked.as_ref())
    }

    /// Replies to a message as the bot.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn reply(&self, ask: Ask, to: &MessageId, reply: Reply) -> Result<NewMessage, FeishuError> {
        check_uuid(&REPLY_MESSAGE, reply.uuid.as_ref())?;
        let mut body = json!({
            "msg_type": reply.msg_type, "content": reply.content, "reply_in_thread": reply.in_thread
        });
        let is_safe_to_repeat = reply.uuid.is_some();
        if let (Some(uuid), Some(body)) = (reply.uuid, body.as_object_mut()) {
            body.insert("uuid".into(), uuid.into());
        }
        let mut request = Request::new(&REPLY_MESSAGE)
            .id(to.as_str())
            .target(Target::Receiver(reply.chat_id.to_string()))
            .body(&body);
        if is_safe_to_repeat {
            request = request.idempotent();
        }
        sent(&self.transport.call(&ask, request).await?, Some(&reply.chat_id))
    }

    /// A page of a chat's or a thread's history.
    ///
    /// # Errors
    /// [`FeishuError`].
    pub async fn messages(&self, ask: Ask, listing: Listing) -> Result<Page<NewMessage>, FeishuError> {
        let (kind, id, chat) = match &listing.container {
            Container::Chat(chat) => ("chat", chat.as_str(), Some(chat)),
            Container::Thread(thread) => ("thread", thread.as_str(), None),
        };
        let order = match listing.order {
            Order::Ascending => "ByCreateTimeAsc",
            Order::Descending => "ByCreateTimeDesc",
        };
        let mut request = Request::new(&MESSAGES)
            .query("container_id_type", kind)
            .query("container_id", id)
            .query("sort_type", order)
            .query("page_size", &listing.page_size.clamp(1, 50).to_string());
        if chat.is_some() {
            for (name, second) in [("start_time", listing.start_s), ("end_time", listing.end_s)] {
                if let Some(second) = second {
                    request = request.query(name, &second.max(0).to_string());
                }
            }
        }
        if listing.cards == CardContent::Original {
            request = request.query("card_msg_content_type", "user_card_content");
        }
        let list: ListWire = self.transport.call(&ask, request.page(listing.page_token)).await?.data()?;
        Ok(list.page(|wire: MessageWire| wire.into_message(chat)))
    }

    /// One message; of a forwarded bundle also the messages in it.
    ///
    /// # Errors
    /// [`FeishuError`].
    pub async fn message(
        &self,
        ask: Ask,
        message_id: &MessageId,
        cards: CardContent,
    ) -> Result<Vec<NewMessage>, FeishuError> {
        let mut request = Request::new(&MESSAGE).id(message_id.as_str()).query("user_id_type", "open_id");
        if cards == CardContent::Original {
            request = request.query("card_msg_content_type", "user_card_content");
        }
        let list: ListWire = self.transport.call(&ask, request).await?.data()?;
        Ok(list.page(|wire: MessageWire| wire.into_message(None)).items)
    }

    /// Puts another card in the place of one that the app has sent. The same card again changes nothing, so a
    /// lost answer is asked for once more.
    ///
    /// # Errors
    /// [`FeishuError`].
    pub async fn patch_card(
        &self,
        ask: Ask,
        message_id: &MessageId,
        content: &str,
    ) -> Result<(), FeishuError> {
        let request = Request::new(&PATCH_CARD)
            .id(message_id.as_str())
            .target(Target::PatchedMessage(message_id.to_string()))
            .body(&json!({ "content": content }))
            .idempotent();
        self.transport.call(&ask, request).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_the_documentation_is_read() {
        let wire: MessageWire = serde_json::from_str(
            r#"{"message_id":"om_2","root_id":"om_1","parent_id":"","thread_id":"omt_1","msg_type":"text",
                "create_time":"1700000000000","update_time":"1700000000001","deleted":false,"updated":true,
                "chat_id":"oc_1","sender":{"id":"cli_a1","id_type":"app_id","sender_type":"app","tenant_key":"t"},
                "body":{"content":"{\"text\":\"@_user_1 hi\"}"},"new_member":[1],
                "mentions":[{"key":"@_user_1","id":"ou_1","id_type":"open_id","name":"Ann"}],"upper_message_id":""}"#,
        )
        .unwrap();
        let message = wire.into_message(None).unwrap();
        assert_eq!(message.sender, Sender { id: "cli_a1".into(), name: None, kind: SenderKind::Bot });
        assert_eq!(message.parent_id, None);
        assert_eq!(message.mentions[0].id, "ou_1");
        assert!(message.edited && !message.recalled);
    }

    #[test]
    fn a_thin_message_is_read_too() {
        let wire: MessageWire = serde_json::from_str(
            r#"{"message_id":"om_2","create_time":1700000000000,"deleted":true,"mentions":null}"#,
        )
        .unwrap();
        let chat: ChatId = "oc_9".parse().unwrap();
        let message = wire.into_message(Some(&chat)).unwrap();
        assert_eq!((message.chat_id, message.recalled), (chat, true));
        assert_eq!(message.sender.kind, SenderKind::System);
    }
}
