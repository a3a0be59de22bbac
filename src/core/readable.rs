//! What a person reads of a message: the platform's content put in words.
//!
//! Contents are JSON that a stranger chose. Nothing here trusts a member to be there or to be of its type;
//! depth and length are bounded; what cannot be read is shown as it came.

use serde_json::{Map, Value};

use super::{
    lang::{Lang, Phrase, phrase},
    message::Mention,
};

/// Looks a person or chat up by id.
pub type Names<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Most bytes of a readable text. The longest message of the platform has 150 KB.
const MAX_BYTES: usize = 256 * 1024;
/// Deepest nesting of a card's elements that is followed.
const MAX_DEPTH: usize = 24;

const ALL: Phrase = phrase("all", "所有人");
const IMAGE: Phrase = phrase("[image]", "[图片]");
const FILE: Phrase = phrase("[file]", "[文件]");
const FOLDER: Phrase = phrase("[folder]", "[文件夹]");
const AUDIO: Phrase = phrase("[audio]", "[语音]");
const VIDEO: Phrase = phrase("[video]", "[视频]");
const STICKER: Phrase = phrase("[sticker]", "[表情包]");
const CARD: Phrase = phrase("[card]", "[卡片]");
const CHART: Phrase = phrase("[chart]", "[图表]");
const TABLE: Phrase = phrase("[table]", "[表格]");
const SHARED_CHAT: Phrase = phrase("[shared chat]", "[群名片]");
const SHARED_USER: Phrase = phrase("[shared contact]", "[个人名片]");
const FORWARDED: Phrase = phrase("[forwarded messages]", "[合并转发]");
const LOCATION: Phrase = phrase("[location]", "[位置]");
const MEETING: Phrase = phrase("[video meeting]", "[视频会议]");
const TASK: Phrase = phrase("[task]", "[任务]");
const VOTE: Phrase = phrase("[vote]", "[投票]");
const RED_PACKET: Phrase = phrase("[red packet]", "[红包]");
const CALENDAR: Phrase = phrase("[calendar event]", "[日程]");
const SYSTEM: Phrase = phrase("[system message]", "[系统消息]");
const UNSUPPORTED: Phrase = phrase("[unsupported message: {}]", "[暂不支持的消息：{}]");
const EMPTY: Phrase = phrase("[empty message]", "[空消息]");

/// What kind of thing hangs on a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttachmentKind {
    /// A picture.
    Image,
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A voice message.
    Audio,
    /// A video.
    Video,
    /// A sticker; the platform does not let it be fetched.
    Sticker,
}

/// Something that hangs on a message and could be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// What it is.
    pub kind: AttachmentKind,
    /// The platform's key of it. Foreign text.
    pub key: String,
    /// The file's name, where it has one. Foreign text.
    pub name: Option<String>,
    /// Length of a sound or video, milliseconds.
    pub duration_ms: Option<u64>,
}

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

/// What hangs on a message of type `msg_type` with the platform's `content`.
pub fn attachments(msg_type: &str, content: &str) -> Vec<Attachment> {
    let Ok(Value::Object(body)) = serde_json::from_str(content) else { return Vec::new() };
    let kind = match msg_type {
        "image" => AttachmentKind::Image,
        "file" => AttachmentKind::File,
        "folder" => AttachmentKind::Folder,
        "audio" => AttachmentKind::Audio,
        "media" => AttachmentKind::Video,
        "sticker" => AttachmentKind::Sticker,
        "post" => return post_attachments(&body),
        _ => return Vec::new(),
    };
    attachment(kind, &body).into_iter().collect()
}

fn attachment(kind: AttachmentKind, body: &Map<String, Value>) -> Option<Attachment> {
    let key = if kind == AttachmentKind::Image { "image_key" } else { "file_key" };
    let key = text_of(body, key).filter(|key| !key.is_empty())?;
    let duration_ms = body.get("duration").and_then(whole);
    Some(Attachment {
        kind,
        key: key.to_owned(),
        name: text_of(body, "file_name").filter(|name| !name.is_empty()).map(str::to_owned),
        duration_ms,
    })
}

fn post_attachments(body: &Map<String, Value>) -> Vec<Attachment> {
    let paragraphs = localized(body, Lang::En).get("content").and_then(Value::as_array);
    let tags = paragraphs.into_iter().flatten().filter_map(Value::as_array).flatten();
    let read = |tag: &Value| {
        let tag = tag.as_object()?;
        match text_of(tag, "tag")? {
            "img" => attachment(AttachmentKind::Image, tag),
            "media" => attachment(AttachmentKind::Video, tag),
            "file" => attachment(AttachmentKind::File, tag),
            _ => None,
        }
    };
    tags.filter_map(read).collect()
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

    fn recording(&mut self, word: Phrase, body: &Map<String, Value>) {
        self.word_and(word, text_of(body, "file_name"));
        if let Some(ms) = body.get("duration").and_then(whole) {
            let s = ms.div_ceil(1000);
            self.push(&format!(" {}:{:02}", s / 60, s % 60));
        }
    }

    fn shared(&mut self, word: Phrase, id: Option<&str>) {
        let name = id.and_then(|id| (self.names)(id));
        self.word_and(word, name.as_deref().or(id));
    }

    fn location(&mut self, body: &Map<String, Value>) {
        self.word_and(LOCATION, text_of(body, "name"));
        if let (Some(lat), Some(lon)) = (text_of(body, "latitude"), text_of(body, "longitude")) {
            self.push(&format!(" ({lat}, {lon})"));
        }
    }

    fn task(&mut self, body: &Map<String, Value>) {
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

    fn vote(&mut self, body: &Map<String, Value>) {
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
    fn system(&mut self, body: &Map<String, Value>) {
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

    /// A text: mention keys and `<at …>` become `@name`.
    fn text(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find(['@', '<']) {
            let (before, from) = rest.split_at(at);
            self.push(before);
            rest = self.mention_key(from).or_else(|| self.at_tag(from)).unwrap_or_else(|| {
                let (sign, behind) = from.split_at(1);
                self.push(sign);
                behind
            });
        }
        self.push(rest);
    }

    /// Writes the mention whose key `from` begins with, and gives what is behind the key.
    fn mention_key<'t>(&mut self, from: &'t str) -> Option<&'t str> {
        if !from.starts_with('@') {
            return None;
        }
        // The longest key: `@_user_1` also begins `@_user_12`.
        let begins = |mention: &&Mention| mention.key.len() > 1 && from.starts_with(mention.key.as_str());
        if let Some(mention) = self.mentions.iter().filter(begins).max_by_key(|mention| mention.key.len()) {
            let behind = from.get(mention.key.len()..)?;
            if !behind.starts_with(|c: char| c.is_ascii_digit()) {
                self.person(&mention.id, &mention.name);
                return Some(behind);
            }
        }
        let behind = from.strip_prefix("@_all")?;
        self.person("all", "");
        Some(behind)
    }

    /// Writes the person of `<at user_id="ou_…">Name</at>`, and gives what is behind it.
    fn at_tag<'t>(&mut self, from: &'t str) -> Option<&'t str> {
        let (attributes, behind) = from.strip_prefix("<at ")?.split_once('>')?;
        let (name, behind) = match behind.split_once("</at>") {
            Some((name, behind)) if !name.contains(['<', '\n']) => (name, behind),
            _ if attributes.ends_with('/') => ("", behind),
            _ => return None,
        };
        let value = attributes.split_once("id=")?.1;
        let id: &str = value.trim_start_matches(['"', '\'']);
        let id = id.split(['"', '\'', ' ', '/']).next().unwrap_or_default();
        self.person(id, name);
        Some(behind)
    }

    fn person(&mut self, id: &str, name: &str) {
        self.push("@");
        if id == "all" || id == "@_all" {
            return self.word(ALL);
        }
        match (name, (self.names)(id)) {
            ("", Some(known)) => self.push(&known),
            ("", None) => self.push(if id.is_empty() { "?" } else { id }),
            (name, _) => self.push(name),
        }
    }

    fn post(&mut self, body: &Map<String, Value>) {
        let body = localized(body, self.lang);
        if let Some(title) = text_of(body, "title").filter(|title| !title.is_empty()) {
            self.text(title);
            self.line();
        }
        for paragraph in body.get("content").and_then(Value::as_array).into_iter().flatten() {
            for tag in paragraph.as_array().into_iter().flatten().filter_map(Value::as_object) {
                self.post_tag(tag);
            }
            self.push("\n");
        }
    }

    fn post_tag(&mut self, tag: &Map<String, Value>) {
        let text = text_of(tag, "text").unwrap_or_default();
        match text_of(tag, "tag").unwrap_or_default() {
            "a" => self.link(text, text_of(tag, "href").unwrap_or_default()),
            "at" => {
                let id = text_of(tag, "user_id").unwrap_or_default();
                let name = text_of(tag, "user_name").unwrap_or_default();
                // A received post has the mention's key where a sent one has the id.
                match self.mentions.iter().find(|mention| mention.key == id) {
                    Some(mention) => {
                        self.person(&mention.id, if name.is_empty() { &mention.name } else { name })
                    }
                    None => self.person(id, name),
                }
            }
            "img" => self.word(IMAGE),
            "media" => self.word(VIDEO),
            "file" => self.word_and(FILE, text_of(tag, "file_name")),
            "emotion" => self.push(&format!("[{}]", text_of(tag, "emoji_type").unwrap_or("?"))),
            "hr" => self.push("────────"),
            "code_block" => {
                self.line();
                for line in text.lines() {
                    self.push("    ");
                    self.push(line);
                    self.push("\n");
                }
            }
            _ => self.text(text),
        }
    }

    fn link(&mut self, text: &str, href: &str) {
        self.text(text);
        if !href.is_empty() && href != text {
            self.push(if text.is_empty() { href } else { " (" });
            if !text.is_empty() {
                self.push(href);
                self.push(")");
            }
        }
    }

    /// A card: simplified as events give it, or the JSON of either version as it was sent.
    fn card(&mut self, body: &Map<String, Value>) {
        let header = body.get("header").and_then(Value::as_object);
        let title = text_of(body, "title").map(str::to_owned);
        let title = title.or_else(|| header.and_then(|header| header.get("title")).and_then(plain));
        if let Some(title) = title.filter(|title| !title.is_empty()) {
            self.text(&title);
            self.line();
        }
        if let Some(subtitle) = header.and_then(|header| header.get("subtitle")).and_then(plain) {
            self.text(&subtitle);
            self.line();
        }
        let inner = body.get("body").and_then(Value::as_object).unwrap_or(body);
        let by_language = || inner.get("i18n_elements")?.as_object()?.values().next();
        if let Some(elements) = inner.get("elements").or_else(by_language) {
            self.elements(elements, 0);
        }
    }

    fn elements(&mut self, elements: &Value, depth: usize) {
        if depth > MAX_DEPTH || self.out.len() >= MAX_BYTES {
            return;
        }
        for element in elements.as_array().into_iter().flatten() {
            match element {
                // The simplified form: a line is a list of tags.
                Value::Array(line) => {
                    self.line();
                    for tag in line {
                        self.element(tag, depth + 1);
                    }
                }
                element => {
                    self.line();
                    self.element(element, depth + 1);
                }
            }
        }
        self.line();
    }

    fn element(&mut self, element: &Value, depth: usize) {
        let Some(element) = element.as_object().filter(|_| depth <= MAX_DEPTH) else { return };
        match text_of(element, "tag").unwrap_or_default() {
            "hr" => self.push("────────"),
            "img" | "image" => {
                self.space();
                match element.get("alt").and_then(plain).filter(|alt| !alt.is_empty()) {
                    Some(alt) => self.push(&format!("[{alt}]")),
                    None => self.word(IMAGE),
                }
            }
            "a" => self.link(
                text_of(element, "text").unwrap_or_default(),
                text_of(element, "href").unwrap_or_default(),
            ),
            "at" | "person" => self.person(
                text_of(element, "user_id").unwrap_or_default(),
                text_of(element, "user_name").unwrap_or_default(),
            ),
            "button"
            | "overflow"
            | "select_static"
            | "multi_select_static"
            | "select_person"
            | "checker"
            | "multi_select_person"
            | "input"
            | "date_picker"
            | "picker_time"
            | "picker_datetime" => {
                let label = ["text", "placeholder", "label"]
                    .into_iter()
                    .find_map(|name| element.get(name).and_then(plain));
                if let Some(label) = label.filter(|label| !label.is_empty()) {
                    self.space();
                    self.push(&format!("[{label}]"));
                }
            }
            "chart" => self.word(CHART),
            "table" => self.word(TABLE),
            "audio" => self.word(AUDIO),
            _ => self.block(element, depth),
        }
    }

    /// Text, and what a container holds.
    fn block(&mut self, element: &Map<String, Value>, depth: usize) {
        for name in ["text", "content"] {
            if let Some(text) = element.get(name).and_then(plain) {
                self.text(&text);
            }
        }
        if let Some(header) = element
            .get("header")
            .and_then(Value::as_object)
            .and_then(|header| header.get("title"))
            .and_then(plain)
        {
            self.text(&header);
        }
        for field in element.get("fields").and_then(Value::as_array).into_iter().flatten() {
            if let Some(text) = field.get("text").and_then(plain) {
                self.line();
                self.text(&text);
            }
        }
        if let Some(actions) = element.get("actions").and_then(Value::as_array) {
            for action in actions {
                self.element(action, depth + 1);
            }
        }
        for name in ["elements", "columns"] {
            if let Some(inner) = element.get(name) {
                self.elements(inner, depth + 1);
            }
        }
    }
}

/// A text, or the object `{"tag":"plain_text","content":…}` that cards write instead.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(object) => {
            text_of(object, "content").or_else(|| text_of(object, "text")).map(str::to_owned)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mentions() -> Vec<Mention> {
        let mention = |n: usize, name: &str| Mention {
            key: format!("@_user_{n}"),
            id: format!("ou_{n}"),
            name: name.into(),
        };
        vec![mention(1, "Ann"), mention(12, "李娜"), mention(3, "")]
    }

    fn names(id: &str) -> Option<String> {
        (id == "ou_3" || id == "oc_1").then(|| format!("name of {id}"))
    }

    fn en(msg_type: &str, content: &str) -> String {
        readable(msg_type, content, &mentions(), &names, Lang::En)
    }

    #[test]
    fn mention_keys_become_names() {
        assert_eq!(
            en(
                "text",
                r#"{"text":"@_user_1 and @_user_12, @_user_3; @_user_123 @_all a@b <at user_id=\"ou_9\">Bob</at> <at id=ou_3></at> 1<2"}"#
            ),
            "@Ann and @李娜, @name of ou_3; @_user_123 @all a@b @Bob @name of ou_3 1<2"
        );
        assert_eq!(readable("text", r#"{"text":"@_all"}"#, &[], &names, Lang::Zh), "@所有人");
    }

    #[test]
    fn a_name_is_not_read_for_keys_again() {
        let tricky = [
            Mention { key: "@_user_1".into(), id: "ou_1".into(), name: "@_user_2".into() },
            Mention { key: "@_user_2".into(), id: "ou_2".into(), name: "Eve".into() },
        ];
        assert_eq!(readable("text", r#"{"text":"@_user_1"}"#, &tricky, &names, Lang::En), "@@_user_2");
    }

    #[test]
    fn posts_read_as_lines() {
        let content = r#"{"title":"Rollback","content":[[{"tag":"text","text":"see "},{"tag":"a","text":"graph","href":"https://g"},{"tag":"at","user_id":"@_user_1","user_name":"Ann"}],[],[{"tag":"img","image_key":"i"},{"tag":"emotion","emoji_type":"OK"}],[{"tag":"code_block","language":"GO","text":"a\nb"}],[{"tag":"hr"}],[{"tag":"later","text":"new"}]]}"#;
        assert_eq!(
            en("post", content),
            "Rollback\nsee graph (https://g)@Ann\n\n[image][OK]\n    a\n    b\n\n────────\nnew"
        );
        let sent = r#"{"zh_cn":{"title":"标题","content":[[{"tag":"md","text":"**b**"}]]},"en_us":{"title":"Title","content":[]}}"#;
        assert_eq!(en("post", sent), "Title");
        assert_eq!(readable("post", sent, &[], &names, Lang::Zh), "标题\n**b**");
    }

    #[test]
    fn cards_read_in_each_of_their_forms() {
        let simple = r#"{"title":"Deploy?","elements":[[{"tag":"text","text":"to prod "},{"tag":"at","user_id":"ou_3"}],[{"tag":"button","text":"Yes"}]]}"#;
        assert_eq!(en("interactive", simple), "Deploy?\nto prod @name of ou_3\n[Yes]");
        let v1 = r#"{"header":{"title":{"tag":"plain_text","content":"T"}},"elements":[{"tag":"div","text":{"tag":"lark_md","content":"body"},"fields":[{"text":{"content":"f"}}]},{"tag":"action","actions":[{"tag":"button","text":{"content":"A"}},{"tag":"button","text":{"content":"B"}}]},{"tag":"note","elements":[{"tag":"plain_text","content":"n"}]}]}"#;
        assert_eq!(en("interactive", v1), "T\nbody\nf\n[A] [B]\nn");
        let v2 = r#"{"schema":"2.0","header":{"title":{"content":"T"}},"body":{"elements":[{"tag":"markdown","content":"**x** <at id=ou_3></at>"},{"tag":"column_set","columns":[{"tag":"column","elements":[{"tag":"markdown","content":"c1"}]}]},{"tag":"form","elements":[{"tag":"input","placeholder":{"content":"Note"}}]}]}}"#;
        assert_eq!(en("interactive", v2), "T\n**x** @name of ou_3\nc1\n[Note]");
        assert_eq!(en("interactive", r#"{"type":"card","data":{"card_id":"7"}}"#), "[card]");
    }

    #[test]
    fn things_are_put_in_words() {
        assert_eq!(en("file", r#"{"file_key":"k","file_name":"a.txt"}"#), "[file] a.txt");
        assert_eq!(en("audio", r#"{"file_key":"k","duration":61500}"#), "[audio] 1:02");
        assert_eq!(
            en("media", r#"{"file_key":"k","file_name":"v.mp4","duration":"5000"}"#),
            "[video] v.mp4 0:05"
        );
        assert_eq!(en("share_chat", r#"{"chat_id":"oc_1"}"#), "[shared chat] name of oc_1");
        assert_eq!(en("share_user", r#"{"user_id":"ou_7"}"#), "[shared contact] ou_7");
        assert_eq!(en("merge_forward", "Merged and Forwarded Message"), "[forwarded messages]");
        assert_eq!(
            en(
                "system",
                r#"{"template":"{from_user} invited {to_chatters} {x}{","from_user":["Ann"],"to_chatters":["B","C"]}"#
            ),
            "Ann invited B, C {x}{"
        );
        assert_eq!(
            en("location", r#"{"name":"HQ","longitude":"1.5","latitude":"2.5"}"#),
            "[location] HQ (2.5, 1.5)"
        );
        assert_eq!(en("vote", r#"{"topic":"Lunch","options":["a","b"]}"#), "[vote] Lunch\n- a\n- b");
        assert_eq!(en("text", "This message was recalled"), "This message was recalled");
        assert_eq!(en("text", r#"{"text":"  "}"#), "[empty message]");
        assert_eq!(en("hologram", "{}"), "[unsupported message: hologram]");
        assert_eq!(readable("image", "{}", &[], &names, Lang::Zh), "[图片]");
    }

    #[test]
    fn attachments_are_found() {
        let found = attachments(
            "post",
            r#"{"content":[[{"tag":"img","image_key":"i"}],[{"tag":"media","file_key":"f"}]]}"#,
        );
        assert_eq!(found.iter().map(|a| a.key.as_str()).collect::<Vec<_>>(), ["i", "f"]);
        let file = attachments("file", r#"{"file_key":"k","file_name":"a.txt"}"#);
        assert_eq!(file[0].name.as_deref(), Some("a.txt"));
        assert!(attachments("text", "nonsense").is_empty());
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let deep = format!(
            "{}{}{}",
            r#"{"elements":["#,
            r#"{"tag":"form","elements":["#.repeat(50),
            "]}".repeat(50) + "]}"
        );
        assert_eq!(en("interactive", &deep), "[card]");
        let deeper = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
        assert!(!en("interactive", &deeper).is_empty());
        let long = serde_json::json!({"text": "长".repeat(MAX_BYTES)}).to_string();
        assert!(en("text", &long).len() <= MAX_BYTES);
    }

    fn json() -> impl Strategy<Value = Value> {
        let key = prop::sample::select(vec![
            "text",
            "title",
            "content",
            "elements",
            "tag",
            "body",
            "header",
            "columns",
            "actions",
            "fields",
            "user_id",
            "zh_cn",
            "template",
            "from_user",
            "file_name",
            "duration",
            "topic",
            "options",
            "summary",
            "alt",
            "href",
        ]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
            prop::sample::select(vec![
                "@_user_1",
                "<at id=",
                "<at user_id=\"x\">",
                "{from_user}",
                "a",
                "at",
                "button",
                "markdown",
                "hr"
            ])
            .prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 60, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((key.clone(), inner), 0..6).prop_map(|pairs| Value::Object(
                    pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
                )),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_json_reads_as_something(
            value in json(),
            kind in prop::sample::select(vec!["text", "post", "interactive", "system", "vote", "todo", "media", "location", "x"]),
        ) {
            let content = value.to_string();
            prop_assert!(!en(kind, &content).is_empty());
            attachments(kind, &content);
        }

        #[test]
        fn any_text_reads_as_something(content in "\\PC*", kind in "[a-z_]{0,12}") {
            prop_assert!(!en(&kind, &content).is_empty());
        }
    }
}
