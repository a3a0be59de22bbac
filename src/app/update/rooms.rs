//! Pane 3: the list of rooms, and opening one.

use std::{cmp::Reverse, time::Duration};

use super::Turn;
use crate::{
    app::{
        busy::Topic,
        effect::{Ask, TerminalEffect},
        event::Anchor,
        model::{Level, Load, OpenRoom, Pane, PersonRow, ReplyTarget, RoomFocus, RoomRow, Scroll},
        session::Draft,
    },
    config::Bell,
    core::{
        ids::ChatId,
        lang::{Phrase, phrase},
        message::short_id,
        room::{Room, RoomMember, RoomStatus},
        text::SafeText,
    },
};

/// Messages of one page of a transcript.
pub(super) const PAGE: u32 = 100;

/// How long a first listing of the rooms may take.
const SETTLING: Duration = Duration::from_secs(3);

/// What is typed in a room, with what it answers.
pub(super) fn draft_of(room: &OpenRoom) -> Draft {
    let reply = room.reply.as_ref();
    Draft {
        reply_to: reply.map(|reply| reply.place.clone()),
        in_thread: reply.is_some_and(|reply| reply.in_thread),
        ..room.composer.draft()
    }
}

/// Open rooms first; of them mentions, then unread, then the newest.
fn sort(list: &mut [RoomRow]) {
    list.sort_by_cached_key(|row| {
        let room = &row.room;
        (
            !row.is_open(),
            Reverse(room.mentioned && room.unread > 0),
            Reverse(room.unread > 0),
            Reverse(room.last_message_at),
            row.lower.clone(),
            room.chat_id.clone(),
        )
    });
}

impl Turn<'_> {
    pub(super) fn take_rooms(&mut self, rooms: Vec<Room>, is_refresh: bool) {
        let mut list: Vec<RoomRow> = rooms.into_iter().map(RoomRow::new).collect();
        sort(&mut list);
        let is_first = self.m.rooms.load != Load::Ready && self.m.rooms.list.is_empty();
        if list != self.m.rooms.list || self.m.rooms.load != Load::Ready {
            if !is_first {
                self.ring_for(&list);
                self.tell_closed(&list);
            }
            let position = self.position_of_selected();
            self.m.rooms.list = list;
            self.m.rooms.load = Load::Ready;
            self.settle_room_selection(position);
            self.m.touch();
        }
        if is_refresh {
            self.toast(Level::Ok, REFRESHED);
        }
        self.settle_first_room();
    }

    /// Opens the room to begin with. A first listing comes room by room: until it is through, the choice
    /// follows the top of the list, so that one does not begin in whichever room came first.
    fn settle_first_room(&mut self) {
        let has_begun = self.m.restore.is_some()
            || self.m.rooms.list.iter().any(|row| row.room.last_message_at.is_some());
        if self.m.is_settled || !has_begun {
            return;
        }
        let until = *self.m.settles_at.get_or_insert(self.m.now.plus(SETTLING));
        self.m.is_settled = self.m.restore.is_some() || self.m.now >= until;
        self.open_first_room();
    }

    /// The person does something: what is open stays open.
    pub(super) fn keep_first_room(&mut self) {
        self.m.is_settled |= self.m.room.is_some();
    }

    fn position_of_selected(&self) -> usize {
        let selected = self.m.rooms.selected.as_ref();
        self.m.rooms.visible().position(|row| Some(&row.room.chat_id) == selected).unwrap_or(0)
    }

    /// The selection stays with its room; where that is gone, with its place in the list.
    pub(super) fn settle_room_selection(&mut self, position: usize) {
        let rooms = &self.m.rooms;
        let is_there = rooms.visible().any(|row| Some(&row.room.chat_id) == rooms.selected.as_ref());
        if !is_there {
            let near = rooms.visible().nth(position).or_else(|| rooms.visible().last());
            let near = near.map(|row| row.room.chat_id.clone());
            self.m.rooms.selected = near;
        }
    }

    /// The room of the last session, else the first: seen from the list, so nothing is marked read.
    fn open_first_room(&mut self) {
        let restore = self.m.restore.take();
        let known = restore.filter(|(chat, _)| self.m.rooms.get(chat).is_some());
        match known {
            Some((chat, reading)) => {
                self.m.rooms.selected = Some(chat.clone());
                let anchor = reading.map_or(Anchor::Latest, Anchor::From);
                self.open_at(chat, anchor);
            }
            None => {
                let first = self.m.rooms.visible().next().map(|row| row.room.chat_id.clone());
                let open = self.m.room.as_ref().map(|room| room.chat_id.clone());
                if let Some(chat) = first.filter(|first| Some(first) != open.as_ref()) {
                    self.m.rooms.selected = Some(chat.clone());
                    self.open_at(chat, Anchor::Latest);
                }
            }
        }
    }

    /// Rings once for a room that is not open and now mentions the reader.
    fn ring_for(&mut self, list: &[RoomRow]) {
        let open = self.m.room.as_ref().map(|room| &room.chat_id);
        let rings = |row: &&RoomRow| {
            let old = self.m.rooms.get(&row.room.chat_id);
            let is_open = Some(&row.room.chat_id) == open && self.m.is_focused;
            let was_mentioned = old.is_some_and(|old| old.room.mentioned && old.room.unread > 0);
            let grew = old.is_none_or(|old| row.room.unread > old.room.unread);
            match self.m.bell {
                Bell::Never => false,
                Bell::Mention => !is_open && row.room.mentioned && row.room.unread > 0 && !was_mentioned,
                Bell::Message => !is_open && grew && row.room.unread > 0,
            }
        };
        let ringing: Vec<SafeText> = list.iter().filter(rings).map(|row| row.name.clone()).collect();
        let Some(name) = ringing.first() else { return };
        self.tell(TerminalEffect::Bell);
        if self.m.bell == Bell::Mention {
            let text = MENTIONED.fill(self.m.lang, &[name]);
            self.toast_text(Level::Info, &text, None);
        }
    }

    fn tell_closed(&mut self, list: &[RoomRow]) {
        let Some(open) = &self.m.room else { return };
        let was_open = self.m.rooms.get(&open.chat_id).is_some_and(RoomRow::is_open);
        let now = list.iter().find(|row| row.room.chat_id == open.chat_id);
        if let Some(row) = now.filter(|row| was_open && row.room.status == RoomStatus::Disbanded) {
            let text = DISBANDED.fill(self.m.lang, &[&row.name]);
            self.toast_text(Level::Warn, &text, None);
        }
    }

    /// Opens a room with the focus in its transcript. The same room again just gets the focus.
    pub(super) fn open_room(&mut self, chat: ChatId, takes_focus: bool) {
        if self.m.rooms.get(&chat).is_none() {
            return;
        }
        self.m.pane = Pane::Rooms;
        self.m.rooms.is_filtering = false;
        self.m.is_settled = true;
        self.m.rooms.selected = Some(chat.clone());
        if self.m.room.as_ref().is_none_or(|room| room.chat_id != chat) {
            self.open_at(chat, Anchor::Latest);
        }
        if takes_focus {
            self.m.rooms.focus = RoomFocus::Transcript;
        }
    }

    fn open_at(&mut self, chat: ChatId, anchor: Anchor) {
        if let Some(old) = self.m.room.take() {
            self.leave_room(&old);
        }
        let row = self.m.rooms.get(&chat);
        let mut room = OpenRoom::new(chat.clone(), row.map_or(0, |row| row.room.unread));
        if self.m.painted.sizes.transcript_cells > 0 {
            room.cells = self.m.painted.sizes.transcript_cells;
        }
        if let Some(draft) = self.m.drafts.remove(&chat) {
            room.composer = crate::app::compose::Composer::from_draft(&draft);
            room.reply = draft.reply_to.map(|place| ReplyTarget {
                sender: SafeText::line(place.message_id.as_str()),
                excerpt: SafeText::default(),
                place,
                in_thread: draft.in_thread,
            });
        }
        room.people_load = Load::Loading;
        self.m.room = Some(room);
        self.follow_room();
        self.load_window(&chat, anchor);
        self.load_people(chat);
    }

    /// Which room is open, if any, is what news are gathered for.
    pub(super) fn follow_room(&mut self) {
        let open = self.m.room.as_ref().map(|room| room.chat_id.clone());
        self.ask_latest(Topic::Open, Ask::OpenRoom(open));
    }

    pub(super) fn load_window(&mut self, chat: &ChatId, anchor: Anchor) {
        let ask = Ask::LoadTranscript { chat_id: chat.clone(), anchor, limit: PAGE };
        // A window replaces everything: pages around the old one come too late.
        self.m.busy.forget(&Topic::Older(chat.clone()));
        self.m.busy.forget(&Topic::Newer(chat.clone()));
        self.ask_latest(Topic::Window(chat.clone()), ask);
    }

    pub(super) fn load_people(&mut self, chat: ChatId) {
        self.ask_latest(Topic::People(chat.clone()), Ask::LoadRoomMembers(chat));
    }

    pub(super) fn take_people(&mut self, chat: &ChatId, people: Vec<RoomMember>) {
        let everybody = self.say(EVERYBODY);
        self.with_room(chat, |room| {
            room.people = people.into_iter().map(person_row).collect();
            room.people.sort_by_cached_key(|row| (row.person.is_linked, row.name.as_str().to_lowercase()));
            room.people_load = Load::Ready;
            if room.composer.suggestions().is_some() {
                room.composer.suggest(&room.people, everybody);
            }
        });
    }

    /// Does something to the open room, if it is still that one.
    pub(super) fn with_room(&mut self, chat: &ChatId, act: impl FnOnce(&mut OpenRoom)) {
        if let Some(room) = self.m.room.as_mut().filter(|room| room.chat_id == *chat) {
            act(room);
            self.m.touch();
        }
    }

    pub(super) fn focus_room(&mut self, focus: RoomFocus) {
        self.m.pane = Pane::Rooms;
        self.m.rooms.is_filtering = false;
        let has_thread = self.m.room.as_ref().is_some_and(|room| room.thread.is_some());
        self.m.rooms.focus = match focus {
            RoomFocus::Thread if !has_thread => RoomFocus::Transcript,
            RoomFocus::Composer if crate::app::command::Command::Compose.enabled(self.m).is_err() => {
                RoomFocus::Transcript
            }
            focus => focus,
        };
        if self.m.room.is_none() {
            self.m.rooms.focus = RoomFocus::List;
        }
    }

    pub(super) fn move_rooms(&mut self, by: i64) {
        let count = self.m.rooms.visible().count();
        let at = super::scroll::step(self.position_of_selected(), by, count);
        let chat = self.m.rooms.visible().nth(at).map(|row| row.room.chat_id.clone());
        if chat.is_some() {
            self.m.rooms.selected = chat;
        }
    }

    /// Opens the next room after the selected one with something unread, from the top again at the end.
    pub(super) fn next_unread(&mut self) {
        let rooms = &self.m.rooms;
        let open = self.m.room.as_ref().map(|room| &room.chat_id);
        let unread = |row: &&RoomRow| row.room.unread > 0 && row.is_open();
        let at = rooms.list.iter().position(|row| Some(&row.room.chat_id) == open);
        let after = rooms.list.iter().skip(at.map_or(0, |at| at + 1)).find(unread);
        let next = after.or_else(|| rooms.list.iter().find(unread));
        if let Some(chat) = next.map(|row| row.room.chat_id.clone()) {
            self.open_room(chat, true);
        }
    }

    pub(super) fn toggle_closed(&mut self) {
        self.m.rooms.shows_closed = !self.m.rooms.shows_closed;
        let position = self.position_of_selected();
        self.settle_room_selection(position);
    }

    /// Everything of the room again: the store is another one.
    pub(super) fn reload_room(&mut self) {
        let Some(chat) = self.m.room.as_ref().map(|room| room.chat_id.clone()) else { return };
        self.with_room(&chat, |room| {
            room.scroll = Scroll::End;
            room.cursor = None;
            room.newest = None;
        });
        self.load_window(&chat, Anchor::Latest);
        self.m.busy.want(Topic::People(chat));
    }
}

fn person_row(person: RoomMember) -> PersonRow {
    let name = if person.name.trim().is_empty() {
        SafeText::line(&short_id(person.open_id.as_str()))
    } else {
        SafeText::line(&person.name)
    };
    PersonRow { name, person }
}

const REFRESHED: Phrase = phrase("The rooms are up to date.", "群列表已更新。");
const MENTIONED: Phrase = phrase("You are mentioned in {}", "{} 提到了你");
const DISBANDED: Phrase = phrase("{} was disbanded; its history stays", "{} 已解散，历史保留");
/// How everybody is mentioned.
pub(super) const EVERYBODY: Phrase = phrase("all", "所有人");
