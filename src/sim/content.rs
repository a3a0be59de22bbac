//! Contents as they are sent, turned into contents as they are received.

use serde_json::{Map, Value, json};

use super::{
    api::{Refusal, refuse},
    card,
    world::{Actor, Mentioned, World},
};

const TEXT_BYTES: usize = 150 * 1024;
const CARD_BYTES: usize = 30 * 1024;

/// A content in its received form.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// JSON text.
    pub(super) content: String,
    /// Mentions whose keys stand in it.
    pub(super) mentions: Vec<Mentioned>,
    /// The card entity it shows.
    pub(super) card_id: Option<String>,
}

fn bad(what: &str) -> Refusal {
    refuse(230_001).saying(&format!("Your request contains an invalid request parameter, ext={what}"))
}

/// The key of a mention: a new one, or that of an earlier mention of the same person.
fn key_for(mentions: &mut Vec<Mentioned>, who: Actor) -> String {
    if let Some(known) = mentions.iter().find(|it| it.who == who) {
        return known.key.clone();
    }
    let key = match who {
        Actor::System => "@_all".to_owned(),
        _ => format!("@_user_{}", mentions.iter().filter(|it| it.who != Actor::System).count() + 1),
    };
    mentions.push(Mentioned { key: key.clone(), who });
    key
}

impl World {
    /// What `app` sends, as everybody will receive it.
    pub(super) fn receive(&mut self, app: usize, msg_type: &str, content: &str) -> Result<Received, Refusal> {
        let limit = if matches!(msg_type, "post" | "interactive") { CARD_BYTES } else { TEXT_BYTES };
        if content.len() > limit {
            return Err(refuse(230_025));
        }
        let sent: Value =
            serde_json::from_str(content).map_err(|_| bad("content is not a string in json format"))?;
        let Some(object) = sent.as_object() else { return Err(bad("content is not a JSON object")) };
        let mut received = Received::default();
        let body = match msg_type {
            "text" => self.receive_text(app, object, &mut received.mentions)?,
            "post" => self.receive_post(app, object, &mut received.mentions)?,
            "image" | "file" | "audio" | "media" | "sticker" => self.receive_file(app, msg_type, object)?,
            "interactive" => {
                let (body, card_id) = self.receive_card(app, &sent)?;
                received.card_id = card_id;
                body
            }
            "share_chat" | "share_user" | "system" => sent.clone(),
            _ => return Err(bad("invalid msg_type")),
        };
        received.content = body.to_string();
        Ok(received)
    }

    fn receive_text(
        &self,
        app: usize,
        sent: &Map<String, Value>,
        mentions: &mut Vec<Mentioned>,
    ) -> Result<Value, Refusal> {
        let text = sent.get("text").and_then(Value::as_str).filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| bad("text is empty"))?;
        Ok(json!({"text": self.read_ats(app, text, mentions)}))
    }

    /// Replaces `<at user_id="…">…</at>` by keys.
    fn read_ats(&self, app: usize, text: &str, mentions: &mut Vec<Mentioned>) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, tag)) = rest.split_once("<at ") {
            out.push_str(before);
            let Some((attributes, after)) = tag.split_once('>') else {
                out.push_str("<at ");
                rest = tag;
                continue;
            };
            let id =
                attributes.split(['"', '\'', '=']).rfind(|part| !part.trim().is_empty()).unwrap_or_default();
            let body = after.split_once("</at>");
            match (self.mentioned(app, id.trim()), body) {
                (Some(who), Some((_, after))) => {
                    out.push_str(&key_for(mentions, who));
                    rest = after;
                }
                _ => {
                    out.push_str("<at ");
                    rest = tag;
                }
            }
        }
        out.push_str(rest);
        out
    }

    fn mentioned(&self, app: usize, id: &str) -> Option<Actor> {
        if id == "all" {
            return Some(Actor::System);
        }
        let person = super::people::IdType::parse(match id.get(..3) {
            Some("on_") => "union_id",
            Some("ou_") => "open_id",
            _ => "user_id",
        })
        .and_then(|id_type| self.person_by_id(app, id, id_type));
        let bot = || (0..self.apps.len()).find(|bot| self.bot_open_id(app, *bot) == id).map(Actor::App);
        person.map(Actor::Person).or_else(bot)
    }

    fn receive_post(
        &self,
        app: usize,
        sent: &Map<String, Value>,
        mentions: &mut Vec<Mentioned>,
    ) -> Result<Value, Refusal> {
        // The locale level goes: a reader gets the one that fits.
        let inner = sent.get("post").and_then(Value::as_object).unwrap_or(sent);
        let body =
            ["zh_cn", "en_us", "ja_jp"].iter().find_map(|key| inner.get(*key)).or(inner.values().next());
        let body = body.and_then(Value::as_object).ok_or_else(|| bad("invalid post content"))?;
        let lines =
            body.get("content").and_then(Value::as_array).ok_or_else(|| bad("invalid post content"))?;
        let mut out = Vec::new();
        for line in lines {
            let mut parts = Vec::new();
            for part in line.as_array().into_iter().flatten() {
                parts.push(self.receive_part(app, part, mentions));
            }
            out.push(Value::Array(parts));
        }
        Ok(json!({"title": body.get("title").and_then(Value::as_str).unwrap_or_default(), "content": out}))
    }

    fn receive_part(&self, app: usize, part: &Value, mentions: &mut Vec<Mentioned>) -> Value {
        let text = |key: &str| part.get(key).and_then(Value::as_str).unwrap_or_default();
        match text("tag") {
            "at" => match self.mentioned(app, text("user_id")) {
                Some(who) => {
                    let name = self.name_of(who);
                    json!({"tag": "at", "user_id": key_for(mentions, who), "user_name": name, "style": []})
                }
                None => json!({"tag": "text", "text": format!("@{}", text("user_id")), "style": []}),
            },
            "md" => json!({"tag": "text", "text": text("text"), "style": []}),
            "text" if part.get("style").is_none() => {
                json!({"tag": "text", "text": text("text"), "style": []})
            }
            _ => part.clone(),
        }
    }

    fn receive_file(&self, app: usize, msg_type: &str, sent: &Map<String, Value>) -> Result<Value, Refusal> {
        let key_name = if msg_type == "image" { "image_key" } else { "file_key" };
        let key = sent.get(key_name).and_then(Value::as_str).unwrap_or_default();
        let Some(resource) = self.resources.get(key) else { return Err(bad(&format!("invalid {key_name}"))) };
        if resource.owner != Actor::App(app) {
            return Err(refuse(230_017));
        }
        let fits = match msg_type {
            "image" => resource.kind == "image",
            "audio" => resource.kind == "opus",
            "media" => resource.kind == "mp4",
            _ => resource.kind != "image",
        };
        if !fits {
            return Err(refuse(230_055));
        }
        Ok(match msg_type {
            "image" => json!({"image_key": key}),
            "audio" => json!({"file_key": key, "duration": resource.duration_ms.unwrap_or(0)}),
            "media" => json!({
                "file_key": key, "file_name": resource.name, "duration": resource.duration_ms.unwrap_or(0),
                "image_key": sent.get("image_key").and_then(Value::as_str).unwrap_or_default(),
            }),
            _ => json!({"file_key": key, "file_name": resource.name}),
        })
    }

    fn receive_card(&self, app: usize, sent: &Value) -> Result<(Value, Option<String>), Refusal> {
        let inner = |code: i64, message: &str| {
            refuse(230_099).saying(&format!(
                "Failed to create card content, ext=ErrCode: {code}; ErrMsg: {message}; ErrorValue: ; "
            ))
        };
        match sent.get("type").and_then(Value::as_str) {
            Some("card") => {
                let id = sent.pointer("/data/card_id").and_then(Value::as_str).unwrap_or_default();
                let entity =
                    self.cards.get(id).ok_or_else(|| inner(200_740, "the card entity does not exist"))?;
                if entity.app != app || entity.message.is_some() {
                    return Err(inner(
                        300_311,
                        "the card entity is not this app's, or has been sent already",
                    ));
                }
                Ok((card::simplified(&entity.card), Some(id.to_owned())))
            }
            Some("template") => {
                let id = sent.pointer("/data/template_id").and_then(Value::as_str).unwrap_or_default();
                if id.is_empty() {
                    return Err(inner(200_380, "template does not exist"));
                }
                Ok((json!({"title": "", "elements": [[{"tag": "text", "text": id}]]}), None))
            }
            _ => {
                if card::elements(sent).is_empty() && sent.get("i18n_elements").is_none() {
                    return Err(inner(200_621, "parse card json err: no elements"));
                }
                if card::count(sent) > 200 {
                    return Err(inner(11_310, "card element number exceeds the limit"));
                }
                Ok((card::simplified(sent), None))
            }
        }
    }

    /// What a person of a script types: `@[name]` and `@[all]` are mentions.
    pub(super) fn typed(&self, text: &str, mentions: &mut Vec<Mentioned>) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, tag)) = rest.split_once("@[") {
            out.push_str(before);
            let Some((name, after)) = tag.split_once(']') else {
                out.push_str("@[");
                rest = tag;
                continue;
            };
            let who = if name == "all" { Some(Actor::System) } else { self.actor(name) };
            match who {
                Some(who) => out.push_str(&key_for(mentions, who)),
                None => out.push_str(name),
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// Somebody by name: a person or a bot.
    pub(super) fn actor(&self, name: &str) -> Option<Actor> {
        self.people
            .by_name(name)
            .map(Actor::Person)
            .or_else(|| self.apps.iter().position(|app| app.plan.name == name).map(Actor::App))
    }
}
