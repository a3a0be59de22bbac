//! Pane 1.

use super::Turn;
use crate::{
    app::{
        busy::Topic,
        command::Risk,
        effect::Ask,
        event::{CheckReport, IntegrationRow},
        model::{
            CheckState, Confirm, ConfirmAsk, DetailRow, IntegrationFocus, IntegrationItem, Level, Load,
            OpenRoom, Overlay, Pane, Qr, Quota, Rooms, URLS, Users,
        },
    },
    core::{
        ids::IntegrationId,
        integration::Live,
        lang::{Phrase, phrase},
        text::SafeText,
    },
};

impl Turn<'_> {
    pub(super) fn take_integrations(&mut self, rows: Vec<IntegrationRow>) {
        let mut items: Vec<IntegrationItem> = rows.into_iter().map(IntegrationItem::new).collect();
        // Those that larkdeck speaks to come first; the others are names in the War Room rule.
        items.sort_by_cached_key(|item| {
            (item.row.integration.app.is_none(), item.name.as_str().to_lowercase(), item.id().clone())
        });
        let pane = &mut self.m.integrations;
        if pane.items != items || pane.load != Load::Ready {
            let position = pane.position().unwrap_or(0);
            pane.items = items;
            pane.load = Load::Ready;
            if pane.current().is_none() {
                let near = pane.items.get(position).or(pane.items.last());
                pane.selected = near.map(|item| item.id().clone());
                pane.focus = IntegrationFocus::List;
            }
            self.m.touch();
        }
        let is_gone = self.m.active.as_ref().is_some_and(|id| self.m.integrations.get(id).is_none());
        if self.m.active.is_none() || is_gone {
            self.choose_integration();
        }
    }

    /// The one that was asked for, else the one with War Room, else the first that is spoken.
    fn choose_integration(&mut self) {
        let items = &self.m.integrations.items;
        let spoken = |item: &&IntegrationItem| item.row.integration.app.is_some();
        let wanted = self.m.wanted.take();
        let choice = wanted
            .and_then(|id| items.iter().filter(spoken).find(|item| *item.id() == id))
            .or_else(|| items.iter().filter(spoken).find(|item| item.row.integration.war_room))
            .or_else(|| items.iter().find(spoken))
            .map(|item| item.id().clone());
        match choice {
            Some(id) => self.use_integration(id),
            None => {
                self.leave_integration();
                self.m.active = None;
                self.m.pane = Pane::Integrations;
                self.m.touch();
            }
        }
    }

    /// Makes `id` the one that users, rooms and quota are about.
    pub(super) fn use_integration(&mut self, id: IntegrationId) {
        if self.is_active(&id) {
            return;
        }
        if self.m.active.is_some() {
            self.leave_integration();
        }
        self.m.touch();
        self.m.integrations.selected.get_or_insert_with(|| id.clone());
        self.m.active = Some(id.clone());
        self.ask(Topic::Use, Ask::UseIntegration(id));
        self.m.users.load = Load::Loading;
        self.m.rooms.load = Load::Loading;
        self.m.quota.load = Load::Loading;
        for topic in [Topic::Members, Topic::Rooms, Topic::Quota] {
            self.m.busy.forget(&topic);
            self.m.busy.want_now(topic);
        }
    }

    fn leave_integration(&mut self) {
        self.close_room();
        for topic in
            [Topic::Members, Topic::Member, Topic::Rooms, Topic::RefreshRooms, Topic::Quota, Topic::Plan]
        {
            self.m.busy.forget(&topic);
        }
        self.m.users = Users { filter: self.m.users.filter, ..Users::default() };
        self.m.rooms = Rooms::default();
        self.m.quota = Quota::default();
        self.m.is_settled = false;
        self.m.settles_at = None;
    }

    pub(super) fn next_integration(&mut self) {
        let spoken: Vec<&IntegrationItem> =
            self.m.integrations.items.iter().filter(|item| item.row.integration.app.is_some()).collect();
        let at = spoken.iter().position(|item| Some(item.id()) == self.m.active.as_ref());
        let next = at.map_or(0, |at| (at + 1) % spoken.len().max(1));
        if let Some(id) = spoken.get(next).map(|item| item.id().clone()) {
            self.use_integration(id);
        }
    }

    pub(super) fn set_live(&mut self, id: &IntegrationId, live: Live) {
        let item = self.m.integrations.items.iter_mut().find(|item| item.id() == id);
        if let Some(item) = item.filter(|item| item.row.live != live) {
            item.row.live = live;
            self.m.touch();
        }
    }

    pub(super) fn select_integration(&mut self, id: IntegrationId) {
        let pane = &mut self.m.integrations;
        if pane.get(&id).is_some() {
            pane.selected = Some(id);
            pane.focus = IntegrationFocus::List;
            pane.detail = 0;
        }
    }

    pub(super) fn select_detail(&mut self, row: usize) {
        let pane = &mut self.m.integrations;
        if row < DetailRow::ALL.len() && pane.current().is_some() {
            pane.detail = row;
            pane.focus = IntegrationFocus::Details;
        }
    }

    pub(super) fn move_integrations(&mut self, by: i64) {
        let pane = &mut self.m.integrations;
        match pane.focus {
            IntegrationFocus::List => {
                let at = super::scroll::step(pane.position().unwrap_or(0), by, pane.items.len());
                if let Some(item) = pane.items.get(at) {
                    pane.selected = Some(item.id().clone());
                    pane.detail = 0;
                }
            }
            IntegrationFocus::Details => {
                pane.detail = super::scroll::step(pane.detail, by, DetailRow::ALL.len());
            }
        }
    }

    pub(super) fn show_qr(&mut self) {
        let Some(item) = self.m.integrations.current() else { return };
        let row = DetailRow::ALL.get(self.m.integrations.detail);
        let info = URLS.iter().find(|info| Some(&info.row) == row);
        if let (Some(urls), Some(info)) = (&item.row.urls, info) {
            let qr = Qr { label: info.label, url: (info.get)(urls).to_owned() };
            self.m.overlays.push(Overlay::Qr(qr));
        }
    }

    pub(super) fn check_integration(&mut self) {
        let Some(item) = self.m.integrations.current() else { return };
        let (id, name) = (item.id().clone(), item.name.clone());
        self.ask_latest(Topic::Check(id.clone()), Ask::CheckIntegration(id.clone()));
        let state = CheckState { integration: id, name, report: None, scroll: 0 };
        self.m.overlays.push(Overlay::Check(Box::new(state)));
    }

    pub(super) fn checked(&mut self, id: &IntegrationId, report: CheckReport) {
        self.m.touch();
        let open = self.m.overlays.iter_mut().find_map(|overlay| match overlay {
            Overlay::Check(state) if state.integration == *id => Some(state),
            _ => None,
        });
        match open {
            Some(state) => state.report = Some(report),
            None => {
                let failed = report.lines.iter().any(|line| line.passed == Some(false));
                let (level, text) = if failed { (Level::Warn, CHECK_BAD) } else { (Level::Ok, CHECK_GOOD) };
                self.toast(level, text);
            }
        }
        self.m.busy.want(Topic::Integrations);
    }

    pub(super) fn check_failed(&mut self, id: &IntegrationId) {
        self.m
            .overlays
            .retain(|overlay| !matches!(overlay, Overlay::Check(state) if state.integration == *id));
    }

    /// Asks before War Room is switched; refuses at once where another integration is known to have it.
    pub(super) fn ask_war_room(&mut self) {
        let Some(item) = self.m.integrations.current() else { return };
        let (id, name) = (item.id().clone(), item.name.clone());
        let on = !item.row.integration.war_room;
        let holder =
            self.m.integrations.war_room_holder().map(|other| (other.id().clone(), other.name.clone()));
        if let Some((holder, holder_name)) = holder.filter(|(holder, _)| on && *holder != id) {
            return self.refuse_war_room(holder, &holder_name);
        }
        let (title, line) = if on { (ENABLE, ENABLE_LINE) } else { (DISABLE, DISABLE_LINE) };
        let lang = self.m.lang;
        self.m.overlays.push(Overlay::Confirm(Box::new(Confirm {
            title: title.fill(lang, &[&name]),
            lines: vec![line.get(lang).to_owned()],
            risk: Risk::Change,
            typed_name: None,
            ask: ConfirmAsk::SetWarRoom(id, on),
        })));
    }

    fn refuse_war_room(&mut self, holder: IntegrationId, name: &SafeText) {
        let lang = self.m.lang;
        self.m.overlays.push(Overlay::Confirm(Box::new(Confirm {
            title: HELD.fill(lang, &[name]),
            lines: vec![HELD_LINE.get(lang).to_owned(), JUMP.fill(lang, &[name])],
            risk: Risk::Read,
            typed_name: None,
            ask: ConfirmAsk::JumpTo(holder),
        })));
    }

    pub(super) fn war_room_set(&mut self, id: &IntegrationId, on: bool) {
        self.m.busy.want(Topic::Integrations);
        if let Some(item) = self.m.integrations.items.iter_mut().find(|item| item.id() == id) {
            item.row.integration.war_room = on;
        }
        self.toast(Level::Ok, if on { ENABLED } else { DISABLED });
    }

    /// The store refused: another console was quicker, or this list was old.
    pub(super) fn war_room_held(&mut self, id: &IntegrationId, holder: &str) {
        self.m.busy.want(Topic::Integrations);
        let name = SafeText::line(holder);
        let found = self.m.integrations.items.iter().find(|item| item.name == name && item.id() != id);
        let found = found.map(|item| item.id().clone());
        let is_here = self.m.pane == Pane::Integrations && self.m.overlays.is_empty();
        match found {
            Some(holder) if is_here => {
                self.refuse_war_room(holder, &name);
                self.m.touch();
            }
            _ => {
                let (text, hint) = (HELD.fill(self.m.lang, &[&name]), self.say(HELD_LINE));
                self.toast_text(Level::Warn, &text, Some(hint));
            }
        }
    }

    pub(super) fn ask_remove(&mut self) {
        let Some(item) = self.m.integrations.current() else { return };
        let (id, name) = (item.id().clone(), item.name.clone());
        let lang = self.m.lang;
        self.m.overlays.push(Overlay::Confirm(Box::new(Confirm {
            title: REMOVE.fill(lang, &[&name]),
            lines: vec![REMOVE_LINE.get(lang).to_owned()],
            risk: Risk::Destroy,
            typed_name: Some((name, tui_input::Input::default())),
            ask: ConfirmAsk::RemoveIntegration(id),
        })));
    }

    /// Forgets the open room; its draft is kept.
    pub(super) fn close_room(&mut self) {
        if let Some(room) = self.m.room.take() {
            self.leave_room(&room);
            self.ask(Topic::Open, Ask::OpenRoom(None));
        }
    }

    /// Keeps the draft of a room that is left, and drops what it still waits for.
    pub(super) fn leave_room(&mut self, room: &OpenRoom) {
        let draft = super::rooms::draft_of(room);
        if draft.text.is_empty() {
            self.m.drafts.remove(&room.chat_id);
        } else {
            self.m.drafts.insert(room.chat_id.clone(), draft);
        }
        let chat = || room.chat_id.clone();
        for topic in [
            Topic::Window(chat()),
            Topic::Older(chat()),
            Topic::Newer(chat()),
            Topic::Fetch(chat()),
            Topic::Thread(chat()),
            Topic::People(chat()),
        ] {
            self.m.busy.forget(&topic);
        }
    }
}

const CHECK_GOOD: Phrase = phrase("The credentials are good.", "凭证有效。");
const CHECK_BAD: Phrase =
    phrase("The check found something: press c to see it.", "检查发现问题：按 c 查看。");
const ENABLE: Phrase = phrase("Switch War Room on for {}?", "为 {} 开启作战室？");
const ENABLE_LINE: Phrase = phrase(
    "One integration at most can have it. No further set-up is needed.",
    "至多一个集成可以开启，无需其他配置。",
);
const DISABLE: Phrase = phrase("Switch War Room off for {}?", "为 {} 关闭作战室？");
const DISABLE_LINE: Phrase = phrase("Rooms and history stay.", "群和历史都会保留。");
const HELD: Phrase = phrase("{} has War Room", "{} 已开启作战室");
const HELD_LINE: Phrase = phrase(
    "Only one integration can have it at a time: switch it off there first.",
    "同一时间只能有一个集成开启：请先在那里关闭。",
);
const JUMP: Phrase = phrase("Go to {}?", "转到 {}？");
const ENABLED: Phrase = phrase("War Room is on.", "作战室已开启。");
const DISABLED: Phrase = phrase("War Room is off.", "作战室已关闭。");
const REMOVE: Phrase = phrase("Remove {}?", "移除 {}？");
const REMOVE_LINE: Phrase = phrase(
    "Its secrets, links, rooms and history go from this store. Type its name to confirm.",
    "其密钥、关联、群与历史将从存储中删除。输入名称以确认。",
);
