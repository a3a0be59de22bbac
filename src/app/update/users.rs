//! Pane 2: windows of members, search, selection, details.

use super::Turn;
use crate::{
    app::{
        busy::Topic,
        command::Risk,
        effect::Ask,
        event::{MemberPage, MemberQuery, PressVerdict},
        model::{Confirm, ConfirmAsk, Level, Load, MemberDetail, Overlay, Pane, Qr, UserRow, Users},
    },
    core::{
        ids::{IntegrationId, MemberId},
        lang::{Lang, Phrase, phrase},
        member::{Filter, Fixer, Member},
        secret::Secret,
        text::SafeText,
    },
};

/// Rows asked for at least, so that the next keys find theirs here.
const LEAST: u64 = 60;

impl Turn<'_> {
    fn user_rows(&self) -> u64 {
        u64::from(self.m.painted.sizes.list_rows).max(1)
    }

    /// Asks for the rows around those on screen.
    pub(super) fn query_members(&mut self, integration: IntegrationId) {
        let rows = self.user_rows();
        let users = &mut self.m.users;
        let query = MemberQuery {
            filter: users.filter,
            search: users.search.value().trim().to_owned(),
            offset: users.top.saturating_sub(rows.max(LEAST / 3)),
            limit: (rows * 4).max(LEAST),
        };
        if users.load == Load::Never {
            users.load = Load::Loading;
        }
        self.ask_latest(Topic::Members, Ask::QueryMembers { integration, query });
    }

    /// Asks at once: a person waits for it.
    fn query_now(&mut self) {
        if let Some(id) = self.m.active.clone() {
            self.query_members(id);
        }
    }

    pub(super) fn take_members(&mut self, page: MemberPage) {
        let users = &mut self.m.users;
        let is_current =
            page.query.filter == users.filter && page.query.search == users.search.value().trim();
        let before = (users.counts, users.total, users.load.clone());
        users.counts = page.counts;
        if !is_current {
            return self.m.touch();
        }
        let rows: Vec<UserRow> = page.rows.into_iter().map(UserRow::new).collect();
        let is_same = rows == users.rows && page.query.offset == users.offset;
        users.rows = rows;
        users.offset = page.query.offset;
        users.total = page.total;
        users.load = Load::Ready;
        users.shown = Some(page.query);
        follow_selection(users);
        if !is_same || before != (self.m.users.counts, self.m.users.total, Load::Ready) {
            self.m.touch();
        }
        self.keep_cursor_visible();
    }

    pub(super) fn set_filter(&mut self, filter: Filter) {
        self.m.pane = Pane::Users;
        self.m.users.filter = filter;
        self.restart_search();
    }

    pub(super) fn next_filter(&mut self, by: i64) {
        let all = [Filter::All, Filter::Linked, Filter::Unlinked];
        let at = all.iter().position(|filter| *filter == self.m.users.filter).unwrap_or(0);
        let next = (i64::try_from(at).unwrap_or(0) + by).rem_euclid(3);
        if let Some(filter) = usize::try_from(next).ok().and_then(|next| all.get(next)) {
            self.set_filter(*filter);
        }
    }

    /// Another filter or search: from the top.
    pub(super) fn restart_search(&mut self) {
        let users = &mut self.m.users;
        users.top = 0;
        users.cursor = 0;
        users.selected = None;
        self.query_now();
    }

    pub(super) fn move_users(&mut self, by: i64) {
        let users = &mut self.m.users;
        let last = users.total.saturating_sub(1);
        let to = i128::from(users.cursor) + i128::from(by);
        users.cursor = u64::try_from(to.clamp(0, i128::from(last))).unwrap_or(0);
        users.selected = users.current().map(|row| row.member.id.clone());
        self.keep_cursor_visible();
    }

    pub(super) fn select_member(&mut self, id: &MemberId) {
        let users = &mut self.m.users;
        if let Some(at) = users.rows.iter().position(|row| row.member.id == *id) {
            users.cursor = users.offset.saturating_add(u64::try_from(at).unwrap_or(0));
            users.selected = Some(id.clone());
            users.is_searching = false;
        }
    }

    /// The cursor is on screen, and the rows around it are loaded.
    pub(super) fn keep_cursor_visible(&mut self) {
        let rows = self.user_rows();
        let users = &mut self.m.users;
        users.top = users.top.clamp((users.cursor + 1).saturating_sub(rows), users.cursor);
        users.top = users.top.min(users.total.saturating_sub(rows));
        let end = users.offset + u64::try_from(users.rows.len()).unwrap_or(0);
        let needed = (users.top + rows).min(users.total);
        let is_loaded = users.top >= users.offset && needed <= end;
        if !is_loaded && users.load == Load::Ready && !self.m.busy.has(&Topic::Members) {
            self.query_now();
        }
        let rows = usize::from(self.m.painted.sizes.list_rows).max(1);
        let log = &mut self.m.log;
        if let Some(at) = log.position() {
            log.top = log.top.clamp((at + 1).saturating_sub(rows), at);
        }
    }

    /// Shows a member in full.
    pub(super) fn show_member(&mut self, member: Member) {
        let row = UserRow::new(member);
        let message = self.message_for(&row);
        let detail = MemberDetail { row, message, scroll: 0 };
        self.m.overlays.push(Overlay::Member(Box::new(detail)));
        self.m.touch();
    }

    /// What a person can be sent to get linked.
    pub(super) fn message_for(&self, row: &UserRow) -> String {
        let lang = self.m.lang;
        if row.member.link.is_some() {
            return String::new();
        }
        let reason = row.member.reason.unwrap_or(crate::core::member::Reason::NeverTried);
        let app = self.m.active_item().and_then(|item| item.bot_name.clone());
        let app = app.unwrap_or_else(|| SafeText::line(THE_APP.get(lang)));
        let cause = reason.text().get(lang);
        match reason.fixer() {
            Fixer::Member => TO_MEMBER.fill(lang, &[&row.name, &cause, &app]),
            Fixer::Admin | Fixer::FeishuAdmin | Fixer::Wait => {
                let who = fixer_name(reason.fixer(), lang);
                TO_ADMIN.fill(lang, &[&who, &row.name, &cause, &reason.fix().get(lang), &app])
            }
        }
    }

    pub(super) fn invite(&mut self) {
        let (Some(integration), Some(row)) = (self.m.active.clone(), self.m.users.current()) else { return };
        let member = row.member.id.clone();
        self.ask(Topic::Invite, Ask::Invite { integration, member });
    }

    /// Shows the link of an invitation where it was asked for. Whoever has gone on makes another one.
    pub(super) fn invited(&mut self, member: &MemberId, url: &Secret) {
        let is_here = self.m.pane == Pane::Users && self.m.overlays.is_empty();
        let is_selected = self.m.users.current().is_some_and(|row| row.member.id == *member);
        if is_here && is_selected {
            let qr = Qr { label: INVITATION, url: url.reveal().to_owned() };
            self.m.overlays.push(Overlay::Qr(qr));
            self.m.touch();
        }
    }

    pub(super) fn ask_unlink(&mut self) {
        let (Some(id), Some(row)) = (self.m.active.clone(), self.m.users.current()) else { return };
        let lang = self.m.lang;
        let confirm = Confirm {
            title: UNLINK.fill(lang, &[&row.name]),
            lines: vec![UNLINK_LINE.get(lang).to_owned()],
            risk: Risk::Destroy,
            typed_name: None,
            ask: ConfirmAsk::Unlink(id, vec![row.member.id.clone()]),
        };
        self.m.overlays.push(Overlay::Confirm(Box::new(confirm)));
    }
}

impl Turn<'_> {
    /// What happens if the selected member presses a button of a card, in the room that is open if one is?
    pub(super) fn judge_press(&mut self) {
        let (Some(integration), Some(row)) = (self.m.active.clone(), self.m.users.current()) else { return };
        let member = row.member.id.clone();
        let chat = self.m.room.as_ref().map(|room| room.chat_id.clone());
        self.ask(Topic::Press, Ask::JudgePress { integration, member, chat });
    }

    pub(super) fn press_judged(&mut self, verdict: PressVerdict) {
        let lang = self.m.lang;
        if verdict.acts {
            let text = WOULD_ACT.fill(lang, &[&verdict.name]);
            return self.toast_text(Level::Ok, &text, Some(verdict.said(lang)));
        }
        // What stands in the way and what to do is too long for a notice that goes away.
        self.m.overlays.push(Overlay::Press(Box::new(verdict), 0));
        self.m.touch();
    }
}

/// The selection stays with its member; where that is not in the window, with its number.
fn follow_selection(users: &mut Users) {
    let at = users.selected.as_ref().and_then(|id| users.rows.iter().position(|row| row.member.id == *id));
    if let Some(at) = at {
        let cursor = users.offset + u64::try_from(at).unwrap_or(0);
        // The row keeps its place on screen.
        users.top = (users.top + cursor).saturating_sub(users.cursor);
        users.cursor = cursor;
    }
    users.cursor = users.cursor.min(users.total.saturating_sub(1));
    users.top = users.top.min(users.cursor);
    users.selected = users.current().map(|row| row.member.id.clone()).or_else(|| users.selected.take());
}

/// Who puts a reason right.
pub(super) fn fixer_name(fixer: Fixer, lang: Lang) -> &'static str {
    match fixer {
        Fixer::Member => phrase("the member", "成员本人"),
        Fixer::Admin => phrase("larkdeck admin", "larkdeck 管理员"),
        Fixer::FeishuAdmin => phrase("Feishu admin", "飞书管理员"),
        Fixer::Wait => phrase("nobody: wait", "无需处理，请等待"),
    }
    .get(lang)
}

const THE_APP: Phrase = phrase("the app", "该应用");
const TO_MEMBER: Phrase = phrase(
    "Hi {}, incident messages cannot reach you yet ({}). Please sign in once: in Feishu/Lark, Workspace → search “{}” → Open App. If that is done already, check that your phone number or email matches your account.",
    "{}，你好：告警消息目前还无法送达你（{}）。请登录一次：飞书 / Lark → 工作台 → 搜索“{}” → 打开应用。若已登录，请核对手机号或邮箱与账号一致。",
);
const TO_ADMIN: Phrase =
    phrase("To {}: {} cannot be linked ({}). {} App: {}.", "致{}：{} 无法关联（{}）。{} 应用：{}。");
const WOULD_ACT: Phrase = phrase("A press by {} would act.", "{} 按下后会执行。");
const INVITATION: Phrase = phrase(
    "Invitation: for this member alone, once, within a week",
    "邀请链接：仅供该成员使用，一周内有效，限用一次",
);
const UNLINK: Phrase = phrase("Unlink {}?", "解除 {} 的关联？");
const UNLINK_LINE: Phrase = phrase(
    "No message reaches this person until the next link. It is logged and can be undone.",
    "在重新关联之前，消息将无法送达该成员。操作会记录，可撤销。",
);
