//! Pane 3: the room that is open, its transcript and its thread.

use std::{collections::VecDeque, ops::Range};

use super::Load;
use crate::{
    app::{compose::Composer, event::Place},
    core::{
        ids::{ChatId, MessageId, ThreadId},
        room::{Outgoing, RoomMember, Seam},
        text::SafeText,
        time::Timestamp,
    },
};

/// What orders the lines of a transcript: time, then kind, then id. A seam stands before a message of the
/// same instant; what is on its way out stands after everything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemKey {
    /// A message or a seam.
    Fixed {
        /// When.
        at: Timestamp,
        /// `None` is a seam.
        message_id: Option<MessageId>,
        /// Tells seams of one instant apart.
        seq: i64,
    },
    /// An own message that is not at the platform yet.
    Outgoing {
        /// When it was queued.
        at: Timestamp,
        /// Its uuid.
        uuid: String,
    },
}

impl ItemKey {
    /// The key of the message at `place`.
    pub fn message(place: Place) -> Self {
        Self::Fixed { at: place.at, message_id: Some(place.message_id), seq: 0 }
    }

    /// The place, if it is of a message.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Fixed { at, message_id: Some(id), .. } => Some(Place { at: *at, message_id: id.clone() }),
            _ => None,
        }
    }
}

/// An entry of a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its order and identity.
    pub key: ItemKey,
    /// What it is.
    pub body: ItemBody,
    /// Its rows on screen, top to bottom. Never empty.
    pub rows: Vec<LineRow>,
    /// It goes on where the one before stopped: same sender, shortly after. Its name need not be shown.
    pub continues: bool,
}

/// What an entry of a transcript is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemBody {
    /// A message.
    Message(Box<MessageItem>),
    /// Where a gap was repaired, or could not be.
    Seam(Seam),
    /// An own message on its way out, and its text ready to show.
    Outgoing(Box<Outgoing>, SafeText),
}

/// A message, ready to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageItem {
    /// Its id.
    pub message_id: MessageId,
    /// When it was written.
    pub created_at: Timestamp,
    /// Who wrote it: open_id or app_id; what its colour hangs on.
    pub sender_id: String,
    /// Person, bot or system.
    pub sender_kind: crate::core::message::SenderKind,
    /// The platform's type.
    pub msg_type: String,
    /// The sender's name, or a short id where it is not known.
    pub sender: SafeText,
    /// The name is known.
    pub is_named: bool,
    /// What a person reads, of several lines.
    pub text: SafeText,
    /// What it answers, in one line: sender and beginning.
    pub quote: Option<SafeText>,
    /// The message it answers.
    pub parent_id: Option<MessageId>,
    /// First message of its reply tree.
    pub root_id: Option<MessageId>,
    /// The thread it stands in.
    pub thread_id: Option<ThreadId>,
    /// Known to have been edited.
    pub is_edited: bool,
    /// Recalled: there is no text any more.
    pub is_recalled: bool,
    /// Written by this integration's own bot.
    pub is_own: bool,
    /// Mentions the bot or everybody.
    pub mentions_us: bool,
    /// Known reactions: emoji type and count.
    pub reactions: Vec<(String, u32)>,
    /// Answers to it in the loaded stretch, and the newest of them: sender and time.
    pub replies: Option<(u32, SafeText, Timestamp)>,
}

/// One row of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineRow {
    /// The date: the day changes here.
    Day,
    /// "n new": what is below was unread when the room was opened.
    Unread,
    /// What the message answers.
    Quote,
    /// Bytes of the text that stand in this row.
    Text(Range<usize>),
    /// Reactions.
    Reactions,
    /// "n replies · last …".
    Replies,
    /// The seam itself.
    Seam,
    /// How far an outgoing message is, where that needs a row.
    State,
}

/// What part of a transcript is on screen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scroll {
    /// The end; new messages push it up.
    #[default]
    End,
    /// This row of this entry is the first on screen, whatever comes.
    At {
        /// The entry.
        key: ItemKey,
        /// Its row, from 0.
        row: u16,
    },
}

/// The room that is open.
#[derive(Debug, Clone)]
pub struct OpenRoom {
    /// Which.
    pub chat_id: ChatId,
    /// How far its transcript is.
    pub load: Load,
    /// A window of the transcript, oldest first. Never the whole history.
    pub items: VecDeque<Item>,
    /// The store has older messages.
    pub has_older: bool,
    /// The store has newer messages.
    pub has_newer: bool,
    /// The platform has none before the oldest here that is kept.
    pub is_start: bool,
    /// It has, but messages from before this instant are no longer kept.
    pub kept_from: Option<Timestamp>,
    /// What is on screen.
    pub scroll: Scroll,
    /// The entry under the cursor; `None` while nobody has moved it: the last one.
    pub cursor: Option<ItemKey>,
    /// Messages that came below what is on screen, since it left the end.
    pub new_below: u64,
    /// What was unread when the room was opened begins after this place, and how many that were.
    pub divider: Option<Divider>,
    /// The last place that was marked read.
    pub read_to: Option<Place>,
    /// Its people, and how far that is.
    pub people: Vec<PersonRow>,
    /// How far the people are.
    pub people_load: Load,
    /// What is being typed.
    pub composer: Composer,
    /// The message that the composer answers.
    pub reply: Option<ReplyTarget>,
    /// The thread that is shown.
    pub thread: Option<Thread>,
    /// Own messages on their way, loaded stretch or not.
    pub(in crate::app) outgoing: Vec<Outgoing>,
    /// The newest place that was heard of, loaded or not.
    pub(in crate::app) newest: Option<Place>,
    /// Text cells for which the rows were made.
    pub(in crate::app) cells: u16,
    /// When it was opened with the unread count that the list then had.
    pub(in crate::app) unread_at_open: u32,
    /// A first window has come.
    pub(in crate::app) is_placed: bool,
}

/// Where the unread messages began when the room was opened. Never moves afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divider {
    /// They come after this key; `None`: everything was unread.
    pub after: Option<ItemKey>,
    /// How many they were.
    pub count: u64,
}

/// A person of a room, ready to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRow {
    /// Data.
    pub person: RoomMember,
    /// Name; a short id where it is not known.
    pub name: SafeText,
}

/// The message that the composer answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyTarget {
    /// Which.
    pub place: Place,
    /// Who wrote it.
    pub sender: SafeText,
    /// How it begins.
    pub excerpt: SafeText,
    /// Answer in a thread.
    pub in_thread: bool,
}

/// A thread that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Its first message.
    pub root: MessageId,
    /// How far it is.
    pub load: Load,
    /// Its messages, oldest first.
    pub items: VecDeque<Item>,
    /// What is on screen.
    pub scroll: Scroll,
    /// Text cells for which the rows were made.
    pub(in crate::app) cells: u16,
}

impl OpenRoom {
    /// A room that has just been opened.
    pub fn new(chat_id: ChatId, unread: u32) -> Self {
        Self {
            chat_id,
            load: Load::Loading,
            items: VecDeque::new(),
            has_older: false,
            has_newer: false,
            is_start: false,
            kept_from: None,
            scroll: Scroll::End,
            cursor: None,
            new_below: 0,
            divider: None,
            read_to: None,
            people: Vec::new(),
            people_load: Load::Never,
            composer: Composer::default(),
            reply: None,
            thread: None,
            outgoing: Vec::new(),
            newest: None,
            cells: 60,
            unread_at_open: unread,
            is_placed: false,
        }
    }

    /// The entry under the cursor.
    pub fn current(&self) -> Option<&Item> {
        match &self.cursor {
            Some(key) => self.items.get(find(&self.items, key)?),
            None => self.items.back(),
        }
    }

    /// The message under the cursor.
    pub fn current_message(&self) -> Option<&MessageItem> {
        self.current().and_then(Item::message)
    }

    /// The entries on screen in `rows` rows, top to bottom, each with its rows that are seen.
    pub fn visible(&self, rows: usize) -> Vec<(&Item, Range<usize>)> {
        visible(&self.items, &self.scroll, rows)
    }
}

impl Thread {
    /// A thread that has just been opened.
    pub const fn new(root: MessageId) -> Self {
        Self { root, load: Load::Loading, items: VecDeque::new(), scroll: Scroll::End, cells: 0 }
    }

    /// The entries on screen in `rows` rows, top to bottom, each with its rows that are seen.
    pub fn visible(&self, rows: usize) -> Vec<(&Item, Range<usize>)> {
        visible(&self.items, &self.scroll, rows)
    }
}

impl Item {
    /// The message, if it is one.
    pub const fn message(&self) -> Option<&MessageItem> {
        match &self.body {
            ItemBody::Message(message) => Some(message),
            _ => None,
        }
    }
}

/// Where the entry of `key` stands.
pub(in crate::app) fn find(items: &VecDeque<Item>, key: &ItemKey) -> Option<usize> {
    items.binary_search_by(|item| item.key.cmp(key)).ok()
}

fn visible<'a>(items: &'a VecDeque<Item>, scroll: &Scroll, rows: usize) -> Vec<(&'a Item, Range<usize>)> {
    let (first, skip) = top(items, scroll, rows);
    let mut left = rows;
    let mut out = Vec::new();
    for (n, item) in items.iter().enumerate().skip(first) {
        let from = if n == first { skip.min(item.rows.len()) } else { 0 };
        let to = item.rows.len().min(from + left);
        if to > from {
            out.push((item, from..to));
        }
        left -= to - from;
        if left == 0 {
            break;
        }
    }
    out
}

/// The first entry on screen and how many of its rows are above the screen.
pub(in crate::app) fn top(items: &VecDeque<Item>, scroll: &Scroll, rows: usize) -> (usize, usize) {
    match scroll {
        Scroll::At { key, row } => {
            let at = items.binary_search_by(|item| item.key.cmp(key));
            match at {
                Ok(at) => (at, usize::from(*row)),
                Err(at) => (at.min(items.len().saturating_sub(1)), 0),
            }
        }
        Scroll::End => {
            let mut left = rows;
            for (n, item) in items.iter().enumerate().rev() {
                if item.rows.len() >= left {
                    return (n, item.rows.len() - left);
                }
                left -= item.rows.len();
            }
            (0, 0)
        }
    }
}
