//! Everything that is on screen.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{
    action::{Action, ScrollTarget},
    busy::{Busy, Topic},
    effect::EffectId,
    event::{Place, Size},
    keymap::Keymap,
    session::{Draft, Session},
};
use crate::config::Bell;
use crate::core::{
    error::Fault,
    health::StoreHealth,
    ids::{ChatId, IntegrationId},
    integration::Holder,
    lang::Lang,
    role::Role,
    text::SafeText,
    time::Timestamp,
};

mod header;
mod integrations;
mod log;
mod overlay;
mod quota;
mod room;
mod rooms;
mod toast;
mod users;

pub(in crate::app) use header::countdown;
pub use header::{Footer, FooterHint, Header, LiveLine, MonthLine, age_words};
pub use integrations::{DetailRow, IntegrationFocus, IntegrationItem, Integrations, URLS, UrlInfo};
pub use log::{Log, LogRow};
pub use overlay::{
    CheckState, Confirm, ConfirmAsk, Field, Form, FormField, Help, HelpRow, LinkFlow, LinkStage, Overlay,
    Palette, PaletteRow, PlainText, Qr, React,
};
pub use quota::Quota;
pub use room::{
    Divider, Item, ItemBody, ItemKey, LineRow, MessageItem, OpenRoom, PersonRow, ReplyTarget, Scroll, Thread,
};
pub(in crate::app) use room::{find, top};
pub use rooms::{RoomFocus, RoomRow, Rooms};
pub use toast::{Level, Toast};
pub use users::{MemberDetail, UserRow, Users, mask_phone};

/// A pane, in the order of its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pane {
    /// Integrations and their URLs.
    Integrations,
    /// Linked users.
    Users,
    /// War Rooms.
    #[default]
    Rooms,
    /// Call budget.
    Quota,
    /// Operation log.
    Log,
}

impl Pane {
    /// All of them, 1 to 5.
    pub const ALL: [Self; 5] = [Self::Integrations, Self::Users, Self::Rooms, Self::Quota, Self::Log];
}

pub use crate::config::Glyphs;

/// Whether this console may change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Access {
    /// It may.
    #[default]
    Write,
    /// It may not.
    ReadOnly {
        /// `:write` lifts it: it comes from a setting, not from `--read-only`.
        can_lift: bool,
    },
}

/// How far a list is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Load {
    /// Nobody has asked for it yet.
    #[default]
    Never,
    /// The first answer is awaited.
    Loading,
    /// There.
    Ready,
    /// The last attempt failed; what was there before still is.
    Failed(Box<Fault>),
}

/// What a console begins with.
#[derive(Debug, Clone)]
pub struct Start {
    /// The time.
    pub now: Timestamp,
    /// The zone that people read.
    pub zone: TimeZone,
    /// Language of the screen.
    pub lang: Lang,
    /// Name of the theme.
    pub theme: String,
    /// Names of all themes, in the order in which `theme` steps through them.
    pub themes: Vec<String>,
    /// Signs.
    pub glyphs: Glyphs,
    /// Size of the terminal.
    pub size: Size,
    /// Report the mouse from the start.
    pub mouse: bool,
    /// When the bell rings.
    pub bell: Bell,
    /// Whether it may change anything.
    pub access: Access,
    /// Its role on the store.
    pub role: Role,
    /// This process.
    pub me: Holder,
    /// Keys, with the person's own.
    pub keymap: Arc<Keymap>,
    /// What the last console of this person left.
    pub session: Session,
    /// The integration that the command line named.
    pub integration: Option<IntegrationId>,
}

/// Everything that is on screen, and what it takes to change it.
#[derive(Debug, Clone)]
pub struct Model {
    /// Grows whenever something on screen may have changed: draw then, and only then.
    pub rev: u64,
    /// The time, as last told.
    pub now: Timestamp,
    /// The zone that people read.
    pub zone: TimeZone,
    /// Language of the screen.
    pub lang: Lang,
    /// Name of the theme.
    pub theme: String,
    /// Names of all themes.
    pub themes: Vec<String>,
    /// Signs.
    pub glyphs: Glyphs,
    /// Size of the terminal.
    pub size: Size,
    /// The terminal window has the focus (assumed until it says otherwise).
    pub is_focused: bool,
    /// The mouse is reported.
    pub mouse: bool,
    /// When the bell rings.
    pub bell: Bell,
    /// Whether this console may change anything.
    pub access: Access,
    /// Its role on the store.
    pub role: Role,
    /// This process.
    pub me: Holder,
    /// Keys, with the person's own.
    pub keymap: Arc<Keymap>,
    /// The pane in front.
    pub pane: Pane,
    /// The transcript has the full width.
    pub is_zoomed: bool,
    /// The people and facts of the room are shown at its side, where there is width.
    pub shows_people: bool,
    /// The integration that users, rooms and quota are about.
    pub active: Option<IntegrationId>,
    /// Pane 1.
    pub integrations: Integrations,
    /// Pane 2.
    pub users: Users,
    /// Pane 3: the list.
    pub rooms: Rooms,
    /// Pane 3: the room that is open.
    pub room: Option<OpenRoom>,
    /// Pane 4.
    pub quota: Quota,
    /// Pane 5.
    pub log: Log,
    /// How the store is reached.
    pub store: StoreHealth,
    /// What is loaded once the store answers again.
    pub(super) waiting: BTreeSet<Topic>,
    /// What lies over the pane; the last one is on top and has the keys.
    pub overlays: Vec<Overlay>,
    /// Notices in passing, oldest first; they never take the focus.
    pub toasts: Vec<Toast>,
    /// Outstanding effects.
    pub busy: Busy,
    /// The last fault that was shown in passing.
    pub last_fault: Option<Box<Fault>>,
    /// What was typed and not sent in rooms that are not open.
    pub drafts: BTreeMap<ChatId, Draft>,
    /// What was last drawn.
    pub painted: Painted,
    /// Linking that goes on, or has ended, while its overlay is away.
    pub linking: Option<Box<LinkFlow>>,
    /// Drafts on their way to the outbox: they come back when that fails.
    pub(super) sending: BTreeMap<EffectId, (ChatId, Draft)>,
    /// What was copied last, for the plain view where copying is not possible.
    pub(super) copied: String,
    /// The room that this integration begins with is chosen for good.
    pub(super) is_settled: bool,
    /// Until then the choice follows the top of the list, unless the person does something.
    pub(super) settles_at: Option<Timestamp>,
    /// The integration that the command line named.
    pub(super) wanted: Option<IntegrationId>,
    /// What is to be restored when its data is there.
    pub(super) restore: Option<(ChatId, Option<Place>)>,
    /// The session as last kept, and when a changed one is to be kept.
    pub(super) kept: Session,
    pub(super) keep_at: Option<Timestamp>,
    /// The wake-up that was last asked for.
    pub(super) wake_at: Option<Timestamp>,
    /// The title that was last set.
    pub(super) title: String,
    /// The end was asked for.
    pub(super) is_over: bool,
}

impl Model {
    /// The model before anything is known.
    pub fn new(start: Start) -> Self {
        let Start {
            now,
            zone,
            lang,
            theme,
            themes,
            glyphs,
            size,
            mouse,
            bell,
            access,
            role,
            me,
            keymap,
            session,
            integration,
        } = start;
        let kept = session.clone();
        Self {
            rev: 1,
            now,
            zone,
            lang,
            theme,
            themes,
            glyphs,
            size,
            is_focused: true,
            mouse,
            bell,
            access,
            role,
            me,
            keymap,
            pane: session.pane,
            is_zoomed: session.zoomed,
            shows_people: true,
            active: None,
            integrations: Integrations::default(),
            users: Users { filter: session.filter, ..Users::default() },
            rooms: Rooms::default(),
            room: None,
            quota: Quota::default(),
            store: StoreHealth::default(),
            waiting: BTreeSet::new(),
            log: Log::default(),
            overlays: Vec::new(),
            toasts: Vec::new(),
            busy: Busy::default(),
            last_fault: None,
            drafts: session.drafts,
            painted: Painted::default(),
            linking: None,
            sending: BTreeMap::new(),
            copied: String::new(),
            is_settled: false,
            settles_at: None,
            wanted: integration.or(session.integration),
            restore: session.room.map(|room| (room, session.reading)),
            kept,
            keep_at: None,
            wake_at: None,
            title: String::new(),
            is_over: false,
        }
    }

    /// What a room or an integration is called, where the log has its id; anything else stays as it is.
    pub fn name_of<'a>(&'a self, target: &'a SafeText) -> &'a SafeText {
        let is_meant = |id: &str| id == target.as_str();
        let room =
            self.rooms.list.iter().find(|row| is_meant(row.room.chat_id.as_str())).map(|row| &row.name);
        let integration = || self.integrations.items.iter().find(|item| is_meant(item.id().as_str()));
        room.or_else(|| integration().map(|item| &item.name)).unwrap_or(target)
    }

    /// Whether this console may not change anything.
    pub const fn is_read_only(&self) -> bool {
        matches!(self.access, Access::ReadOnly { .. })
    }

    /// Whether the store does not answer.
    pub const fn is_store_away(&self) -> bool {
        self.store.away_since.is_some()
    }

    /// The integration in use.
    pub fn active_item(&self) -> Option<&IntegrationItem> {
        self.active.as_ref().and_then(|id| self.integrations.get(id))
    }

    /// The name of the integration in use.
    pub fn active_name(&self) -> Option<&SafeText> {
        self.active_item().map(|item| &item.name)
    }

    /// The overlay that has the keys.
    pub fn overlay(&self) -> Option<&Overlay> {
        self.overlays.last()
    }

    /// Something on screen has changed.
    pub(super) const fn touch(&mut self) {
        self.rev += 1;
    }
}

/// What the view says about what it drew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Painted {
    /// Where the mouse meets what; later ones lie on top.
    pub hits: Vec<Hit>,
    /// Sizes that scrolling depends on.
    pub sizes: Sizes,
}

/// An area of the screen that the mouse can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Where.
    pub area: Area,
    /// What a click does.
    pub click: Option<Action>,
    /// What the wheel moves.
    pub wheel: Option<ScrollTarget>,
}

/// A rectangle of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Area {
    /// First column.
    pub x: u16,
    /// First row.
    pub y: u16,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

impl Area {
    /// Whether the cell lies in it.
    pub const fn contains(self, column: u16, row: u16) -> bool {
        column >= self.x && row >= self.y && column - self.x < self.width && row - self.y < self.height
    }
}

/// Sizes that the view chose. Zero: not drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Sizes {
    /// Rows of the list of the pane in front (users, log, integrations, rooms).
    pub list_rows: u16,
    /// Rows of the transcript.
    pub transcript_rows: u16,
    /// Cells that the text of a message has in a line of the transcript.
    pub transcript_cells: u16,
    /// Rows of the thread view.
    pub thread_rows: u16,
    /// Cells that the text of a message has in a line of the thread view.
    pub thread_cells: u16,
    /// Cells of a line of the composer.
    pub composer_cells: u16,
    /// Rows of text that the top overlay shows.
    pub overlay_rows: u16,
    /// Rows of text that the top overlay has in all.
    pub overlay_total: u16,
    /// Rows of text that the pane has in all (quota, details), where it scrolls as a text.
    pub pane_total: u16,
}
