//! The lines of a transcript: time, sender, text; days, seams and the line where the unread begin.

use std::{borrow::Cow, ops::Range};

use ratatui::style::{Modifier, Style};

use super::{Canvas, Role, Scene, words};
use crate::{
    app::{
        action::Action,
        model::{Divider, Item, ItemBody, ItemKey, LineRow, MessageItem},
    },
    core::{
        emoji::picture_of,
        lang::phrase,
        message::SenderKind,
        room::{Missing, Outgoing, OutgoingState, Seam},
        text::{self, SafeText},
    },
    tui::canvas::{Run, width},
};

/// Bytes before a line in which the beginning of its first word is looked for.
const LONGEST_WORD: usize = 2100;

/// Columns of a transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// First cell of the time; `None`: no time.
    time: Option<u16>,
    /// First cell and cells of the sender's name.
    name: (u16, u16),
    /// Where the state of an own message stands.
    sign: u16,
    /// First cell of the text.
    text: u16,
    /// Cells of the text.
    pub(super) cells: u16,
}

impl Layout {
    /// For a transcript of `columns` cells.
    pub(super) fn new(columns: u16) -> Self {
        let (time, name, cells) = match columns {
            0..28 => (None, 1, 6),
            28..48 => (Some(1), 7, 6),
            48..80 => (Some(1), 7, 9),
            _ => (Some(1), 8, 12),
        };
        let gap = if columns < 80 { 1 } else { 2 };
        let text = (name + cells + gap).min(columns.saturating_sub(1));
        // A cell at the right edge stays free, so that text does not touch what stands beside it.
        Self {
            time,
            name: (name, cells),
            sign: text.saturating_sub(gap),
            text,
            cells: columns.saturating_sub(text + 1).max(1),
        }
    }
}

/// How the transcript is used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    /// It has the keys.
    pub(super) has_keys: bool,
    /// The entry under the cursor.
    pub(super) cursor: Option<&'a ItemKey>,
}

/// Draws `visible` entries from the top.
pub(super) fn draw(
    scene: &mut Scene<'_>,
    canvas: &mut Canvas<'_>,
    visible: &[(&Item, Range<usize>)],
    layout: Layout,
    look: Look<'_>,
    divider: Option<&Divider>,
) {
    let mut y = 0;
    for (item, seen) in visible {
        let start = y;
        let mut rows = item.rows.iter().take(seen.end);
        let has_name = !item.rows.iter().take(seen.start).any(|row| matches!(row, LineRow::Text(_)));
        let mut needs_name = has_name;
        for row in rows.by_ref().skip(seen.start) {
            let mut line = canvas.row(y);
            match &item.body {
                ItemBody::Message(message) => {
                    message_row(scene, &mut line, (item, message), row, layout, &mut needs_name, divider);
                }
                ItemBody::Seam(seam) => common_row(scene, &mut line, item, row, layout, Some(seam), divider),
                ItemBody::Outgoing(outgoing, body) => {
                    outgoing_row(
                        scene,
                        &mut line,
                        (item, outgoing, body),
                        row,
                        layout,
                        &mut needs_name,
                        divider,
                    );
                }
            }
            y += 1;
        }
        mark(scene, canvas, item, (start, y), look);
    }
}

/// Marks the entry under the cursor, and makes all of them clickable.
fn mark(
    scene: &mut Scene<'_>,
    canvas: &mut Canvas<'_>,
    item: &Item,
    (start, end): (u16, u16),
    look: Look<'_>,
) {
    let w = canvas.width();
    // Day and divider lines belong to the place, not to the message.
    let above = item.rows.iter().take_while(|row| matches!(row, LineRow::Day | LineRow::Unread)).count();
    let above = super::rooms::rows(above).min(end - start);
    let mut own = canvas.sub(0, start + above, w, end - start - above);
    if look.cursor == Some(&item.key) {
        scene.select(&mut own, look.has_keys);
    }
    scene.click(own.area(), Action::SelectItem(item.key.clone()));
}

/// Rows that any entry may have.
fn common_row(
    scene: &Scene<'_>,
    line: &mut Canvas<'_>,
    item: &Item,
    row: &LineRow,
    layout: Layout,
    seam: Option<&Seam>,
    divider: Option<&Divider>,
) {
    match row {
        LineRow::Day => {
            let at = match &item.key {
                ItemKey::Fixed { at, .. } | ItemKey::Outgoing { at, .. } => *at,
            };
            ruled(line, layout, &words::day(scene, at), "─", scene.s(Role::Border), scene.s(Role::Dim));
        }
        LineRow::Unread => {
            let count = divider.map_or(0, |divider| divider.count);
            let words = match count {
                0 => scene.t(phrase("new", "新消息")).to_owned(),
                n => scene.fill(phrase("{} new", "{} 条新消息"), &[&n]),
            };
            let style = scene.s(Role::Divider);
            ruled(line, layout, &words, "·", style, style);
        }
        LineRow::Seam => {
            if let Some(seam) = seam {
                seam_row(scene, line, seam, layout);
            }
        }
        _ => {}
    }
}

/// `──── words ────`, in the middle of the text and its margin.
fn ruled(line: &mut Canvas<'_>, layout: Layout, words: &str, sign: &str, rule: Style, style: Style) {
    let from = layout.time.unwrap_or(1);
    let end = line.width().saturating_sub(1);
    let room = end.saturating_sub(from);
    let shown = text::truncate(words, usize::from(room.saturating_sub(4)));
    let start = from + room.saturating_sub(width(&shown) + 2) / 2;
    line.rule(from, end, 0, sign, rule);
    line.text(start, 0, &format!(" {shown} "), style);
}

fn seam_row(scene: &Scene<'_>, line: &mut Canvas<'_>, seam: &Seam, layout: Layout) {
    let (sign, role) = match seam.missing {
        Missing::Messages => ("✗", Role::Warn),
        _ => ("↻", Role::Seam),
    };
    let words = seam.words(scene.lang(), &scene.model.zone);
    let x = line.text(layout.text, 0, sign, scene.s(role)) + 1;
    let room = line.width().saturating_sub(x + 1);
    line.clip(x, 0, room, &words, scene.s(role));
}

fn message_row(
    scene: &Scene<'_>,
    line: &mut Canvas<'_>,
    (item, message): (&Item, &MessageItem),
    row: &LineRow,
    layout: Layout,
    needs_name: &mut bool,
    divider: Option<&Divider>,
) {
    let room = layout.cells;
    let dim = scene.s(Role::Dim);
    match row {
        LineRow::Text(range) => {
            if std::mem::take(needs_name) {
                margin(scene, line, item, message, layout);
            }
            let is_last = !item
                .rows
                .iter()
                .skip_while(|other| *other != row)
                .skip(1)
                .any(|row| matches!(row, LineRow::Text(_)));
            text_row(scene, line, message, range, layout, is_last);
        }
        LineRow::Quote => {
            let quote = message.quote.as_ref().map_or("", SafeText::as_str);
            let runs = [Run::new("╭ ", scene.s(Role::Border)), Run::new(quote, dim)];
            line.runs(layout.text, 0, room, &runs);
        }
        LineRow::Reactions => {
            line.runs(layout.text, 0, room, &reactions(scene, &message.reactions));
        }
        LineRow::Replies => {
            if let Some((count, last, at)) = &message.replies {
                let words = match count {
                    1 => phrase("{} reply · {} {}", "{} 条回复 · {} {}"),
                    _ => phrase("{} replies · last {} {}", "{} 条回复 · 最新 {} {}"),
                };
                let words = scene.fill(words, &[count, last, &words::clock(scene, *at)]);
                line.runs(
                    layout.text,
                    0,
                    room,
                    &[Run::new("╰ ", scene.s(Role::Border)), Run::new(words, dim)],
                );
            }
        }
        _ => common_row(scene, line, item, row, layout, None, divider),
    }
}

/// Time and sender.
fn margin(scene: &Scene<'_>, line: &mut Canvas<'_>, item: &Item, message: &MessageItem, layout: Layout) {
    if let Some(x) = layout.time.filter(|_| !item.continues) {
        line.text(x, 0, &words::clock(scene, message.created_at), scene.s(Role::Dim));
    }
    if item.continues || message.sender_kind == SenderKind::System {
        return;
    }
    let style = scene.theme.sender(&message.sender_id);
    line.clip(layout.name.0, 0, layout.name.1, message.sender.as_str(), style);
}

fn text_row(
    scene: &Scene<'_>,
    line: &mut Canvas<'_>,
    message: &MessageItem,
    range: &Range<usize>,
    layout: Layout,
    is_last: bool,
) {
    let dim = scene.s(Role::Dim);
    let (x, room) = (layout.text, layout.cells);
    if message.is_recalled {
        line.clip(
            x,
            0,
            room,
            scene.t(phrase("message recalled", "消息已撤回")),
            dim.add_modifier(Modifier::ITALIC),
        );
        return;
    }
    let base = match (message.sender_kind, message.msg_type.as_str()) {
        (SenderKind::System, _) => dim,
        (_, "file" | "image" | "media" | "audio" | "folder" | "sticker") => scene.s(Role::Code),
        _ => scene.s(Role::Text),
    };
    // The space at which a line was broken hangs over its end: it is no reason to say that something is cut.
    let body = message.text.as_str().get(range.clone()).unwrap_or_default().trim_end_matches(' ');
    // Cards stand out by a bar, so that their several lines are seen as one thing.
    if message.msg_type == "interactive" {
        line.text(x.saturating_sub(1), 0, "▍", scene.s(Role::Streaming));
    }
    let runs = styled(
        scene,
        message.text.as_str(),
        range.start..range.start + body.len(),
        base,
        message.mentions_us,
    );
    let mut end = line.runs(x, 0, room, &runs);
    if is_last && message.is_edited {
        let mark = scene.t(phrase("(edited)", "（已编辑）"));
        if end + 1 + width(mark) <= x + room {
            end = line.text(end + 1, 0, mark, dim);
        }
    }
    _ = end;
}

/// A line of a text, with its mentions and links set off. A link that is broken over lines leads from each.
fn styled<'a>(
    scene: &Scene<'_>,
    whole: &'a str,
    line: Range<usize>,
    base: Style,
    mentions_us: bool,
) -> Vec<Run<'a>> {
    let mut runs = Vec::new();
    let mut push = |range: Range<usize>, style: Style| {
        runs.extend(whole.get(range).filter(|text| !text.is_empty()).map(|text| Run::new(text, style)));
    };
    let mut plain = line.start;
    for (token, role) in tokens(whole, &line) {
        let shown = token.start.max(line.start)..token.end.min(line.end);
        push(plain..shown.start, base);
        plain = shown.end;
        let style = match role {
            Role::Link => scene.link(whole.get(token).unwrap_or_default()),
            Role::Mention if !mentions_us => scene.s(Role::Accent),
            other => scene.s(other),
        };
        push(shown, style);
    }
    push(plain..line.end, base);
    runs
}

/// The mentions and links of a text that are on a line of it, also those that began on a line before.
fn tokens(whole: &str, line: &Range<usize>) -> Vec<(Range<usize>, Role)> {
    let mut found = Vec::new();
    let mut at = word_start(whole, line.start);
    while let Some(rest) = whole.get(at..).filter(|rest| at < line.end && !rest.is_empty()) {
        let is_start =
            whole.get(..at).is_none_or(|before| !before.ends_with(|c: char| c.is_ascii_alphanumeric()));
        match token(rest).filter(|_| is_start) {
            Some((length, role)) => {
                if at + length > line.start {
                    found.push((at..at + length, role));
                }
                at += length;
            }
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    found
}

/// Where the word that reaches to `at` begins.
fn word_start(whole: &str, at: usize) -> usize {
    let from = whole.floor_char_boundary(at.saturating_sub(LONGEST_WORD));
    let before = whole.get(from..at).unwrap_or_default();
    match before.rfind(char::is_whitespace) {
        Some(space) => from + space,
        None if from == 0 => 0,
        None => at,
    }
}

/// A mention or a link at the beginning of `text`: its length in bytes.
fn token(text: &str) -> Option<(usize, Role)> {
    if let Some(name) = text.strip_prefix('@') {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let length = name.find(|c| !is_part(c)).unwrap_or(name.len());
        return (length > 0).then_some((length + 1, Role::Mention));
    }
    if text.starts_with("https://") || text.starts_with("http://") {
        let ends = |c: char| c.is_whitespace() || matches!(c, '，' | '。' | '）' | ')' | '>' | '"' | '、');
        let length = text.find(ends).unwrap_or(text.len());
        // What ends a sentence is not of the address.
        let address = text.get(..length)?.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'']);
        return Some((address.len(), Role::Link));
    }
    None
}

fn reactions(scene: &Scene<'_>, known: &[(String, u32)]) -> Vec<Run<'static>> {
    let mut runs = Vec::new();
    for (emoji, count) in known {
        let picture = picture_of(emoji);
        let is_ascii = scene.model.glyphs == crate::app::model::Glyphs::Ascii;
        let shown: Cow<'static, str> = match picture.filter(|_| !is_ascii) {
            Some(picture) => picture.into(),
            None => SafeText::line(&emoji.to_lowercase()).to_string().into(),
        };
        runs.push(Run::new(shown, scene.s(Role::Text)));
        runs.push(Run::new(format!(" {count}   "), scene.s(Role::Dim)));
    }
    runs
}

fn outgoing_row(
    scene: &Scene<'_>,
    line: &mut Canvas<'_>,
    (item, outgoing, body): (&Item, &Outgoing, &SafeText),
    row: &LineRow,
    layout: Layout,
    needs_name: &mut bool,
    divider: Option<&Divider>,
) {
    let dim = scene.s(Role::Dim);
    match row {
        LineRow::Text(range) => {
            if std::mem::take(needs_name) {
                if let Some(x) = layout.time {
                    line.text(x, 0, &words::clock(scene, outgoing.queued_at), dim);
                }
                let name = SafeText::line(&outgoing.author);
                line.clip(layout.name.0, 0, layout.name.1, name.as_str(), scene.s(Role::Strong));
            }
            let (sign, role) = match outgoing.state {
                OutgoingState::Queued | OutgoingState::Sending => ("◌", Role::Dim),
                OutgoingState::Sent { .. } => ("✓", Role::Ok),
                OutgoingState::Failed { .. } => ("✗", Role::Error),
                OutgoingState::Unknown => ("?", Role::Warn),
            };
            line.text(layout.sign, 0, sign, scene.s(role));
            line.clip(
                layout.text,
                0,
                layout.cells,
                body.as_str().get(range.clone()).unwrap_or_default(),
                dim,
            );
        }
        LineRow::State => {
            let (words, role) = outgoing_words(scene, &outgoing.state);
            line.clip(layout.text, 0, layout.cells, &words, scene.s(role));
        }
        _ => common_row(scene, line, item, row, layout, None, divider),
    }
}

fn outgoing_words(scene: &Scene<'_>, state: &OutgoingState) -> (String, Role) {
    match state {
        OutgoingState::Queued => (scene.t(phrase("waiting to be sent", "等待发送")).to_owned(), Role::Dim),
        OutgoingState::Sending => (scene.t(phrase("sending…", "发送中…")).to_owned(), Role::Dim),
        OutgoingState::Sent { .. } => (scene.t(phrase("sent", "已发送")).to_owned(), Role::Ok),
        OutgoingState::Failed { reason } => (
            scene.fill(
                phrase("not sent: {} · s sends again, x discards", "未发送：{} · s 重发，x 丢弃"),
                &[&SafeText::line(reason)],
            ),
            Role::Error,
        ),
        OutgoingState::Unknown => (
            scene
                .t(phrase(
                    "nobody knows whether it arrived: look at the room · x discards",
                    "是否送达未知：请查看群 · x 丢弃",
                ))
                .to_owned(),
            Role::Warn,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_and_links_are_found_where_they_begin() {
        assert_eq!(token("@王伟 看"), Some((7, Role::Mention)));
        assert_eq!(token("@ a"), None);
        assert_eq!(token("https://a.test/x?y=1，好"), Some((20, Role::Link)));
        assert_eq!(token("https://a.test/x."), Some((16, Role::Link)));
    }

    #[test]
    fn a_link_that_is_broken_over_lines_leads_from_each() {
        let text = "see https://a.test/one/two and @王伟";
        let on = |line: Range<usize>| tokens(text, &line);
        let link = (4..26, Role::Link);
        assert_eq!(on(0..10), std::slice::from_ref(&link));
        assert_eq!(on(10..26), std::slice::from_ref(&link));
        assert_eq!(on(20..text.len()), [link, (31..38, Role::Mention)]);
        assert_eq!(on(27..30), []);
        assert_eq!(tokens(&"x".repeat(5000), &(4000..4100)), []);
        for end in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
            for start in (0..=end).filter(|at| text.is_char_boundary(*at)) {
                tokens(text, &(start..end));
            }
        }
    }

    #[test]
    fn columns_fit_any_width() {
        for columns in 0..400 {
            let layout = Layout::new(columns);
            assert!(layout.text + layout.cells <= columns.max(2), "{columns}");
        }
    }
}
