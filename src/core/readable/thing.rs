//! What is neither text nor card: recordings, places, tasks, votes, what the platform says itself.

use serde_json::{Map, Value};

use super::{Writer, text_of, whole};
use crate::core::lang::{Phrase, phrase};

const LOCATION: Phrase = phrase("[location]", "[位置]");
const TASK: Phrase = phrase("[task]", "[任务]");
const VOTE: Phrase = phrase("[vote]", "[投票]");
const SYSTEM: Phrase = phrase("[system message]", "[系统消息]");

impl Writer<'_> {
    pub(super) fn recording(&mut self, word: Phrase, body: &Map<String, Value>) {
        self.word_and(word, text_of(body, "file_name"));
        if let Some(ms) = body.get("duration").and_then(whole) {
            let s = ms.div_ceil(1000);
            self.push(&format!(" {}:{:02}", s / 60, s % 60));
        }
    }

    pub(super) fn shared(&mut self, word: Phrase, id: Option<&str>) {
        let name = id.and_then(|id| (self.names)(id));
        self.word_and(word, name.as_deref().or(id));
    }

    pub(super) fn location(&mut self, body: &Map<String, Value>) {
        self.word_and(LOCATION, text_of(body, "name"));
        if let (Some(lat), Some(lon)) = (text_of(body, "latitude"), text_of(body, "longitude")) {
            self.push(&format!(" ({lat}, {lon})"));
        }
    }

    pub(super) fn task(&mut self, body: &Map<String, Value>) {
        self.word(TASK);
        match body.get("summary") {
            Some(Value::String(summary)) => {
                self.push(" ");
                self.push(summary);
            }
            Some(Value::Object(summary)) => {
                self.push(" ");
                self.post(summary);
            }
            _ => {}
        }
    }

    pub(super) fn vote(&mut self, body: &Map<String, Value>) {
        self.word_and(VOTE, text_of(body, "topic"));
        for option in body.get("options").and_then(Value::as_array).into_iter().flatten() {
            if let Some(option) = option.as_str() {
                self.line();
                self.push("- ");
                self.push(option);
            }
        }
    }

    /// `{from_user} invited {to_chatters} to this chat.`: the holes name members with texts or lists.
    pub(super) fn system(&mut self, body: &Map<String, Value>) {
        let divider = body.get("divider_text").and_then(Value::as_object);
        let Some(template) = text_of(body, "template").filter(|template| !template.is_empty()) else {
            return match divider.and_then(|divider| text_of(divider, "text")) {
                Some(text) => self.push(&format!("── {text} ──")),
                None => self.word(SYSTEM),
            };
        };
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            self.push(before);
            let Some((name, behind)) = after.split_once('}') else {
                self.push("{");
                rest = after;
                continue;
            };
            match body.get(name) {
                Some(value) => self.hole(value),
                None => self.push(&format!("{{{name}}}")),
            }
            rest = behind;
        }
        self.push(rest);
    }

    fn hole(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.push(text),
            Value::Number(number) => self.push(&number.to_string()),
            Value::Object(object) => self.push(text_of(object, "text").unwrap_or_default()),
            Value::Array(values) => {
                for (at, value) in values.iter().filter_map(Value::as_str).enumerate() {
                    if at > 0 {
                        self.push(", ");
                    }
                    self.push(value);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }
}
