//! What a person reads of a message: the platform's content put in words.
//!
//! Contents are JSON that a stranger chose. Nothing here trusts a member to be there or to be of its type;
//! depth and length are bounded; what cannot be read is shown as it came.

use serde_json::{Map, Value};

use super::{
    lang::{Lang, Phrase, phrase},
    message::Mention,
};

mod attachment;
mod card;
mod markdown;
mod mention;
mod post;
#[cfg(test)]
mod tests;
mod thing;

pub use attachment::{Attachment, AttachmentKind, attachments};

/// Looks a person or chat up by id.
pub type Names<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Most bytes of a readable text. The longest message of the platform has 150 KB.
const MAX_BYTES: usize = 256 * 1024;

const IMAGE: Phrase = phrase("[image]", "[图片]");
const FILE: Phrase = phrase("[file]", "[文件]");
const FOLDER: Phrase = phrase("[folder]", "[文件夹]");
const AUDIO: Phrase = phrase("[audio]", "[语音]");
const VIDEO: Phrase = phrase("[video]", "[视频]");
const STICKER: Phrase = phrase("[sticker]", "[表情包]");
const CARD: Phrase = phrase("[card]", "[卡片]");
const SHARED_CHAT: Phrase = phrase("[shared chat]", "[群名片]");
const SHARED_USER: Phrase = phrase("[shared contact]", "[个人名片]");
const FORWARDED: Phrase = phrase("[forwarded messages]", "[合并转发]");
const MEETING: Phrase = phrase("[video meeting]", "[视频会议]");
const RED_PACKET: Phrase = phrase("[red packet]", "[红包]");
const CALENDAR: Phrase = phrase("[calendar event]", "[日程]");
const UNSUPPORTED: Phrase = phrase("[unsupported message: {}]", "[暂不支持的消息：{}]");
const EMPTY: Phrase = phrase("[empty message]", "[空消息]");

/// What a person reads of a message of type `msg_type` with the platform's `content`: mention keys replaced
/// by `@name`, everything that is no text put in words of `lang`. May have several lines; never empty. The
/// result is as foreign as the content: wrap it in a `SafeText` before it is shown.
pub fn readable(msg_type: &str, content: &str, mentions: &[Mention], names: Names<'_>, lang: Lang) -> String {
    let mut writer = Writer { out: String::new(), mentions, names, lang };
    match serde_json::from_str(content) {
        Ok(Value::Object(body)) => writer.message(msg_type, &body),
        // Recalled messages and forwarded bundles are plain words, not JSON.
        _ if msg_type == "merge_forward" => writer.word(FORWARDED),
        _ => writer.text(content),
    }
    let end = writer.out.trim_end().len();
    writer.out.truncate(end);
    if writer.out.trim_start().is_empty() {
        let empty = if msg_type == "interactive" { CARD } else { EMPTY };
        return empty.get(lang).to_owned();
    }
    writer.out
}

fn text_of<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str)
}

/// A whole number, which the platform writes as a number or as a text.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// The level of a post or text that holds the content: a sent one has a level for each language.
fn localized(body: &Map<String, Value>, lang: Lang) -> &Map<String, Value> {
    if body.contains_key("content") || body.contains_key("title") {
        return body;
    }
    let wanted = match lang {
        Lang::En => "en_us",
        Lang::Zh => "zh_cn",
    };
    let level = body.get(wanted).or_else(|| body.values().find(|value| value.is_object()));
    level.and_then(Value::as_object).unwrap_or(body)
}

struct Writer<'a> {
    out: String,
    mentions: &'a [Mention],
    names: Names<'a>,
    lang: Lang,
}

impl Writer<'_> {
    fn message(&mut self, msg_type: &str, body: &Map<String, Value>) {
        match msg_type {
            "text" => self.text(text_of(body, "text").unwrap_or_default()),
            "post" => self.post(body),
            "image" => self.word(IMAGE),
            "file" => self.word_and(FILE, text_of(body, "file_name")),
            "folder" => self.word_and(FOLDER, text_of(body, "file_name")),
            "audio" => self.recording(AUDIO, body),
            "media" => self.recording(VIDEO, body),
            "sticker" => self.word(STICKER),
            "interactive" => self.card(body),
            "share_chat" => self.shared(SHARED_CHAT, text_of(body, "chat_id")),
            "share_user" => self.shared(SHARED_USER, text_of(body, "user_id")),
            "merge_forward" => self.word(FORWARDED),
            "system" => self.system(body),
            "location" => self.location(body),
            "video_chat" => self.word_and(MEETING, text_of(body, "topic")),
            "todo" => self.task(body),
            "vote" => self.vote(body),
            "hongbao" => self.word(RED_PACKET),
            "share_calendar_event" | "calendar" | "general_calendar" => {
                self.word_and(CALENDAR, text_of(body, "summary").or_else(|| text_of(body, "name")));
            }
            other => self.push(&UNSUPPORTED.fill(self.lang, &[&other])),
        }
    }

    fn push(&mut self, text: &str) {
        let room = MAX_BYTES.saturating_sub(self.out.len());
        let mut end = text.len().min(room);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.out.push_str(text.get(..end).unwrap_or_default());
    }

    /// Begins a new line, unless nothing stands on this one.
    fn line(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.push("\n");
        }
    }

    /// Puts a space between two things on a line.
    fn space(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with(['\n', ' ']) {
            self.push(" ");
        }
    }

    fn word(&mut self, word: Phrase) {
        self.push(word.get(self.lang));
    }

    fn word_and(&mut self, word: Phrase, text: Option<&str>) {
        self.word(word);
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.push(" ");
            self.push(text);
        }
    }
}
