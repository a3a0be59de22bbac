//! Card entities: made, sent once, then changed in a strict sequence.

use std::{collections::HashMap, time::Duration};

use serde_json::{Value, json};

use super::{Call, Refusal, Reply, Spec, refuse};
use crate::sim::{
    card,
    rate::Rate,
    world::{CardEntity, World},
};

const WRITE: &[&str] = &["cardkit:card:write"];

pub(super) const SPECS: &[Spec] = &[
    Spec::new("cardkit.card.create", "POST", "cardkit/v1/cards", WRITE, create),
    Spec::new("cardkit.card.update", "PUT", "cardkit/v1/cards/:card_id", WRITE, update),
    Spec::new("cardkit.card.settings", "PATCH", "cardkit/v1/cards/:card_id/settings", WRITE, settings),
    Spec::new(
        "cardkit.card.batch_update",
        "POST",
        "cardkit/v1/cards/:card_id/batch_update",
        WRITE,
        batch_update,
    ),
    Spec::new("cardkit.card.id_convert", "POST", "cardkit/v1/cards/id_convert", WRITE, id_convert),
    Spec::new("cardkit.element.create", "POST", "cardkit/v1/cards/:card_id/elements", WRITE, add),
    Spec::new(
        "cardkit.element.content",
        "PUT",
        "cardkit/v1/cards/:card_id/elements/:element_id/content",
        WRITE,
        content,
    ),
    Spec::new(
        "cardkit.element.update",
        "PUT",
        "cardkit/v1/cards/:card_id/elements/:element_id",
        WRITE,
        replace,
    ),
    Spec::new(
        "cardkit.element.patch",
        "PATCH",
        "cardkit/v1/cards/:card_id/elements/:element_id",
        WRITE,
        patch,
    ),
    Spec::new(
        "cardkit.element.delete",
        "DELETE",
        "cardkit/v1/cards/:card_id/elements/:element_id",
        WRITE,
        delete,
    ),
];

const CARD_BYTES: usize = 30 * 1024;
const CARD_DAYS: u64 = 14;
const STREAMING_S: u64 = 600;
const MOST_COMPONENTS: usize = 200;
const MOST_CHARS: usize = 100_000;

fn parse(text: &str) -> Result<Value, Refusal> {
    if text.is_empty() {
        return Err(refuse(300_307));
    }
    serde_json::from_str(text).map_err(|_| refuse(10_002))
}

fn check(card: &Value) -> Result<(), Refusal> {
    if card.get("schema").and_then(Value::as_str) != Some("2.0") {
        return Err(refuse(300_303));
    }
    if card.pointer("/config/update_multi").and_then(Value::as_bool) == Some(false) {
        return Err(refuse(300_302));
    }
    if card.to_string().len() > CARD_BYTES {
        return Err(refuse(200_860));
    }
    if card::count(card) > MOST_COMPONENTS {
        return Err(refuse(300_305));
    }
    if card::has_twins(card) { Err(refuse(300_301)) } else { Ok(()) }
}

fn card_json(holder: &Value) -> Result<Value, Refusal> {
    let text = |key: &str| holder.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("type") {
        "card_json" => {
            let card = parse(text("data"))?;
            check(&card)?;
            Ok(card)
        }
        "template" => Ok(json!({"schema": "2.0", "body": {"elements": [
            {"tag": "markdown", "element_id": "template", "content": text("data")},
        ]}})),
        _ => Err(refuse(10_002)),
    }
}

fn create(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let card = card_json(&call.body)?;
    let id = format!("7{:018}", world.dice.roll() % 1_000_000_000_000_000_000);
    let streaming_since = card::is_streaming(&card).then_some(call.at);
    world.cards.insert(
        id.clone(),
        CardEntity {
            app: call.app,
            card,
            sequence: 0,
            made_at: call.at,
            streaming_since,
            is_timed_out: false,
            message: None,
            uuids: HashMap::new(),
        },
    );
    Ok(Reply::Data(json!({"card_id": id})))
}

fn id_convert(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let id = call.required("message_id")?;
    let message = world.message_index.get(id).and_then(|no| world.messages.get(*no));
    let card_id = message.and_then(|it| it.card_id.clone()).ok_or_else(|| refuse(200_740))?;
    Ok(Reply::Data(json!({"card_id": card_id})))
}

/// The entity of a call, once everything that holds for all operations is in order.
fn entity<'w>(world: &'w mut World, call: &Call) -> Result<&'w mut CardEntity, Refusal> {
    let rate = [Rate { calls: world.plan.limits.card_per_second, window_s: 1 }];
    let meter = format!("card {}", call.param(0));
    world.rates.arrive(&meter, &rate, true, call.at).map_err(Refusal::too_fast)?;
    let life = world.clock.span(Duration::from_secs(CARD_DAYS * 86_400));
    let streaming = world.clock.span(Duration::from_secs(STREAMING_S));
    let entity = world.cards.get_mut(call.param(0)).ok_or_else(|| refuse(200_740))?;
    if entity.app != call.app {
        return Err(refuse(300_311));
    }
    if call.at - entity.made_at > life {
        return Err(refuse(200_750));
    }
    if entity.streaming_since.is_some_and(|since| call.at - since > streaming) {
        entity.streaming_since = None;
        entity.is_timed_out = true;
        card::merge(&mut entity.card, &json!({"config": {"streaming_mode": false}}));
    }
    let sequence = call.body.get("sequence").and_then(Value::as_i64).ok_or_else(|| refuse(10_002))?;
    let uuid = call.text("uuid");
    if !uuid.is_empty() {
        let what = format!("{:?} {}", call.params, call.body);
        if entity.uuids.get(uuid).is_some_and(|known| *known != what) {
            return Err(refuse(200_770));
        }
        entity.uuids.insert(uuid.to_owned(), what);
    }
    if sequence <= entity.sequence || i32::try_from(sequence).is_err() {
        return Err(refuse(300_317));
    }
    entity.sequence = sequence;
    Ok(entity)
}

/// Takes the changed card over if it is one, and shows it.
fn keep(world: &mut World, call: &Call, card: Value) -> Result<Reply, Refusal> {
    check(&card)?;
    if let Some(entity) = world.cards.get_mut(call.param(0)) {
        let was_streaming = entity.streaming_since;
        entity.streaming_since = card::is_streaming(&card).then(|| was_streaming.unwrap_or(call.at));
        if entity.streaming_since.is_some() {
            entity.is_timed_out = false;
        }
        entity.card = card;
    }
    world.redraw(call.param(0));
    Ok(Reply::Data(json!({})))
}

fn update(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    entity(world, call)?;
    let card = card_json(call.body.get("card").unwrap_or(&Value::Null))?;
    keep(world, call, card)
}

fn settings(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let mut card = entity(world, call)?.card.clone();
    let change = parse(call.text("settings"))?;
    if !change.is_object() {
        return Err(refuse(10_002));
    }
    card::merge(&mut card, &change);
    keep(world, call, card)
}

fn list(text: &str) -> Result<Vec<Value>, Refusal> {
    match parse(text)? {
        Value::Array(list) => Ok(list),
        _ => Err(refuse(10_002)),
    }
}

fn place(card: &mut Value, kind: &str, target: &str, new: Vec<Value>) -> Result<(), Refusal> {
    let target = (!target.is_empty()).then_some(target);
    let is_done = match kind {
        "append" => card::insert(card, None, true, new),
        "insert_before" => card::insert(card, target, false, new),
        "insert_after" => card::insert(card, target, true, new),
        _ => return Err(refuse(10_002)),
    };
    if is_done { Ok(()) } else { Err(refuse(300_315)) }
}

fn lay_over(card: &mut Value, id: &str, change: &Value) -> Result<(), Refusal> {
    let mut new = card::element(card, id).cloned().ok_or_else(|| refuse(300_313))?;
    if change.get("tag").is_some_and(|tag| Some(tag) != new.get("tag")) {
        return Err(refuse(300_312));
    }
    card::merge(&mut new, change);
    if card::replace(card, id, vec![new]) { Ok(()) } else { Err(refuse(300_313)) }
}

fn batch_update(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let mut card = entity(world, call)?.card.clone();
    for action in list(call.text("actions"))? {
        let params = action.get("params").cloned().unwrap_or_default();
        let text = |key: &str| params.get(key).and_then(Value::as_str).unwrap_or_default();
        let elements = || params.get("elements").and_then(Value::as_array).cloned().unwrap_or_default();
        match action.get("action").and_then(Value::as_str).unwrap_or_default() {
            "partial_update_setting" => {
                card::merge(&mut card, params.get("settings").unwrap_or(&Value::Null));
            }
            "add_elements" => place(&mut card, text("type"), text("target_element_id"), elements())?,
            "delete_elements" => {
                for id in params.get("element_ids").and_then(Value::as_array).into_iter().flatten() {
                    if !card::replace(&mut card, id.as_str().unwrap_or_default(), Vec::new()) {
                        return Err(refuse(300_314));
                    }
                }
            }
            "partial_update_element" => {
                let change = params.get("partial_element").cloned().unwrap_or_default();
                lay_over(&mut card, text("element_id"), &change)?;
            }
            "update_element" => {
                let new = params.get("element").cloned().unwrap_or_default();
                if !card::replace(&mut card, text("element_id"), vec![new]) {
                    return Err(refuse(300_313));
                }
            }
            _ => return Err(refuse(10_002)),
        }
    }
    keep(world, call, card)
}

fn add(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let entity = entity(world, call)?;
    if entity.is_timed_out {
        return Err(refuse(200_510));
    }
    let mut card = entity.card.clone();
    place(&mut card, call.text("type"), call.text("target_element_id"), list(call.text("elements"))?)?;
    keep(world, call, card)
}

fn content(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let entity = entity(world, call)?;
    if entity.is_timed_out {
        return Err(refuse(200_850));
    }
    if entity.streaming_since.is_none() {
        return Err(refuse(300_309));
    }
    let text = call.text("content");
    if !(1..=MOST_CHARS).contains(&text.chars().count()) {
        return Err(refuse(10_002));
    }
    let mut card = entity.card.clone();
    let id = call.param(1);
    let tag = card::element(&card, id).ok_or_else(|| refuse(300_313))?.get("tag").and_then(Value::as_str);
    if !matches!(tag, Some("markdown" | "plain_text" | "div")) {
        return Err(refuse(300_310));
    }
    let change =
        if tag == Some("div") { json!({"text": {"content": text}}) } else { json!({"content": text}) };
    lay_over(&mut card, id, &change)?;
    // A long text may pass what a card may weigh otherwise.
    if let Some(entity) = world.cards.get_mut(call.param(0)) {
        entity.card = card;
    }
    world.redraw(call.param(0));
    Ok(Reply::Data(json!({})))
}

fn replace(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let mut card = entity(world, call)?.card.clone();
    let new = parse(call.text("element"))?;
    if !card::replace(&mut card, call.param(1), vec![new]) {
        return Err(refuse(300_313));
    }
    keep(world, call, card)
}

fn patch(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let mut card = entity(world, call)?.card.clone();
    lay_over(&mut card, call.param(1), &parse(call.text("partial_element"))?)?;
    keep(world, call, card)
}

fn delete(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let mut card = entity(world, call)?.card.clone();
    if !card::replace(&mut card, call.param(1), Vec::new()) {
        return Err(refuse(300_314));
    }
    keep(world, call, card)
}
