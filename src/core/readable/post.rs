//! Posts: paragraphs of tags.

use serde_json::{Map, Value};

use super::{FILE, IMAGE, VIDEO, Writer, localized, markdown::unmarked, text_of};

impl Writer<'_> {
    pub(super) fn post(&mut self, body: &Map<String, Value>) {
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
            "md" => self.text(&unmarked(text)),
            _ => self.text(text),
        }
    }

    pub(super) fn link(&mut self, text: &str, href: &str) {
        self.text(text);
        if !href.is_empty() && href != text {
            self.push(if text.is_empty() { href } else { " (" });
            if !text.is_empty() {
                self.push(href);
                self.push(")");
            }
        }
    }
}
