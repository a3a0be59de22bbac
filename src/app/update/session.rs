//! The beginning, the end, time, and what a restart brings back.

use std::time::Duration;

use super::Turn;
use crate::{
    app::{
        busy::Topic,
        effect::{Ask, TerminalEffect},
        event::Place,
        model::{Header, Model, Painted, Pane, Scroll, countdown},
        session::Session,
    },
    core::{
        integration::LiveState,
        lang::Lang,
        role::Right,
        time::{Age, Timestamp},
    },
};

/// How long after a change the session is kept.
const KEEP_AFTER: Duration = Duration::from_secs(2);

/// What on screen depends on the time.
#[derive(PartialEq, Eq)]
struct Face {
    header: Header,
    toasts: usize,
    minute: i64,
}

impl Turn<'_> {
    /// Loads what the first screens need.
    pub(super) fn start(&mut self) {
        self.m.integrations.load = crate::app::model::Load::Loading;
        self.m.busy.want(Topic::Integrations);
        if self.m.mouse {
            self.tell(TerminalEffect::SetMouse(true));
        }
        if self.m.pane == Pane::Log {
            self.m.busy.want(Topic::Log);
        }
    }

    /// It is `now`. Draws again only where something on screen changes with it.
    pub(super) fn tick(&mut self, now: Timestamp) {
        if now == self.m.now {
            return;
        }
        let before = face(self.m);
        self.m.now = now;
        self.m.toasts.retain(|toast| now < toast.until);
        if face(self.m) != before {
            self.m.touch();
        }
    }

    pub(super) fn take_painted(&mut self, painted: Painted) {
        if painted == self.m.painted {
            return;
        }
        let old = self.m.painted.sizes;
        let sizes = painted.sizes;
        self.m.painted = painted;
        if old == sizes {
            return;
        }
        if (old.transcript_cells, old.thread_cells) != (sizes.transcript_cells, sizes.thread_cells) {
            self.relayout();
        }
        if old.list_rows != sizes.list_rows {
            self.keep_cursor_visible();
        }
        // Only new widths change what was just drawn; rows and totals matter for the next key.
        if old.transcript_cells != sizes.transcript_cells || old.thread_cells != sizes.thread_cells {
            self.m.touch();
        }
    }

    pub(super) fn quit(&mut self) {
        if let Some(session) = self.changed_session() {
            self.ask(Topic::Session, Ask::SaveSession(Box::new(session)));
        }
        self.tell(TerminalEffect::Quit);
        self.m.is_over = true;
    }

    /// A person did something: the session may have changed.
    pub(super) fn keep_soon(&mut self) {
        if self.m.keep_at.is_none() && self.m.role.may(Right::Keep) {
            self.m.keep_at = Some(self.m.now.plus(KEEP_AFTER));
        }
    }

    pub(super) fn settle_session(&mut self) {
        if self.m.is_over || self.m.keep_at.is_none_or(|at| self.m.now < at) {
            return;
        }
        self.m.keep_at = None;
        if let Some(session) = self.changed_session() {
            self.ask_latest(Topic::Session, Ask::SaveSession(Box::new(session)));
        }
    }

    /// The session could not be kept: it is tried again.
    pub(super) fn keep_again(&mut self) {
        self.m.kept = Session::default();
        self.keep_soon();
    }

    fn changed_session(&mut self) -> Option<Session> {
        let session = session_of(self.m);
        if session == self.m.kept {
            return None;
        }
        self.m.kept = session.clone();
        Some(session)
    }

    pub(super) fn settle_title(&mut self) {
        let unread = self.m.rooms.unread_rooms();
        let mut title = if unread > 0 { format!("({unread}) larkdeck") } else { "larkdeck".to_owned() };
        if let Some(name) = self.m.active_name() {
            title.push_str(" · ");
            title.push_str(name.as_str());
        }
        if title != self.m.title {
            self.m.title.clone_from(&title);
            self.tell(TerminalEffect::SetTitle(title));
        }
    }

    /// Asks to be woken when something on screen changes with time; says so only when that changes.
    pub(super) fn settle_wake(&mut self) {
        if self.m.is_over {
            return;
        }
        let wake = next_wake(self.m);
        if wake != self.m.wake_at {
            self.m.wake_at = wake;
            self.tell(TerminalEffect::WakeAt(wake));
        }
    }

    pub(super) fn next_language(&mut self) {
        self.m.lang = match self.m.lang {
            Lang::En => Lang::Zh,
            Lang::Zh => Lang::En,
        };
        self.relayout();
    }
}

fn face(model: &Model) -> Face {
    Face { header: model.header(), toasts: model.toasts.len(), minute: model.now.ms().div_euclid(60_000) }
}

fn next_wake(model: &Model) -> Option<Timestamp> {
    let now = model.now;
    let minute = Timestamp::from_ms((now.ms().div_euclid(60_000)).saturating_add(1).saturating_mul(60_000));
    let mut due: Vec<Timestamp> = vec![minute];
    due.extend(model.toasts.iter().map(|toast| toast.until));
    due.extend(model.keep_at);
    due.extend(model.busy.next_due());
    if let Some(item) = model.active_item() {
        let live = &item.row.live;
        let step = |at: Timestamp| now.plus(Age::next_change(now.since(at)).max(Duration::from_millis(1)));
        due.extend(live.last_event_at.map(step));
        match &live.state {
            LiveState::Live => due.extend(live.since_at.map(step)),
            LiveState::Reconnecting { retry_at, .. } | LiveState::Refused { retry_at, .. } => {
                due.extend(countdown(now, *retry_at).1);
            }
            LiveState::Off | LiveState::Connecting => {}
        }
    }
    due.into_iter().filter(|at| *at > now).min()
}

/// The session as it is now.
pub(super) fn session_of(model: &Model) -> Session {
    let mut drafts = model.drafts.clone();
    let room = model.room.as_ref();
    if let Some(room) = room {
        let draft = super::rooms::draft_of(room);
        if draft.text.is_empty() {
            drafts.remove(&room.chat_id);
        } else {
            drafts.insert(room.chat_id.clone(), draft);
        }
    }
    let reading: Option<Place> = room.and_then(|room| match &room.scroll {
        Scroll::End => None,
        Scroll::At { key, .. } => key.place(),
    });
    let restoring = model.restore.as_ref();
    Session {
        pane: model.pane,
        integration: model.active.clone().or_else(|| model.wanted.clone()),
        room: room.map(|room| room.chat_id.clone()).or_else(|| restoring.map(|(chat, _)| chat.clone())),
        reading: reading.or_else(|| restoring.and_then(|(_, place)| place.clone())),
        filter: model.users.filter,
        zoomed: model.is_zoomed,
        drafts,
    }
}
