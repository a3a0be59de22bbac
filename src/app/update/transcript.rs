//! Pane 3: pages of the transcript, what is fetched around them, read marks, the thread.

use std::collections::VecDeque;

use super::{
    Turn,
    rooms::PAGE,
    window::{Maker, Page},
};
use crate::{
    app::{
        busy::Topic,
        effect::Ask,
        event::{Anchor, Place, TranscriptPage},
        model::{
            Divider, Item, ItemBody, ItemKey, Load, Model, OpenRoom, Pane, RoomFocus, Scroll, Thread, find,
            top,
        },
    },
    core::{ids::ChatId, lang::Lang, message::Message, role::Right, room::OutgoingState, time::Timestamp},
};

/// Entries kept while the end is on screen, and at most.
pub(super) const KEEP: usize = 300;
pub(super) const MAX: usize = 700;
/// So near to an end of the window more is loaded.
const EDGE: usize = 40;

/// What a person reads of a message.
pub(super) fn readable(message: &Message, lang: Lang) -> String {
    let body = &message.body;
    crate::core::readable::readable(&body.msg_type, &body.content, &body.mentions, &|_| None, lang)
}

impl Turn<'_> {
    /// What makes entries ready to show in this console.
    pub(super) fn maker(&self) -> Maker {
        let app = self.m.active_item().and_then(|item| item.row.integration.app.as_ref());
        let own = app.map(|app| {
            let ids = [Some(app.app_id().to_string()), app.bot_open_id.clone()];
            ids.into_iter().flatten().collect()
        });
        Maker { zone: self.m.zone.clone(), lang: self.m.lang, own: own.unwrap_or_default() }
    }

    pub(super) fn take_transcript(&mut self, topic: &Topic, page: TranscriptPage) {
        let maker = self.maker();
        let Some(room) = self.m.room.as_mut().filter(|room| room.chat_id == page.chat_id) else { return };
        match topic {
            Topic::Older(_) => prepend(room, &maker, page),
            Topic::Newer(_) => append(room, &maker, page),
            _ => replace(room, &maker, page),
        }
        self.m.touch();
        self.fetch_if_empty();
    }

    /// A room that the store knows nothing of is asked from the platform once.
    fn fetch_if_empty(&mut self) {
        let Some(room) = &self.m.room else { return };
        let is_empty = !room.items.iter().any(|item| item.message().is_some());
        if is_empty && !room.has_older && !room.has_newer && !room.is_start {
            self.fetch_older();
        }
    }

    /// Asks the platform for what was written before the window.
    pub(super) fn fetch_older(&mut self) {
        let Some(room) = &self.m.room else { return };
        let chat = room.chat_id.clone();
        if room.is_start || room.has_older || self.m.busy.has(&Topic::Fetch(chat.clone())) {
            return;
        }
        let before = first_place(room);
        self.ask(Topic::Fetch(chat.clone()), Ask::FetchOlder { chat_id: chat, before });
    }

    /// `kept_from`: there are older ones, which are not kept.
    pub(super) fn older_fetched(
        &mut self,
        chat: &ChatId,
        stored: u64,
        is_start: bool,
        kept_from: Option<Timestamp>,
    ) {
        let mut is_empty = false;
        self.with_room(chat, |room| {
            room.is_start = is_start || stored == 0 || kept_from.is_some();
            room.kept_from = kept_from;
            room.has_older |= stored > 0;
            is_empty = first_place(room).is_none();
        });
        if stored > 0 && is_empty {
            self.load_window(chat, Anchor::Latest);
        }
    }

    /// New widths or another language: the rows again.
    pub(super) fn relayout(&mut self) {
        let maker = self.maker();
        let sizes = self.m.painted.sizes;
        let Some(room) = self.m.room.as_mut() else { return };
        if sizes.transcript_cells > 0 {
            room.cells = sizes.transcript_cells;
        }
        lay_out_room(room, &maker, true);
        if let Some(thread) = &mut room.thread {
            if sizes.thread_cells > 0 {
                thread.cells = sizes.thread_cells;
            }
            lay_out_thread(thread, &maker, true);
        }
    }

    /// What the open room needs: pages near the ends of the window, the count of new messages, the mark.
    pub(super) fn settle_room(&mut self) {
        let rows = transcript_rows(self.m);
        let may_ask = !self.m.is_store_away();
        let Some(room) = self.m.room.as_mut() else { return };
        if room.load != Load::Ready {
            return;
        }
        let chat = room.chat_id.clone();
        let is_end = !room.has_newer && is_end_visible(room, rows);
        if is_end && room.new_below > 0 {
            room.new_below = 0;
            self.m.rev += 1;
        }
        let Some(room) = self.m.room.as_ref() else { return };
        let (first, _) = top(&room.items, &room.scroll, rows);
        let is_low = first + rows + EDGE >= room.items.len();
        let older = (room.has_older && first < EDGE).then(|| first_place(room)).flatten();
        let newer = (room.has_newer && is_low).then(|| last_place(room)).flatten();
        let busy = |topic: &Topic| self.m.busy.has(topic);
        let waits = !may_ask || busy(&Topic::Window(chat.clone()));
        let older = older.filter(|_| !waits && !busy(&Topic::Older(chat.clone())));
        let newer = newer.filter(|_| !waits && !busy(&Topic::Newer(chat.clone())));
        let is_read = may_ask && is_end && may_mark(self.m) && unmarked(room).is_some();
        if let Some(place) = older {
            let ask =
                Ask::LoadTranscript { chat_id: chat.clone(), anchor: Anchor::Before(place), limit: PAGE };
            self.ask(Topic::Older(chat.clone()), ask);
        }
        if let Some(place) = newer {
            let ask =
                Ask::LoadTranscript { chat_id: chat.clone(), anchor: Anchor::After(place), limit: PAGE };
            self.ask(Topic::Newer(chat), ask);
        }
        if is_read {
            self.m.busy.want(Topic::Read);
        }
    }

    /// Marks the room read up to its last message, if that is still on screen.
    pub(super) fn mark_read(&mut self) {
        let rows = transcript_rows(self.m);
        if !may_mark(self.m) {
            return;
        }
        let Some(room) = self.m.room.as_mut() else { return };
        if room.has_newer || !is_end_visible(room, rows) {
            return;
        }
        let Some(place) = unmarked(room) else { return };
        room.read_to = Some(place.clone());
        let chat = room.chat_id.clone();
        if let Some(row) = self.m.rooms.list.iter_mut().find(|row| row.room.chat_id == chat)
            && row.room.unread > 0
        {
            row.room.unread = 0;
            row.room.mentioned = false;
            self.m.rev += 1;
        }
        self.ask(Topic::Read, Ask::MarkRead { chat_id: chat, place });
    }

    /// The mark could not be kept: it is set again.
    pub(super) fn forget_mark(&mut self) {
        if let Some(room) = self.m.room.as_mut() {
            room.read_to = None;
        }
    }

    /// Shows the thread, or the replies, of the message under the cursor.
    pub(super) fn show_thread(&mut self) {
        let cells = self.m.painted.sizes.thread_cells;
        let Some(room) = self.m.room.as_mut() else { return };
        let Some(message) = room.current_message() else { return };
        let root = message.root_id.clone().unwrap_or_else(|| message.message_id.clone());
        room.thread = Some(Thread {
            root,
            load: Load::Loading,
            items: VecDeque::new(),
            scroll: Scroll::End,
            cells: if cells > 0 { cells } else { room.cells },
        });
        self.m.rooms.focus = RoomFocus::Thread;
        self.load_thread();
    }

    pub(super) fn load_thread(&mut self) {
        let Some(room) = &self.m.room else { return };
        let Some(root) = room.thread.as_ref().map(|thread| thread.root.clone()) else { return };
        let chat = room.chat_id.clone();
        self.ask_latest(Topic::Thread(chat.clone()), Ask::LoadThread { chat_id: chat, root });
    }

    pub(super) fn take_thread(&mut self, chat: &ChatId, messages: Vec<Message>) {
        let maker = self.maker();
        self.with_room(chat, |room| {
            let Some(thread) = &mut room.thread else { return };
            thread.items = messages.iter().map(|message| maker.message(message)).collect();
            thread.items.make_contiguous().sort_by(|a, b| a.key.cmp(&b.key));
            thread.load = Load::Ready;
            lay_out_thread(thread, &maker, true);
        });
    }
}

/// Rows of the transcript on screen; a guess until it was drawn once.
pub(super) fn transcript_rows(model: &Model) -> usize {
    let painted = usize::from(model.painted.sizes.transcript_rows);
    if painted > 0 { painted } else { usize::from(model.size.rows.saturating_sub(8)).max(1) }
}

/// Whether the person can be taken to have seen what is on screen.
fn may_mark(model: &Model) -> bool {
    let reads = matches!(model.rooms.focus, RoomFocus::Transcript | RoomFocus::Composer);
    model.is_focused
        && model.role.may(Right::Keep)
        && model.pane == Pane::Rooms
        && model.overlays.is_empty()
        && reads
        && !model.rooms.is_filtering
        && model.painted.sizes.transcript_rows > 0
}

/// The last message, where it lies after the mark.
fn unmarked(room: &OpenRoom) -> Option<Place> {
    last_place(room).filter(|place| room.read_to.as_ref().is_none_or(|read| read < place))
}

/// Whether the last row of the window is on screen.
pub(super) fn is_end_visible(room: &OpenRoom, rows: usize) -> bool {
    match room.scroll {
        Scroll::End => true,
        Scroll::At { .. } => {
            let (first, skip) = top(&room.items, &room.scroll, rows);
            let mut left = rows + skip;
            for item in room.items.iter().skip(first) {
                if item.rows.len() > left {
                    return false;
                }
                left -= item.rows.len();
            }
            true
        }
    }
}

pub(super) fn first_place(room: &OpenRoom) -> Option<Place> {
    room.items.iter().find_map(|item| item.key.place())
}

pub(super) fn last_place(room: &OpenRoom) -> Option<Place> {
    room.items.iter().rev().find_map(|item| item.key.place())
}

/// The window becomes this page.
fn replace(room: &mut OpenRoom, maker: &Maker, page: TranscriptPage) {
    room.items = entries(maker, &page);
    room.has_older = page.has_older;
    room.has_newer = page.has_newer;
    if room.read_to < page.read_to {
        room.read_to.clone_from(&page.read_to);
    }
    if page.anchor == Anchor::Latest {
        room.outgoing = page.outgoing;
        room.new_below = 0;
    }
    if !room.is_placed {
        room.is_placed = true;
        room.divider = divider(room, page.read_to.as_ref());
    }
    // What came while this page was on its way may not be in it.
    if room.newest > last_place(room) {
        room.has_newer = true;
    }
    match page.anchor {
        Anchor::Latest => {
            room.scroll = Scroll::End;
            room.cursor = None;
        }
        Anchor::Before(place) | Anchor::After(place) | Anchor::From(place) => {
            let key = ItemKey::message(place);
            let at = room.items.iter().find(|item| item.key >= key && item.message().is_some());
            if let Some(item) = at {
                room.scroll = Scroll::At { key: item.key.clone(), row: 0 };
                room.cursor = Some(item.key.clone());
            }
        }
    }
    room.load = Load::Ready;
    sync_outgoing(room, maker);
    lay_out_room(room, maker, true);
}

/// Where the unread messages begin, by the reader's mark or else by their count.
fn divider(room: &OpenRoom, read_to: Option<&Place>) -> Option<Divider> {
    let count = u64::from(room.unread_at_open);
    if count == 0 {
        return None;
    }
    if let Some(place) = read_to {
        return Some(Divider { after: Some(ItemKey::message(place.clone())), count });
    }
    let others = room.items.iter().filter(|item| item.message().is_some_and(|message| !message.is_own));
    let mut others = others.rev();
    let skip = usize::try_from(count).unwrap_or(usize::MAX);
    Some(Divider { after: others.nth(skip).map(|item| item.key.clone()), count })
}

fn prepend(room: &mut OpenRoom, maker: &Maker, page: TranscriptPage) {
    room.has_older = page.has_older;
    let mut items = entries(maker, &page);
    if items.is_empty() {
        return;
    }
    let first = room.items.front().map(|item| item.key.clone());
    items.retain(|item| first.as_ref().is_none_or(|first| item.key < *first));
    items.append(&mut room.items);
    room.items = items;
    // Memory follows what is on screen: what lies far below goes.
    if room.items.len() > MAX {
        room.items.truncate(MAX);
        room.has_newer = true;
        sync_outgoing(room, maker);
    }
    lay_out_room(room, maker, false);
}

fn append(room: &mut OpenRoom, maker: &Maker, page: TranscriptPage) {
    let mut items = entries(maker, &page);
    let last = last_place(room).map(ItemKey::message);
    items.retain(|item| {
        last.as_ref().is_none_or(|last| item.key > *last) && find(&room.items, &item.key).is_none()
    });
    let is_nothing = items.is_empty();
    for item in items {
        insert(&mut room.items, item);
    }
    room.has_newer = page.has_newer;
    if room.newest > last_place(room) {
        // An answer without news cannot bring what is said to be newer: stop asking for it.
        room.has_newer = !is_nothing;
        if is_nothing {
            room.newest = last_place(room);
        }
    }
    trim_front(room, MAX);
    sync_outgoing(room, maker);
    lay_out_room(room, maker, false);
}

/// Drops entries from the front, but none that is on screen.
pub(super) fn trim_front(room: &mut OpenRoom, keep: usize) {
    let on_screen = match &room.scroll {
        Scroll::End => usize::MAX,
        Scroll::At { key, .. } => find(&room.items, key).unwrap_or(0).saturating_sub(EDGE),
    };
    let surplus = room.items.len().saturating_sub(keep).min(on_screen);
    if surplus > 0 {
        room.items.drain(..surplus);
        room.has_older = true;
    }
}

fn entries(maker: &Maker, page: &TranscriptPage) -> VecDeque<Item> {
    let messages = page.messages.iter().map(|message| maker.message(message));
    let mut items: Vec<Item> = messages.chain(page.seams.iter().map(|seam| maker.seam(seam))).collect();
    items.sort_by(|a, b| a.key.cmp(&b.key));
    items.dedup_by(|a, b| a.key == b.key);
    items.into()
}

/// Puts an entry in at its place; replaces one of the same key.
pub(super) fn insert(items: &mut VecDeque<Item>, item: Item) -> usize {
    if items.back().is_none_or(|last| last.key < item.key) {
        items.push_back(item);
        return items.len() - 1;
    }
    match items.binary_search_by(|other| other.key.cmp(&item.key)) {
        Ok(at) => {
            if let Some(slot) = items.get_mut(at) {
                *slot = item;
            }
            at
        }
        Err(at) => {
            items.insert(at, item);
            at
        }
    }
}

/// Own messages on their way stand at the end, and only where the end is loaded. Those that have arrived go.
pub(super) fn sync_outgoing(room: &mut OpenRoom, maker: &Maker) {
    room.items.retain(|item| !matches!(item.body, ItemBody::Outgoing(..)));
    let items = &room.items;
    room.outgoing.retain(|outgoing| match &outgoing.state {
        OutgoingState::Sent { message_id } => {
            !items.iter().rev().filter_map(Item::message).any(|message| message.message_id == *message_id)
        }
        _ => true,
    });
    if room.has_newer {
        return;
    }
    for outgoing in &room.outgoing {
        insert(&mut room.items, maker.outgoing(outgoing));
    }
}

pub(super) fn lay_out_room(room: &mut OpenRoom, maker: &Maker, wraps: bool) {
    maker.relate(&mut room.items);
    let divider = room.divider.clone();
    let page = Page { cells: room.cells, divider: divider.as_ref(), has_older: room.has_older };
    maker.lay_out_all(&mut room.items, &page, wraps);
}

pub(super) fn lay_out_thread(thread: &mut Thread, maker: &Maker, wraps: bool) {
    let page = Page { cells: thread.cells, divider: None, has_older: false };
    maker.lay_out_all(&mut thread.items, &page, wraps);
}
