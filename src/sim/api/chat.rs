//! Chats: list, read, open, change, disband, share.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Call, Refusal, Reply, Spec, page, page_body, refuse};
use crate::sim::{
    people::IdType,
    world::{Actor, Used, World},
};

const READ: &[&str] = &["im:chat", "im:chat:read", "im:chat:readonly"];
const LIST: &[&str] = &["im:chat", "im:chat:read", "im:chat:readonly", "im:chat.group_info:readonly"];

pub(super) const SPECS: &[Spec] = &[
    Spec::new("im.chat.list", "GET", "im/v1/chats", LIST, list),
    Spec::new("im.chat.create", "POST", "im/v1/chats", &["im:chat", "im:chat:create"], create),
    Spec::new("im.chat.search", "GET", "im/v1/chats/search", READ, search),
    Spec::new("im.chat.get", "GET", "im/v1/chats/:chat_id", READ, get),
    Spec::new("im.chat.update", "PUT", "im/v1/chats/:chat_id", &["im:chat", "im:chat:update"], update)
        .changing(),
    Spec::new("im.chat.delete", "DELETE", "im/v1/chats/:chat_id", &["im:chat", "im:chat:delete"], delete)
        .changing(),
    Spec::new(
        "im.chat.link",
        "POST",
        "im/v1/chats/:chat_id/link",
        &["im:chat", "im:chat:read", "im:chat:readonly"],
        link,
    ),
];

/// Settings that create and update take over as they are.
const SETTINGS: [&str; 20] = [
    "name",
    "description",
    "avatar",
    "i18n_names",
    "chat_mode",
    "group_message_type",
    "chat_type",
    "join_message_visibility",
    "leave_message_visibility",
    "membership_approval",
    "urgent_setting",
    "video_conference_setting",
    "edit_permission",
    "hide_member_count_setting",
    "restricted_mode_setting",
    "add_member_permission",
    "share_card_permission",
    "at_all_permission",
    "pin_manage_setting",
    "labels",
];

/// Seconds for which a uuid makes only one chat.
const UUID_S: u64 = 10 * 3600;

impl World {
    /// The chat of a call, as far as the caller may see it.
    pub(in crate::sim) fn chat_of(&self, call: &Call) -> Result<usize, Refusal> {
        self.needs_bot(call.app, 232_025)?;
        let no = self.chat_index.get(call.param(0)).copied().ok_or_else(|| refuse(232_006))?;
        match self.chats.get(no) {
            Some(chat) if chat.bots.contains(&call.app) || chat.fact("chat_type") == "public" => Ok(no),
            _ => Err(refuse(232_011)),
        }
    }

    /// The same, and it must still live and have the caller in it.
    pub(in crate::sim) fn open_chat_of(&self, call: &Call) -> Result<usize, Refusal> {
        let no = self.chat_of(call)?;
        match self.chats.get(no) {
            Some(chat) if !chat.is_open() => Err(refuse(232_009)),
            Some(chat) if !chat.bots.contains(&call.app) => Err(refuse(232_011)),
            _ => Ok(no),
        }
    }

    /// The bot capability must be on.
    pub(in crate::sim) fn needs_bot(&self, app: usize, code: i64) -> Result<(), Refusal> {
        if self.apps.get(app).is_some_and(|app| app.plan.bot) { Ok(()) } else { Err(refuse(code)) }
    }

    /// Whether the app may change what only owner and managers may.
    pub(in crate::sim) fn rules(&self, app: usize, chat: usize) -> bool {
        let me = Actor::App(app);
        self.chats.get(chat).is_some_and(|chat| {
            chat.owner == me
                || chat.managers.contains(&me)
                || (chat.creator == me && self.grants(app, &["im:chat:operate_as_owner"]))
        })
    }

    fn chat_facts(&self, app: usize, no: usize, id_type: IdType) -> Map<String, Value> {
        let mut facts = Map::new();
        let Some(chat) = self.chats.get(no) else { return facts };
        facts.extend(chat.facts.clone());
        facts.insert("external".to_owned(), json!(false));
        facts.insert("tenant_key".to_owned(), json!(self.tenant()));
        if let Actor::Person(owner) = chat.owner {
            facts.insert("owner_id".to_owned(), json!(self.person_id(app, owner, id_type)));
            facts.insert("owner_id_type".to_owned(), json!(id_type.as_str()));
        }
        facts
    }

    fn chat_item(&self, app: usize, no: usize, id_type: IdType) -> Option<Value> {
        let chat = self.chats.get(no)?;
        let facts = self.chat_facts(app, no, id_type);
        let mut item = Map::new();
        item.insert("chat_id".to_owned(), json!(chat.id));
        for key in ["avatar", "name", "description", "owner_id", "owner_id_type", "external", "tenant_key"] {
            if let Some(value) = facts.get(key) {
                item.insert(key.to_owned(), value.clone());
            }
        }
        item.insert("chat_status".to_owned(), json!(chat.status));
        Some(Value::Object(item))
    }

    fn chats_with(&self, app: usize, by_active: bool) -> Vec<usize> {
        let mut mine: Vec<usize> = (0..self.chats.len())
            .filter(|no| {
                let chat = self.chats.get(*no);
                chat.is_some_and(|it| {
                    it.bots.contains(&app) && it.fact("chat_mode") != "p2p" && it.status != "dissolved"
                })
            })
            .collect();
        let key = |no: &usize| {
            self.chats
                .get(*no)
                .map_or((0, *no), |it| if by_active { (-it.active_ms, *no) } else { (it.created_ms, *no) })
        };
        mine.sort_by_key(key);
        mine
    }
}

fn list(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    world.needs_bot(call.app, 232_025)?;
    let id_type = call.id_type("user_id_type")?;
    let size = call.page_size(20, 100)?;
    let by_active = match call.query("sort_type") {
        "" | "ByCreateTimeAsc" => false,
        "ByActiveTimeDesc" => true,
        other => return Err(Refusal::field("sort_type", other, "ByCreateTimeAsc or ByActiveTimeDesc")),
    };
    let mine = world.chats_with(call.app, by_active);
    let (places, next) = page(&mine, call.query("page_token"), size, 232_001)?;
    let items =
        places.into_iter().filter_map(|at| world.chat_item(call.app, *mine.get(at)?, id_type)).collect();
    Ok(Reply::Data(page_body(items, next)))
}

fn search(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    world.needs_bot(call.app, 232_025)?;
    let id_type = call.id_type("user_id_type")?;
    let size = call.page_size(20, 100)?;
    let query = call.query("query").to_lowercase();
    let mut mine = world.chats_with(call.app, false);
    mine.retain(|no| world.chats.get(*no).is_some_and(|chat| chat.name().to_lowercase().contains(&query)));
    let (places, next) = page(&mine, call.query("page_token"), size, 232_001)?;
    let items =
        places.into_iter().filter_map(|at| world.chat_item(call.app, *mine.get(at)?, id_type)).collect();
    Ok(Reply::Data(page_body(items, next)))
}

fn get(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let id_type = call.id_type("user_id_type")?;
    let no = world.chat_of(call)?;
    let mut facts = world.chat_facts(call.app, no, id_type);
    let Some(chat) = world.chats.get(no) else { return Err(refuse(232_006)) };
    let (mut people, mut bots) = (Vec::new(), Vec::new());
    for manager in &chat.managers {
        match manager {
            Actor::Person(no) => people.push(json!(world.person_id(call.app, *no, id_type))),
            Actor::App(bot) => bots.push(json!(world.app_id(*bot))),
            Actor::System => {}
        }
    }
    if !chat.bots.contains(&call.app) {
        facts.retain(|key, _| matches!(key.as_str(), "name" | "avatar"));
    }
    facts.insert("user_manager_id_list".to_owned(), json!(people));
    facts.insert("bot_manager_id_list".to_owned(), json!(bots));
    facts.insert("user_count".to_owned(), json!(chat.members.len().to_string()));
    facts.insert("bot_count".to_owned(), json!(chat.bots.len().to_string()));
    facts.insert("chat_status".to_owned(), json!(chat.status));
    Ok(Reply::Data(Value::Object(facts)))
}

fn settings(world: &World, call: &Call) -> Result<Map<String, Value>, Refusal> {
    let mut facts = Map::new();
    for key in SETTINGS {
        if let Some(value) = call.body.get(key).filter(|value| !value.is_null()) {
            facts.insert(key.to_owned(), value.clone());
        }
    }
    let name = facts.get("name").and_then(Value::as_str).unwrap_or_default();
    let is_public = facts.get("chat_type").and_then(Value::as_str) == Some("public");
    if is_public && name.chars().count() < 2 {
        return Err(refuse(232_020));
    }
    if name.chars().count() > 100 || call.text("description").chars().count() > 100 {
        return Err(refuse(232_001));
    }
    let pair = |key: &str| facts.get(key).and_then(Value::as_str);
    let fits = match (pair("add_member_permission"), pair("share_card_permission")) {
        (None, None) => true,
        (Some(add), Some(share)) => {
            matches!((add, share), ("all_members", "allowed") | ("only_owner", "not_allowed"))
        }
        _ => false,
    };
    let is_known = call.body.get("owner_id").and_then(Value::as_str).is_none_or(|id| {
        call.id_type("user_id_type").is_ok_and(|id_type| world.person_by_id(call.app, id, id_type).is_some())
    });
    if !is_known {
        return Err(refuse(232_035));
    }
    if fits { Ok(facts) } else { Err(refuse(232_001)) }
}

fn owner(world: &World, call: &Call) -> Option<Actor> {
    let id_type = call.id_type("user_id_type").ok()?;
    world.person_by_id(call.app, call.text("owner_id"), id_type).map(Actor::Person)
}

fn created(world: &World, call: &Call, no: usize) -> Result<Reply, Refusal> {
    let mut data = Map::new();
    if let Some(chat) = world.chats.get(no) {
        data.insert("chat_id".to_owned(), json!(chat.id));
    }
    data.extend(world.chat_facts(call.app, no, call.id_type("user_id_type")?));
    Ok(Reply::Data(Value::Object(data)))
}

fn create(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    world.needs_bot(call.app, 232_025)?;
    let id_type = call.id_type("user_id_type")?;
    let uuid = format!("{} {} {}", call.app, call.query("uuid"), call.text("owner_id"));
    let window = world.clock.span(Duration::from_secs(UUID_S));
    if !call.query("uuid").is_empty()
        && let Some(used) = world.chat_uuids.get(&uuid)
        && call.at - used.at < window
    {
        let made = used.made;
        return created(world, call, made);
    }
    let mut facts = settings(world, call)?;
    let ids = call.texts("user_id_list");
    let bots = call.texts("bot_id_list");
    if ids.len() > 50 || bots.len() > 5 {
        return Err(refuse(232_001));
    }
    let people: Vec<usize> = ids.iter().filter_map(|id| world.person_by_id(call.app, id, id_type)).collect();
    let sees = |no: &usize| world.people.get(*no).is_some_and(|person| !person.is_blind);
    if people.len() != ids.len() {
        return Err(refuse(232_043));
    }
    if !people.iter().all(sees) {
        return Err(refuse(232_024));
    }
    if !facts.contains_key("name") {
        facts.insert("name".to_owned(), json!("(无主题)"));
    }
    let me = Actor::App(call.app);
    let owner = owner(world, call);
    let no = world.open_chat(me, owner.unwrap_or(me), facts);
    if let Some(Actor::Person(person)) = owner {
        world.join(no, &[person], me, false);
    }
    world.join(no, &people, me, false);
    world.set_bot(no, call.app, me, true);
    for bot in bots {
        let found =
            world.apps.iter().position(|app| app.plan.app_id == bot).ok_or_else(|| refuse(232_021))?;
        world.set_bot(no, found, me, true);
    }
    if call.query("set_bot_manager") == "true"
        && owner.is_some()
        && let Some(chat) = world.chats.get_mut(no)
    {
        chat.managers.insert(me);
    }
    if !call.query("uuid").is_empty() {
        world.chat_uuids.insert(uuid, Used { at: call.at, made: no });
    }
    created(world, call, no)
}

fn update(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let no = world.open_chat_of(call)?;
    let facts = settings(world, call)?;
    let me = Actor::App(call.app);
    let (is_free, is_owner) = world
        .chats
        .get(no)
        .map_or((false, false), |chat| (chat.fact("edit_permission") == "all_members", chat.owner == me));
    let rules = world.rules(call.app, no);
    let is_plain =
        facts.keys().all(|key| matches!(key.as_str(), "name" | "description" | "avatar" | "i18n_names"));
    let may = rules || (is_free && is_plain);
    if !may {
        return Err(refuse(232_016));
    }
    if let Some(new) = owner(world, call) {
        if !is_owner {
            return Err(refuse(232_017));
        }
        if let Some(chat) = world.chats.get_mut(no) {
            chat.owner = new;
        }
        if let Actor::Person(person) = new {
            world.join(no, &[person], me, true);
        }
    }
    world.change_chat(no, &facts, me);
    Ok(Reply::Data(json!({})))
}

fn delete(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let no = world.open_chat_of(call)?;
    let me = Actor::App(call.app);
    let may = world.chats.get(no).is_some_and(|chat| {
        chat.owner == me || (chat.creator == me && world.grants(call.app, &["im:chat:operate_as_owner"]))
    });
    if !may {
        return Err(refuse(232_017));
    }
    world.disband(no, me, false);
    Ok(Reply::Data(json!({})))
}

fn link(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let no = world.open_chat_of(call)?;
    let days: Option<i64> = match call.text("validity_period") {
        "" | "week" => Some(7),
        "year" => Some(365),
        "permanently" => None,
        _ => return Err(refuse(232_001)),
    };
    let expires = days.map(|days| (call.now_ms / 1000 + days * 86_400).to_string());
    let id = world.chats.get(no).map(|chat| chat.id.clone()).unwrap_or_default();
    Ok(Reply::Data(json!({
        "share_link": format!("https://applink.feishu.cn/client/chat/chatter/add_by_link?link_token={id}"),
        "expire_time": expires.unwrap_or_default(),
        "is_permanent": days.is_none(),
    })))
}
