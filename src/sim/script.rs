//! Dialogues: who says what, in which form. Data in TOML, built in.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    SimError,
    dice::Dice,
    social::Draft,
    world::{Actor, Mentioned, Resource, World},
};

/// Bots of others that speak in the dialogues: App ID and name.
pub(super) const BOTS: &[(&str, &str)] = &[
    ("cli_b0b0000000000001", "OnCall AI"),
    ("cli_b0b0000000000002", "Grafana"),
    ("cli_b0b0000000000003", "发布机器人"),
];

/// A built-in dialogue, by name.
pub(super) fn text(name: &str) -> Option<&'static str> {
    Some(match name {
        "payments" => include_str!("scenario/script/payments.toml"),
        "replication" => include_str!("scenario/script/replication.toml"),
        "alerts" => include_str!("scenario/script/alerts.toml"),
        "nodes" => include_str!("scenario/script/nodes.toml"),
        "certificate" => include_str!("scenario/script/certificate.toml"),
        "checkout" => include_str!("scenario/script/checkout.toml"),
        "drill" => include_str!("scenario/script/drill.toml"),
        _ => return None,
    })
}

/// A rich text.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Post {
    /// Title.
    #[serde(default)]
    pub(super) title: String,
    /// Paragraphs, as they are typed.
    pub(super) lines: Vec<String>,
    /// A link after them.
    pub(super) link: Option<(String, String)>,
}

/// A line of a dialogue.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Line {
    /// Who says it; empty: the platform.
    pub(super) who: String,
    /// Words. `@[name]` mentions; `{n}`, `{ms}`, `{pct}`, `{pod}` are filled in.
    pub(super) text: String,
    /// Rich text instead.
    pub(super) post: Option<Post>,
    /// Image instead: its caption, which only the file has.
    pub(super) image: Option<String>,
    /// File instead: its name.
    pub(super) file: Option<String>,
    /// Card instead: its title; `text` is the body.
    pub(super) card: Option<String>,
    /// Steps of a card that grows: each replaces the body before it.
    pub(super) answer: Vec<String>,
    /// System message: its template; `who` and `to` fill it in.
    pub(super) system: Option<String>,
    /// Whom a system message is about.
    pub(super) to: Vec<String>,
    /// Name of this line for replies.
    pub(super) id: String,
    /// Name of the line replied to.
    pub(super) re: String,
    /// Whether the reply is in a thread.
    pub(super) thread: bool,
    /// Reactions: `EMOJI name`.
    pub(super) react: Vec<String>,
    /// It is taken back a little later.
    pub(super) recall: bool,
    /// It is split into so many fragments.
    pub(super) fragments: usize,
}

/// A dialogue.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    /// The lines in order.
    pub(super) line: Vec<Line>,
}

impl Script {
    /// The built-in dialogue `name`; empty for no name.
    pub(super) fn load(name: &str) -> Result<Self, SimError> {
        let Some(text) = text(name) else { return Ok(Self { line: Vec::new() }) };
        toml::from_str(text).map_err(|source| SimError::Scenario { name: format!("script {name}"), source })
    }

    /// The people and bots who speak in it, in the order of their first words.
    pub(super) fn cast(&self) -> Vec<&str> {
        let mut cast = Vec::new();
        for line in &self.line {
            let named = std::iter::once(line.who.as_str()).chain(line.to.iter().map(String::as_str));
            let reacting = line.react.iter().filter_map(|it| it.split_once(' ')).map(|(_, name)| name);
            for name in named.chain(reacting) {
                if !name.is_empty() && !cast.contains(&name) {
                    cast.push(name);
                }
            }
        }
        cast
    }
}

fn fill_in(text: &str, dice: &mut Dice, count: u64) -> String {
    if !text.contains('{') {
        return text.to_owned();
    }
    let pod = format!("checkout-api-{:05x}", dice.roll() & 0xf_ffff);
    text.replace("{n}", &count.to_string())
        .replace("{ms}", &dice.between(180, 4900).to_string())
        .replace("{pct}", &dice.between(61, 99).to_string())
        .replace("{pod}", &pod)
}

/// A card of the first version with a title and one paragraph.
pub(super) fn card_content(title: &str, body: &str) -> String {
    json!({"title": title, "elements": [[{"tag": "text", "text": body}]]}).to_string()
}

/// A picture of one grey point.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9bU\0\0\0\nIDATx\x9cch\0\0\0\x82\0\x81w\xcdr\xb6\0\0\0\0IEND\xaeB`\x82";

impl World {
    /// Says a line in a chat; `at_ms` puts it into the past, of which nobody is told.
    pub(super) fn say_line(
        &mut self,
        chat: usize,
        line: &Line,
        parent: Option<usize>,
        at_ms: Option<i64>,
        count: u64,
    ) -> usize {
        let sender = if line.system.is_some() { None } else { self.actor(&line.who) };
        let sender = sender.unwrap_or(Actor::System);
        let mut mentions = Vec::new();
        let words = fill_in(&line.text, &mut self.dice, count);
        let (msg_type, content) = if let Some(post) = &line.post {
            ("post", self.post_content(post, count, &mut mentions))
        } else if let Some(caption) = &line.image {
            let key = self.keep_file(sender, caption, "image", "image/png", Bytes::from_static(PNG));
            ("image", json!({"image_key": key}).to_string())
        } else if let Some(name) = &line.file {
            let data = format!("{name}\n{words}\n").into_bytes();
            let key = self.keep_file(sender, name, "stream", "application/octet-stream", data.into());
            ("file", json!({"file_key": key, "file_name": name}).to_string())
        } else if let Some(title) = &line.card {
            let first = line.answer.first().unwrap_or(&words);
            ("interactive", card_content(title, first))
        } else if let Some(template) = &line.system {
            (
                "system",
                json!({"template": template, "from_user": [line.who], "to_chatters": line.to}).to_string(),
            )
        } else {
            ("text", json!({"text": self.typed(&words, &mut mentions)}).to_string())
        };
        let no = self.write(Draft {
            mentions,
            parent,
            in_thread: line.thread,
            at_ms,
            is_told: at_ms.is_none(),
            fragments: line.fragments,
            ..Draft::new(chat, sender, msg_type, content)
        });
        for reaction in &line.react {
            if let Some((emoji, name)) = reaction.split_once(' ')
                && let Some(who) = self.actor(name)
            {
                self.react(no, who, emoji, at_ms.is_none());
            }
        }
        if let Some(at_ms) = at_ms
            && let Some(message) = self.messages.get_mut(no)
        {
            message.reactions.iter_mut().for_each(|reaction| reaction.at_ms = at_ms + 9000);
        }
        no
    }

    fn post_content(&mut self, post: &Post, count: u64, mentions: &mut Vec<Mentioned>) -> String {
        let mut lines: Vec<Value> = Vec::new();
        for line in &post.lines {
            let words = fill_in(line, &mut self.dice, count);
            lines.push(Value::Array(self.post_parts(&words, mentions)));
        }
        if let Some((words, href)) = &post.link {
            lines.push(json!([{"tag": "a", "text": words, "href": href, "style": []}]));
        }
        json!({"title": post.title, "content": lines}).to_string()
    }

    /// Words and mentions as elements of a paragraph.
    fn post_parts(&self, words: &str, mentions: &mut Vec<Mentioned>) -> Vec<Value> {
        let mut parts = Vec::new();
        for (at, piece) in words.split("@[").enumerate() {
            let mut rest = piece;
            if at > 0
                && let Some((name, after)) = piece.split_once(']')
            {
                let key = self.typed(&format!("@[{name}]"), mentions);
                parts.push(json!({"tag": "at", "user_id": key, "user_name": name, "style": []}));
                rest = after;
            }
            if !rest.is_empty() {
                parts.push(json!({"tag": "text", "text": rest, "style": []}));
            }
        }
        parts
    }

    fn keep_file(
        &mut self,
        owner: Actor,
        name: &str,
        kind: &str,
        content_type: &'static str,
        data: Bytes,
    ) -> String {
        let resource = Resource {
            owner,
            name: name.to_owned(),
            kind: kind.to_owned(),
            content_type,
            data,
            duration_ms: None,
        };
        self.keep_resource(resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Scenario;

    #[test]
    fn every_dialogue_reads_and_its_cast_exists() {
        let world = World::new(Scenario::default(), 1);
        for name in ["payments", "replication", "alerts", "nodes", "certificate", "checkout", "drill"] {
            let script = Script::load(name).unwrap();
            assert!(script.line.len() >= 10, "{name}");
            for who in script.cast() {
                assert!(world.actor(who).is_some(), "{who} in {name}");
            }
            let mut known: Vec<&str> = Vec::new();
            for line in &script.line {
                assert!(line.re.is_empty() || known.contains(&line.re.as_str()), "{} in {name}", line.re);
                known.push(&line.id);
            }
        }
    }
}
