//! Pane 3: the list of rooms.

use tui_input::Input;

use super::Load;
use crate::core::{
    ids::ChatId,
    room::{Room, RoomStatus},
    text::SafeText,
};

/// The list of pane 3.
#[derive(Debug, Clone, Default)]
pub struct Rooms {
    /// How far the list is.
    pub load: Load,
    /// All rooms: open ones first, of them unread first, then by the newest message.
    pub list: Vec<RoomRow>,
    /// The selection; it stays with its room when the list moves.
    pub selected: Option<ChatId>,
    /// Which part of the pane has the keys.
    pub focus: RoomFocus,
    /// Only rooms whose name has this in it.
    pub filter: Input,
    /// The filter field has the keys.
    pub is_filtering: bool,
    /// Rooms that are no longer open are listed too.
    pub shows_closed: bool,
}

/// Which part of pane 3 has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RoomFocus {
    /// The list of rooms.
    #[default]
    List,
    /// The transcript.
    Transcript,
    /// The composer.
    Composer,
    /// The thread beside or over the transcript.
    Thread,
}

/// A room, ready to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRow {
    /// Its data.
    pub room: Room,
    /// Its name; the short id where it has none.
    pub name: SafeText,
    /// The name in lower case, for the filter.
    pub(in crate::app) lower: String,
}

impl RoomRow {
    /// Makes a room ready to show.
    pub fn new(room: Room) -> Self {
        let name = if room.name.trim().is_empty() { room.chat_id.as_str() } else { &room.name };
        Self { name: SafeText::line(name), lower: name.to_lowercase(), room }
    }

    /// Whether messages still come.
    pub fn is_open(&self) -> bool {
        self.room.status == RoomStatus::Open
    }
}

impl Rooms {
    /// The rooms that the filter and the choice about closed rooms leave, in order.
    pub fn visible(&self) -> impl Iterator<Item = &RoomRow> {
        let needle = self.filter.value().trim().to_lowercase();
        self.list.iter().filter(move |row| {
            (self.shows_closed || row.is_open() || !needle.is_empty()) && row.lower.contains(&needle)
        })
    }

    /// The room of that id.
    pub fn get(&self, chat: &ChatId) -> Option<&RoomRow> {
        self.list.iter().find(|row| row.room.chat_id == *chat)
    }

    /// The selected room.
    pub fn current(&self) -> Option<&RoomRow> {
        self.selected.as_ref().and_then(|id| self.get(id))
    }

    /// How many rooms have something unread.
    pub fn unread_rooms(&self) -> usize {
        self.list.iter().filter(|row| row.is_open() && row.room.unread > 0).count()
    }

    /// How many rooms are no longer open.
    pub fn closed(&self) -> usize {
        self.list.iter().filter(|row| !row.is_open()).count()
    }
}
