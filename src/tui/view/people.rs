//! The people and facts of the open room, at its side.

use super::{Canvas, Role, Scene, words};
use crate::{
    app::model::{Load, OpenRoom},
    core::lang::phrase,
    tui::{
        canvas::{Run, cells},
        widget::number,
    },
};

/// Draws the side panel.
pub(super) fn draw(scene: &Scene<'_>, canvas: &mut Canvas<'_>, room: &OpenRoom) {
    let dim = scene.s(Role::Dim);
    let (w, h) = (canvas.width(), canvas.height());
    let count = u64::try_from(room.people.len()).unwrap_or(u64::MAX);
    let unlinked = room.people.iter().filter(|row| !row.person.is_linked).count();
    let mut runs = vec![
        Run::new(scene.t(phrase("PEOPLE", "成员")), scene.s(Role::Title)),
        Run::new(format!(" {}", number(count)), scene.s(Role::Text)),
    ];
    if unlinked > 0 {
        runs.push(Run::new(scene.fill(phrase("  {} not linked", "  {} 人未关联"), &[&unlinked]), dim));
    }
    canvas.runs(1, 0, w.saturating_sub(2), &runs);
    let facts = facts(scene, room);
    let below = cells(facts.len()) + 1;
    let rows = h.saturating_sub(1 + below);
    let mut list = canvas.sub(0, 1, w, rows);
    if room.people.is_empty() {
        let empty = (
            scene.t(phrase("Nobody is known yet", "还没有成员信息")),
            scene.t(phrase("R asks Feishu.", "按 R 向飞书获取。")),
        );
        words::nothing(scene, &mut list, &room.people_load, empty);
    }
    let hidden = room.people.len().saturating_sub(usize::from(rows));
    let shown = if hidden > 0 { rows.saturating_sub(1) } else { rows };
    for (y, row) in (0..shown).zip(&room.people) {
        let (sign, style) = if row.person.is_linked { ("✓", scene.s(Role::Ok)) } else { ("·", dim) };
        list.text(1, y, sign, style);
        let name = if row.person.is_linked { scene.s(Role::Text) } else { dim };
        list.clip(3, y, w.saturating_sub(4), row.name.as_str(), name);
    }
    if hidden > 0 && rows > 0 {
        let words = scene.fill(phrase("and {} more", "还有 {} 人"), &[&(hidden + 1)]);
        list.clip(3, rows - 1, w.saturating_sub(4), &words, dim);
    }
    for (y, (label, value)) in (h.saturating_sub(below - 1)..h).zip(&facts) {
        let x = canvas.clip(1, y, w.saturating_sub(2), label, dim) + 1;
        canvas.clip(x, y, w.saturating_sub(x + 1), value, scene.s(Role::Text));
    }
}

fn facts(scene: &Scene<'_>, room: &OpenRoom) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let Some(row) = scene.model.rooms.get(&room.chat_id) else { return facts };
    let complete = row.room.complete_to.map_or_else(
        || scene.t(phrase("not yet checked", "尚未核对")).to_owned(),
        |at| words::clock_s(scene, at),
    );
    facts.push((scene.t(phrase("complete to", "完整至")), complete));
    if matches!(room.load, Load::Ready) {
        let held = number(u64::try_from(room.items.len()).unwrap_or(u64::MAX));
        facts.push((scene.t(phrase("lines loaded", "已加载")), held));
    }
    facts.push((scene.t(phrase("chat", "群 ID")), room.chat_id.to_string()));
    facts
}
