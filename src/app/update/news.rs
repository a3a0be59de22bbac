//! Pane 3: what is new in the open room.

use std::collections::{BTreeSet, VecDeque};

use super::{
    Turn,
    transcript::{
        self, KEEP, MAX, insert, last_place, lay_out_room, lay_out_thread, sync_outgoing, trim_front,
    },
    window::{Maker, Page},
};
use crate::{
    app::{
        busy::Topic,
        effect::Ask,
        event::{Place, RoomNews},
        model::{Item, ItemBody, ItemKey, Load, OpenRoom, Scroll, find},
    },
    core::{ids::ChatId, message::Message, room::Outgoing, text::SafeText},
};

impl Turn<'_> {
    /// Takes what is new. A transcript that was scrolled away from its end does not move.
    pub(super) fn take_news(&mut self, news: RoomNews) {
        let maker = self.maker();
        let Some(room) = self.m.room.as_mut().filter(|room| room.chat_id == news.chat_id) else { return };
        let wants_people = news.members;
        if room.load == Load::Ready {
            merge(room, &maker, news);
        } else if let Some(last) = news.messages.last() {
            // The first window is on its way: it is told whether it has everything.
            room.newest = room.newest.clone().max(Some(Place::of(last)));
            for outgoing in news.outgoing {
                set_outgoing(room, outgoing);
            }
        }
        let chat = room.chat_id.clone();
        self.m.touch();
        if wants_people {
            self.m.busy.want(Topic::People(chat));
        }
    }

    /// Asks for the names of senders who had none when their messages came.
    pub(super) fn load_names(&mut self, chat: &ChatId) {
        let Some(room) = self.m.room.as_ref().filter(|room| room.chat_id == *chat) else { return };
        let threads = room.thread.iter().flat_map(|thread| &thread.items);
        let messages = room.items.iter().chain(threads).filter_map(Item::message);
        let nameless = messages.filter(|message| !message.is_named).map(|message| message.sender_id.clone());
        let ids: BTreeSet<String> = nameless.collect();
        if !ids.is_empty() {
            self.ask_latest(Topic::Names(chat.clone()), Ask::LoadNames(ids.into_iter().collect()));
        }
    }

    pub(super) fn take_names(&mut self, chat: &ChatId, names: &[(String, String)]) {
        let maker = self.maker();
        if names.is_empty() {
            return;
        }
        self.with_room(chat, |room| {
            name_senders(&mut room.items, names);
            lay_out_room(room, &maker, false);
            if let Some(thread) = &mut room.thread {
                name_senders(&mut thread.items, names);
                lay_out_thread(thread, &maker, false);
            }
        });
    }

    /// What was typed is in the outbox: it shows at the end of the transcript.
    pub(super) fn show_outgoing(&mut self, outgoing: Outgoing) {
        let maker = self.maker();
        let chat = outgoing.chat_id.clone();
        self.with_room(&chat, |room| {
            set_outgoing(room, outgoing);
            sync_outgoing(room, &maker);
            lay_out_room(room, &maker, false);
        });
    }

    /// An outgoing message is taken back.
    pub(super) fn hide_outgoing(&mut self, uuid: &str) {
        let maker = self.maker();
        let Some(room) = self.m.room.as_mut() else { return };
        room.outgoing.retain(|outgoing| outgoing.uuid != uuid);
        sync_outgoing(room, &maker);
        lay_out_room(room, &maker, false);
        room.cursor = None;
    }
}

fn name_senders(items: &mut VecDeque<Item>, names: &[(String, String)]) {
    for item in items {
        let ItemBody::Message(message) = &mut item.body else { continue };
        let known = names.iter().find(|(id, _)| *id == message.sender_id);
        if let Some((_, name)) = known.filter(|_| !message.is_named) {
            message.sender = SafeText::line(name);
            message.is_named = true;
        }
    }
}

fn set_outgoing(room: &mut OpenRoom, outgoing: Outgoing) {
    match room.outgoing.iter_mut().find(|known| known.uuid == outgoing.uuid) {
        Some(known) => *known = outgoing,
        None => room.outgoing.push(outgoing),
    }
}

fn merge(room: &mut OpenRoom, maker: &Maker, news: RoomNews) {
    let follows = room.scroll == Scroll::End && !room.has_newer;
    if news.left_out > 0 {
        skip(room, news.left_out, follows);
    }
    let length = room.items.len();
    let mut first_changed = usize::MAX;
    let mut is_plain = news.seams.is_empty() && news.outgoing.is_empty() && room.outgoing.is_empty();
    for message in &news.messages {
        let item = maker.message(message);
        is_plain &= message.body.root_id.is_none() && message.body.parent_id.is_none();
        add_to_thread(room, maker, message);
        if let Some(at) = add(room, item, follows) {
            first_changed = first_changed.min(at);
        }
    }
    for seam in &news.seams {
        let item = maker.seam(seam);
        let is_inside = room.items.front().is_some_and(|first| first.key < item.key) || !room.has_older;
        if is_inside && !room.has_newer {
            insert(&mut room.items, item);
        }
    }
    for outgoing in news.outgoing {
        set_outgoing(room, outgoing);
    }
    if is_plain && first_changed >= length && room.items.len() > length {
        // The common case: lines at the end that answer nothing. Only they are laid out.
        let divider = room.divider.clone();
        let page = Page { cells: room.cells, divider: divider.as_ref(), has_older: room.has_older };
        for index in first_changed..room.items.len() {
            maker.lay_out(&mut room.items, index, &page, true);
        }
        trim_front(room, if follows { KEEP } else { MAX });
        return;
    }
    trim_front(room, if follows { KEEP } else { MAX });
    sync_outgoing(room, maker);
    lay_out_room(room, maker, false);
}

/// More came than was handed over: a window that follows the end starts anew, another is told of them.
fn skip(room: &mut OpenRoom, left_out: u64, follows: bool) {
    if follows {
        room.items.clear();
        room.has_older = true;
        room.cursor = None;
    } else {
        room.has_newer = true;
        room.new_below = room.new_below.saturating_add(left_out);
    }
}

/// Adds a message to the window, or counts it. Returns where it stands now.
fn add(room: &mut OpenRoom, item: Item, follows: bool) -> Option<usize> {
    let place = item.key.place();
    if find(&room.items, &item.key).is_some() {
        return Some(insert(&mut room.items, item));
    }
    // By time: an entry that is on its way out stands behind every message.
    let last = last_place(room).map(ItemKey::message);
    let first = room.items.front().map(|first| first.key.clone());
    let is_newest = last.as_ref().is_none_or(|last| item.key > *last);
    if is_newest {
        room.newest = room.newest.clone().max(place);
        if !follows {
            room.new_below = room.new_below.saturating_add(1);
        }
        if room.has_newer || (!follows && room.items.len() >= MAX) {
            room.has_newer = true;
            return None;
        }
    } else if room.has_older && first.is_some_and(|first| item.key < first) {
        return None;
    }
    Some(insert(&mut room.items, item))
}

fn add_to_thread(room: &mut OpenRoom, maker: &Maker, message: &Message) {
    let Some(thread) = room.thread.as_mut().filter(|thread| thread.load == Load::Ready) else { return };
    let body = &message.body;
    let ids = [Some(&body.message_id), body.root_id.as_ref(), body.parent_id.as_ref()];
    if !ids.into_iter().flatten().any(|id| *id == thread.root) {
        return;
    }
    let at = insert(&mut thread.items, maker.message(message));
    let page = Page { cells: thread.cells, divider: None, has_older: false };
    for index in [at, at + 1] {
        maker.lay_out(&mut thread.items, index, &page, true);
    }
    if thread.items.len() > transcript::MAX {
        thread.items.pop_front();
    }
}
