//! A card that was acted on shows it: its button gives way to who pressed it, for everybody who sees the card.
//!
//! Only cards that are there as they were sent can be changed: a template or a card entity holds its content
//! elsewhere, and an unshared card of the first version cannot be replaced for all.

use serde_json::{Value, json};

use crate::{
    core::{
        ids::{IntegrationId, MessageId},
        message::Via,
        permit::{Class, Feature},
        role::Right,
    },
    feishu::{Ask, CardContent},
    store::{Incoming, IngestItem},
};

use super::{
    deck::{Answer, Deck, Told},
    press::CardOp,
};

/// The platform takes no larger card.
const MOST_BYTES: usize = 30 * 1024;
/// Deeper than any card that the platform shows.
const MOST_DEPTH: usize = 24;

impl Deck {
    /// Puts `line` in the place of the card's button for `op`, on the platform and in the store. False: it is
    /// not a card that can be changed.
    ///
    /// # Errors
    /// What the platform or the store refused.
    pub(super) async fn show_on_card(
        &self,
        integration: &IntegrationId,
        message_id: &MessageId,
        op: CardOp,
        line: &str,
    ) -> Answer<bool> {
        let ask = || Ask::new(Class::Decoration, Feature::Send);
        let store = self.gate(Right::Respond, "card.update", message_id).await?;
        let client = self.client(integration).await?;
        let found = client.message(ask(), message_id, CardContent::Original).await.told()?;
        let Some(mut message) = found.into_iter().find(|one| one.message_id == *message_id) else {
            return Ok(false);
        };
        let Some(card) = serde_json::from_str(&message.content).ok().and_then(|card| amended(card, op, line))
        else {
            return Ok(false);
        };
        let content = card.to_string();
        if content.len() > MOST_BYTES {
            return Ok(false);
        }
        client.patch_card(ask(), message_id, &content).await.told()?;
        message.content = content;
        message.updated_at = Some(self.inner.clock.now());
        let what = Incoming::Message { message, own: true };
        let item = IngestItem { integration: integration.clone(), event_id: None, via: Via::History, what };
        store.ingest(vec![item]).await.told()?;
        Ok(true)
    }
}

/// The card with `line` in the place of every button for `op`; none where there is no such button, or where a
/// changed card would not be shown to all.
fn amended(mut card: Value, op: CardOp, line: &str) -> Option<Value> {
    let is_second = card.get("schema").and_then(Value::as_str) == Some("2.0");
    let is_shared = is_second || card.pointer("/config/update_multi").and_then(Value::as_bool) == Some(true);
    let place = if is_second { "/body/elements" } else { "/elements" };
    let elements = card.pointer_mut(place)?.as_array_mut()?;
    (is_shared && replace(elements, op, line, MOST_DEPTH) > 0).then_some(card)
}

/// How many buttons were replaced.
fn replace(elements: &mut Vec<Value>, op: CardOp, line: &str, depth: usize) -> usize {
    let Some(depth) = depth.checked_sub(1) else { return 0 };
    let mut replaced = 0;
    let mut at = 0;
    while let Some(element) = elements.get_mut(at) {
        at += 1;
        if is_button_for(element, op) {
            *element = said(line);
            replaced += 1;
            continue;
        }
        // Cards of the first version keep buttons in rows, and nothing but buttons stands there.
        if let Some(actions) = element.get_mut("actions").and_then(Value::as_array_mut) {
            let before = actions.len();
            actions.retain(|action| !is_button_for(action, op));
            let gone = before - actions.len();
            if gone > 0 && actions.is_empty() {
                *element = said(line);
            } else if gone > 0 {
                elements.insert(at, said(line));
                at += 1;
            }
            replaced += gone;
            continue;
        }
        for key in ["elements", "columns"] {
            if let Some(inner) = element.get_mut(key).and_then(Value::as_array_mut) {
                replaced += replace(inner, op, line, depth);
            }
        }
    }
    replaced
}

/// Plain text, so that nothing in a name is read as markup.
fn said(line: &str) -> Value {
    json!({"tag": "div", "text": {"tag": "plain_text", "content": line}})
}

fn is_button_for(element: &Value, op: CardOp) -> bool {
    if element.get("tag").and_then(Value::as_str) != Some("button") {
        return false;
    }
    let behaviors = element.get("behaviors").and_then(Value::as_array).into_iter().flatten();
    let callbacks = behaviors.filter(|one| one.get("type").and_then(Value::as_str) == Some("callback"));
    // Cards of the first version carry the value at the button itself.
    let mut values = callbacks.filter_map(|one| one.get("value")).chain(element.get("value"));
    values.any(|value| CardOp::of_value(value) == Ok(op))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACK: CardOp = CardOp::Acknowledge;

    fn button(op: &str) -> Value {
        json!({"tag": "button", "behaviors": [{"type": "callback", "value": {"op": op}}]})
    }

    fn line() -> Value {
        said("✅ Ann")
    }

    #[test]
    fn the_button_gives_way_wherever_it_stands() {
        let title = json!({"tag": "markdown", "content": "**p99** 4.2 s"});
        let card = json!({"schema": "2.0", "body": {"elements": [title,
            {"tag": "column_set", "columns": [{"tag": "column", "elements": [button("ack")]},
                {"tag": "column", "elements": [button("reboot")]}]}]}});
        let expected = json!({"schema": "2.0", "body": {"elements": [title,
            {"tag": "column_set", "columns": [{"tag": "column", "elements": [line()]},
                {"tag": "column", "elements": [button("reboot")]}]}]}});
        assert_eq!(amended(card, ACK, "✅ Ann"), Some(expected));

        let old = |actions: Value| {
            let row = json!({"tag": "action", "actions": actions});
            json!({"config": {"update_multi": true}, "elements": [row, {"tag": "hr"}]})
        };
        let old_ack = json!({"tag": "button", "value": {"action": "acknowledge"}});
        let alone = amended(old(json!([old_ack])), ACK, "✅ Ann").unwrap();
        assert_eq!(alone["elements"], json!([line(), {"tag": "hr"}]));
        let other = json!({"tag": "button", "value": {"action": "reboot"}});
        let beside = amended(old(json!([old_ack, other])), ACK, "✅ Ann").unwrap();
        let row = json!({"tag": "action", "actions": [other]});
        assert_eq!(beside["elements"], json!([row, line(), {"tag": "hr"}]));
    }

    #[test]
    fn what_cannot_be_changed_for_all_is_left_alone() {
        for card in [
            json!({"elements": [{"tag": "button", "value": "ack"}]}),
            json!({"schema": "2.0", "body": {"elements": [button("reboot")]}}),
            json!({"type": "template", "data": {"template_id": "AAq"}}),
            json!({"type": "card", "data": {"card_id": "7371713483664506900"}}),
            // As listings give it where the original is not told.
            json!({"title": "x", "elements": [[{"tag": "button", "text": "ack"}]]}),
            json!("ack"),
            json!(null),
        ] {
            assert_eq!(amended(card.clone(), ACK, "✅ Ann"), None, "{card}");
        }
        let mut deep = button("ack");
        for _ in 0..100 {
            deep = json!({"tag": "column", "elements": [deep]});
        }
        assert_eq!(amended(json!({"schema": "2.0", "body": {"elements": [deep]}}), ACK, "✅"), None);
    }
}
