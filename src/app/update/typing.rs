//! Text: keys and pastes into the field that has the focus, and sending.

use super::{Turn, rooms::EVERYBODY};
use crate::{
    app::{
        busy::Topic,
        command::Risk,
        compose::{Composer, edit_field, paste_field},
        effect::{Ask, EffectId},
        key::Key,
        model::{Confirm, ConfirmAsk, Level, Overlay, Pane, ReplyTarget, RoomFocus, Scroll},
    },
    core::{
        lang::{Phrase, phrase},
        room::Outgoing,
        text::SafeText,
    },
};

/// A paste above this asks first, in bytes.
const LARGE_PASTE: usize = 2048;

impl Turn<'_> {
    /// A key in a text field.
    pub(super) fn type_key(&mut self, key: Key) {
        match self.m.overlays.last_mut() {
            Some(Overlay::Palette(palette)) => {
                if edit_field(&mut palette.input, key) {
                    self.filter_palette();
                }
            }
            Some(Overlay::Form(_)) => self.type_in_form(key),
            Some(Overlay::Confirm(confirm)) => {
                if let Some((_, input)) = &mut confirm.typed_name {
                    edit_field(input, key);
                }
            }
            Some(_) => {}
            None => self.type_in_pane(key),
        }
    }

    fn type_in_pane(&mut self, key: Key) {
        match self.m.pane {
            Pane::Users if self.m.users.is_searching && edit_field(&mut self.m.users.search, key) => {
                self.restart_search();
            }
            Pane::Rooms if self.m.rooms.is_filtering && edit_field(&mut self.m.rooms.filter, key) => {
                self.settle_room_selection(0);
            }
            Pane::Rooms if self.m.rooms.focus == RoomFocus::Composer => {
                let cells = usize::from(self.m.painted.sizes.composer_cells.max(1));
                if let Some(room) = self.m.room.as_mut() {
                    room.composer.key(key, cells);
                }
                self.suggest();
            }
            _ => {}
        }
    }

    /// Offers people for the mention that is being typed.
    fn suggest(&mut self) {
        let everybody = self.say(EVERYBODY);
        if let Some(room) = self.m.room.as_mut() {
            room.composer.suggest(&room.people, everybody);
        }
    }

    pub(super) fn take_mention(&mut self, row: Option<usize>) {
        if let Some(room) = self.m.room.as_mut() {
            room.composer.take_suggestion(row);
        }
        self.suggest();
    }

    /// A paste. Its line feeds never send; a large one asks first.
    pub(super) fn paste(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        match self.m.overlays.last_mut() {
            Some(Overlay::Palette(palette)) => {
                paste_field(&mut palette.input, text);
                return self.filter_palette();
            }
            Some(Overlay::Form(form)) => {
                let focus = form.focus;
                let row = form.fields.iter_mut().find(|row| row.field == focus).filter(|_| !form.is_saving);
                if let Some(row) = row {
                    paste_field(&mut row.input, text);
                    row.error = None;
                }
                return;
            }
            // A name that has to be typed is typed.
            Some(_) => return,
            None => {}
        }
        match self.m.pane {
            Pane::Users if self.m.users.is_searching => {
                paste_field(&mut self.m.users.search, text);
                self.restart_search();
            }
            Pane::Rooms if self.m.rooms.is_filtering => {
                paste_field(&mut self.m.rooms.filter, text);
                self.settle_room_selection(0);
            }
            Pane::Rooms if self.m.rooms.focus == RoomFocus::Composer => self.paste_to_composer(text),
            _ => self.toast(Level::Info, NOWHERE),
        }
    }

    fn paste_to_composer(&mut self, text: &str) {
        let Some(room) = &self.m.room else { return };
        if text.len() <= LARGE_PASTE {
            return self.type_text(text);
        }
        let lines = text.lines().count();
        let confirm = Confirm {
            title: LARGE.fill(self.m.lang, &[&text.chars().count(), &lines]),
            lines: vec![super::window::excerpt(&SafeText::block(text)).to_string()],
            risk: Risk::Change,
            typed_name: None,
            ask: ConfirmAsk::Paste(room.chat_id.clone(), text.to_owned()),
        };
        self.m.overlays.push(Overlay::Confirm(Box::new(confirm)));
    }

    /// Puts text into the composer.
    pub(super) fn type_text(&mut self, text: &str) {
        let Some(room) = self.m.room.as_mut() else { return };
        if !room.composer.insert(text) {
            self.toast(Level::Warn, TOO_LONG);
        }
        self.suggest();
    }

    /// Sends what is written. It leaves the composer at once and comes back if it cannot be queued.
    pub(super) fn send(&mut self) {
        let Some(room) = self.m.room.as_ref() else { return };
        let chat = room.chat_id.clone();
        let draft = super::rooms::draft_of(room);
        let ask = Ask::Send {
            chat_id: chat.clone(),
            text: room.composer.outgoing(),
            reply_to: draft.reply_to.as_ref().map(|place| place.message_id.clone()),
            in_thread: draft.in_thread,
        };
        let Some(id) = self.ask(Topic::Send(chat.clone()), ask) else { return };
        self.m.sending.insert(id, (chat, draft));
        if let Some(room) = self.m.room.as_mut() {
            room.composer.clear();
            room.reply = None;
            room.cursor = None;
            if !room.has_newer {
                room.scroll = Scroll::End;
            }
        }
        self.jump_to_latest();
    }

    pub(super) fn queued(&mut self, id: EffectId, outgoing: Outgoing) {
        self.m.sending.remove(&id);
        self.show_outgoing(outgoing);
    }

    /// What could not be queued comes back into the composer, unless something else is there by now.
    pub(super) fn send_failed(&mut self, id: EffectId) {
        let Some((chat, draft)) = self.m.sending.remove(&id) else { return };
        match self.m.room.as_mut().filter(|room| room.chat_id == chat) {
            Some(room) if room.composer.is_empty() => {
                room.composer = Composer::from_draft(&draft);
                room.reply = draft.reply_to.map(|place| ReplyTarget {
                    sender: SafeText::line(place.message_id.as_str()),
                    excerpt: SafeText::default(),
                    place,
                    in_thread: draft.in_thread,
                });
            }
            Some(room) => {
                room.composer.insert(&draft.text);
            }
            None => {
                self.m.drafts.entry(chat).or_insert(draft);
            }
        }
    }
}

const LARGE: Phrase = phrase("Paste {} characters in {} lines?", "粘贴 {} 个字符，共 {} 行？");
const TOO_LONG: Phrase = phrase("Too long: 150 kB at most.", "过长：最多 150 kB。");
const NOWHERE: Phrase =
    phrase("Nothing here takes text: press i to write.", "此处不能输入文本：按 i 写消息。");
