//! The app itself: bot, scopes, connections.

use serde_json::{Value, json};

use super::{Call, Pace, Refusal, Reply, Spec, refuse};
use crate::sim::{
    Way,
    people::IdType,
    world::{App, World},
};

const SELF: &[&str] = &["application:application:self_manage", "admin:app.info:readonly"];

/// The events that happen here.
const EVENTS: [&str; 13] = [
    "im.chat.disbanded_v1",
    "im.chat.updated_v1",
    "im.chat.member.bot.added_v1",
    "im.chat.member.bot.deleted_v1",
    "im.chat.member.user.added_v1",
    "im.chat.member.user.withdrawn_v1",
    "im.chat.member.user.deleted_v1",
    "im.message.receive_v1",
    "im.message.recalled_v1",
    "im.message.reaction.created_v1",
    "im.message.reaction.deleted_v1",
    "im.message.message_read_v1",
    "contact.user.updated_v3",
];

pub(super) const SPECS: &[Spec] = &[
    Spec::new("bot.info", "GET", "bot/v3/info", &[], bot),
    Spec::new("application.scopes", "GET", "application/v6/scopes", &[], scopes).pace(Pace::Own(20, 60)),
    Spec::new("application.scopes.apply", "POST", "application/v6/scopes/apply", &[], apply)
        .pace(Pace::Own(20, 60)),
    Spec::new("application.get", "GET", "application/v6/applications/:app_id", SELF, get)
        .pace(Pace::Own(50, 1)),
    Spec::new("event.connection", "GET", "event/v1/connection", &[], connection)
        .pace(Pace::Own(10, 1))
        .exempt(),
    Spec::new("tenant.query", "GET", "tenant/v2/tenant/query", &["tenant:tenant:readonly"], tenant),
];

fn bot(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let app = world.apps.get(call.app).ok_or_else(|| refuse(11_205))?;
    if !app.plan.bot {
        return Err(refuse(11_205));
    }
    Ok(Reply::Flat(json!({"bot": {
        "activate_status": 2,
        "app_name": app.plan.name,
        "avatar_url": "https://s1.example/static/bot.png",
        "ip_white_list": [],
        "open_id": world.bot_open_id(call.app, call.app),
    }})))
}

fn scopes(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let app = world.apps.get(call.app).ok_or_else(|| refuse(10_014))?;
    let pending =
        app.plan.pending_scopes.iter().filter(|scope| !app.scopes.contains(*scope)).map(|it| (it, 2));
    let list: Vec<Value> = app
        .scopes
        .iter()
        .map(|scope| (scope, 1))
        .chain(pending)
        .map(|(scope, status)| json!({"scope_name": scope, "grant_status": status, "scope_type": "tenant"}))
        .collect();
    Ok(Reply::Data(json!({"scopes": list})))
}

fn apply(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    let is_waiting = world.apps.get(call.app).is_some_and(|app| !app.plan.pending_scopes.is_empty());
    if is_waiting {
        Ok(Reply::Data(json!({})))
    } else {
        Err(refuse(212_002).saying("unauthorized scopes were empty"))
    }
}

fn get(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    if call.query("lang").is_empty() {
        return Err(super::missing_field("lang"));
    }
    let app = world.apps.get(call.app).ok_or_else(|| refuse(10_014))?;
    let id = call.param(0);
    if id != "me" && id != app.plan.app_id {
        return Err(refuse(210_504).saying("no such app in tenant"));
    }
    let scopes: Vec<Value> = app
        .scopes
        .iter()
        .map(|scope| json!({"scope": scope, "description": "", "level": 1, "token_types": ["tenant"]}))
        .collect();
    let creator = world.person_id(call.app, 0, IdType::Open);
    let mut object = json!({
        "app_id": app.plan.app_id, "creator_id": creator, "status": 1, "scene_type": 0, "payment_type": 0,
        "app_name": app.plan.name, "description": "", "avatar_url": "https://s1.example/static/bot.png",
        "primary_language": "zh_cn", "redirect_urls": app.plan.redirect_urls, "online_version_id": "oav_0001",
        "unaudit_version_id": "", "scopes": scopes, "mobile_default_ability": "bot", "pc_default_ability": "bot",
    });
    if world.plan.variant.full_app_object {
        crate::sim::card::merge(&mut object, &subscriptions(app));
    }
    Ok(Reply::Data(json!({"app": object})))
}

/// What newer models of the app object have and its page does not.
fn subscriptions(app: &App) -> Value {
    let plan = &app.door.plan;
    let way = if plan.mode == Way::LongConnection { "websocket" } else { "webhook" };
    let has = |name: &&str| !plan.not_subscribed.iter().any(|missing| missing == name);
    let events: Vec<&str> = EVENTS.into_iter().filter(has).collect();
    let callbacks: Vec<&str> = ["card.action.trigger"].into_iter().filter(has).collect();
    let either = |own: &str| if own.is_empty() { plan.url.clone() } else { own.to_owned() };
    let callback = json!({
        "callback_type": way, "request_url": either(&plan.callback_url), "subscribed_callbacks": callbacks,
    });
    json!({
        "event": {
            "subscription_type": way, "request_url": either(&plan.event_url), "subscribed_events": events,
        },
        "callback": callback,
        "callback_info": callback,
        "encryption": {
            "encryption_key": app.plan.encrypt_key, "verification_token": app.plan.verification_token,
        },
        "security": {"redirect_urls": app.plan.redirect_urls},
    })
}

fn connection(world: &mut World, call: &Call) -> Result<Reply, Refusal> {
    Ok(Reply::Data(json!({"online_instance_cnt": world.hub.connections(call.app)})))
}

fn tenant(world: &mut World, _call: &Call) -> Result<Reply, Refusal> {
    let plan = &world.plan.tenant;
    Ok(Reply::Data(json!({"tenant": {
        "name": plan.name, "display_id": "F000000001", "tenant_tag": 2, "tenant_key": plan.key, "avatar": {},
    }})))
}
