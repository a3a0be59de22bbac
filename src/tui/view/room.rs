//! The open room: title, transcript, composer; its thread and its people beside them where there is width.

use super::{Canvas, Role, Scene, composer, people, rooms, transcript, words};
use crate::{
    app::{
        action::{Action, ScrollTarget},
        busy::Topic,
        model::{OpenRoom, RoomFocus, Scroll},
    },
    core::{lang::phrase, text},
    tui::canvas::{Run, width},
};

/// From this width of the whole screen on the people stand beside the transcript.
const PEOPLE_SCREEN_COLUMNS: u16 = 140;
/// Cells of the people.
const PEOPLE_COLUMNS: u16 = 28;
/// From this width of the room on its thread stands beside the transcript.
const THREAD_COLUMNS: u16 = 96;

/// Draws the open room.
pub(super) fn draw(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>) {
    let model = scene.model;
    let Some(room) = &model.room else { return };
    let (w, h) = (canvas.width(), canvas.height());
    if room.thread.is_some() {
        if w >= THREAD_COLUMNS {
            let left = w * 11 / 20;
            main(scene, &mut canvas.sub(0, 0, left, h), room);
            separate(scene, canvas, left);
            thread(scene, &mut canvas.sub(left + 1, 0, w - left - 1, h), room, false);
        } else if model.rooms.focus == RoomFocus::Thread {
            thread(scene, canvas, room, true);
        } else {
            main(scene, canvas, room);
        }
        return;
    }
    let has_side = model.size.columns >= PEOPLE_SCREEN_COLUMNS
        && w >= PEOPLE_COLUMNS + 60
        && model.shows_people
        && !model.is_zoomed;
    if has_side {
        let left = w - PEOPLE_COLUMNS - 1;
        main(scene, &mut canvas.sub(0, 0, left, h), room);
        separate(scene, canvas, left);
        people::draw(scene, &mut canvas.sub(left + 1, 0, PEOPLE_COLUMNS, h), room);
    } else {
        main(scene, canvas, room);
    }
}

fn separate(scene: &Scene<'_>, canvas: &mut Canvas<'_>, x: u16) {
    for y in 0..canvas.height() {
        canvas.text(x, y, "│", scene.s(Role::Border));
    }
}

fn main(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, room: &OpenRoom) {
    let (w, h) = (canvas.width(), canvas.height());
    title(scene, &mut canvas.row(0), room);
    let below = composer::height(scene, room, w, h);
    let rows = h.saturating_sub(1 + below);
    let mut area = canvas.sub(0, 1, w, rows);
    let place = area.area();
    scene.wheel(place, ScrollTarget::Transcript);
    scene.click(place, Action::FocusRoom(RoomFocus::Transcript));
    let layout = transcript::Layout::new(w);
    scene.drawn.painted.sizes.transcript_rows = rows;
    scene.drawn.painted.sizes.transcript_cells = layout.cells;
    if room.items.is_empty() {
        words::nothing(scene, &mut area, &room.load, empty(scene));
    } else {
        let visible = room.visible(usize::from(rows));
        let cursor = room.cursor.as_ref();
        let look = transcript::Look { has_keys: scene.model.rooms.focus == RoomFocus::Transcript, cursor };
        transcript::draw(scene, &mut area, &visible, layout, look, room.divider.as_ref());
        pill(scene, &mut area, room);
    }
    composer::draw(scene, &mut canvas.sub(0, 1 + rows, w, below), room);
}

const fn empty(scene: &Scene<'_>) -> (&'static str, &'static str) {
    (
        scene.t(phrase("Nothing has been said here yet", "这里还没有消息")),
        scene.t(phrase("What is written from now on appears by itself.", "新的消息会自动显示在这里。")),
    )
}

fn title(scene: &Scene<'_>, canvas: &mut Canvas<'_>, room: &OpenRoom) {
    let model = scene.model;
    let w = canvas.width();
    let state = history_state(scene, room);
    let state_cells = if state.is_empty() { 0 } else { width(&state) + 2 };
    let (name, facts) = model.rooms.get(&room.chat_id).map_or_else(
        || (room.chat_id.as_str().to_owned(), String::new()),
        |row| (row.name.to_string(), rooms::facts(scene, row)),
    );
    let shown = text::truncate(&name, usize::from(w.saturating_sub(state_cells + 3)));
    let runs = [Run::new(shown, scene.s(Role::Strong)), Run::new(format!("  {facts}"), scene.s(Role::Dim))];
    canvas.runs(1, 0, w.saturating_sub(state_cells + 2), &runs);
    canvas.right(w.saturating_sub(1), 0, state_cells, &state, scene.s(Role::Dim));
}

/// How far the history is: being asked for, complete, or to be asked for by scrolling.
fn history_state(scene: &Scene<'_>, room: &OpenRoom) -> String {
    let busy = &scene.model.busy;
    let id = || room.chat_id.clone();
    let words = if busy.has(&Topic::Fetch(id())) {
        phrase("asking Feishu for older messages…", "正在向飞书获取更早的消息…")
    } else if busy.has(&Topic::Older(id())) || busy.has(&Topic::Newer(id())) {
        phrase("loading…", "加载中…")
    } else if room.scroll == Scroll::End {
        return String::new();
    } else if room.is_start && !room.has_older && is_at_top(room) {
        if let Some(from) = room.kept_from {
            let from = words::date_time(scene, from);
            return scene
                .fill(phrase("older than {} is no longer kept", "{} 之前的消息已不再保留"), &[&from]);
        }
        phrase("beginning of the room", "群消息的开头")
    } else {
        phrase("reading history", "正在看历史")
    };
    scene.t(words).to_owned()
}

fn is_at_top(room: &OpenRoom) -> bool {
    match (&room.scroll, room.items.front()) {
        (Scroll::At { key, row: 0 }, Some(first)) => *key == first.key,
        _ => false,
    }
}

/// What came below while somebody reads further up.
fn pill(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, room: &OpenRoom) {
    if room.scroll == Scroll::End || canvas.height() == 0 {
        return;
    }
    let words = match room.new_below {
        0 if room.has_newer => scene.t(phrase(" ↓ newest: G ", " ↓ 最新：G ")).to_owned(),
        0 => return,
        n => scene.fill(phrase(" ↓ {} new: G ", " ↓ {} 条新消息：G "), &[&n]),
    };
    let y = canvas.height() - 1;
    let x = canvas.width().saturating_sub(width(&words) + 2);
    let style = scene.s(Role::Badge);
    canvas.text(x, y, &words, style);
    let area = canvas.sub(x, y, width(&words), 1).area();
    scene.click(area, Action::Run(crate::app::command::Command::Last));
}

fn thread(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, room: &OpenRoom, is_alone: bool) {
    let Some(thread) = &room.thread else { return };
    let (w, h) = (canvas.width(), canvas.height());
    let count = thread.items.len().saturating_sub(1);
    let runs = [
        Run::new(scene.t(phrase("Thread", "话题")), scene.s(Role::Strong)),
        Run::new(scene.fill(phrase("  {} replies", "  {} 条回复"), &[&count]), scene.s(Role::Dim)),
        Run::new(scene.t(phrase("  esc closes", "  esc 关闭")), scene.s(Role::Dim)),
    ];
    canvas.runs(1, 0, w.saturating_sub(2), &runs);
    // Where the thread has the whole width, what is written goes into it: the composer stands below.
    let below = if is_alone { composer::height(scene, room, w, h) } else { 0 };
    let rows = h.saturating_sub(1 + below);
    let mut area = canvas.sub(0, 1, w, rows);
    let place = area.area();
    scene.wheel(place, ScrollTarget::Thread);
    scene.click(place, Action::FocusRoom(RoomFocus::Thread));
    let layout = transcript::Layout::new(w);
    scene.drawn.painted.sizes.thread_rows = rows;
    scene.drawn.painted.sizes.thread_cells = layout.cells;
    if thread.items.is_empty() {
        words::nothing(scene, &mut area, &thread.load, empty(scene));
    } else {
        let look = transcript::Look { has_keys: scene.model.rooms.focus == RoomFocus::Thread, cursor: None };
        transcript::draw(scene, &mut area, &thread.visible(usize::from(rows)), layout, look, None);
    }
    if below > 0 {
        composer::draw(scene, &mut canvas.sub(0, 1 + rows, w, below), room);
    }
}
