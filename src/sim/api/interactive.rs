//! Changing a card after its callback was answered. The page lists no codes: what is refused here comes as an
//! invalid parameter that says why.

use serde_json::{Value, json};

use super::{Call, Refusal, Reply, Spec, refuse};
use crate::sim::world::World;

const EDIT: &[&str] = &["im:message", "im:message:send_as_bot", "im:message:update"];

pub(super) const SPECS: &[Spec] =
    &[Spec::new("interactive.card.update", "POST", "interactive/v1/card/update", EDIT, update)];

const CARD_BYTES: usize = 30 * 1024;

fn refused(why: &str) -> Refusal {
    refuse(10_002).saying(why)
}

fn update(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let text = call.required("token")?;
    let card =
        call.body.get("card").filter(|card| card.is_object()).ok_or_else(|| super::missing_field("card"))?;
    let token = world.card_tokens.get_mut(text).filter(|token| token.app == call.app);
    let token = token.ok_or_else(|| refused("the token is invalid"))?;
    if token.until <= call.at {
        return Err(refused("the token has expired"));
    }
    if !token.is_answered {
        return Err(refused("the callback of this token is not answered yet"));
    }
    if token.uses == 0 {
        return Err(refused("the token has been used twice"));
    }
    if card.to_string().len() > CARD_BYTES {
        return Err(refuse(230_025));
    }
    let is_shared = card.get("schema").and_then(Value::as_str) == Some("2.0")
        || card.pointer("/config/update_multi").and_then(Value::as_bool) == Some(true);
    let some = card.get("open_ids").and_then(Value::as_array).is_some_and(|ids| !ids.is_empty());
    if !is_shared && !some {
        return Err(refuse(300_090));
    }
    token.uses -= 1;
    let message = token.message;
    // A card of one's own changes for those who are named and nowhere that a call could read.
    if is_shared {
        let mut new = card.clone();
        if let Some(new) = new.as_object_mut() {
            new.remove("open_ids");
        }
        world.show_card(message, new);
    }
    Ok(Reply::Data(json!({})))
}
