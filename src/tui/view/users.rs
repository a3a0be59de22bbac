//! Pane 2: who is linked, who is not, and why.

use ratatui::layout::Rect;

use super::{Canvas, Role, Scene, rooms::before, words};
use crate::{
    app::{
        action::Action,
        busy::Topic,
        model::{Load, UserRow},
        phrase::FILTERS,
    },
    core::{
        lang::{Phrase, phrase},
        member::{Filter, Fixer, Licence, LinkOrigin},
        text,
    },
    tui::{
        canvas::{Run, width},
        widget::{
            number, prompt,
            table::{self, Column, Layout, cell},
            tabs,
        },
    },
};

/// From this height on the selected member is explained below the list.
const DETAIL_ROWS: u16 = 14;

/// Draws the pane.
pub(super) fn draw(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>) {
    let model = scene.model;
    let (w, h) = (canvas.width(), canvas.height());
    filters(scene, &mut canvas.row(0));
    if model.users.total == 0 || model.active.is_none() {
        let mut rest = canvas.sub(0, 1, w, h.saturating_sub(1));
        words::nothing(scene, &mut rest, &model.users.load, empty(scene));
        return;
    }
    let below = if h >= DETAIL_ROWS { 4 } else { 1 };
    let rows = h.saturating_sub(2 + below);
    scene.drawn.painted.sizes.list_rows = rows;
    list(scene, &mut canvas.sub(0, 1, w, rows + 1), rows);
    explain(scene, &mut canvas.sub(0, 2 + rows, w, below));
}

fn empty(scene: &Scene<'_>) -> (&'static str, &'static str) {
    let users = &scene.model.users;
    if scene.model.active.is_none() {
        return (
            scene.t(phrase("No integration", "没有集成")),
            scene.t(phrase("Go to pane 1 and press a to add one.", "请到面板 1 按 a 添加。")),
        );
    }
    if !users.search.value().is_empty() {
        return (
            scene.t(phrase("Nobody by that name or email", "没有符合的姓名或邮箱")),
            scene.t(phrase(
                "Esc clears the search; Tab changes the filter.",
                "按 Esc 清除搜索，按 Tab 切换筛选。",
            )),
        );
    }
    if users.counts.all == 0 {
        return (
            scene.t(phrase("No team members yet", "还没有成员")),
            scene.t(phrase(
                "Import them: larkdeck member import FILE.csv (name,email,phone,team).",
                "请导入：larkdeck member import FILE.csv（name,email,phone,team）。",
            )),
        );
    }
    match users.filter {
        Filter::Unlinked => (
            scene.t(phrase("Everybody is linked", "全部已关联")),
            scene.t(phrase("Nothing is left to do here.", "这里没有待办。")),
        ),
        _ => (
            scene.t(phrase("Nobody is linked yet", "还没有人关联")),
            scene.t(phrase("Press L for one-click linking.", "按 L 一键关联。")),
        ),
    }
}

fn filters(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>) {
    let users = &scene.model.users;
    let all = [Filter::All, Filter::Linked, Filter::Unlinked];
    let rows: Vec<tabs::Tab<'_>> = all
        .iter()
        .zip(FILTERS)
        .map(|(filter, name)| tabs::Tab {
            key: "",
            name: scene.t(name),
            count: Some(number(users.counts.of(*filter))),
            is_active: *filter == users.filter,
        })
        .collect();
    let looks = tabs::Looks {
        active: scene.s(Role::Badge),
        idle: scene.s(Role::Text),
        key: scene.s(Role::Dim),
        count: scene.s(Role::Dim),
    };
    let area = canvas.area();
    let room = canvas.width().saturating_sub(2);
    let places = tabs::draw(canvas, (1, 0), room, &rows, looks);
    let end = places.last().map_or(0, |(_, end)| *end) + 2;
    for ((from, to), filter) in places.into_iter().zip(all) {
        scene.click(Rect::new(area.x + from, area.y, to - from, 1), Action::SetFilter(filter));
    }
    let left = canvas.width().saturating_sub(end + 1);
    if left < 12 {
        return;
    }
    let is_busy = scene.model.busy.has(&Topic::Members);
    let field = left.min(40);
    let x = canvas.width().saturating_sub(field + 1);
    let label = scene.t(phrase("search: ", "搜索："));
    let dim = scene.s(Role::Dim);
    if users.is_searching {
        let start = canvas.text(x, 0, label, scene.s(Role::Key));
        let room = (x + field).saturating_sub(start);
        let caret = prompt::draw(
            canvas,
            (start, 0),
            room,
            users.search.value(),
            before(&users.search),
            scene.s(Role::Input),
        );
        scene.caret(canvas, caret, 0);
    } else if !users.search.value().is_empty() {
        canvas.right(x + field, 0, field, &format!("{label}{}", users.search.value()), scene.s(Role::Text));
    } else {
        let words = if is_busy {
            "…"
        } else {
            scene.t(phrase("/ searches name or email", "按 / 搜索姓名或邮箱"))
        };
        canvas.right(x + field, 0, field, words, dim);
    }
}

fn list(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, rows: u16) {
    let users = &scene.model.users;
    let last = match users.filter {
        Filter::Linked => phrase("LINKED", "关联"),
        Filter::Unlinked => phrase("WHY NOT LINKED", "未关联原因"),
        Filter::All => phrase("LINK", "关联"),
    };
    // Where somebody may be unlinked the reason is what one reads: other columns give way to it.
    let last_cells = match (users.filter, canvas.width()) {
        (Filter::Unlinked, 70..) => 30,
        (_, 70..) => 24,
        _ => 22,
    };
    // A name that is cut names nobody; the phone stands below, too, for the one that is selected.
    let name_cells = if canvas.width() >= 70 { 14 } else { 8 };
    // Where the roster tells nothing of licences there is nothing to see.
    let has_licences = users.rows.iter().any(|row| row.member.licence.is_some());
    let licences = has_licences.then(|| table::left(scene.t(phrase("LICENCE", "许可证")), 9, 9, 1));
    let mut columns: Vec<Column<'_>> = vec![
        table::left(scene.t(phrase("NAME", "姓名")), name_cells, 18, 0),
        table::left(scene.t(phrase("EMAIL", "邮箱")), 18, 36, 2),
        table::left(scene.t(phrase("PHONE", "手机")), 13, 15, 3),
        table::left(scene.t(phrase("TEAM", "团队")), 10, 16, 4),
    ];
    columns.extend(licences);
    columns.push(table::left(scene.t(last), last_cells, 200, 0));
    let w = canvas.width();
    let layout = Layout::new(&columns, w.saturating_sub(3));
    layout.head(&mut canvas.sub(2, 0, w.saturating_sub(3), 1), 0, &columns, scene.s(Role::Title));
    for (y, index) in (1..=rows).zip(users.top..users.total) {
        let mut line = canvas.row(y);
        match users.row(index) {
            Some(row) => {
                let state = state(scene, row);
                let text = scene.s(Role::Text);
                let mut cells = vec![
                    cell(row.name.as_str(), text),
                    cell(row.email.as_str(), text),
                    cell(row.phone.as_str(), scene.s(Role::Dim)),
                    cell(row.team.as_str(), scene.s(Role::Dim)),
                ];
                if has_licences {
                    cells.push(licence(scene, row));
                }
                cells.push(state);
                layout.row(&mut line.sub(2, 0, w.saturating_sub(3), 1), 0, &columns, &cells);
                scene.click(line.area(), Action::SelectMember(row.member.id.clone()));
            }
            None => _ = line.text(2, 0, "…", scene.s(Role::Dim)),
        }
        if index == users.cursor {
            scene.select(&mut line, !users.is_searching);
        }
    }
}

const fn origin(origin: LinkOrigin) -> Phrase {
    match origin {
        LinkOrigin::OneClick => phrase("one-click", "一键关联"),
        LinkOrigin::Login => phrase("login", "登录"),
        LinkOrigin::Manual => phrase("by hand", "手动"),
    }
}

/// Without a licence nobody handles an incident; whoever has one is like most.
fn licence<'a>(scene: &Scene<'_>, row: &UserRow) -> Vec<Run<'a>> {
    match row.member.licence {
        Some(licence) => {
            let role = if licence == Licence::None { Role::Warn } else { Role::Dim };
            vec![Run::new(scene.t(licence.text()), scene.s(role))]
        }
        None => vec![Run::new("-", scene.s(Role::Dim))],
    }
}

/// How somebody was linked, or why not.
fn state<'a>(scene: &Scene<'_>, row: &UserRow) -> Vec<Run<'a>> {
    let dim = scene.s(Role::Dim);
    match (&row.member.link, row.member.reason) {
        (Some(link), _) => vec![
            Run::new("✓ ", scene.s(Role::Ok)),
            Run::new(scene.t(origin(link.origin)), scene.s(Role::Text)),
            Run::new(format!("  {}", scene.model.short_time(link.linked_at)), dim),
        ],
        (None, Some(reason)) => {
            vec![Run::new("✗ ", scene.s(Role::Warn)), Run::new(scene.t(reason.text()), scene.s(Role::Text))]
        }
        (None, None) => {
            vec![Run::new("· ", dim), Run::new(scene.t(phrase("not tried yet", "尚未尝试")), dim)]
        }
    }
}

/// The position, and what is known of the selected member.
fn explain(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>) {
    let users = &scene.model.users;
    let w = canvas.width();
    let dim = scene.s(Role::Dim);
    let place =
        scene.fill(phrase("{} of {}", "第 {} / {} 个"), &[&number(users.cursor + 1), &number(users.total)]);
    let mark = match &users.load {
        Load::Failed(_) => words::load_mark(scene, &users.load),
        _ => "",
    };
    let place = if mark.is_empty() { place } else { format!("{mark} · {place}") };
    let cells = width(&place) + 2;
    canvas.rule(1, w.saturating_sub(cells + 1), 0, "─", scene.s(Role::Border));
    canvas.right(w.saturating_sub(1), 0, cells, &place, dim);
    let Some(row) = users.current().filter(|_| canvas.height() >= 3) else { return };
    let mut inside = canvas.sub(1, 1, w.saturating_sub(2), 3);
    let name = row.name.as_str();
    let short = |at| scene.model.short_time(at);
    let looked = match (&row.member.link, row.member.looked_up_at) {
        (Some(link), _) => scene.fill(
            phrase("linked {} · {}", "关联于 {} · {}"),
            &[&short(link.linked_at), &scene.t(origin(link.origin))],
        ),
        (None, Some(at)) => scene.fill(phrase("looked up {}", "查找于 {}"), &[&short(at)]),
        (None, None) => scene.t(phrase("never looked up", "从未查找")).to_owned(),
    };
    let keys = [&row.phone, &row.email].into_iter().filter(|key| key.as_str() != "-");
    let keys = keys.map(ToString::to_string).collect::<Vec<_>>().join(" · ");
    let runs = [
        Run::new(name, scene.s(Role::Strong)),
        Run::new(format!(" · {looked}"), dim),
        Run::new(if keys.is_empty() { String::new() } else { format!(" · {keys}") }, dim),
    ];
    let room = inside.width();
    inside.runs(0, 0, room, &runs);
    let Some(reason) = row.member.reason.filter(|_| row.member.link.is_none()) else {
        let id = row.member.link.as_ref().map(|link| format!("open_id {}", link.open_id)).unwrap_or_default();
        inside.clip(0, 1, room, &id, dim);
        return;
    };
    let who = match reason.fixer() {
        Fixer::Member => phrase("the member can fix it: ", "由成员本人处理："),
        Fixer::Admin => phrase("you can fix it: ", "由 larkdeck 管理员处理："),
        Fixer::FeishuAdmin => phrase("the Feishu admin can fix it: ", "由飞书管理员处理："),
        Fixer::Wait => phrase("time fixes it: ", "稍后自动恢复："),
    };
    let words = format!("{}{}", scene.t(who), scene.t(reason.fix()));
    let lines = text::wrap(&words, usize::from(room));
    for ((y, range), n) in (1..3u16).zip(&lines).zip(1usize..) {
        let line = words.get(range.clone()).unwrap_or_default();
        // Where more follows than fits, Enter shows all of it.
        let more = if n == 2 && lines.len() > 2 { "…" } else { "" };
        let shown = text::prefix(line, usize::from(room).saturating_sub(text::width(more)));
        let end = inside.text(0, y, shown, scene.s(Role::Text));
        inside.text(end, y, more, dim);
    }
}
