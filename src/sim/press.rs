//! Pressing a button of a card that the app has sent, and what the person sees of the answer.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::{sync::mpsc, time::Instant};

use super::{
    card::{self, Button},
    control::CardPress,
    hub::Body,
    people,
    post::NoAnswer,
    push::{Event, Heard},
    shared::Shared,
    world::{Actor, World},
};

/// The callback of today.
pub(super) const NEW_CARD: &str = "card.action.trigger";
/// The callback of old, for the URL of its own.
pub(super) const OLD_CARD: &str = "card.action.trigger_v1";

/// Minutes and uses of a token for delayed updates.
const TOKEN_MINUTES: u64 = 30;
const TOKEN_USES: u32 = 2;

/// What a card's handler lets the person read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Toast {
    /// `info`, `success`, `error`, `warning`.
    pub kind: String,
    /// The words.
    pub content: String,
}

/// A token with which the app may change the card later.
#[derive(Debug, Clone)]
pub(super) struct CardToken {
    /// Whose.
    pub(super) app: usize,
    /// Number of the message.
    pub(super) message: usize,
    /// Not after this.
    pub(super) until: Instant,
    /// So often yet.
    pub(super) uses: u32,
    /// Only once the callback was answered.
    pub(super) is_answered: bool,
}

/// A press on its way: what is heard of it, and its update token.
struct Pressed {
    answers: mpsc::UnboundedReceiver<Heard>,
    token: String,
}

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
    fn press(&mut self, no: usize, who: Option<usize>) -> Option<Pressed> {
        let button = self.button(no)?;
        let message = self.messages.get(no)?;
        let Actor::App(app) = message.sender else { return None };
        let (message_id, chat) = (message.id.clone(), message.chat);
        let members = self.chats.get(chat)?.members.clone();
        let who = who.or_else(|| self.dice.pick(&members).copied())?;
        let chat_id = self.chats.get(chat)?.id.clone();
        let action = action(button);
        let mut operator = Map::new();
        operator.insert("tenant_key".to_owned(), json!(self.tenant()));
        if self.grants(app, &["contact:user.employee_id:readonly"]) {
            operator.insert("user_id".to_owned(), json!(people::user_id(who)));
        }
        operator.insert("union_id".to_owned(), json!(people::union_id(who)));
        let open_id = self.person_id(app, who, people::IdType::Open);
        operator.insert("open_id".to_owned(), json!(open_id));
        let token = self.new_id("c-");
        let until = self.clock.instant() + self.clock.span(Duration::from_secs(TOKEN_MINUTES * 60));
        let entry = CardToken { app, message: no, until, uses: TOKEN_USES, is_answered: false };
        self.card_tokens.insert(token.clone(), entry);
        let old = json!({
            "open_id": open_id, "user_id": operator.get("user_id").cloned().unwrap_or_else(|| json!("")),
            "open_message_id": message_id, "open_chat_id": chat_id, "tenant_key": self.tenant(), "token": token,
            "action": action,
        });
        let event = json!({
            "operator": operator, "token": token, "action": action, "host": "im_message", "delivery_type": "",
            "context": {"url": "", "preview_token": "", "open_message_id": message_id, "open_chat_id": chat_id},
        });
        let (sender, answers) = mpsc::unbounded_channel();
        let (id, payload) = self.envelope(app, NEW_CARD, event);
        let callback = Some(sender);
        let new = Event { app, event_type: NEW_CARD.to_owned(), id, payload, fragments: 0, callback };
        let old = Event {
            event_type: OLD_CARD.to_owned(),
            id: String::new(),
            payload: old.to_string().into_bytes().into(),
            ..new.clone()
        };
        self.outbox.extend([new, old]);
        Some(Pressed { answers, token })
    }

    /// Shows the card that a handler answered with; the code that the person sees where it cannot be shown.
    fn show_answer(&mut self, no: usize, answer: &Value) -> Result<bool, i64> {
        let Some(new) = new_card(answer)? else { return Ok(false) };
        let is_second = |card: &Value| card.get("schema").and_then(Value::as_str) == Some("2.0");
        let was_second = self.card_of(no).is_some_and(|card| is_second(&card));
        if was_second && !is_second(&new) {
            return Err(200_830);
        }
        self.show_card(no, new);
        Ok(true)
    }

    /// Puts another card in a message's place.
    pub(super) fn show_card(&mut self, no: usize, new: Value) {
        let now_ms = self.clock.now_ms();
        let Some(message) = self.messages.get_mut(no) else { return };
        message.content = card::simplified(&new).to_string();
        message.original = new.to_string();
        message.updated_ms = now_ms;
        if let Some(entity) = message.card_id.as_ref().and_then(|id| self.cards.get_mut(id)) {
            entity.card = new;
        }
    }

    /// What the person sees of an answer.
    fn see(&mut self, no: usize, heard: Heard, token: &str) -> CardPress {
        let mut press = CardPress { token: token.to_owned(), ..CardPress::default() };
        let ack = match heard {
            Ok(ack) => ack,
            Err(why) => {
                press.error = Some(match why {
                    NoAnswer::NoName => 200_343,
                    NoAnswer::NoConnection | NoAnswer::Broken => 200_342,
                    NoAnswer::TooLate => 200_341,
                });
                return press;
            }
        };
        press.code = Some(ack.code);
        if ack.code != 200 {
            press.error = Some(200_671);
            return press;
        }
        if let Some(token) = self.card_tokens.get_mut(token) {
            token.is_answered = true;
        }
        let Some(answer) = ack.data.json() else {
            press.error = matches!(ack.data, Body::Garbage).then_some(200_672);
            return press;
        };
        match toast(&answer) {
            Ok(toast) => press.toast = toast,
            Err(code) => press.error = Some(code),
        }
        if press.error.is_none() {
            match self.show_answer(no, &answer) {
                Ok(is_changed) => press.is_card_changed = is_changed,
                Err(code) => press.error = Some(code),
            }
        }
        press.answer = Some(answer);
        press
    }
}

fn action(button: Button) -> Map<String, Value> {
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
    action
}

/// The toast of an answer, or the code for a body that is none.
fn toast(answer: &Value) -> Result<Option<Toast>, i64> {
    let Some(answer) = answer.as_object() else { return Err(200_672) };
    let Some(toast) = answer.get("toast").filter(|it| !it.is_null()) else { return Ok(None) };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let kind = text(toast.get("type"));
    if !toast.is_object() || !matches!(kind.as_str(), "" | "info" | "success" | "error" | "warning") {
        return Err(200_672);
    }
    let kind = if kind.is_empty() { "info".to_owned() } else { kind };
    let own = text(toast.get("content"));
    let content = if own.is_empty() { text(toast.pointer("/i18n/zh_cn")) } else { own };
    Ok(Some(Toast { kind, content }))
}

/// The card of an answer: under `card`, or, from handlers of the old callback, the answer itself.
fn new_card(answer: &Value) -> Result<Option<Value>, i64> {
    const BAD_CARD: i64 = 200_673;
    let is_card = |it: &Value| ["elements", "i18n_elements", "body"].iter().any(|key| it.get(key).is_some());
    let template = |holder: &Value| {
        let id = holder.pointer("/data/template_id").and_then(Value::as_str).ok_or(BAD_CARD)?;
        Ok(Some(json!({"schema": "2.0", "body": {"elements": [{"tag": "markdown", "content": id}]}})))
    };
    let Some(holder) = answer.get("card").filter(|it| !it.is_null()) else {
        return match answer.get("type").and_then(Value::as_str) {
            Some("template") => template(answer),
            _ => Ok(is_card(answer).then(|| answer.clone())),
        };
    };
    match holder.get("type").and_then(Value::as_str) {
        Some("raw") => match holder.get("data") {
            Some(card) if is_card(card) => Ok(Some(card.clone())),
            _ => Err(BAD_CARD),
        },
        Some("template") => template(holder),
        _ => Err(BAD_CARD),
    }
}

impl Shared {
    /// Presses the first button of a message's card, and waits for the handler's answer: the first good one,
    /// where it is asked in more than one way.
    pub(super) async fn press(self: &Arc<Self>, no: usize, who: Option<usize>) -> Option<CardPress> {
        if self.peek(|world| world.card_of(no).is_some_and(|card| card::has_nameless_field(&card))) {
            return Some(CardPress { error: Some(200_530), ..CardPress::default() });
        }
        let Pressed { mut answers, token } = self.act(|world| world.press(no, who))?;
        let mut last = None;
        while let Some(heard) = answers.recv().await {
            let is_good = heard.as_ref().is_ok_and(|ack| ack.code == 200);
            if is_good || last.is_none() {
                last = Some(heard);
            }
            if is_good {
                break;
            }
        }
        Some(match last {
            Some(heard) => self.peek(|world| world.see(no, heard, &token)),
            // Subscribed nowhere: the platform asks nobody.
            None => CardPress { error: Some(200_340), ..CardPress::default() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_toasts_and_cards_or_wrong() {
        assert_eq!(toast(&json!({})), Ok(None));
        assert_eq!(toast(&json!({"msg": "success"})), Ok(None));
        assert_eq!(toast(&json!([])), Err(200_672));
        assert_eq!(toast(&json!({"toast": "done"})), Err(200_672));
        assert_eq!(toast(&json!({"toast": {"type": "loud", "content": "x"}})), Err(200_672));
        let both = toast(&json!({"toast": {"type": "error", "i18n": {"zh_cn": "不行"}}})).unwrap().unwrap();
        assert_eq!((both.kind.as_str(), both.content.as_str()), ("error", "不行"));
        assert_eq!(new_card(&json!({"toast": {}})), Ok(None));
        assert_eq!(new_card(&json!({"card": {"type": "raw", "data": "x"}})), Err(200_673));
        assert_eq!(new_card(&json!({"card": {"data": {"elements": []}}})), Err(200_673));
        assert_eq!(new_card(&json!({"elements": []})), Ok(Some(json!({"elements": []}))));
        assert_eq!(new_card(&json!({"type": "template", "data": {}})), Err(200_673));
    }
}
