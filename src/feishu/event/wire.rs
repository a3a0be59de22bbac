//! Reads the envelopes and the events in them, in one pass and with tolerance.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
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

const MESSAGE: &str = "im.message.receive_v1";

/// Any body that the platform posts or sends down the long connection.
#[derive(Default)]
pub(super) struct Envelope<'a> {
    header: Option<Header<'a>>,
    event: Option<Body<'a>>,
    /// Of the old envelope and of challenges; in an old card callback it is the card's update token.
    token: Text<'a>,
    uuid: Text<'a>,
    ts: Text<'a>,
    kind: Text<'a>,
    challenge: Text<'a>,
    pub(super) encrypt: Text<'a>,
    /// Of an old card callback.
    action: Option<IgnoredAny>,
    schema: Text<'a>,
}

/// What stands under `event`.
enum Body<'a> {
    /// A message: there are so many of them that they are read in the same pass.
    Message(Box<MessageEvent<'a>>),
    /// Anything else, and a message whose header came after it.
    Raw(&'a RawValue),
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Member {
    Header,
    Event,
    Token,
    Uuid,
    Ts,
    Type,
    Challenge,
    Encrypt,
    Action,
    Schema,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(EnvelopeVisitor)
    }
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<'de>, A::Error> {
        let mut read = Envelope::default();
        while let Some(member) = map.next_key()? {
            match member {
                Member::Header => read.header = map.next_value()?,
                Member::Event if read.is_message() => {
                    read.event = map.next_value::<Option<_>>()?.map(Body::Message);
                }
                Member::Event => read.event = map.next_value::<Option<_>>()?.map(Body::Raw),
                Member::Token => read.token = map.next_value()?,
                Member::Uuid => read.uuid = map.next_value()?,
                Member::Ts => read.ts = map.next_value()?,
                Member::Type => read.kind = map.next_value()?,
                Member::Challenge => read.challenge = map.next_value()?,
                Member::Encrypt => read.encrypt = map.next_value()?,
                Member::Action => read.action = map.next_value()?,
                Member::Schema => read.schema = map.next_value()?,
                Member::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(read)
    }
}

/// Objects as the platform writes them: first the members that are texts, then the others. Any may be absent,
/// and texts are borrowed where they can be.
macro_rules! wire {
    ($($(#[$note:meta])* $name:ident { $($text:ident),* $(; $($other:ident: $kind:ty),+)? })*) => { $(
        $(#[$note])*
        #[derive(Deserialize, Default)]
        #[serde(bound(deserialize = "'de: 'a"))]
        pub(super) struct $name<'a> {
            $(#[serde(default)] $text: Text<'a>,)*
            $($(#[serde(default)] $other: $kind,)+)?
        }
    )* };
}

wire! {
    Header { event_id, event_type, create_time, token, app_id, tenant_key }

    /// The parts of an old event that take the header's place.
    OldEvent { r#type, app_id, tenant_key }

    Ids { open_id, union_id, user_id, app_id }

    MessageEvent { ; sender: SenderWire<'a>, message: MessageWire<'a> }

    SenderWire { sender_type; sender_id: Option<Ids<'a>> }

    MessageWire {
        message_id, root_id, parent_id, thread_id, create_time, update_time, chat_id, chat_type, message_type;
        content: Content, mentions: Option<Vec<MentionWire<'a>>>
    }

    MentionWire { key, name; id: AnyId }

    ChatEvent {
        chat_id, name;
        operator_id: Option<Ids<'a>>, users: Option<Vec<UserWire<'a>>>, after_change: Option<Change<'a>>
    }

    UserWire { name; user_id: Option<Ids<'a>> }

    Change { name, description }

    TouchEvent {
        message_id, chat_id, recall_time, operator_type, app_id, action_time;
        reaction_type: Option<EmojiWire<'a>>, user_id: Option<Ids<'a>>, reader: Option<ReaderWire<'a>>,
        message_id_list: Option<Vec<Text<'a>>>
    }

    EmojiWire { emoji_type }

    ReaderWire { read_time; reader_id: Option<Ids<'a>> }

    UserEvent { ; object: Option<AccountWire<'a>> }

    AccountWire { open_id, name; status: Option<StatusWire<'a>> }

    StatusWire { is_resigned }

    /// A card callback, the flat one of old as well as the new.
    CardEvent {
        token, open_id, open_message_id, open_chat_id, tenant_key;
        operator: Option<Ids<'a>>, action: Option<ActionWire<'a>>, context: Option<ContextWire<'a>>
    }

    ActionWire { tag, name, option; value: Value, form_value: Value }

    ContextWire { open_message_id, open_chat_id }
}

impl Ids<'_> {
    pub(super) fn best(&self) -> &str {
        [&self.open_id, &self.app_id, &self.union_id, &self.user_id]
            .into_iter()
            .find_map(Text::filled)
            .unwrap_or_default()
    }
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
        // Looked through to its end, which goes many bytes at a time; a search that may stop does not.
        let is_plain = |text: &str| !text.bytes().fold(false, |is, byte| is | matches!(byte, b'"' | b'\\'));
        if let Some(sealed) = sealed.and_then(|rest| rest.strip_prefix('"')).filter(|text| is_plain(text)) {
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

    /// Whether the header is here and says that the event is a message.
    fn is_message(&self) -> bool {
        self.header.as_ref().is_some_and(|header| header.event_type.as_str() == MESSAGE)
    }

    pub(super) fn incoming(self, payload: &'a [u8]) -> Result<Incoming, EventError> {
        if self.is_old_card() {
            return old_card(payload);
        }
        if let Some(header) = self.header {
            let event_type = header.event_type.as_str();
            return Ok(Incoming {
                event_id: header.event_id.as_str().to_owned(),
                event: match self.event {
                    Some(Body::Message(message)) => message_event(*message)?,
                    Some(Body::Raw(raw)) => read_event(event_type, raw.get())?,
                    None => read_event(event_type, "{}")?,
                },
                event_type: event_type.to_owned(),
                app_id: header.app_id.parse(),
                tenant_key: header.tenant_key.parse(),
                created_at: header.create_time.time(),
            });
        }
        let Some(Body::Raw(raw)) = self.event else {
            return Err(EventError::Malformed("it has neither header nor event".to_owned()));
        };
        let old: OldEvent<'_> = read(raw.get())?;
        let event_type = old.r#type.as_str();
        Ok(Incoming {
            event_id: self.uuid.as_str().to_owned(),
            event: read_event(event_type, raw.get())?,
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

fn message_event(event: MessageEvent<'_>) -> Result<Event, EventError> {
    let lacks = |member| EventError::Incomplete { event_type: MESSAGE.to_owned(), member };
    let chat_type = if event.message.chat_type.as_str() == "p2p" { ChatType::P2p } else { ChatType::Group };
    let message = Box::new(message(event).map_err(lacks)?);
    Ok(Event::Message { message, chat_type })
}

fn read_event(event_type: &str, raw: &str) -> Result<Event, EventError> {
    let lacks = |member| EventError::Incomplete { event_type: event_type.to_owned(), member };
    match event_type {
        MESSAGE => message_event(read(raw)?),
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
