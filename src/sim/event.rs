//! The inner objects of the events, as one app gets them.

use serde_json::{Map, Value, json};

use super::{
    people::{self, IdType},
    world::{Actor, Message, World},
};

/// Which content of a card an answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum CardForm {
    /// Simplified.
    #[default]
    Read,
    /// As it was sent.
    Original,
}

impl World {
    /// The three ids of a person, as events write them.
    pub(super) fn id_object(&self, app: usize, no: usize) -> Value {
        let sees_user_id = self.grants(app, &["contact:user.employee_id:readonly"]);
        json!({
            "union_id": people::union_id(no),
            "user_id": if sees_user_id { json!(people::user_id(no)) } else { Value::Null },
            "open_id": self.person_id(app, no, IdType::Open),
        })
    }

    fn actor_object(&self, app: usize, actor: Actor) -> Value {
        match actor {
            Actor::Person(no) => self.id_object(app, no),
            Actor::App(bot) => json!({
                "union_id": people::union_id(90_000_000 + bot),
                "user_id": Value::Null,
                "open_id": self.bot_open_id(app, bot),
            }),
            Actor::System => Value::Null,
        }
    }

    /// Content as `app` reads it.
    fn content_for(&self, message: &Message, form: CardForm) -> String {
        if message.is_deleted {
            return json!({"text": "This message was recalled"}).to_string();
        }
        if form == CardForm::Original && message.msg_type == "interactive" {
            return match message.card_id.as_ref().and_then(|id| self.cards.get(id)) {
                Some(entity) => entity.card.to_string(),
                None => message.original.clone(),
            };
        }
        message.content.clone()
    }

    fn message_id(&self, no: Option<usize>) -> Option<&str> {
        no.and_then(|no| self.messages.get(no)).map(|message| message.id.as_str())
    }

    /// `im.message.receive_v1`.
    pub(super) fn message_event(&self, app: usize, message: &Message) -> Value {
        let chat = self.chats.get(message.chat);
        let chat_type =
            if chat.is_some_and(|chat| chat.fact("chat_mode") == "p2p") { "p2p" } else { "group" };
        let mut body = Map::new();
        let mut put = |key: &str, value: Value| {
            body.insert(key.to_owned(), value);
        };
        put("message_id", json!(message.id));
        for (key, no) in [("root_id", message.root), ("parent_id", message.parent)] {
            if let Some(id) = self.message_id(no) {
                put(key, json!(id));
            }
        }
        put("create_time", json!(message.created_ms.to_string()));
        put("update_time", json!(message.updated_ms.to_string()));
        put("chat_id", json!(chat.map(|chat| chat.id.as_str()).unwrap_or_default()));
        if let Some(thread) = &message.thread {
            put("thread_id", json!(thread));
        }
        put("chat_type", json!(chat_type));
        put("message_type", json!(message.msg_type));
        put("content", json!(self.content_for(message, CardForm::Read)));
        let mentions: Vec<Value> = message
            .mentions
            .iter()
            .map(|it| {
                let kind = if matches!(it.who, Actor::App(_)) { "bot" } else { "user" };
                let id = match it.who {
                    Actor::System => json!({"union_id": "", "user_id": "", "open_id": ""}),
                    who => self.actor_object(app, who),
                };
                let name = self.name_of(it.who);
                json!({"key": it.key, "id": id, "mentioned_type": kind, "name": name, "tenant_key": self.tenant()})
            })
            .collect();
        if !mentions.is_empty() {
            put("mentions", json!(mentions));
        }
        let sender_type = match message.sender {
            Actor::Person(_) => "user",
            Actor::App(_) => "bot",
            Actor::System => "system",
        };
        json!({
            "sender": {
                "sender_id": self.actor_object(app, message.sender),
                "sender_type": sender_type,
                "tenant_key": self.tenant(),
            },
            "message": body,
        })
    }

    /// The message object of REST answers.
    pub(super) fn message_object(
        &self,
        app: usize,
        message: &Message,
        id_type: IdType,
        form: CardForm,
    ) -> Value {
        let mut body = Map::new();
        let mut put = |key: &str, value: Value| {
            body.insert(key.to_owned(), value);
        };
        put("message_id", json!(message.id));
        for (key, no) in [("root_id", message.root), ("parent_id", message.parent)] {
            if let Some(id) = self.message_id(no) {
                put(key, json!(id));
            }
        }
        if let Some(thread) = &message.thread {
            put("thread_id", json!(thread));
        }
        put("msg_type", json!(message.msg_type));
        put("create_time", json!(message.created_ms.to_string()));
        put("update_time", json!(message.updated_ms.to_string()));
        put("deleted", json!(message.is_deleted));
        put("updated", json!(message.edits > 0));
        put("chat_id", json!(self.chats.get(message.chat).map(|chat| chat.id.as_str()).unwrap_or_default()));
        let (id, kind, sender_type) = match message.sender {
            Actor::Person(no) => (self.person_id(app, no, id_type), id_type.as_str(), "user"),
            Actor::App(bot) => (self.app_id(bot).to_owned(), "app_id", "app"),
            Actor::System => (String::new(), "", "unknown"),
        };
        put(
            "sender",
            json!({"id": id, "id_type": kind, "sender_type": sender_type, "tenant_key": self.tenant()}),
        );
        put("body", json!({"content": self.content_for(message, form)}));
        let mentions: Vec<Value> = message
            .mentions
            .iter()
            .map(|it| {
                let id = match it.who {
                    Actor::Person(no) => self.person_id(app, no, IdType::Open),
                    Actor::App(bot) => self.bot_open_id(app, bot),
                    Actor::System => "all".to_owned(),
                };
                let name = self.name_of(it.who);
                json!({"key": it.key, "id": id, "id_type": "open_id", "name": name, "tenant_key": self.tenant()})
            })
            .collect();
        if !mentions.is_empty() && !message.is_deleted {
            put("mentions", json!(mentions));
        }
        Value::Object(body)
    }

    /// What the events of a chat have in common.
    pub(super) fn chat_event(&self, app: usize, chat: usize, by: Actor) -> Map<String, Value> {
        let mut event = Map::new();
        let Some(chat) = self.chats.get(chat) else { return event };
        event.insert("chat_id".to_owned(), json!(chat.id));
        event.insert("operator_id".to_owned(), self.actor_object(app, by));
        event.insert("external".to_owned(), json!(false));
        event.insert("operator_tenant_key".to_owned(), json!(self.tenant()));
        event.insert("name".to_owned(), json!(chat.name()));
        event.insert("i18n_names".to_owned(), chat.facts.get("i18n_names").cloned().unwrap_or_default());
        event
    }

    /// A reaction that came or went.
    pub(super) fn reaction_event(
        &self,
        app: usize,
        message_id: &str,
        emoji: &str,
        who: Actor,
        at_ms: i64,
    ) -> Value {
        let mut event = json!({
            "message_id": message_id,
            "reaction_type": {"emoji_type": emoji},
            "operator_type": if matches!(who, Actor::App(_)) { "app" } else { "user" },
            "action_time": at_ms.to_string(),
        });
        if let Some(event) = event.as_object_mut() {
            match who {
                Actor::App(bot) => event.insert("app_id".to_owned(), json!(self.app_id(bot))),
                _ => event.insert("user_id".to_owned(), self.actor_object(app, who)),
            };
        }
        event
    }
}
