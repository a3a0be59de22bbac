//! The box to write in.

use super::{Canvas, Role, Scene};
use crate::{
    app::{
        action::Action,
        command,
        compose::{MAX_BYTES, Suggestions},
        model::{OpenRoom, RoomFocus},
    },
    core::{
        lang::phrase,
        role::Right,
        room::RoomStatus,
        text::{self, SafeText},
    },
    tui::{
        canvas::{Run, cells, width},
        widget::{number, popup},
    },
};

/// From this height on the composer has a frame.
const FRAMED_ROWS: u16 = 14;

/// Rows of the composer in a room of `w` x `h`.
pub(super) fn height(scene: &Scene<'_>, room: &OpenRoom, w: u16, h: u16) -> u16 {
    let is_writing = scene.model.rooms.focus == RoomFocus::Composer;
    if h < 6 && !is_writing {
        return 0;
    }
    let most = (h / 3).max(1);
    let rows = cells(room.composer.rows(usize::from(text_cells(w, h))).len()).clamp(1, most);
    let frame = if h >= FRAMED_ROWS { 2 } else { 0 };
    (rows + frame).min(h.saturating_sub(1))
}

/// Cells of a line of text.
const fn text_cells(w: u16, h: u16) -> u16 {
    // Frame and air at both sides, or a sign; and a cell for the caret after the last character.
    let taken = if h >= FRAMED_ROWS { 5 } else { 4 };
    let left = w.saturating_sub(taken);
    if left == 0 { 1 } else { left }
}

/// Draws the composer into its rows; `canvas` has the height that [`height`] gave.
pub(super) fn draw(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, room: &OpenRoom) {
    if canvas.height() == 0 {
        return;
    }
    let is_writing = scene.model.rooms.focus == RoomFocus::Composer;
    scene.click(canvas.area(), Action::FocusRoom(RoomFocus::Composer));
    let is_framed = canvas.height() >= 3 && canvas.area().height >= 3 && canvas.width() >= 12;
    let (w, h) = (canvas.width(), canvas.height());
    if is_framed {
        frame(scene, canvas, room, is_writing);
        let room_cells = w.saturating_sub(5).max(1);
        scene.drawn.painted.sizes.composer_cells = room_cells;
        let mut inside = canvas.sub(2, 1, w.saturating_sub(4), h - 2);
        body(scene, &mut inside, room, room_cells, is_writing);
    } else {
        let sign = if is_writing { Role::Key } else { Role::Dim };
        canvas.text(1, 0, "›", scene.s(sign));
        let room_cells = w.saturating_sub(4).max(1);
        scene.drawn.painted.sizes.composer_cells = room_cells;
        let mut inside = canvas.sub(3, 0, w.saturating_sub(3), h);
        body(scene, &mut inside, room, room_cells, is_writing);
    }
    if let Some(popup) = room.composer.suggestions().filter(|_| is_writing) {
        suggestions(scene, canvas, popup);
    }
}

fn frame(scene: &Scene<'_>, canvas: &mut Canvas<'_>, room: &OpenRoom, is_writing: bool) {
    let (w, h) = (canvas.width(), canvas.height());
    let border = scene.s(if is_writing { Role::BorderFocus } else { Role::Border });
    canvas.border(border);
    let dim = scene.s(Role::Dim);
    let title = title(scene, room);
    canvas.clip(
        2,
        0,
        w.saturating_sub(4),
        &format!(" {title} "),
        if is_writing { scene.s(Role::Text) } else { dim },
    );
    let used = room.composer.text().len();
    if used > 0 {
        let counter = format!(" {} / 150k ", number(u64::try_from(used).unwrap_or(u64::MAX)));
        let style = if used * 10 > MAX_BYTES * 9 { scene.s(Role::Warn) } else { dim };
        canvas.right(w.saturating_sub(2), h - 1, w.saturating_sub(4), &counter, style);
    }
}

/// Whom it answers and as whom it is sent.
fn title(scene: &Scene<'_>, room: &OpenRoom) -> String {
    let model = scene.model;
    let bot = model.active_item().and_then(|item| item.bot_name.as_ref());
    let bot = bot.map_or_else(|| scene.t(phrase("the bot", "机器人")).to_owned(), ToString::to_string);
    let me = SafeText::line(&model.me.user);
    let way = scene.fill(phrase("as {} for {}", "以 {} 的身份，代 {}"), &[&bot, &me]);
    match &room.reply {
        Some(reply) if reply.in_thread => {
            scene.fill(phrase("in the thread of {} · {}", "在 {} 的话题中 · {}"), &[&reply.sender, &way])
        }
        Some(reply) => scene.fill(phrase("reply to {} · {}", "回复 {} · {}"), &[&reply.sender, &way]),
        None => scene.fill(phrase("message {}", "发消息 · {}"), &[&way]),
    }
}

fn body(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, room: &OpenRoom, room_cells: u16, is_writing: bool) {
    let composer = &room.composer;
    if composer.is_empty() && !is_writing {
        let row = scene.model.rooms.get(&room.chat_id);
        let words = if row.is_some_and(|row| row.room.status != RoomStatus::Open) {
            phrase("the room is closed: nothing can be written", "群已关闭，无法发消息")
        } else if let Err(reason) = command::may(scene.model.role, Right::Respond) {
            reason
        } else if scene.model.is_read_only() {
            phrase("read-only: nothing can be written", "只读：无法发消息")
        } else {
            phrase("i to write", "按 i 写消息")
        };
        let end = canvas.width();
        canvas.clip(0, 0, end, scene.t(words), scene.s(Role::Dim));
        return;
    }
    let rows = composer.rows(usize::from(room_cells));
    let (row, column) = composer.caret(usize::from(room_cells));
    let first = (row + 1).saturating_sub(usize::from(canvas.height()));
    for (y, range) in (0..canvas.height()).zip(rows.iter().skip(first)) {
        let line = composer.text().get(range.clone()).unwrap_or_default();
        canvas.text(0, y, line, scene.s(Role::Text));
    }
    if is_writing {
        scene.caret(canvas, cells(column), cells(row.saturating_sub(first)));
    }
}

/// People to mention, above the caret.
fn suggestions(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, known: &Suggestions) {
    let widest = known.rows.iter().map(|row| width(row.name.as_str())).max().unwrap_or_default();
    let columns = (widest + 16).clamp(20, 40).min(canvas.width());
    let rows = cells(known.rows.len());
    let area = canvas.area();
    let top = area.y.saturating_sub(rows + 2);
    if top == 0 {
        return;
    }
    let place = ratatui::layout::Rect::new(area.x + 2.min(area.width), top, columns, rows + 2);
    scene.drawn.pending.push(super::Pending { place, rows: known.clone() });
}

/// Draws the suggestions that the composer asked for, over the transcript.
pub(super) fn draw_pending(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, pending: &super::Pending) {
    let looks = scene.popup_looks();
    let title = scene.t(phrase("mention", "提及"));
    let mut inside = popup::open(canvas, pending.place, title, "", looks);
    for ((y, row), n) in (0..).zip(&pending.rows.rows).zip(0usize..) {
        let mut line = inside.row(y);
        let mark = if row.is_linked { ("✓", Role::Ok) } else { ("·", Role::Dim) };
        let name =
            text::truncate(row.name.as_str(), usize::from(line.width().saturating_sub(4))).into_owned();
        let runs = [Run::new(mark.0, scene.s(mark.1)), Run::new(format!(" {name}"), scene.s(Role::Text))];
        let room = line.width();
        line.runs(1, 0, room, &runs);
        if n == pending.rows.selected {
            scene.select(&mut line, true);
        }
        scene.click(line.area(), Action::PickMention(n));
    }
}
