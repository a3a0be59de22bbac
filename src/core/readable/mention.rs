//! Mentions in a text: keys and `<at …>` become `@name`.

use super::Writer;
use crate::core::{
    lang::{Phrase, phrase},
    message::Mention,
};

const ALL: Phrase = phrase("all", "所有人");

impl Writer<'_> {
    /// A text: mention keys and `<at …>` become `@name`.
    pub(super) fn text(&mut self, text: &str) {
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

    pub(super) fn person(&mut self, id: &str, name: &str) {
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
}
