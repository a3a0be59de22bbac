//! Members of a chat.

use serde_json::{Value, json};

use super::{Call, Refusal, Reply, Spec, page, refuse};
use crate::sim::{
    people::IdType,
    world::{Actor, World},
};

const WRITE: &[&str] = &["im:chat", "im:chat.members:write_only"];
const READ: &[&str] = &["im:chat", "im:chat:readonly", "im:chat.members:read", "im:chat.group_info:readonly"];
const JOIN: &[&str] = &["im:chat", "im:chat.members:write_only", "im:chat.members:bot_access"];

pub(super) const SPECS: &[Spec] = &[
    Spec::new("im.chat.members.create", "POST", "im/v1/chats/:chat_id/members", WRITE, add).changing(),
    Spec::new("im.chat.members.delete", "DELETE", "im/v1/chats/:chat_id/members", WRITE, remove).changing(),
    Spec::new("im.chat.members.get", "GET", "im/v1/chats/:chat_id/members", READ, list),
    Spec::new("im.chat.members.is_in_chat", "GET", "im/v1/chats/:chat_id/members/is_in_chat", READ, is_in),
    Spec::new("im.chat.members.me_join", "PATCH", "im/v1/chats/:chat_id/members/me_join", JOIN, me_join)
        .changing(),
];

const MOST_MEMBERS: usize = 5000;

/// Either people or, by `member_id_type=app_id`, bots.
enum Whom {
    People(IdType),
    Bots,
}

fn whom(call: &Call) -> Result<Whom, Refusal> {
    match call.query("member_id_type") {
        "app_id" => Ok(Whom::Bots),
        _ => call.id_type("member_id_type").map(Whom::People),
    }
}

fn bots(world: &World, ids: &[&str]) -> Result<Vec<usize>, Refusal> {
    if ids.len() > 5 {
        return Err(refuse(232_001));
    }
    ids.iter()
        .map(|id| world.apps.iter().position(|app| app.plan.app_id == *id).ok_or_else(|| refuse(232_021)))
        .collect()
}

fn add(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let no = world.open_chat_of(call)?;
    let me = Actor::App(call.app);
    let ids = call.texts("id_list");
    if ids.is_empty() || ids.len() > 50 {
        return Err(refuse(232_001));
    }
    let id_type = match whom(call)? {
        Whom::People(id_type) => id_type,
        Whom::Bots => {
            for bot in bots(world, &ids)? {
                world.set_bot(no, bot, me, true);
            }
            return Ok(Reply::Data(json!({
                "invalid_id_list": [], "not_existed_id_list": [], "pending_approval_id_list": [],
            })));
        }
    };
    let (mut usable, mut invalid, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for id in &ids {
        match world.person_by_id(call.app, id, id_type).and_then(|no| Some((no, world.people.get(no)?))) {
            None => unknown.push(*id),
            Some((_, person)) if person.is_blind || person.is_resigned => {
                invalid.push((*id, person.is_resigned))
            }
            Some((person, _)) => usable.push(person),
        }
    }
    match call.query("succeed_type") {
        "" | "0" => {
            if !unknown.is_empty() {
                return Err(refuse(232_043));
            }
            // People who have left are skipped without a word.
            if invalid.iter().any(|(_, has_left)| !has_left) {
                return Err(refuse(232_024));
            }
        }
        "1" => {}
        "2" if unknown.is_empty() && invalid.is_empty() => {}
        "2" => return Err(refuse(232_043)),
        _ => return Err(refuse(232_001)),
    }
    let size = world.chats.get(no).map_or(0, |chat| chat.members.len());
    if size + usable.len() > MOST_MEMBERS {
        return Err(refuse(232_013));
    }
    world.join(no, &usable, me, true);
    let invalid: Vec<&str> = invalid.into_iter().map(|(id, _)| id).collect();
    Ok(Reply::Data(json!({
        "invalid_id_list": invalid, "not_existed_id_list": unknown, "pending_approval_id_list": [],
    })))
}

fn remove(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let no = world.open_chat_of(call)?;
    let me = Actor::App(call.app);
    let ids = call.texts("id_list");
    if ids.is_empty() || ids.len() > 50 {
        return Err(refuse(232_001));
    }
    match whom(call)? {
        Whom::Bots => {
            let bots = bots(world, &ids)?;
            if bots.iter().any(|bot| *bot != call.app) && !world.rules(call.app, no) {
                return Err(refuse(232_017));
            }
            for bot in bots {
                world.set_bot(no, bot, me, false);
            }
            Ok(Reply::Data(json!({"invalid_id_list": []})))
        }
        Whom::People(id_type) => {
            if !world.rules(call.app, no) {
                return Err(refuse(232_017));
            }
            let owner = world.chats.get(no).map(|chat| chat.owner);
            let (mut gone, mut invalid) = (Vec::new(), Vec::new());
            for id in ids {
                match world.person_by_id(call.app, id, id_type) {
                    Some(person) if owner == Some(Actor::Person(person)) => return Err(refuse(232_076)),
                    Some(person) => gone.push(person),
                    None => invalid.push(id),
                }
            }
            world.part(no, &gone, me);
            Ok(Reply::Data(json!({"invalid_id_list": invalid})))
        }
    }
}

fn list(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let no = world.chat_of(call)?;
    let id_type = call.id_type("member_id_type")?;
    let size = call.page_size(20, 100)?;
    let Some(chat) = world.chats.get(no) else { return Err(refuse(232_006)) };
    if !chat.is_open() {
        return Err(refuse(232_009));
    }
    let (places, next) = page(&chat.members, call.query("page_token"), size, 232_001)?;
    let items: Vec<Value> = places
        .into_iter()
        .filter_map(|at| chat.members.get(at))
        .map(|person| {
            json!({
                "member_id_type": id_type.as_str(),
                "member_id": world.person_id(call.app, *person, id_type),
                "name": world.name_of(Actor::Person(*person)),
                "tenant_key": world.tenant(),
            })
        })
        .collect();
    Ok(Reply::Data(json!({
        "items": items, "has_more": next.is_some(), "page_token": next.unwrap_or_default(),
        "member_total": chat.members.len(),
    })))
}

fn is_in(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    world.needs_bot(call.app, 232_025)?;
    let no = world.chat_index.get(call.param(0)).copied().ok_or_else(|| refuse(232_006))?;
    let is_in = world.chats.get(no).is_some_and(|chat| chat.bots.contains(&call.app));
    Ok(Reply::Data(json!({"is_in_chat": is_in})))
}

fn me_join(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let no = world.chat_of(call)?;
    world.set_bot(no, call.app, Actor::App(call.app), true);
    Ok(Reply::Data(json!({})))
}
