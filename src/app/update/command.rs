//! What each command does.

use super::{Turn, scroll::Move};
use crate::{
    app::{
        busy::Topic,
        command::{Command, Risk},
        effect::{Ask, TerminalEffect},
        model::{
            Confirm, ConfirmAsk, Glyphs, IntegrationFocus, ItemBody, Level, Load, Overlay, Pane, ReplyTarget,
            RoomFocus,
        },
    },
    core::{
        lang::{Phrase, phrase},
        member::Filter,
        role::Right,
    },
};

impl Turn<'_> {
    /// Does a command, if it is enabled; else says why it is not.
    pub(super) fn run(&mut self, command: Command) {
        if let Err(reason) = command.enabled(self.m) {
            if command != Command::Open && command != Command::Send {
                self.toast(Level::Info, reason);
            }
            return;
        }
        match command {
            Command::Quit => self.quit(),
            Command::Help => self.show_help(),
            Command::Palette => self.show_palette(),
            Command::PaneIntegrations => self.show_pane(Pane::Integrations),
            Command::PaneUsers => self.show_pane(Pane::Users),
            Command::PaneRooms => self.show_pane(Pane::Rooms),
            Command::PaneQuota => self.show_pane(Pane::Quota),
            Command::PaneLog => self.show_pane(Pane::Log),
            Command::NextIntegration => self.next_integration(),
            Command::Mouse => self.toggle_mouse(),
            Command::Theme => self.next_theme(),
            Command::Language => self.next_language(),
            Command::Ascii => {
                let unicode = self.m.glyphs == Glyphs::Unicode;
                self.m.glyphs = if unicode { Glyphs::Ascii } else { Glyphs::Unicode };
            }
            Command::Write => self.ask_write(),
            Command::Suspend => self.tell(TerminalEffect::Suspend),
            Command::Redraw => self.tell(TerminalEffect::Redraw),
            Command::LastError => {
                if let Some(fault) = self.m.last_fault.clone() {
                    self.m.overlays.push(Overlay::Fault(fault, 0));
                }
            }
            Command::Consoles => self.show_consoles(),
            Command::Refresh => self.refresh(),
            Command::Up => self.move_focus(Move::By(-1)),
            Command::Down => self.move_focus(Move::By(1)),
            Command::PageUp => self.move_focus(Move::Pages(-1)),
            Command::PageDown => self.move_focus(Move::Pages(1)),
            Command::First => self.move_focus(Move::First),
            Command::Last => self.move_focus(Move::Last),
            Command::Open => self.open(),
            Command::Back | Command::Refuse => self.back(),
            Command::Search => self.search(),
            Command::Copy => self.copy(),
            Command::Plain => self.show_plain(),
            other => self.run_in_pane(other),
        }
    }

    fn run_in_pane(&mut self, command: Command) {
        match command {
            Command::Add => self.open_form(None),
            Command::Edit => {
                let id = self.m.integrations.selected.clone();
                self.open_form(id);
            }
            Command::Remove => self.ask_remove(),
            Command::Check => self.check_integration(),
            Command::WarRoom => self.ask_war_room(),
            Command::Use => {
                if let Some(id) = self.m.integrations.selected.clone() {
                    self.use_integration(id);
                }
            }
            Command::Qr => self.show_qr(),
            Command::NextFilter if self.m.pane == Pane::Users => self.next_filter(1),
            Command::PreviousFilter if self.m.pane == Pane::Users => self.next_filter(-1),
            Command::FilterAll => self.set_filter(Filter::All),
            Command::FilterLinked => self.set_filter(Filter::Linked),
            Command::FilterUnlinked => self.set_filter(Filter::Unlinked),
            Command::Link => self.plan_link(false),
            Command::LinkAll => self.plan_link(true),
            Command::Unlink => self.ask_unlink(),
            Command::Press => self.judge_press(),
            Command::UndoLink => self.ask_undo(),
            Command::CopyMessage => self.copy_message(),
            Command::Invite => self.invite(),
            Command::NextUnread => self.next_unread(),
            Command::Closed => self.toggle_closed(),
            Command::Zoom => self.m.is_zoomed = !self.m.is_zoomed,
            Command::People => self.m.shows_people = !self.m.shows_people,
            Command::Compose => self.focus_room(RoomFocus::Composer),
            Command::Reply => self.reply(false),
            Command::ReplyInThread => self.reply(true),
            Command::Thread => self.show_thread(),
            Command::React => self.show_reactions(),
            Command::Unreact => self.react(false),
            Command::FirstUnread => self.jump_to_first_unread(),
            Command::Retry => self.retry(),
            Command::Discard => self.ask_discard(),
            Command::Send => self.send(),
            Command::NewLine => self.type_text("\n"),
            Command::CancelReply => self.set_reply(None),
            Command::ToggleThread => {
                if let Some(reply) = self.m.room.as_mut().and_then(|room| room.reply.as_mut()) {
                    reply.in_thread = !reply.in_thread;
                }
            }
            Command::TakeMention => self.take_mention(None),
            Command::NextField => self.move_field(1),
            Command::PreviousField => self.move_field(-1),
            Command::NextChoice => self.move_focus(Move::By(1)),
            Command::PreviousChoice => self.move_focus(Move::By(-1)),
            Command::Save => self.save_form(),
            Command::Accept | Command::AcceptSafe => self.accept(),
            Command::Run => self.run_from_palette(),
            Command::StopLinking => self.stop_linking(),
            _ => {}
        }
    }

    /// Brings a pane to the front, and loads it where that has not happened.
    pub(super) fn show_pane(&mut self, pane: Pane) {
        self.m.overlays.retain(|overlay| !matches!(overlay, Overlay::Help(_) | Overlay::Palette(_)));
        if !self.m.overlays.is_empty() {
            return;
        }
        self.m.pane = pane;
        self.m.users.is_searching = false;
        self.m.rooms.is_filtering = false;
        match pane {
            Pane::Log if self.m.log.load == Load::Never => self.m.busy.want_now(Topic::Log),
            Pane::Quota => self.m.busy.want(Topic::Quota),
            _ => {}
        }
    }

    fn refresh(&mut self) {
        let topic = match self.m.pane {
            Pane::Integrations => Topic::Integrations,
            Pane::Users => Topic::Members,
            Pane::Quota => Topic::Quota,
            Pane::Log => Topic::Log,
            // A viewer asks the platform nothing.
            Pane::Rooms if !self.m.role.may(Right::Keep) => Topic::Rooms,
            Pane::Rooms => {
                if let Some(id) = self.m.active.clone() {
                    self.ask_latest(Topic::RefreshRooms, Ask::RefreshRooms(id));
                }
                return;
            }
        };
        self.m.busy.want_now(topic);
    }

    fn toggle_mouse(&mut self) {
        self.m.mouse = !self.m.mouse;
        let on = self.m.mouse;
        self.tell(TerminalEffect::SetMouse(on));
        self.toast(Level::Info, if on { MOUSE_ON } else { MOUSE_OFF });
    }

    fn next_theme(&mut self) {
        let at = self.m.themes.iter().position(|name| *name == self.m.theme);
        let next = at.map_or(0, |at| (at + 1) % self.m.themes.len().max(1));
        if let Some(name) = self.m.themes.get(next) {
            self.m.theme.clone_from(name);
            let text = THEME.fill(self.m.lang, &[&self.m.theme]);
            self.toast_text(Level::Info, &text, None);
        }
    }

    fn ask_write(&mut self) {
        let confirm = Confirm {
            title: self.say(WRITE).to_owned(),
            lines: vec![self.say(WRITE_LINE).to_owned()],
            risk: Risk::Change,
            typed_name: None,
            ask: ConfirmAsk::AllowWrites,
        };
        self.m.overlays.push(Overlay::Confirm(Box::new(confirm)));
    }

    /// Enter.
    fn open(&mut self) {
        if !self.m.overlays.is_empty() {
            return self.open_in_overlay();
        }
        match self.m.pane {
            Pane::Integrations if self.m.integrations.focus == IntegrationFocus::Details => self.copy(),
            Pane::Integrations => self.m.integrations.focus = IntegrationFocus::Details,
            Pane::Users if self.m.users.is_searching => self.m.users.is_searching = false,
            Pane::Users => {
                if let Some(row) = self.m.users.current() {
                    let member = row.member.clone();
                    self.show_member(member);
                }
            }
            Pane::Rooms if self.m.rooms.focus == RoomFocus::List || self.m.rooms.is_filtering => {
                if let Some(chat) = self.m.rooms.selected.clone() {
                    self.m.rooms.filter.reset();
                    self.open_room(chat, true);
                }
            }
            Pane::Rooms => self.show_thread(),
            Pane::Log => self.open_operation(),
            Pane::Quota => {}
        }
    }

    /// Esc: one step back.
    fn back(&mut self) {
        if !self.m.overlays.is_empty() {
            return self.close_overlay();
        }
        match self.m.pane {
            Pane::Integrations => self.m.integrations.focus = IntegrationFocus::List,
            Pane::Users if self.m.users.is_searching || !self.m.users.search.value().is_empty() => {
                self.m.users.is_searching = false;
                if !self.m.users.search.value().is_empty() {
                    self.m.users.search.reset();
                    self.restart_search();
                }
            }
            Pane::Rooms if self.m.rooms.is_filtering || !self.m.rooms.filter.value().is_empty() => {
                self.m.rooms.is_filtering = false;
                self.m.rooms.filter.reset();
            }
            Pane::Rooms => self.back_in_room(),
            _ => {
                self.m.toasts.clear();
            }
        }
    }

    fn back_in_room(&mut self) {
        let Some(room) = self.m.room.as_mut() else { return };
        match self.m.rooms.focus {
            RoomFocus::Composer if room.composer.suggestions().is_some() => {
                room.composer.dismiss_suggestions()
            }
            RoomFocus::Composer => self.m.rooms.focus = RoomFocus::Transcript,
            RoomFocus::Thread => {
                room.thread = None;
                self.m.rooms.focus = RoomFocus::Transcript;
            }
            RoomFocus::Transcript if room.thread.is_some() => room.thread = None,
            RoomFocus::Transcript => self.m.rooms.focus = RoomFocus::List,
            RoomFocus::List => self.m.toasts.clear(),
        }
    }

    fn search(&mut self) {
        match self.m.pane {
            Pane::Users => self.m.users.is_searching = true,
            Pane::Rooms => {
                self.m.rooms.focus = RoomFocus::List;
                self.m.rooms.is_filtering = true;
            }
            _ => {}
        }
    }

    /// Begins a reply to the message under the cursor.
    fn reply(&mut self, in_thread: bool) {
        let is_thread = self.m.rooms.focus == RoomFocus::Thread;
        let Some(room) = self.m.room.as_ref() else { return };
        // In a thread, its first message is answered.
        let thread = room.thread.as_ref().filter(|_| is_thread);
        let root = thread.and_then(|thread| thread.items.front()).and_then(|item| item.message());
        let Some(message) = root.or_else(|| room.current_message()) else { return };
        let reply = ReplyTarget {
            place: crate::app::event::Place {
                at: message.created_at,
                message_id: message.message_id.clone(),
            },
            sender: message.sender.clone(),
            excerpt: super::window::excerpt(&message.text),
            in_thread: in_thread || is_thread,
        };
        self.set_reply(Some(reply));
        self.focus_room(RoomFocus::Composer);
    }

    pub(super) fn set_reply(&mut self, reply: Option<ReplyTarget>) {
        if let Some(room) = self.m.room.as_mut() {
            room.reply = reply;
        }
    }

    fn retry(&mut self) {
        let Some(room) = self.m.room.as_ref() else { return };
        let Some(ItemBody::Outgoing(outgoing, _)) = room.current().map(|item| &item.body) else { return };
        let (chat_id, uuid) = (room.chat_id.clone(), outgoing.uuid.clone());
        self.ask(Topic::Outgoing(chat_id.clone()), Ask::RetrySend { chat_id, uuid });
    }

    fn ask_discard(&mut self) {
        let Some(room) = self.m.room.as_ref() else { return };
        let Some(ItemBody::Outgoing(outgoing, text)) = room.current().map(|item| &item.body) else { return };
        let confirm = Confirm {
            title: self.say(DISCARD).to_owned(),
            lines: vec![super::window::excerpt(text).to_string()],
            risk: Risk::Destroy,
            typed_name: None,
            ask: ConfirmAsk::DiscardSend(room.chat_id.clone(), outgoing.uuid.clone()),
        };
        self.m.overlays.push(Overlay::Confirm(Box::new(confirm)));
    }
}

const MOUSE_ON: Phrase =
    phrase("The mouse is used here; hold Shift to select.", "已启用鼠标；按住 Shift 选择文本。");
const MOUSE_OFF: Phrase = phrase("The mouse is the terminal's.", "鼠标已交还终端。");
const THEME: Phrase = phrase("Theme: {}", "主题：{}");
const WRITE: Phrase = phrase("Allow changes in this session?", "允许在本次会话中修改？");
const WRITE_LINE: Phrase = phrase(
    "Messages, links and integrations can be changed until larkdeck ends.",
    "在退出前可以发送消息、修改关联与集成。",
);
const DISCARD: Phrase = phrase("Discard this unsent message?", "丢弃这条未发送的消息？");
