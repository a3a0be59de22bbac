//! Who is connected to the store, and who may do what.

use super::{Canvas, Line, Role, Scene, text_cells, text_popup, wrap_into};
use crate::{
    app::{
        event::{ConsoleRow, ConsolesView},
        phrase::role_word,
    },
    core::{
        lang::{Phrase, phrase},
        role::EVERYBODY_ELSE,
        text::{self, SafeText},
    },
    tui::{canvas::Run, view::words},
};

const COLUMNS: u16 = 78;
/// Cells of the columns after the name.
const WHAT: usize = 10;
const ROLE: usize = 11;
const SINCE: usize = 18;

const TITLE: Phrase = phrase("Who is here", "谁在线");
const LOADING: Phrase = phrase("looking…", "正在查看…");
const CONNECTED: Phrase = phrase("CONNECTED", "已连接");
const ROLES: Phrase = phrase("ROLES", "角色");
const THIS_ONE: Phrase = phrase(" (this one)", "（本控制台）");
const EVERYBODY: Phrase = phrase("everybody else", "其他所有人");
const NO_ROLES: Phrase = phrase(
    "None is assigned, so everybody is admin. `larkdeck role set WHO ROLE` assigns one.",
    "尚未分配角色，所有人都是管理员。用 larkdeck role set WHO ROLE 分配。",
);
const YOU: Phrase = phrase("You are {} here: {}.", "你在此是 {}：{}。");
const UNSEEN: Phrase = phrase(
    "Viewers leave no trace; commands that end by themselves are not listed.",
    "查看者不留痕迹；自行结束的命令不在列表中。",
);
const ADVISORY: Phrase = phrase(
    "On SQLite roles are advice that larkdeck keeps to: whoever can open the file is its owner.",
    "在 SQLite 上角色只是 larkdeck 遵守的约定：能打开文件的人就是它的主人。",
);

/// What a process is, in words.
fn what(row: &ConsoleRow) -> Phrase {
    match row.what.as_str() {
        "console" => phrase("console", "控制台"),
        "gateway" => phrase("gateway", "网关"),
        "tail" => phrase("room tail", "消息跟随"),
        _ => phrase("-", "-"),
    }
}

pub(super) fn draw(
    scene: &mut Scene<'_>,
    canvas: &mut Canvas<'_>,
    found: Option<&ConsolesView>,
    scroll: u16,
) {
    let room = text_cells(canvas, COLUMNS);
    let mut lines: Vec<Line> = Vec::new();
    match found {
        None => lines.push(vec![Run::new(scene.t(LOADING), scene.s(Role::Dim))]),
        Some(found) => {
            connected(scene, &mut lines, room, found);
            lines.push(Vec::new());
            roles(scene, &mut lines, room, found);
        }
    }
    text_popup(scene, canvas, scene.t(TITLE), COLUMNS, scroll, &lines);
}

fn connected(scene: &Scene<'_>, lines: &mut Vec<Line>, room: usize, found: &ConsolesView) {
    lines.push(vec![Run::new(scene.t(CONNECTED), scene.s(Role::Title))]);
    // Where it is narrow, the name and the role are what counts.
    let is_wide = room >= 20 + WHAT + ROLE + SINCE;
    let name_cells = room.saturating_sub(ROLE + if is_wide { WHAT + SINCE } else { 0 }).max(8);
    for row in &found.consoles {
        let mut name = SafeText::line(&row.holder.to_string()).to_string();
        if row.is_me {
            name.push_str(scene.t(THIS_ONE));
        }
        let style = scene.s(if row.is_me { Role::Strong } else { Role::Text });
        let mut line = vec![Run::new(text::fit(&name, name_cells), style)];
        if is_wide {
            line.push(Run::new(text::fit(scene.t(what(row)), WHAT), scene.s(Role::Dim)));
        }
        line.push(Run::new(text::fit(scene.t(role_word(row.role)), ROLE), scene.s(Role::Text)));
        if let (true, Some(at)) = (is_wide, row.since_at) {
            line.push(Run::new(text::fit(&words::date_time(scene, at), SINCE), scene.s(Role::Dim)));
        }
        lines.push(line);
    }
    wrap_into(lines, scene.t(UNSEEN), room, scene.s(Role::Dim));
}

fn roles(scene: &Scene<'_>, lines: &mut Vec<Line>, room: usize, found: &ConsolesView) {
    lines.push(vec![Run::new(scene.t(ROLES), scene.s(Role::Title))]);
    if found.roles.is_empty() {
        wrap_into(lines, scene.t(NO_ROLES), room, scene.s(Role::Text));
    }
    let name_cells = room.saturating_sub(ROLE).max(8);
    for (who, role) in &found.roles {
        let name = match who.as_str() {
            EVERYBODY_ELSE => scene.t(EVERYBODY).to_owned(),
            _ => SafeText::line(who).to_string(),
        };
        lines.push(vec![
            Run::new(text::fit(&name, name_cells), scene.s(Role::Text)),
            Run::new(scene.t(role_word(*role)), scene.s(Role::Text)),
        ]);
    }
    lines.push(Vec::new());
    let mine = scene.t(role_word(found.mine));
    let you = scene.fill(YOU, &[&SafeText::line(&found.me), &mine]);
    wrap_into(lines, &you, room, scene.s(Role::Text));
    if !found.are_enforced {
        wrap_into(lines, scene.t(ADVISORY), room, scene.s(Role::Warn));
    }
}
