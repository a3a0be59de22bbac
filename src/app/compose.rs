//! The composer: text of several lines, edited by grapheme. And the editing of one-line fields.

use std::{collections::VecDeque, ops::Range};

use tui_input::{Input, InputRequest};
use unicode_segmentation::UnicodeSegmentation;

use super::{
    key::{Key, KeyCode},
    model::PersonRow,
    session::Draft,
};
use crate::core::{
    lang::{Phrase, phrase},
    text::{SafeText, graphemes, width, wrap},
};

/// Longest text, in bytes: the platform takes 150 kB.
pub const MAX_BYTES: usize = 150_000;
/// Longest text of a one-line field, in characters.
const MAX_FIELD: usize = 1024;
/// Steps that can be undone, and their bytes in all.
const MAX_UNDO: usize = 200;
const MAX_UNDO_BYTES: usize = 1 << 20;
/// Suggestions that the popup shows.
const MAX_SUGGESTIONS: usize = 8;

/// The keys of text fields, for help and documents. Up and down are the composer's alone.
pub const EDIT_KEYS: &[(&str, Phrase)] = &[
    ("left, ctrl-b", phrase("back by a character", "左移一个字符")),
    ("right, ctrl-f", phrase("forward by a character", "右移一个字符")),
    ("alt-b, ctrl-left, alt-left", phrase("back by a word", "左移一个词")),
    ("alt-f, ctrl-right, alt-right", phrase("forward by a word", "右移一个词")),
    ("home, ctrl-a", phrase("to the beginning of the line", "到行首")),
    ("end, ctrl-e", phrase("to the end of the line", "到行尾")),
    ("up, ctrl-p", phrase("up by a row (composer)", "上移一行（输入框）")),
    ("down, ctrl-n", phrase("down by a row (composer)", "下移一行（输入框）")),
    ("backspace, ctrl-h", phrase("delete the character before", "删除前一个字符")),
    ("delete, ctrl-d", phrase("delete the character after", "删除后一个字符")),
    ("ctrl-w, alt-backspace", phrase("delete the word before", "删除前一个词")),
    ("alt-d", phrase("delete the word after", "删除后一个词")),
    ("ctrl-u", phrase("delete to the beginning of the line", "删除到行首")),
    ("ctrl-k", phrase("delete to the end of the line", "删除到行尾")),
    ("ctrl-y", phrase("put back what was deleted last", "粘贴刚删除的内容")),
    ("ctrl-_, alt-u", phrase("undo (composer)", "撤销（输入框）")),
    ("alt-r", phrase("redo (composer)", "重做（输入框）")),
];

/// What an edit is, for keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit {
    Left,
    Right,
    WordLeft,
    WordRight,
    LineStart,
    LineEnd,
    Up,
    Down,
    DeleteBack,
    DeleteForward,
    KillWordBack,
    KillWordForward,
    KillToStart,
    KillToEnd,
    Yank,
    Undo,
    Redo,
}

fn edit_of(key: Key) -> Option<Edit> {
    use KeyCode as K;
    let (ctrl, alt) = (key.mods.ctrl, key.mods.alt);
    Some(match (key.code, ctrl, alt) {
        (K::Left, false, false) | (K::Char('b'), true, false) => Edit::Left,
        (K::Right, false, false) | (K::Char('f'), true, false) => Edit::Right,
        (K::Left, ..) | (K::Char('b'), false, true) => Edit::WordLeft,
        (K::Right, ..) | (K::Char('f'), false, true) => Edit::WordRight,
        (K::Home, ..) | (K::Char('a'), true, false) => Edit::LineStart,
        (K::End, ..) | (K::Char('e'), true, false) => Edit::LineEnd,
        (K::Up, ..) | (K::Char('p'), true, false) => Edit::Up,
        (K::Down, ..) | (K::Char('n'), true, false) => Edit::Down,
        (K::Backspace, false, false) | (K::Char('h'), true, false) => Edit::DeleteBack,
        (K::Delete, ..) | (K::Char('d'), true, false) => Edit::DeleteForward,
        (K::Backspace, ..) | (K::Char('w'), true, false) => Edit::KillWordBack,
        (K::Char('d'), false, true) => Edit::KillWordForward,
        (K::Char('u'), true, false) => Edit::KillToStart,
        (K::Char('k'), true, false) => Edit::KillToEnd,
        (K::Char('y'), true, false) => Edit::Yank,
        // Terminals send Ctrl-_ and Ctrl-/ as the byte that reads as Ctrl-7.
        (K::Char('_' | '/' | '7'), true, false) | (K::Char('u'), false, true) => Edit::Undo,
        (K::Char('r'), false, true) => Edit::Redo,
        _ => return None,
    })
}

/// Does `key` to a one-line field. Returns whether the text changed.
pub fn edit_field(input: &mut Input, key: Key) -> bool {
    let request = match (key.typed(), edit_of(key)) {
        (Some(c), _) => {
            let safe = SafeText::line(c.encode_utf8(&mut [0; 4]));
            return insert_field(input, safe.as_str());
        }
        (None, Some(edit)) => match edit {
            Edit::Left => InputRequest::GoToPrevChar,
            Edit::Right => InputRequest::GoToNextChar,
            Edit::WordLeft => InputRequest::GoToPrevWord,
            Edit::WordRight => InputRequest::GoToNextWord,
            Edit::LineStart => InputRequest::GoToStart,
            Edit::LineEnd => InputRequest::GoToEnd,
            Edit::DeleteBack => InputRequest::DeletePrevChar,
            Edit::DeleteForward => InputRequest::DeleteNextChar,
            Edit::KillWordBack => InputRequest::DeletePrevWord,
            Edit::KillWordForward => InputRequest::DeleteNextWord,
            Edit::KillToStart => InputRequest::DeleteFromStart,
            Edit::KillToEnd => InputRequest::DeleteTillEnd,
            Edit::Yank => InputRequest::Yank,
            Edit::Up | Edit::Down | Edit::Undo | Edit::Redo => return false,
        },
        (None, None) => return false,
    };
    input.handle(request).is_some_and(|changed| changed.value)
}

/// Puts foreign text into a one-line field: line feeds become spaces, controls visible marks.
pub fn paste_field(input: &mut Input, text: &str) -> bool {
    let line = text.trim().split(['\r', '\n']).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    insert_field(input, SafeText::line(&line).as_str())
}

fn insert_field(input: &mut Input, text: &str) -> bool {
    let room = MAX_FIELD.saturating_sub(input.value().chars().count());
    for c in text.chars().take(room) {
        input.handle(InputRequest::InsertChar(c));
    }
    room > 0 && !text.is_empty()
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    text: String,
    cursor: usize,
}

/// Somebody who can be mentioned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// Name.
    pub name: SafeText,
    /// open_id; `all` for everybody.
    pub open_id: String,
    /// Linked to a team member.
    pub is_linked: bool,
}

/// Suggestions for the mention that is being typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestions {
    /// Byte of the `@`.
    pub start: usize,
    /// The suggestions, best first.
    pub rows: Vec<Suggestion>,
    /// The selected one.
    pub selected: usize,
}

/// The composer of a room. Its text is always safe to show; the cursor is always between graphemes.
#[derive(Debug, Clone, Default)]
pub struct Composer {
    text: String,
    cursor: usize,
    /// The column that up and down try to keep.
    goal: Option<usize>,
    killed: String,
    undo: VecDeque<Step>,
    redo: Vec<Step>,
    /// The last change was a typed character: the next one joins its undo step.
    is_typing: bool,
    mentions: Vec<(String, String)>,
    suggestions: Option<Suggestions>,
    /// The popup was sent away for the mention at this byte.
    dismissed: Option<usize>,
}

impl Composer {
    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The cursor, in bytes.
    pub const fn cursor(&self) -> usize {
        self.cursor
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The suggestions on screen.
    pub const fn suggestions(&self) -> Option<&Suggestions> {
        self.suggestions.as_ref()
    }

    /// What is kept for later.
    pub fn draft(&self) -> Draft {
        Draft { text: self.text.clone(), mentions: self.mentions.clone(), ..Draft::default() }
    }

    /// A composer with what was kept.
    pub fn from_draft(draft: &Draft) -> Self {
        let mut composer = Self { mentions: draft.mentions.clone(), ..Self::default() };
        composer.insert(&draft.text);
        composer.undo.clear();
        composer
    }

    /// Empties it, as after sending. What was there can be undone.
    pub fn clear(&mut self) {
        self.remember(false);
        self.text.clear();
        self.cursor = 0;
        self.mentions.clear();
        self.suggestions = None;
        self.dismissed = None;
    }

    /// Puts text in at the cursor: controls become visible marks, line feeds stay. Returns false when it
    /// would become too long; then nothing is put in.
    pub fn insert(&mut self, foreign: &str) -> bool {
        let text = foreign.replace("\r\n", "\n").replace('\r', "\n");
        let safe = SafeText::block(&text);
        if self.text.len() + safe.as_str().len() > MAX_BYTES {
            return false;
        }
        let is_word = safe.as_str().chars().count() == 1 && !safe.as_str().chars().all(char::is_whitespace);
        self.remember(is_word);
        self.is_typing = is_word;
        self.text.insert_str(self.cursor, safe.as_str());
        self.cursor = snap(&self.text, self.cursor + safe.as_str().len());
        self.goal = None;
        true
    }

    /// Does `key` to the text of `cells` cells a row. Returns whether it was a key of this field.
    pub fn key(&mut self, key: Key, cells: usize) -> bool {
        if let Some(c) = key.typed() {
            self.insert(c.encode_utf8(&mut [0; 4]));
            return true;
        }
        let Some(edit) = edit_of(key) else { return false };
        self.edit(edit, cells);
        true
    }

    fn edit(&mut self, edit: Edit, cells: usize) {
        match edit {
            Edit::Up => return self.move_rows(-1, cells),
            Edit::Down => return self.move_rows(1, cells),
            Edit::Undo => return self.step_back(),
            Edit::Redo => return self.step_forward(),
            _ => {}
        }
        self.goal = None;
        let at = self.cursor;
        match edit {
            Edit::Left => self.go(self.before(at)),
            Edit::Right => self.go(self.after(at)),
            Edit::WordLeft => self.go(self.word_before(at)),
            Edit::WordRight => self.go(self.word_after(at)),
            Edit::LineStart => self.go(self.line_start(at)),
            Edit::LineEnd => self.go(self.line_end(at)),
            Edit::DeleteBack => self.delete(self.before(at)..at, false),
            Edit::DeleteForward => self.delete(at..self.after(at), false),
            Edit::KillWordBack => self.delete(self.word_before(at)..at, true),
            Edit::KillWordForward => self.delete(at..self.word_after(at), true),
            // At the beginning of a line the line feed goes, so that the key can be held.
            Edit::KillToStart if self.line_start(at) == at => self.delete(self.before(at)..at, true),
            Edit::KillToStart => self.delete(self.line_start(at)..at, true),
            Edit::KillToEnd if self.line_end(at) == at => self.delete(at..self.after(at), true),
            Edit::KillToEnd => self.delete(at..self.line_end(at), true),
            Edit::Yank => {
                let killed = self.killed.clone();
                self.insert(&killed);
            }
            Edit::Up | Edit::Down | Edit::Undo | Edit::Redo => {}
        }
    }

    fn go(&mut self, to: usize) {
        self.cursor = to;
        self.is_typing = false;
    }

    fn before(&self, at: usize) -> usize {
        let head = self.text.get(..at).unwrap_or_default();
        graphemes(head).next_back().map_or(0, |(start, _)| start)
    }

    fn after(&self, at: usize) -> usize {
        let tail = self.text.get(at..).unwrap_or_default();
        graphemes(tail).next().map_or(at, |(_, cluster)| at + cluster.len())
    }

    fn word_before(&self, at: usize) -> usize {
        let head = self.text.get(..at).unwrap_or_default();
        let mut words = head.split_word_bound_indices().rev();
        words.find(|(_, word)| is_word(word)).map_or(0, |(start, _)| start)
    }

    fn word_after(&self, at: usize) -> usize {
        let tail = self.text.get(at..).unwrap_or_default();
        let mut words = tail.split_word_bound_indices();
        words.find(|(_, word)| is_word(word)).map_or(self.text.len(), |(start, word)| at + start + word.len())
    }

    fn line_start(&self, at: usize) -> usize {
        self.text.get(..at).unwrap_or_default().rfind('\n').map_or(0, |feed| feed + 1)
    }

    fn line_end(&self, at: usize) -> usize {
        self.text.get(at..).unwrap_or_default().find('\n').map_or(self.text.len(), |feed| at + feed)
    }

    fn delete(&mut self, range: Range<usize>, is_kill: bool) {
        let Some(gone) = self.text.get(range.clone()).filter(|gone| !gone.is_empty()) else { return };
        if is_kill {
            self.killed = gone.to_owned();
        }
        self.remember(false);
        self.text.replace_range(range.clone(), "");
        // What was apart may have become one grapheme.
        self.cursor = snap(&self.text, range.start);
    }

    fn remember(&mut self, is_typed: bool) {
        self.redo.clear();
        if is_typed && self.is_typing && !self.undo.is_empty() {
            return;
        }
        self.is_typing = false;
        self.undo.push_back(Step { text: self.text.clone(), cursor: self.cursor });
        let mut bytes: usize = self.undo.iter().map(|step| step.text.len()).sum();
        while self.undo.len() > MAX_UNDO || (bytes > MAX_UNDO_BYTES && self.undo.len() > 1) {
            bytes -= self.undo.pop_front().map_or(0, |step| step.text.len());
        }
    }

    fn step_back(&mut self) {
        let Some(step) = self.undo.pop_back() else { return };
        self.redo.push(Step { text: std::mem::take(&mut self.text), cursor: self.cursor });
        self.restore(step);
    }

    fn step_forward(&mut self) {
        let Some(step) = self.redo.pop() else { return };
        self.undo.push_back(Step { text: std::mem::take(&mut self.text), cursor: self.cursor });
        self.restore(step);
    }

    fn restore(&mut self, step: Step) {
        self.text = step.text;
        self.cursor = step.cursor;
        self.is_typing = false;
        self.goal = None;
    }

    /// The rows at `cells` cells a row, as bytes of the text. Never empty.
    pub fn rows(&self, cells: usize) -> Vec<Range<usize>> {
        wrap(&self.text, cells)
    }

    /// Where the cursor stands at `cells` cells a row: row and column, in cells.
    pub fn caret(&self, cells: usize) -> (usize, usize) {
        caret(&self.text, &self.rows(cells), self.cursor, cells)
    }

    fn move_rows(&mut self, by: isize, cells: usize) {
        self.is_typing = false;
        let rows = self.rows(cells);
        let (row, column) = caret(&self.text, &rows, self.cursor, cells);
        let goal = *self.goal.get_or_insert(column);
        let Some(target) = row.checked_add_signed(by).and_then(|row| rows.get(row)) else {
            self.cursor = if by < 0 { 0 } else { self.text.len() };
            self.goal = None;
            return;
        };
        let line = self.text.get(target.clone()).unwrap_or_default();
        let within = crate::core::text::prefix(line, goal).len();
        self.cursor = snap(&self.text, target.start + within);
    }

    /// What is sent: mentions as the platform writes them. Tags typed by hand lose their meaning.
    pub fn outgoing(&self) -> String {
        let mut names: Vec<(&str, VecDeque<&str>)> = Vec::new();
        for (name, id) in &self.mentions {
            match names.iter_mut().find(|(known, _)| known == name) {
                Some((_, ids)) => ids.push_back(id),
                None => names.push((name, VecDeque::from([id.as_str()]))),
            }
        }
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        let text = defuse(self.text.trim_end());
        let mut out = String::with_capacity(text.len() + 64);
        let mut rest = text.as_str();
        while let Some((head, tail)) = rest.split_once('@') {
            out.push_str(head);
            rest = tail;
            match names.iter_mut().find(|(name, _)| tail.starts_with(name)) {
                Some((name, ids)) => {
                    let id = if ids.len() > 1 { ids.pop_front() } else { ids.front().copied() };
                    let shown: String = name.chars().filter(|c| !matches!(c, '<' | '>')).collect();
                    out.push_str(&format!("<at user_id=\"{}\">{shown}</at>", id.unwrap_or_default()));
                    rest = tail.get(name.len()..).unwrap_or_default();
                }
                None => out.push('@'),
            }
        }
        out.push_str(rest);
        out
    }

    /// Offers people for the mention at the cursor, if there is one. Call after every edit.
    pub fn suggest(&mut self, people: &[PersonRow], everybody: &str) {
        let Some((start, typed)) = self.mention() else {
            self.suggestions = None;
            self.dismissed = None;
            return;
        };
        if self.dismissed == Some(start) {
            self.suggestions = None;
            return;
        }
        let rows = matching(people, everybody, &typed.to_lowercase());
        let old = self.suggestions.take();
        let selected = old.and_then(|old| {
            let id = &old.rows.get(old.selected)?.open_id;
            rows.iter().position(|row| row.open_id == *id)
        });
        if !rows.is_empty() {
            self.suggestions = Some(Suggestions { start, rows, selected: selected.unwrap_or(0) });
        }
    }

    /// The `@` before the cursor and what is typed after it.
    fn mention(&self) -> Option<(usize, &str)> {
        let head = self.text.get(..self.cursor)?;
        let start = head.rfind('@')?;
        let typed = head.get(start + 1..)?;
        let before = head.get(..start)?.chars().next_back();
        let begins = before.is_none_or(|c| !c.is_ascii_alphanumeric());
        let is_short = typed.chars().count() <= 24 && !typed.contains(['\n', '@']);
        let is_done = self.mentions.iter().any(|(name, _)| typed.starts_with(name.as_str()));
        (begins && is_short && !is_done && !typed.starts_with(' ')).then_some((start, typed))
    }

    /// Moves the selection of the popup.
    pub fn select_suggestion(&mut self, by: isize) {
        if let Some(popup) = &mut self.suggestions {
            let last = popup.rows.len().saturating_sub(1);
            popup.selected = popup.selected.saturating_add_signed(by).min(last);
        }
    }

    /// Takes the suggestion `index`, or the selected one.
    pub fn take_suggestion(&mut self, index: Option<usize>) {
        let Some(popup) = self.suggestions.take() else { return };
        let Some(row) = popup.rows.get(index.unwrap_or(popup.selected)) else { return };
        let end = self.cursor;
        if popup.start >= end {
            return;
        }
        self.remember(false);
        let name = row.name.as_str().to_owned();
        self.text.replace_range(popup.start..end, &format!("@{name} "));
        self.cursor = snap(&self.text, popup.start + name.len() + 2);
        self.mentions.push((name, row.open_id.clone()));
    }

    /// Sends the popup away; it stays away for this mention.
    pub fn dismiss_suggestions(&mut self) {
        if let Some(popup) = self.suggestions.take() {
            self.dismissed = Some(popup.start);
        }
    }
}

fn matching(people: &[PersonRow], everybody: &str, typed: &str) -> Vec<Suggestion> {
    let mut rows: Vec<(usize, Suggestion)> = Vec::new();
    for person in people {
        let lower = person.name.as_str().to_lowercase();
        // Beginnings first, then beginnings of later words, then anything inside.
        let Some(at) = lower.find(typed) else { continue };
        let starts_word = lower.get(..at).is_some_and(|head| head.ends_with([' ', '.', '-', '_']));
        let rank = if at == 0 {
            0
        } else if starts_word {
            1
        } else {
            2
        };
        rows.push((
            rank,
            Suggestion {
                name: person.name.clone(),
                open_id: person.person.open_id.to_string(),
                is_linked: person.person.is_linked,
            },
        ));
    }
    if everybody.to_lowercase().starts_with(typed) || "all".starts_with(typed) {
        let all = Suggestion { name: SafeText::line(everybody), open_id: "all".to_owned(), is_linked: false };
        rows.push((if typed.is_empty() { 3 } else { 1 }, all));
    }
    rows.sort_by_key(|(rank, _)| *rank);
    rows.into_iter().map(|(_, row)| row).take(MAX_SUGGESTIONS).collect()
}

/// Takes the meaning from tags that were typed or pasted: only mentions made here may name people.
fn defuse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once('<') {
        out.push_str(head);
        out.push('<');
        let word = tail.trim_start_matches('/');
        if word.get(..2).is_some_and(|two| two.eq_ignore_ascii_case("at")) {
            out.push(' ');
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn is_word(text: &str) -> bool {
    text.chars().any(|c| !c.is_whitespace() && !c.is_ascii_punctuation())
}

/// The nearest place between two graphemes at or after `at`.
fn snap(text: &str, at: usize) -> usize {
    if at >= text.len() {
        return text.len();
    }
    let line = text.get(..at).and_then(|head| head.rfind('\n')).map_or(0, |feed| feed + 1);
    let tail = text.get(line..).unwrap_or_default();
    graphemes(tail).map(|(start, _)| line + start).find(|start| *start >= at).unwrap_or(text.len())
}

fn caret(text: &str, rows: &[Range<usize>], cursor: usize, cells: usize) -> (usize, usize) {
    let row = rows.iter().rposition(|row| row.start <= cursor).unwrap_or(0);
    let start = rows.get(row).map_or(0, |row| row.start);
    let column = width(text.get(start..cursor).unwrap_or_default());
    (row, column.min(cells))
}
