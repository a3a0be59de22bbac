//! What each action does to the model, and what is to be done outside for it.

mod away;
mod command;
mod confirm;
mod copy;
mod form;
mod integrations;
mod link;
mod log;
mod news;
mod overlay;
mod quota;
mod rooms;
mod scroll;
mod session;
mod transcript;
mod typing;
mod users;
mod window;

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::{
    action::{Action, AnswerBox},
    busy::Topic,
    command::may,
    effect::{Ask, Effect, EffectId, TerminalEffect},
    event::{Anchor, Answer, FeedBatch},
    model::{Level, Load, Model, Toast},
    phrase::role_word,
};
use crate::core::{
    error::{Fault, Kind},
    ids::IntegrationId,
    lang::{Phrase, phrase},
    role::{Right, Role},
    text::SafeText,
};

/// How long a notice stays.
const TOAST: Duration = Duration::from_secs(6);
const TOAST_ERROR: Duration = Duration::from_secs(15);
/// Notices at once.
const MAX_TOASTS: usize = 3;

/// Does `action` to the model. Total, synchronous, deterministic.
pub fn update(model: &mut Model, action: Action) -> Vec<Effect> {
    if model.is_over {
        return Vec::new();
    }
    let mut turn = Turn { m: model, out: Vec::new() };
    turn.act(action);
    turn.settle();
    turn.out
}

/// One action under way: the model and the effects so far.
struct Turn<'m> {
    m: &'m mut Model,
    out: Vec<Effect>,
}

impl Turn<'_> {
    fn act(&mut self, action: Action) {
        let is_background = matches!(
            action,
            Action::Tick(_)
                | Action::TakePainted(_)
                | Action::Ignore(_)
                | Action::Receive { .. }
                | Action::Fail { .. }
                | Action::Merge(_)
                | Action::SetLive { .. }
                | Action::SetQuota(_)
                | Action::SetRole(_)
                | Action::SetStore(_)
                | Action::SetFocus(_)
                | Action::ShowLinkProgress { .. }
        );
        if !is_background {
            self.m.touch();
            self.keep_soon();
            if !matches!(action, Action::Start | Action::Notice(_) | Action::TellCopy(_) | Action::Resize(_))
            {
                self.keep_first_room();
            }
        }
        match action {
            Action::Start => self.start(),
            Action::Tick(now) => self.tick(now),
            Action::Resize(size) => self.m.size = size,
            Action::SetFocus(on) => self.m.is_focused = on,
            Action::TakePainted(painted) => self.take_painted(painted),
            Action::Run(command) => self.run(command),
            Action::Type(key) => self.type_key(key),
            Action::Ignore(_) => {}
            Action::Paste(text) => self.paste(&text),
            Action::Receive { id, answer } => self.receive(id, *answer),
            Action::Fail { id, fault } => self.fail(id, fault),
            Action::ShowLinkProgress { id, progress } => self.link_progress(id, progress),
            Action::Merge(batch) => self.merge(*batch),
            Action::SetLive { integration, live } => self.set_live(&integration, *live),
            Action::SetQuota(report) => self.set_quota(*report),
            Action::SetRole(role) => self.set_role(role),
            Action::SetStore(health) => self.set_store(health),
            // Nobody asked: the header says it.
            Action::Notice(fault) if self.is_of_away_store(&fault) => self.m.last_fault = Some(fault),
            Action::Notice(fault) => self.show_fault(fault),
            Action::TellCopy(outcome) => self.tell_copy(outcome),
            pointed => self.point(pointed),
        }
    }

    /// What the mouse chose.
    fn point(&mut self, action: Action) {
        match action {
            Action::ShowPane(pane) => self.show_pane(pane),
            Action::SelectIntegration(id) => self.select_integration(id),
            Action::SelectDetail(row) => self.select_detail(row),
            Action::SetFilter(filter) => self.set_filter(filter),
            Action::SelectMember(id) => self.select_member(&id),
            Action::OpenRoom(chat) => self.open_room(chat, true),
            Action::FocusRoom(focus) => self.focus_room(focus),
            Action::SelectItem(key) => self.select_item(key),
            Action::SelectOperation(seq) => self.select_operation(seq),
            Action::SelectOverlayRow(row) => self.select_overlay_row(row),
            Action::PressOverlayRow(row) => {
                self.select_overlay_row(row);
                self.open_in_overlay();
            }
            Action::PickMention(row) => self.take_mention(Some(row)),
            Action::CloseOverlay => self.close_overlay(),
            Action::Scroll { target, rows } => self.scroll_target(target, rows),
            _ => {}
        }
    }

    /// What follows from the new state whatever the action was.
    fn settle(&mut self) {
        self.settle_room();
        for topic in self.m.busy.due(self.m.now) {
            self.load(topic);
        }
        self.settle_title();
        self.settle_session();
        self.settle_wake();
    }

    /// Asks the runtime. In a console that is read-only, nothing that changes anything gets past here; in that of
    /// a viewer, nothing that takes a right.
    fn ask(&mut self, topic: Topic, ask: Ask) -> Option<EffectId> {
        match ask.right() {
            None => {}
            // What a console does by itself is left undone without a word.
            Some(Right::Keep) if !self.m.role.may(Right::Keep) => return None,
            Some(Right::Keep) => {}
            Some(right) => {
                let refused = may(self.m.role, right).err();
                if let Some(reason) = refused.or(self.m.is_read_only().then_some(READ_ONLY)) {
                    self.toast(Level::Warn, reason);
                    return None;
                }
            }
        }
        let id = self.m.busy.begin(topic);
        self.out.push(Effect::Ask { id, ask });
        Some(id)
    }

    /// Asks for something of which only the latest answer counts.
    fn ask_latest(&mut self, topic: Topic, ask: Ask) {
        self.m.busy.forget(&topic);
        self.ask(topic, ask);
    }

    fn tell(&mut self, effect: TerminalEffect) {
        self.out.push(Effect::Terminal(effect));
    }

    fn say(&self, phrase: Phrase) -> &'static str {
        phrase.get(self.m.lang)
    }

    fn toast(&mut self, level: Level, text: Phrase) {
        let text = self.say(text).to_owned();
        self.toast_text(level, &text, None);
    }

    /// A notice whose text may quote foreign text.
    fn toast_text(&mut self, level: Level, text: &str, hint: Option<&str>) {
        let stay = if level == Level::Error { TOAST_ERROR } else { TOAST };
        let toast = Toast {
            level,
            text: SafeText::line(text),
            hint: hint.map(SafeText::line),
            until: self.m.now.plus(stay),
        };
        self.m.toasts.retain(|old| old.text != toast.text);
        self.m.toasts.push(toast);
        let surplus = self.m.toasts.len().saturating_sub(MAX_TOASTS);
        self.m.toasts.drain(..surplus);
        self.m.touch();
    }

    fn show_fault(&mut self, fault: Box<Fault>) {
        let level = match fault.kind {
            Kind::Refused | Kind::RateLimited { .. } | Kind::Partial | Kind::Usage => Level::Warn,
            _ => Level::Error,
        };
        self.toast_text(level, &fault.message, fault.hint.as_deref());
        self.m.last_fault = Some(fault);
    }

    /// Loads a list that has changed.
    fn load(&mut self, topic: Topic) {
        let active = self.m.active.clone();
        match (topic, active) {
            (Topic::Integrations, _) => {
                self.ask(Topic::Integrations, Ask::LoadIntegrations);
            }
            (Topic::Members, Some(id)) => self.query_members(id),
            (Topic::Rooms, Some(id)) => {
                self.ask(Topic::Rooms, Ask::LoadRooms(id));
            }
            (Topic::Quota, Some(id)) => {
                self.ask(Topic::Quota, Ask::LoadQuota(id));
            }
            (Topic::Log, _) => self.load_log(),
            (Topic::Read, _) => self.mark_read(),
            (Topic::People(chat), _) => self.load_people(chat),
            (Topic::Names(chat), _) => self.load_names(&chat),
            (Topic::Window(chat), _) => self.load_window(&chat, Anchor::Latest),
            (Topic::Open, _) => self.follow_room(),
            (Topic::Thread(_), _) => self.load_thread(),
            (Topic::Consoles, _) => self.load_consoles(),
            _ => {}
        }
    }

    fn receive(&mut self, id: EffectId, answer: AnswerBox) {
        // Not known: it was forgotten, because the screen that asked is gone.
        let Some(topic) = self.m.busy.end(id) else { return };
        match (topic, answer.0) {
            (_, Answer::Integrations(rows)) => self.take_integrations(rows),
            (_, Answer::IntegrationSaved(saved)) => self.integration_saved(saved),
            (Topic::Check(of), Answer::Checked(report)) => self.checked(&of, report),
            (Topic::WarRoom(of), Answer::WarRoomSet(on)) => self.war_room_set(&of, on),
            (Topic::WarRoom(of), Answer::WarRoomHeld { holder }) => self.war_room_held(&of, &holder),
            (_, Answer::Members(page)) => self.take_members(page),
            (_, Answer::Member(member)) => self.show_member(*member),
            (_, Answer::LinkPlanned(plan)) => self.link_planned(plan),
            (_, Answer::LinkFinished(outcome)) => self.link_finished(outcome),
            (_, Answer::LinksRemoved(count)) => self.links_removed(count),
            (_, Answer::PressJudged(verdict)) => self.press_judged(verdict),
            (_, Answer::Invited { member, url }) => self.invited(&member, &url),
            (topic, Answer::Rooms(rooms)) => self.take_rooms(rooms, topic == Topic::RefreshRooms),
            (topic, Answer::Transcript(page)) => self.take_transcript(&topic, page),
            (Topic::Fetch(chat), Answer::OlderFetched { stored, is_start, kept_from }) => {
                self.older_fetched(&chat, stored, is_start, kept_from);
            }
            (Topic::Thread(chat), Answer::Thread(messages)) => self.take_thread(&chat, messages),
            (Topic::People(chat), Answer::RoomMembers(people)) => self.take_people(&chat, people),
            (Topic::Names(chat), Answer::Names(names)) => self.take_names(&chat, &names),
            (_, Answer::Consoles(found)) => self.take_consoles(found),
            (_, Answer::Queued(outgoing)) => self.queued(id, outgoing),
            (_, Answer::Quota(report)) => self.set_quota(report),
            (_, Answer::Log(page)) => self.take_log(page),
            (topic, Answer::Done) => self.done(topic),
            _ => {}
        }
    }

    fn done(&mut self, topic: Topic) {
        match topic {
            Topic::Remove(_) => {
                self.toast(Level::Ok, REMOVED);
                self.m.busy.want(Topic::Integrations);
            }
            Topic::React => self.toast(Level::Ok, REACTED),
            Topic::Unreact => self.toast(Level::Ok, UNREACTED),
            Topic::Access => {
                self.m.access = super::model::Access::Write;
                self.toast(Level::Ok, MAY_WRITE);
            }
            _ => {}
        }
    }

    fn fail(&mut self, id: EffectId, fault: Box<Fault>) {
        let Some(topic) = self.m.busy.end(id) else { return };
        self.m.touch();
        if self.is_of_away_store(&fault) {
            return self.fail_for_now(id, topic, fault);
        }
        let failed = Load::Failed(fault.clone());
        match topic {
            Topic::Integrations => self.m.integrations.load = failed,
            Topic::Members => self.m.users.load = failed,
            Topic::Rooms => self.m.rooms.load = failed,
            Topic::Quota => self.m.quota.load = failed,
            Topic::Log | Topic::OlderLog => self.m.log.load = failed,
            Topic::Save => return self.save_failed(fault),
            Topic::Plan | Topic::Link => return self.link_failed(fault),
            Topic::Check(of) => self.check_failed(&of),
            Topic::Send(_) => self.send_failed(id),
            Topic::Window(chat) => self.with_room(&chat, |room| room.load = failed),
            Topic::People(chat) => return self.with_room(&chat, |room| room.people_load = failed),
            Topic::Thread(chat) => self.with_room(&chat, |room| {
                if let Some(thread) = &mut room.thread {
                    thread.load = failed;
                }
            }),
            // Nobody asked for these in so many words: the log has them.
            Topic::Session | Topic::Read | Topic::Open | Topic::Names(_) | Topic::Cancel => return,
            _ => {}
        }
        self.show_fault(fault);
    }

    fn merge(&mut self, batch: FeedBatch) {
        let mut wanted = Vec::new();
        let all = batch.is_reload;
        if batch.integrations || all {
            wanted.push(Topic::Integrations);
        }
        if (batch.members || all) && self.m.active.is_some() {
            wanted.push(Topic::Members);
        }
        if (batch.rooms || all) && self.m.active.is_some() {
            wanted.push(Topic::Rooms);
        }
        if (batch.operations || all) && self.m.log.load != Load::Never {
            wanted.push(Topic::Log);
        }
        if let Some(room) = self.m.room.as_ref().filter(|_| batch.names) {
            wanted.push(Topic::Names(room.chat_id.clone()));
        }
        for topic in wanted {
            self.m.busy.want(topic);
        }
        if all {
            self.reload_room();
        }
        if let Some(news) = batch.room {
            self.take_news(news);
        }
    }

    /// Somebody has given this console another role.
    fn set_role(&mut self, role: Role) {
        if self.m.role == role {
            return;
        }
        self.m.role = role;
        self.m.touch();
        let text = NEW_ROLE.fill(self.m.lang, &[&role_word(role).get(self.m.lang)]);
        self.toast_text(Level::Warn, &text, None);
    }

    fn is_active(&self, id: &IntegrationId) -> bool {
        self.m.active.as_ref() == Some(id)
    }
}

const NEW_ROLE: Phrase = phrase("Your role here is now: {}.", "你在此的角色现为：{}。");
const READ_ONLY: Phrase = phrase("This console is read-only.", "当前为只读模式。");
const REMOVED: Phrase = phrase("Removed.", "已移除。");
const REACTED: Phrase = phrase("Reaction sent.", "已添加表情。");
const UNREACTED: Phrase = phrase("Reaction taken back.", "已撤回表情。");
const MAY_WRITE: Phrase = phrase("Changes are allowed in this session.", "本次会话允许修改。");
