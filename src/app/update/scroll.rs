//! Moving in lists, texts and transcripts.

use std::collections::VecDeque;

use super::{Turn, transcript::transcript_rows};
use crate::app::{
    action::ScrollTarget,
    key::{Key, KeyCode},
    model::{Item, ItemBody, ItemKey, Overlay, Pane, RoomFocus, Scroll, find, top},
};

/// `at` moved by `by` in a list of `count`.
pub(super) fn step(at: usize, by: i64, count: usize) -> usize {
    let by = isize::try_from(by).unwrap_or(if by < 0 { isize::MIN } else { isize::MAX });
    at.saturating_add_signed(by).min(count.saturating_sub(1))
}

/// The first row of a text of `total` rows on a screen of `rows`, moved by `by`.
pub(super) fn scroll_text(at: u16, by: i64, rows: u16, total: u16) -> u16 {
    let last = i64::from(total.saturating_sub(rows));
    u16::try_from(i64::from(at).saturating_add(by).clamp(0, last.max(0))).unwrap_or(0)
}

/// A move that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// By so many rows; positive is down.
    By(i64),
    /// By so many pages.
    Pages(i64),
    /// To the beginning.
    First,
    /// To the end.
    Last,
}

impl Move {
    /// In rows, where a page has `rows`.
    pub(super) fn rows(self, rows: u16) -> i64 {
        match self {
            Self::By(by) => by,
            Self::Pages(by) => by.saturating_mul(i64::from(rows.saturating_sub(1).max(1))),
            Self::First => i64::MIN / 4,
            Self::Last => i64::MAX / 4,
        }
    }
}

impl Turn<'_> {
    /// Moves in what has the focus.
    pub(super) fn move_focus(&mut self, by: Move) {
        if !self.m.overlays.is_empty() {
            return self.move_overlay(by);
        }
        let rows = by.rows(self.m.painted.sizes.list_rows.max(2));
        match self.m.pane {
            Pane::Integrations => self.move_integrations(rows),
            Pane::Users => self.move_users(rows),
            Pane::Log => self.move_log(rows),
            Pane::Quota => {
                let sizes = self.m.painted.sizes;
                let rows = by.rows(sizes.list_rows.max(2));
                self.m.quota.scroll =
                    scroll_text(self.m.quota.scroll, rows, sizes.list_rows, sizes.pane_total);
            }
            Pane::Rooms if self.m.room.is_none() || self.m.rooms.is_filtering => self.move_rooms(rows),
            Pane::Rooms => match self.m.rooms.focus {
                RoomFocus::List => self.move_rooms(rows),
                RoomFocus::Transcript => self.move_transcript(by),
                RoomFocus::Thread => self.scroll_thread(by),
                RoomFocus::Composer => self.move_in_composer(by),
            },
        }
    }

    fn move_in_composer(&mut self, by: Move) {
        let Some(room) = self.m.room.as_mut() else { return };
        match by {
            Move::By(rows) if room.composer.suggestions().is_some() => {
                room.composer.select_suggestion(if rows < 0 { -1 } else { 1 });
            }
            by => self.move_transcript(by),
        }
    }

    fn move_transcript(&mut self, by: Move) {
        match by {
            Move::By(rows) => self.move_cursor(rows),
            Move::Pages(_) => {
                let rows = u16::try_from(transcript_rows(self.m)).unwrap_or(u16::MAX);
                self.scroll_transcript(by.rows(rows));
            }
            Move::First => {
                self.scroll_transcript(i64::MIN / 4);
                self.fetch_older();
            }
            Move::Last => self.jump_to_latest(),
        }
    }

    /// To the newest message, and on with it.
    pub(super) fn jump_to_latest(&mut self) {
        let Some(room) = self.m.room.as_mut() else { return };
        room.cursor = None;
        room.scroll = Scroll::End;
        room.new_below = 0;
        if room.has_newer {
            let chat = room.chat_id.clone();
            self.load_window(&chat, crate::app::event::Anchor::Latest);
        }
    }

    /// Moves the message cursor; the transcript follows it, and stays where it is from then on.
    fn move_cursor(&mut self, by: i64) {
        let rows = transcript_rows(self.m);
        let Some(room) = self.m.room.as_mut() else { return };
        let stops: Vec<usize> = room
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| !matches!(item.body, ItemBody::Seam(_)))
            .map(|(at, _)| at)
            .collect();
        let now = match &room.cursor {
            Some(key) => match room.items.binary_search_by(|item| item.key.cmp(key)) {
                Ok(at) | Err(at) => stops.partition_point(|stop| *stop < at),
            },
            None => stops.len().saturating_sub(1),
        };
        let next = step(now, by, stops.len());
        let is_last = next + 1 >= stops.len();
        let Some(item) = stops.get(next).and_then(|at| room.items.get(*at)) else {
            return self.fetch_older();
        };
        if is_last && !room.has_newer && by > 0 {
            room.cursor = None;
            room.scroll = Scroll::End;
            return;
        }
        let key = item.key.clone();
        room.cursor = Some(key.clone());
        room.scroll = show(&room.items, &room.scroll, &key, rows);
        if next == 0 && by < 0 {
            self.fetch_older();
        }
    }

    pub(super) fn select_item(&mut self, key: ItemKey) {
        self.focus_room(RoomFocus::Transcript);
        let rows = transcript_rows(self.m);
        let Some(room) = self.m.room.as_mut() else { return };
        if find(&room.items, &key).is_some() {
            room.scroll = show(&room.items, &room.scroll, &key, rows);
            room.cursor = Some(key);
        }
    }

    /// To where the unread messages began.
    pub(super) fn jump_to_first_unread(&mut self) {
        let rows = transcript_rows(self.m);
        let Some(room) = self.m.room.as_mut() else { return };
        let Some(divider) = room.divider.clone() else { return };
        let after = |item: &&Item| divider.after.as_ref().is_none_or(|after| item.key > *after);
        let is_loaded = room.items.front().is_some_and(|first| !after(&first) || !room.has_older);
        match (room.items.iter().find(after), divider.after.as_ref().and_then(ItemKey::place)) {
            (Some(item), _) if is_loaded => {
                let key = item.key.clone();
                room.scroll =
                    clamp_end(&room.items, Scroll::At { key: key.clone(), row: 0 }, rows, room.has_newer);
                room.cursor = Some(key);
            }
            (_, Some(place)) => {
                let chat = room.chat_id.clone();
                self.load_window(&chat, crate::app::event::Anchor::From(place));
            }
            _ => {}
        }
        self.m.rooms.focus = RoomFocus::Transcript;
    }

    /// Scrolls the transcript; the cursor stays on screen.
    pub(super) fn scroll_transcript(&mut self, by: i64) {
        let rows = transcript_rows(self.m);
        let Some(room) = self.m.room.as_mut() else { return };
        let was_at_top = top(&room.items, &room.scroll, rows) == (0, 0);
        room.scroll = scroll(&room.items, &room.scroll, rows, by, room.has_newer);
        match room.scroll {
            Scroll::End => room.cursor = None,
            Scroll::At { .. } => {
                let seen: Vec<ItemKey> = room
                    .visible(rows)
                    .into_iter()
                    .filter(|(item, _)| !matches!(item.body, ItemBody::Seam(_)))
                    .map(|(item, _)| item.key.clone())
                    .collect();
                if room.cursor.as_ref().is_none_or(|key| !seen.contains(key)) {
                    let near = if by < 0 { seen.last() } else { seen.first() };
                    room.cursor = near.cloned();
                }
            }
        }
        if by < 0 && was_at_top {
            self.fetch_older();
        }
    }

    fn scroll_thread(&mut self, by: Move) {
        let rows = self.m.painted.sizes.thread_rows.max(2);
        let Some(thread) = self.m.room.as_mut().and_then(|room| room.thread.as_mut()) else { return };
        thread.scroll = scroll(&thread.items, &thread.scroll, usize::from(rows), by.rows(rows), false);
    }

    /// The wheel.
    pub(super) fn scroll_target(&mut self, target: ScrollTarget, rows: i32) {
        let rows = i64::from(rows);
        match target {
            ScrollTarget::Overlay => self.move_overlay(Move::By(rows)),
            _ if !self.m.overlays.is_empty() => {}
            ScrollTarget::Rooms => self.move_rooms(rows.signum()),
            ScrollTarget::Transcript => self.scroll_transcript(rows),
            ScrollTarget::Thread => self.scroll_thread(Move::By(rows)),
            ScrollTarget::Composer => {
                let code = if rows < 0 { KeyCode::Up } else { KeyCode::Down };
                let cells = usize::from(self.m.painted.sizes.composer_cells.max(1));
                if let Some(room) = self.m.room.as_mut() {
                    room.composer.key(Key::plain(code), cells);
                }
            }
            ScrollTarget::Pane => self.move_focus(Move::By(rows)),
        }
    }

    fn move_overlay(&mut self, by: Move) {
        let sizes = self.m.painted.sizes;
        let rows = by.rows(sizes.overlay_rows.max(2));
        let text = |at: u16| scroll_text(at, rows, sizes.overlay_rows, sizes.overlay_total);
        match self.m.overlays.last_mut() {
            Some(Overlay::Help(help)) => help.scroll = text(help.scroll),
            Some(Overlay::Member(detail)) => detail.scroll = text(detail.scroll),
            Some(
                Overlay::Operation(_, scroll)
                | Overlay::Fault(_, scroll)
                | Overlay::Press(_, scroll)
                | Overlay::Consoles(_, scroll),
            ) => *scroll = text(*scroll),
            Some(Overlay::Check(state)) => state.scroll = text(state.scroll),
            Some(Overlay::Plain(plain)) => plain.scroll = text(plain.scroll),
            Some(Overlay::Palette(palette)) => {
                palette.selected = step(palette.selected, rows, palette.rows.len())
            }
            Some(Overlay::Link(flow)) => super::link::move_results(flow, rows, sizes.overlay_rows),
            Some(Overlay::React(react)) => {
                react.selected = step(react.selected, rows, crate::core::emoji::CHOICES.len());
            }
            Some(Overlay::Form(_) | Overlay::Confirm(_) | Overlay::Qr(_)) | None => {}
        }
    }
}

/// `scroll` moved by `by` rows on a screen of `rows`.
fn scroll(items: &VecDeque<Item>, from: &Scroll, rows: usize, by: i64, has_newer: bool) -> Scroll {
    let (first, skip) = top(items, from, rows);
    let before: usize = items.iter().take(first).map(|item| item.rows.len()).sum();
    let total: usize = items.iter().map(|item| item.rows.len()).sum();
    let last = total.saturating_sub(rows);
    let now = i64::try_from(before + skip).unwrap_or(i64::MAX);
    let to = usize::try_from(now.saturating_add(by).max(0)).unwrap_or(0).min(last);
    if to == last && !has_newer {
        return Scroll::End;
    }
    let mut left = to;
    for item in items {
        if left < item.rows.len() {
            return Scroll::At { key: item.key.clone(), row: u16::try_from(left).unwrap_or(u16::MAX) };
        }
        left -= item.rows.len();
    }
    Scroll::End
}

/// The end, where nothing is below what would be on screen.
fn clamp_end(items: &VecDeque<Item>, to: Scroll, rows: usize, has_newer: bool) -> Scroll {
    scroll(items, &to, rows, 0, has_newer)
}

/// A scroll that has the entry of `key` on screen and moves as little as it can. Never `End`: a cursor that
/// was put somewhere holds the transcript.
fn show(items: &VecDeque<Item>, from: &Scroll, key: &ItemKey, rows: usize) -> Scroll {
    let Some(at) = find(items, key) else { return from.clone() };
    let (first, skip) = top(items, from, rows);
    let height = items.get(at).map_or(0, |item| item.rows.len());
    let hold = |index: usize, row: usize| match items.get(index) {
        Some(item) => Scroll::At { key: item.key.clone(), row: u16::try_from(row).unwrap_or(u16::MAX) },
        None => Scroll::End,
    };
    if at < first || (at == first && skip > 0) {
        return hold(at, 0);
    }
    let between: usize = items.iter().skip(first).take(at - first).map(|item| item.rows.len()).sum();
    let below = (between + height).saturating_sub(skip);
    if below <= rows || height >= rows && at == first {
        return hold(first, skip);
    }
    // Down until the entry's last row is on screen, or its first row is at the top.
    let mut drop = (below - rows) + skip;
    let mut index = first;
    while index < at {
        let here = items.get(index).map_or(0, |item| item.rows.len());
        if drop < here {
            return hold(index, drop);
        }
        drop -= here;
        index += 1;
    }
    hold(at, 0)
}
