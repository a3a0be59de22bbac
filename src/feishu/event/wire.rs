//! Reads the envelopes and the events in them, in one pass and with tolerance.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::core::{
    ids::{ChatId, MessageId},
    message::{Mention, NewMessage, Sender, SenderKind},
    time::Timestamp,
};

use super::super::{answer::Text, endpoint::reaction::Operator};
use super::{
    CardAction, ChatType, Event, EventError, Incoming, Person,
    either::{AnyId, Content},
};

/// Any body that the platform posts or sends down the long connection.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    header: Option<Header<'a>>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    /// Of the old envelope and of challenges; in an old card callback it is the card's update token.
    #[serde(borrow)]
    token: Text<'a>,
    #[serde(borrow)]
    uuid: Text<'a>,
    #[serde(borrow)]
    ts: Text<'a>,
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    challenge: Text<'a>,
    #[serde(borrow)]
    pub(super) encrypt: Text<'a>,
    /// Of an old card callback.
    #[serde(borrow)]
    action: Option<&'a RawValue>,
    #[serde(borrow)]
    schema: Text<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Header<'a> {
    #[serde(borrow)]
    event_id: Text<'a>,
    #[serde(borrow)]
    event_type: Text<'a>,
    #[serde(borrow)]
    create_time: Text<'a>,
    #[serde(borrow)]
    token: Text<'a>,
    #[serde(borrow)]
    app_id: Text<'a>,
    #[serde(borrow)]
    tenant_key: Text<'a>,
}

/// The parts of an old event that take the header's place.
#[derive(Deserialize, Default)]
#[serde(default)]
struct OldEvent<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    app_id: Text<'a>,
    #[serde(borrow)]
    tenant_key: Text<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Ids<'a> {
    #[serde(borrow)]
    open_id: Text<'a>,
    #[serde(borrow)]
    union_id: Text<'a>,
    #[serde(borrow)]
    user_id: Text<'a>,
    #[serde(borrow)]
    app_id: Text<'a>,
}

impl<'a> Ids<'a> {
    fn best(&self) -> &str {
        [&self.open_id, &self.app_id, &self.union_id, &self.user_id]
            .into_iter()
            .find_map(Text::filled)
            .unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct MessageEvent<'a> {
    #[serde(borrow, default)]
    sender: SenderWire<'a>,
    #[serde(borrow)]
    message: MessageWire<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SenderWire<'a> {
    #[serde(borrow)]
    sender_id: Option<Ids<'a>>,
    #[serde(borrow)]
    sender_type: Text<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct MessageWire<'a> {
    #[serde(borrow)]
    message_id: Text<'a>,
    #[serde(borrow)]
    root_id: Text<'a>,
    #[serde(borrow)]
    parent_id: Text<'a>,
    #[serde(borrow)]
    thread_id: Text<'a>,
    #[serde(borrow)]
    create_time: Text<'a>,
    #[serde(borrow)]
    update_time: Text<'a>,
    #[serde(borrow)]
    chat_id: Text<'a>,
    #[serde(borrow)]
    chat_type: Text<'a>,
    #[serde(borrow)]
    message_type: Text<'a>,
    content: Content,
    #[serde(borrow)]
    mentions: Option<Vec<MentionWire<'a>>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct MentionWire<'a> {
    #[serde(borrow)]
    key: Text<'a>,
    id: AnyId,
    #[serde(borrow)]
    name: Text<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ChatEvent<'a> {
    #[serde(borrow)]
    chat_id: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    operator_id: Option<Ids<'a>>,
    #[serde(borrow)]
    users: Option<Vec<UserWire<'a>>>,
    #[serde(borrow)]
    after_change: Option<Change<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct UserWire<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    user_id: Option<Ids<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Change<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    description: Text<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TouchEvent<'a> {
    #[serde(borrow)]
    message_id: Text<'a>,
    #[serde(borrow)]
    chat_id: Text<'a>,
    #[serde(borrow)]
    recall_time: Text<'a>,
    #[serde(borrow)]
    reaction_type: Option<EmojiWire<'a>>,
    #[serde(borrow)]
    operator_type: Text<'a>,
    #[serde(borrow)]
    user_id: Option<Ids<'a>>,
    #[serde(borrow)]
    app_id: Text<'a>,
    #[serde(borrow)]
    action_time: Text<'a>,
    #[serde(borrow)]
    reader: Option<ReaderWire<'a>>,
    #[serde(borrow)]
    message_id_list: Option<Vec<Text<'a>>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct EmojiWire<'a> {
    #[serde(borrow)]
    emoji_type: Text<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ReaderWire<'a> {
    #[serde(borrow)]
    reader_id: Option<Ids<'a>>,
    #[serde(borrow)]
    read_time: Text<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct UserEvent<'a> {
    #[serde(borrow)]
    object: Option<AccountWire<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct AccountWire<'a> {
    #[serde(borrow)]
    open_id: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    status: Option<StatusWire<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct StatusWire<'a> {
    #[serde(borrow)]
    is_resigned: Text<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CardEvent<'a> {
    #[serde(borrow)]
    operator: Option<Ids<'a>>,
    #[serde(borrow)]
    token: Text<'a>,
    #[serde(borrow)]
    action: Option<ActionWire<'a>>,
    #[serde(borrow)]
    context: Option<ContextWire<'a>>,
    // The old callback is flat.
    #[serde(borrow)]
    open_id: Text<'a>,
    #[serde(borrow)]
    open_message_id: Text<'a>,
    #[serde(borrow)]
    open_chat_id: Text<'a>,
    #[serde(borrow)]
    tenant_key: Text<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ActionWire<'a> {
    value: Value,
    #[serde(borrow)]
    tag: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    option: Text<'a>,
    form_value: Value,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ContextWire<'a> {
    #[serde(borrow)]
    open_message_id: Text<'a>,
    #[serde(borrow)]
    open_chat_id: Text<'a>,
}

/// Reads the payload of an event in the clear: either envelope, or an old card callback.
///
/// # Errors
/// [`EventError::Malformed`] and [`EventError::Incomplete`]; an event of a kind that is not known is no
/// error but [`Event::Unknown`].
pub fn parse(payload: &[u8]) -> Result<Incoming, EventError> {
    Envelope::read(payload)?.incoming(payload)
}

fn malformed(error: serde_json::Error) -> EventError {
    EventError::Malformed(error.to_string())
}

impl<'a> Envelope<'a> {
    pub(super) fn read(payload: &'a [u8]) -> Result<Self, EventError> {
        // Checked as UTF-8 once: the reader of slices would do so for each text.
        let text = std::str::from_utf8(payload).map_err(|error| EventError::Malformed(error.to_string()))?;
        // An encrypted body is one text of base64: no need to look for anything else in it.
        let sealed = text.strip_prefix(r#"{"encrypt":"#).and_then(|rest| rest.strip_suffix("\"}"));
        if let Some(sealed) = sealed.and_then(|rest| rest.strip_prefix('"'))
            && !sealed.bytes().any(|byte| matches!(byte, b'"' | b'\\'))
        {
            return Ok(Self { encrypt: Text(Some(Cow::Borrowed(sealed))), ..Self::default() });
        }
        serde_json::from_str(text).map_err(malformed)
    }

    /// The challenge, when this is the verification of a URL.
    pub(super) fn challenge(&self) -> Option<&str> {
        (self.kind.as_str() == "url_verification").then(|| self.challenge.as_str())
    }

    /// Whether this is the callback of an old card, signed and answered in its own way.
    pub(super) fn is_old_card(&self) -> bool {
        self.action.is_some() && self.header.is_none() && self.schema.filled().is_none()
    }

    /// The Verification Token that it carries; an old card callback has none.
    pub(super) fn token(&self) -> &str {
        match &self.header {
            Some(header) => header.token.as_str(),
            None if self.is_old_card() => "",
            None => self.token.as_str(),
        }
    }

    pub(super) fn incoming(&self, payload: &'a [u8]) -> Result<Incoming, EventError> {
        if self.is_old_card() {
            return old_card(payload);
        }
        let raw = self.event.map_or("{}", RawValue::get);
        if let Some(header) = &self.header {
            let event_type = header.event_type.as_str();
            return Ok(Incoming {
                event_id: header.event_id.as_str().to_owned(),
                event: read_event(event_type, raw)?,
                event_type: event_type.to_owned(),
                app_id: header.app_id.parse(),
                tenant_key: header.tenant_key.parse(),
                created_at: header.create_time.time(),
            });
        }
        if self.event.is_none() {
            return Err(EventError::Malformed("it has neither header nor event".to_owned()));
        }
        let old: OldEvent<'_> = serde_json::from_str(raw).map_err(malformed)?;
        let event_type = old.kind.as_str();
        Ok(Incoming {
            event_id: self.uuid.as_str().to_owned(),
            event: read_event(event_type, raw)?,
            event_type: event_type.to_owned(),
            app_id: old.app_id.parse(),
            tenant_key: old.tenant_key.parse(),
            created_at: seconds(self.ts.as_str()),
        })
    }
}

/// `1502199207.7171419`: seconds with a fraction.
fn seconds(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    Some(Timestamp::from_ms(whole.parse::<i64>().ok()?.checked_mul(1000)?.checked_add(millis.parse().ok()?)?))
}

fn read<'a, T: Deserialize<'a>>(raw: &'a str) -> Result<T, EventError> {
    serde_json::from_str(raw).map_err(malformed)
}

fn read_event(event_type: &str, raw: &str) -> Result<Event, EventError> {
    let lacks = |member| EventError::Incomplete { event_type: event_type.to_owned(), member };
    match event_type {
        "im.message.receive_v1" => {
            let event: MessageEvent<'_> = read(raw)?;
            let chat_type =
                if event.message.chat_type.as_str() == "p2p" { ChatType::P2p } else { ChatType::Group };
            let message = Box::new(message(event).map_err(lacks)?);
            Ok(Event::Message { message, chat_type })
        }
        "im.chat.disbanded_v1"
        | "im.chat.updated_v1"
        | "im.chat.member.bot.added_v1"
        | "im.chat.member.bot.deleted_v1"
        | "im.chat.member.user.added_v1"
        | "im.chat.member.user.withdrawn_v1"
        | "im.chat.member.user.deleted_v1" => {
            chat_event(event_type, read(raw)?).ok_or_else(|| lacks("chat_id"))
        }
        "im.message.recalled_v1" => {
            let event: TouchEvent<'_> = read(raw)?;
            let (chat_id, message_id) = (event.chat_id.parse(), event.message_id.parse());
            Ok(Event::MessageRecalled {
                chat_id: chat_id.ok_or_else(|| lacks("chat_id"))?,
                message_id: message_id.ok_or_else(|| lacks("message_id"))?,
                at: event.recall_time.time(),
            })
        }
        "im.message.reaction.created_v1" | "im.message.reaction.deleted_v1" => {
            reaction(event_type.ends_with("created_v1"), read(raw)?).ok_or_else(|| lacks("message_id"))
        }
        "im.message.message_read_v1" => {
            let event: TouchEvent<'_> = read(raw)?;
            let reader = event.reader.unwrap_or_default();
            Ok(Event::MessageRead {
                reader: reader.reader_id.and_then(|ids| ids.open_id.parse()),
                message_ids: event
                    .message_id_list
                    .unwrap_or_default()
                    .iter()
                    .filter_map(Text::parse)
                    .collect(),
                at: reader.read_time.time(),
            })
        }
        "contact.user.updated_v3" => {
            let event: UserEvent<'_> = read(raw)?;
            let account = event.object.unwrap_or_default();
            Ok(Event::UserUpdated {
                open_id: account.open_id.parse().ok_or_else(|| lacks("open_id"))?,
                name: account.name.filled().map(str::to_owned),
                is_resigned: account.status.is_some_and(|status| status.is_resigned.as_str() == "true"),
            })
        }
        "card.action.trigger" => Ok(Event::CardAction(Box::new(card(read(raw)?, false)))),
        _ => Ok(Event::Unknown),
    }
}

fn message(event: MessageEvent<'_>) -> Result<NewMessage, &'static str> {
    let wire = event.message;
    let sender = event.sender;
    Ok(NewMessage {
        chat_id: wire.chat_id.parse().ok_or("chat_id")?,
        message_id: wire.message_id.parse().ok_or("message_id")?,
        root_id: wire.root_id.parse(),
        parent_id: wire.parent_id.parse(),
        thread_id: wire.thread_id.parse(),
        sender: Sender {
            id: sender.sender_id.map(|ids| ids.best().to_owned()).unwrap_or_default(),
            name: None,
            kind: SenderKind::parse(sender.sender_type.as_str()),
        },
        msg_type: wire.message_type.as_str().to_owned(),
        content: wire.content.0,
        mentions: wire.mentions.unwrap_or_default().into_iter().map(mention).collect(),
        created_at: wire.create_time.time().ok_or("create_time")?,
        updated_at: wire.update_time.time(),
        edited: false,
        recalled: false,
    })
}

fn mention(wire: MentionWire<'_>) -> Mention {
    let key = wire.key.as_str().to_owned();
    let id = match wire.id.0 {
        id if !id.is_empty() => id,
        _ if key == "@_all" => "all".to_owned(),
        none => none,
    };
    Mention { key, id, name: wire.name.as_str().to_owned() }
}

fn chat_event(event_type: &str, event: ChatEvent<'_>) -> Option<Event> {
    let chat_id: ChatId = event.chat_id.parse()?;
    let name = event.name.as_str().to_owned();
    let people = || {
        let users = event.users.iter().flatten();
        let person = |user: &UserWire<'_>| {
            let open_id = user.user_id.as_ref()?.open_id.parse()?;
            Some(Person { open_id, name: user.name.as_str().to_owned() })
        };
        users.filter_map(person).collect()
    };
    Some(match event_type {
        "im.chat.disbanded_v1" => {
            let operator = event.operator_id.as_ref().and_then(|ids| ids.open_id.parse());
            Event::ChatDisbanded { chat_id, operator }
        }
        "im.chat.member.bot.added_v1" => Event::BotAdded { chat_id, name },
        "im.chat.member.bot.deleted_v1" => Event::BotRemoved { chat_id, name },
        "im.chat.member.user.added_v1" => Event::MembersAdded { people: people(), chat_id },
        "im.chat.updated_v1" => {
            let change = event.after_change.unwrap_or_default();
            Event::ChatUpdated {
                chat_id,
                name: change.name.filled().map(str::to_owned),
                description: change.description.filled().map(str::to_owned),
            }
        }
        _ => Event::MembersLeft { people: people(), chat_id },
    })
}

fn reaction(is_added: bool, event: TouchEvent<'_>) -> Option<Event> {
    let message_id: MessageId = event.message_id.parse()?;
    let kind = SenderKind::parse(event.operator_type.as_str());
    let person = event.user_id.as_ref().map(|ids| ids.best()).filter(|id| !id.is_empty());
    Some(Event::Reaction {
        message_id,
        emoji: event.reaction_type.unwrap_or_default().emoji_type.as_str().to_owned(),
        is_added,
        operator: Operator { id: person.unwrap_or(event.app_id.as_str()).to_owned(), kind },
        at: event.action_time.time(),
    })
}

fn card(event: CardEvent<'_>, is_legacy: bool) -> CardAction {
    let action = event.action.unwrap_or_default();
    let context = event.context.unwrap_or_default();
    CardAction {
        operator: event.operator.and_then(|ids| ids.open_id.parse()).or_else(|| event.open_id.parse()),
        message_id: context.open_message_id.parse().or_else(|| event.open_message_id.parse()),
        chat_id: context.open_chat_id.parse().or_else(|| event.open_chat_id.parse()),
        token: event.token.as_str().to_owned(),
        tag: action.tag.as_str().to_owned(),
        name: action.name.as_str().to_owned(),
        value: action.value,
        option: action.option.as_str().to_owned(),
        form_value: action.form_value,
        is_legacy,
    }
}

fn old_card(payload: &[u8]) -> Result<Incoming, EventError> {
    let event: CardEvent<'_> = serde_json::from_slice(payload).map_err(malformed)?;
    Ok(Incoming {
        event_id: String::new(),
        event_type: "card.action.trigger_v1".to_owned(),
        app_id: None,
        tenant_key: event.tenant_key.parse(),
        created_at: None,
        event: Event::CardAction(Box::new(card(event, true))),
    })
}
