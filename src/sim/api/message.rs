//! Messages: send, reply, read one, change, take back.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Call, Refusal, Reply, Spec, refuse};
use crate::sim::{
    card,
    event::CardForm,
    people::IdType,
    rate::Rate,
    social::Draft,
    world::{Actor, Used, World},
};

const SEND: &[&str] = &["im:message", "im:message:send_as_bot", "im:message:send"];
const READ: &[&str] = &["im:message", "im:message:readonly"];
const EDIT: &[&str] = &["im:message", "im:message:send_as_bot", "im:message:update"];
const RECALL: &[&str] = &["im:message", "im:message:recall", "im:message:send_as_bot"];

pub(super) const SPECS: &[Spec] = &[
    Spec::new("im.message.create", "POST", "im/v1/messages", SEND, create),
    Spec::new("im.message.reply", "POST", "im/v1/messages/:message_id/reply", SEND, reply),
    Spec::new("im.message.get", "GET", "im/v1/messages/:message_id", READ, get),
    Spec::new("im.message.patch", "PATCH", "im/v1/messages/:message_id", EDIT, patch),
    Spec::new("im.message.update", "PUT", "im/v1/messages/:message_id", EDIT, edit),
    Spec::new("im.message.delete", "DELETE", "im/v1/messages/:message_id", RECALL, delete),
];

/// Seconds for which a uuid sends only one message.
const UUID_S: u64 = 3600;
const CARD_DAYS: i64 = 14;
const MOST_EDITS: u32 = 20;

impl World {
    /// The message of a call; the caller must be in its chat.
    pub(in crate::sim) fn message_of(&self, call: &Call) -> Result<usize, Refusal> {
        self.needs_bot(call.app, 230_006)?;
        let no = self.message_index.get(call.param(0)).copied().ok_or_else(|| {
            refuse(230_001)
                .saying("Your request contains an invalid request parameter, ext=invalid message_id")
        })?;
        let chat = self.messages.get(no).and_then(|message| self.chats.get(message.chat));
        match chat {
            Some(chat) if chat.bots.contains(&call.app) => Ok(no),
            _ => Err(refuse(230_002)),
        }
    }

    /// How an answer shows cards.
    pub(in crate::sim) fn card_form(call: &Call) -> CardForm {
        if call.query("card_msg_content_type") == "user_card_content" {
            CardForm::Original
        } else {
            CardForm::Read
        }
    }

    fn message_reply(&self, call: &Call, no: usize) -> Result<Reply, Refusal> {
        let message = self.messages.get(no).ok_or_else(|| refuse(230_001))?;
        Ok(Reply::Data(self.message_object(call.app, message, IdType::Open, CardForm::Read)))
    }

    fn sent_before(&self, call: &Call, key: &str) -> Option<usize> {
        let window = self.clock.span(Duration::from_secs(UUID_S));
        let used = self.message_uuids.get(key)?;
        (!call.text("uuid").is_empty() && call.at - used.at < window).then_some(used.made)
    }

    /// The chat that a message is for: a group, or the one with a person, which it opens.
    fn receiver(&mut self, call: &Call) -> Result<usize, Refusal> {
        let id = call.required("receive_id")?.to_owned();
        let app = call.app;
        let person = match call.query("receive_id_type") {
            "chat_id" => {
                let no = self.chat_index.get(&id).copied().ok_or_else(|| refuse(230_034))?;
                return match self.chats.get(no) {
                    Some(chat) if !chat.is_open() => Err(refuse(232_009)),
                    Some(chat) if chat.bots.contains(&app) => Ok(no),
                    _ => Err(refuse(230_002)),
                };
            }
            "email" => self.people.by_email(&id),
            "open_id" | "union_id" | "user_id" => {
                let id_type = call.id_type("receive_id_type")?;
                if id_type == IdType::Open && self.is_open_id_of_another_app(app, &id) {
                    return Err(refuse(99_992_361));
                }
                self.person_by_id(app, &id, id_type)
            }
            other => {
                return Err(Refusal::field(
                    "receive_id_type",
                    other,
                    "one of open_id, user_id, union_id, email, chat_id",
                ));
            }
        };
        let no = person.ok_or_else(|| refuse(230_034))?;
        match self.people.get(no) {
            Some(person) if person.is_resigned => return Err(refuse(230_029)),
            Some(person) if person.is_blind => return Err(refuse(230_013)),
            _ => {}
        }
        let (me, them) = (Actor::App(app), Actor::Person(no));
        let known = self
            .chats
            .iter()
            .position(|chat| chat.fact("chat_mode") == "p2p" && chat.has(me) && chat.has(them));
        Ok(known.unwrap_or_else(|| {
            let facts = json!({"chat_mode": "p2p"}).as_object().cloned().unwrap_or_default();
            let chat = self.open_chat(me, them, facts);
            self.join(chat, &[no], me, false);
            self.set_bot(chat, app, me, true);
            chat
        }))
    }

    fn send(
        &mut self,
        call: &Call,
        chat: usize,
        parent: Option<usize>,
        key: String,
    ) -> Result<Reply, Refusal> {
        let msg_type = call.required("msg_type")?.to_owned();
        let content = call.required("content")?.to_owned();
        if call.text("uuid").len() > 50 {
            return Err(Refusal::field("uuid", call.text("uuid"), "the max len is 50"));
        }
        let is_p2p = self.chats.get(chat).is_some_and(|chat| chat.fact("chat_mode") == "p2p");
        if msg_type == "system" && !is_p2p {
            return Err(refuse(230_054));
        }
        self.admit_receiver(chat, call.at)?;
        let received = self.receive(call.app, &msg_type, &content)?;
        let no = self.write(Draft {
            content: received.content,
            original: content,
            mentions: received.mentions,
            card_id: received.card_id,
            parent,
            in_thread: call.body.get("reply_in_thread").and_then(Value::as_bool).unwrap_or(false),
            ..Draft::new(chat, Actor::App(call.app), &msg_type, String::new())
        });
        if !call.text("uuid").is_empty() {
            self.message_uuids.insert(key, Used { at: call.at, made: no });
        }
        self.message_reply(call, no)
    }
}

fn create(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    world.needs_bot(call.app, 230_006)?;
    let key = format!("{} {} {}", call.app, call.text("uuid"), call.text("receive_id"));
    if let Some(made) = world.sent_before(call, &key) {
        return world.message_reply(call, made);
    }
    let chat = world.receiver(call)?;
    world.send(call, chat, None, key)
}

fn reply(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let parent = world.message_of(call)?;
    let key = format!("{} {} {}", call.app, call.text("uuid"), call.param(0));
    if let Some(made) = world.sent_before(call, &key) {
        return world.message_reply(call, made);
    }
    let Some((is_deleted, chat)) = world.messages.get(parent).map(|it| (it.is_deleted, it.chat)) else {
        return Err(refuse(230_001));
    };
    if is_deleted {
        return Err(refuse(230_011));
    }
    if world.chats.get(chat).is_some_and(|chat| !chat.is_open()) {
        return Err(refuse(232_009));
    }
    world.send(call, chat, Some(parent), key)
}

fn get(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let id_type = call.id_type("user_id_type")?;
    let no = world.message_of(call)?;
    let message = world.messages.get(no).ok_or_else(|| refuse(230_001))?;
    if message.is_deleted {
        return Err(refuse(230_110));
    }
    if message.sender != Actor::App(call.app)
        && world.chats.get(message.chat).is_some_and(|chat| chat.fact("chat_mode") != "p2p")
        && !world.grants(call.app, &["im:message.group_msg"])
    {
        return Err(refuse(230_027));
    }
    let object = world.message_object(call.app, message, id_type, World::card_form(call));
    Ok(Reply::Data(json!({"items": [object]})))
}

fn own(world: &World, call: &Call, not_own: i64) -> Result<usize, Refusal> {
    let no = world.message_of(call)?;
    let message = world.messages.get(no).ok_or_else(|| refuse(230_001))?;
    if message.is_deleted {
        return Err(refuse(230_110));
    }
    if message.sender == Actor::App(call.app) { Ok(no) } else { Err(refuse(not_own)) }
}

fn patch(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let no = own(world, call, 230_012)?;
    let content = call.required("content")?.to_owned();
    let Some((msg_type, created_ms)) = world.messages.get(no).map(|it| (it.msg_type.clone(), it.created_ms))
    else {
        return Err(refuse(230_001));
    };
    if msg_type != "interactive" {
        return Err(refuse(230_054));
    }
    let life = world.clock.span(Duration::from_secs(u64::try_from(CARD_DAYS * 86_400).unwrap_or(0)));
    if u128::try_from(call.now_ms - created_ms).unwrap_or(0) > life.as_millis() {
        return Err(refuse(230_031));
    }
    let rate = [Rate { calls: world.plan.limits.patch_per_second, window_s: 1 }];
    let meter = format!("patch {}", call.param(0));
    world.rates.arrive(&meter, &rate, true, call.at).map_err(|_| refuse(230_020))?;
    let new: Value = serde_json::from_str(&content).map_err(|_| refuse(230_001))?;
    let is_shared = |card: &Value| {
        card.get("schema").and_then(Value::as_str) == Some("2.0")
            || card.pointer("/config/update_multi").and_then(Value::as_bool) == Some(true)
    };
    if !is_shared(&new) {
        return Err(refuse(230_099).saying("Failed to create card content, ext=ErrCode: 300302; ErrMsg: update_multi property is false; ErrorValue: ; "));
    }
    let received = world.receive(call.app, "interactive", &content)?;
    let now_ms = call.now_ms;
    if let Some(message) = world.messages.get_mut(no) {
        message.content = received.content;
        message.original = content;
        message.updated_ms = now_ms;
    }
    Ok(Reply::Data(json!({})))
}

fn edit(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let no = own(world, call, 230_071)?;
    let msg_type = call.required("msg_type")?.to_owned();
    let content = call.required("content")?.to_owned();
    let Some((old_type, edits)) = world.messages.get(no).map(|it| (it.msg_type.clone(), it.edits)) else {
        return Err(refuse(230_001));
    };
    if !matches!(msg_type.as_str(), "text" | "post") || !matches!(old_type.as_str(), "text" | "post") {
        return Err(refuse(230_054));
    }
    if edits >= MOST_EDITS {
        return Err(refuse(230_072));
    }
    let received = world.receive(call.app, &msg_type, &content)?;
    if let Some(message) = world.messages.get_mut(no) {
        message.msg_type = msg_type;
        message.content = received.content;
        message.original = content;
        message.mentions = received.mentions;
        message.edits += 1;
        message.updated_ms = call.now_ms;
    }
    world.message_reply(call, no)
}

fn delete(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let no = world.message_of(call)?;
    let me = Actor::App(call.app);
    let Some(message) = world.messages.get(no) else { return Err(refuse(230_001)) };
    if message.is_deleted {
        return Err(refuse(230_110));
    }
    let kind = if message.sender == me {
        "message_owner"
    } else if world.chats.get(message.chat).is_some_and(|chat| chat.owner == me || chat.creator == me) {
        "group_owner"
    } else if world.chats.get(message.chat).is_some_and(|chat| chat.managers.contains(&me)) {
        "group_manager"
    } else {
        return Err(refuse(230_026));
    };
    world.recall(no, kind);
    Ok(Reply::Data(json!({})))
}

impl World {
    /// Shows a card's new state in its message.
    pub(in crate::sim) fn redraw(&mut self, card_id: &str) {
        let now_ms = self.clock.now_ms();
        let Some(entity) = self.cards.get(card_id) else { return };
        let content = card::simplified(&entity.card).to_string();
        if let Some(message) = entity.message.and_then(|no| self.messages.get_mut(no)) {
            message.content = content;
            message.updated_ms = now_ms;
        }
    }
}
