//! Pressing a button of a card that the app has sent.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::{
    card::{self, Button},
    control::CardPress,
    hub::Ack,
    people,
    push::Event,
    shared::Shared,
    world::{Actor, World},
};

impl World {
    /// Messages of the app whose card has a button, oldest first.
    pub(super) fn pressable(&self) -> Vec<usize> {
        (0..self.messages.len()).filter(|no| self.button(*no).is_some()).collect()
    }

    fn card_of(&self, no: usize) -> Option<Value> {
        let message = self.messages.get(no)?;
        if message.is_deleted || message.msg_type != "interactive" {
            return None;
        }
        let is_callable = |app: usize| self.apps.get(app).is_some_and(|app| app.is_callable);
        if !matches!(message.sender, Actor::App(app) if is_callable(app)) {
            return None;
        }
        match message.card_id.as_ref().and_then(|id| self.cards.get(id)) {
            Some(entity) => Some(entity.card.clone()),
            None => serde_json::from_str(&message.original).ok(),
        }
    }

    fn button(&self, no: usize) -> Option<Button> {
        card::buttons(&self.card_of(no)?).into_iter().next()
    }

    /// Puts the press of a card's first button into the outbox.
    fn press(&mut self, no: usize, who: Option<usize>) -> Option<oneshot::Receiver<Option<Ack>>> {
        let button = self.button(no)?;
        let message = self.messages.get(no)?;
        let Actor::App(app) = message.sender else { return None };
        let (message_id, chat) = (message.id.clone(), message.chat);
        let members = self.chats.get(chat)?.members.clone();
        let who = who.or_else(|| self.dice.pick(&members).copied())?;
        let chat_id = self.chats.get(chat)?.id.clone();
        let mut action = Map::new();
        action.insert("value".to_owned(), button.value);
        action.insert("tag".to_owned(), json!("button"));
        action.insert("timezone".to_owned(), json!("Asia/Shanghai"));
        if !button.name.is_empty() {
            action.insert("name".to_owned(), json!(button.name));
        }
        if let Some(fields) = button.form_fields {
            let values: Map<String, Value> =
                fields.into_iter().map(|name| (name, json!("收到 / noted"))).collect();
            action.insert("form_value".to_owned(), json!(values));
        }
        let mut operator = Map::new();
        operator.insert("tenant_key".to_owned(), json!(self.tenant()));
        if self.grants(app, &["contact:user.employee_id:readonly"]) {
            operator.insert("user_id".to_owned(), json!(people::user_id(who)));
        }
        operator.insert("union_id".to_owned(), json!(people::union_id(who)));
        operator.insert("open_id".to_owned(), json!(self.person_id(app, who, people::IdType::Open)));
        let token = self.new_id("c-");
        let event = json!({
            "operator": operator, "token": token, "action": action, "host": "im_message", "delivery_type": "",
            "context": {"url": "", "preview_token": "", "open_message_id": message_id, "open_chat_id": chat_id},
        });
        let payload = self.envelope(app, "card.action.trigger", event);
        let (sender, receiver) = oneshot::channel();
        self.outbox.push(Event { app, payload, fragments: 0, callback: Some(sender) });
        Some(receiver)
    }

    /// Shows the card that a handler answered with.
    fn show_answer(&mut self, no: usize, answer: &Value) {
        if answer.pointer("/card/type").and_then(Value::as_str) != Some("raw") {
            return;
        }
        let Some(new) = answer.pointer("/card/data").cloned() else { return };
        let now_ms = self.clock.now_ms();
        if let Some(message) = self.messages.get_mut(no) {
            message.content = card::simplified(&new).to_string();
            message.original = new.to_string();
            message.updated_ms = now_ms;
        }
    }
}

impl Shared {
    /// Presses the first button of a message's card, and waits for the handler's answer.
    pub(super) async fn press(self: &Arc<Self>, no: usize, who: Option<usize>) -> Option<CardPress> {
        let answer = self.act(|world| world.press(no, who))?;
        let ack = answer.await.ok().flatten();
        if let Some(body) = ack.as_ref().and_then(|ack| ack.data.as_ref()) {
            self.peek(|world| world.show_answer(no, body));
        }
        Some(CardPress { code: ack.as_ref().map(|ack| ack.code), answer: ack.and_then(|ack| ack.data) })
    }
}
