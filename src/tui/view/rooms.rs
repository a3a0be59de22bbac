//! Pane 3: the rooms, and how the pane is shared between them and the open one.

use super::{Canvas, Role, Scene, room, words};
use crate::{
    app::{
        action::{Action, ScrollTarget},
        model::{RoomFocus, RoomRow},
    },
    core::{
        lang::phrase,
        room::{RoomKind, RoomStatus},
    },
    tui::{
        canvas::{Run, cells, width},
        widget::{number, prompt, short_number},
    },
};

/// From this width on the list stands beside the transcript.
const SPLIT_COLUMNS: u16 = 100;

/// Cells of the list then: a name needs its room, the transcript the most of it.
fn list_columns(w: u16) -> u16 {
    (w / 7 * 2).clamp(30, 44)
}

/// Draws the pane.
pub(super) fn draw(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>) {
    let model = scene.model;
    let (w, h) = (canvas.width(), canvas.height());
    let has_room = model.room.is_some();
    let on_list = model.rooms.focus == RoomFocus::List || model.rooms.is_filtering || !has_room;
    if w >= SPLIT_COLUMNS && !(model.is_zoomed && has_room) {
        let list_cells = list_columns(w);
        list(scene, &mut canvas.sub(0, 0, list_cells, h), on_list);
        for y in 0..h {
            canvas.text(list_cells, y, "│", scene.s(Role::Border));
        }
        let rest = list_cells + 1;
        let mut side = canvas.sub(rest, 0, w - rest, h);
        if has_room {
            room::draw(scene, &mut side);
        } else {
            words::nothing(scene, &mut side, &model.rooms.load, no_room(scene));
        }
    } else if on_list {
        list(scene, canvas, true);
    } else {
        room::draw(scene, canvas);
    }
}

const fn no_room(scene: &Scene<'_>) -> (&'static str, &'static str) {
    (
        scene.t(phrase("No room is open", "尚未打开群")),
        scene.t(phrase("Choose one in the list and press Enter.", "在列表中选择一个并按 Enter。")),
    )
}

fn list(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, has_keys: bool) {
    let model = scene.model;
    let (w, h) = (canvas.width(), canvas.height());
    scene.wheel(canvas.area(), ScrollTarget::Rooms);
    head(scene, canvas);
    let rows: Vec<&RoomRow> = model.rooms.visible().collect();
    let closed = model.rooms.closed();
    let shows_foot = closed > 0 && h >= 6;
    let height = h.saturating_sub(1 + u16::from(shows_foot));
    scene.drawn.painted.sizes.list_rows = height;
    let mut area = canvas.sub(0, 1, w, height);
    if rows.is_empty() {
        words::nothing(scene, &mut area, &model.rooms.load, empty(scene));
    }
    let at = rows.iter().position(|row| Some(&row.room.chat_id) == model.rooms.selected.as_ref());
    let first = at.map_or(0, |at| (at + 1).saturating_sub(usize::from(height)));
    for (y, row) in (0..height).zip(rows.iter().skip(first)) {
        let mut line = area.row(y);
        room_row(scene, &mut line, row);
        if Some(&row.room.chat_id) == model.rooms.selected.as_ref() {
            scene.select(&mut line, has_keys);
        }
        scene.click(line.area(), Action::OpenRoom(row.room.chat_id.clone()));
    }
    if shows_foot {
        let words = if model.rooms.shows_closed {
            phrase("disbanded {}, listed", "已解散 {} 个（已显示）")
        } else {
            phrase("disbanded {}: d lists them", "已解散 {} 个：按 d 显示")
        };
        canvas.clip(2, h - 1, w.saturating_sub(3), &scene.fill(words, &[&closed]), scene.s(Role::Dim));
    }
}

fn empty(scene: &Scene<'_>) -> (&'static str, &'static str) {
    if scene.model.active.is_none() {
        return (
            scene.t(phrase("No integration", "没有集成")),
            scene.t(phrase("Go to pane 1 and press a to add one.", "请到面板 1 按 a 添加。")),
        );
    }
    if !scene.model.rooms.filter.value().is_empty() {
        return (
            scene.t(phrase("No room of that name", "没有符合的群")),
            scene.t(phrase("Esc clears the search.", "按 Esc 清除搜索。")),
        );
    }
    (
        scene.t(phrase("No room yet", "还没有群")),
        scene.t(phrase(
            "Add the bot to a group chat in Feishu; the room appears here by itself. R asks again.",
            "在飞书中把机器人加入群聊，群会自动出现在这里。按 R 重新获取。",
        )),
    )
}

fn head(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>) {
    let model = scene.model;
    let w = canvas.width();
    let title = scene.t(phrase("ROOMS", "群"));
    let count = number(u64::try_from(model.rooms.visible().count()).unwrap_or(u64::MAX));
    let runs = [Run::new(title, scene.s(Role::Title)), Run::new(format!(" {count}"), scene.s(Role::Text))];
    let end = canvas.runs(2, 0, w.saturating_sub(2), &runs) + 2;
    let filter = &model.rooms.filter;
    if model.rooms.is_filtering {
        let x = canvas.text(end, 0, "/", scene.s(Role::Key));
        let room = w.saturating_sub(x + 1);
        let caret = prompt::draw(canvas, (x, 0), room, filter.value(), before(filter), scene.s(Role::Input));
        scene.caret(canvas, caret, 0);
        return;
    }
    let note = match (filter.value(), words::load_mark(scene, &model.rooms.load)) {
        ("", "") => scene.t(phrase("unread first", "未读优先")).to_owned(),
        ("", mark) => mark.to_owned(),
        (search, _) => format!("/{search}"),
    };
    canvas.clip(end, 0, w.saturating_sub(end + 1), &note, scene.s(Role::Dim));
}

/// The part of a field's text that stands before its caret.
pub(super) fn before(input: &tui_input::Input) -> &str {
    let value = input.value();
    let end = value.char_indices().nth(input.cursor()).map_or(value.len(), |(at, _)| at);
    value.get(..end).unwrap_or_default()
}

/// `@ name        7   2 m`.
fn room_row(scene: &Scene<'_>, line: &mut Canvas<'_>, row: &RoomRow) {
    let room = &row.room;
    let dim = scene.s(Role::Dim);
    let is_open = room.status == RoomStatus::Open;
    let has_news = is_open && room.unread > 0;
    let (sign, style) = match (room.mentioned && has_news, has_news) {
        (true, _) => ("@", scene.s(Role::Mention)),
        (_, true) => ("●", scene.s(Role::Accent)),
        _ if !is_open => ("×", dim),
        _ if room.kind == RoomKind::WarRoom => ("·", scene.s(Role::Accent)),
        _ => (" ", dim),
    };
    line.text(1, 0, sign, style);
    let end = line.width().saturating_sub(1);
    let age = room.last_message_at.map(|at| words::short_age(scene, at)).unwrap_or_default();
    line.right(end, 0, 5, &age, dim);
    let mut name_end = end.saturating_sub(6);
    if has_news {
        let unread = short_number(u64::from(room.unread));
        line.right(name_end, 0, 4, &unread, scene.s(Role::Unread));
        name_end = name_end.saturating_sub(width(&unread).max(3) + 1);
    }
    let name = match (is_open, has_news) {
        (false, _) => dim,
        (_, true) => scene.s(Role::Unread),
        _ => scene.s(Role::Text),
    };
    line.clip(3, 0, name_end.saturating_sub(3), row.name.as_str(), name);
}

/// Facts of a room in a few words: its state, people, and how many are not linked.
pub(super) fn facts(scene: &Scene<'_>, row: &RoomRow) -> String {
    let mut parts = Vec::new();
    match row.room.status {
        RoomStatus::Open => {}
        RoomStatus::Disbanded => parts.push(scene.t(phrase("disbanded", "已解散")).to_owned()),
        RoomStatus::Dismissed => parts.push(scene.t(phrase("dismissed", "已关闭")).to_owned()),
    }
    if let Some(count) = row.room.member_count {
        parts.push(scene.fill(phrase("{} people", "{} 人"), &[&number(u64::from(count))]));
    }
    let people = scene.model.room.as_ref().filter(|room| room.chat_id == row.room.chat_id);
    let unlinked = people.map_or(0, |room| room.people.iter().filter(|row| !row.person.is_linked).count());
    if unlinked > 0 {
        parts.push(scene.fill(phrase("{} not linked", "{} 人未关联"), &[&unlinked]));
    }
    if parts.is_empty() && !row.room.description.is_empty() {
        parts.push(crate::core::text::SafeText::line(&row.room.description).to_string());
    }
    parts.join(" · ")
}

/// A count of rows as coordinates have it.
pub(super) fn rows(count: usize) -> u16 {
    cells(count)
}
