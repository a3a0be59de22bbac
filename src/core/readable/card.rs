//! Cards, in each of their forms.

use serde_json::{Map, Value};

use super::{AUDIO, IMAGE, MAX_BYTES, Writer, markdown::unmarked, text_of};
use crate::core::lang::{Phrase, phrase};

/// Deepest nesting of a card's elements that is followed.
const MAX_DEPTH: usize = 24;

const CHART: Phrase = phrase("[chart]", "[图表]");
const TABLE: Phrase = phrase("[table]", "[表格]");

impl Writer<'_> {
    /// A card: simplified as events give it, or the JSON of either version as it was sent.
    pub(super) fn card(&mut self, body: &Map<String, Value>) {
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
        // A card as events give it has its Markdown in texts without a name for it.
        let is_markdown = matches!(text_of(element, "tag"), Some("markdown" | "text"));
        for name in ["text", "content"] {
            if let Some(text) = element.get(name).and_then(|text| read(text, is_markdown)) {
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
            if let Some(text) = field.get("text").and_then(|text| read(text, false)) {
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

/// What a person reads of a text of a card.
fn read(value: &Value, is_markdown: bool) -> Option<String> {
    let is_markdown = is_markdown || value.get("tag").and_then(Value::as_str) == Some("lark_md");
    let text = plain(value)?;
    Some(if is_markdown { unmarked(&text).into_owned() } else { text })
}
