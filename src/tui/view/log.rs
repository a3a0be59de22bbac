//! Pane 5: who did what, and what came of it.

use super::{Canvas, Role, Scene, words};
use crate::{
    app::action::Action,
    core::{lang::phrase, operation::OperationResult},
    tui::{
        canvas::Run,
        widget::{
            number,
            table::{self, Column, Layout, cell},
        },
    },
};

/// Draws the pane.
pub(super) fn draw(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>) {
    let log = &scene.model.log;
    let (w, h) = (canvas.width(), canvas.height());
    if log.rows.is_empty() {
        let empty = (
            scene.t(phrase("Nothing has been done yet", "尚无操作")),
            scene.t(phrase(
                "Linking, sending and every change of an integration are written down here.",
                "关联、发送与集成的每次修改都会记录在这里。",
            )),
        );
        words::nothing(scene, canvas, &log.load, empty);
        return;
    }
    let columns: [Column<'_>; 6] = [
        table::left(scene.t(phrase("WHEN", "时间")), 11, 11, 0),
        table::left(scene.t(phrase("RESULT", "结果")), 9, 9, 0),
        table::left(scene.t(phrase("OPERATION", "操作")), 12, 27, 0),
        table::left(scene.t(phrase("ON", "对象")), 10, 18, 2),
        table::left(scene.t(phrase("WHO", "操作者")), 8, 16, 3),
        table::left(scene.t(phrase("REASON", "原因")), 20, 200, 1),
    ];
    let layout = Layout::new(&columns, w.saturating_sub(3));
    layout.head(&mut canvas.sub(2, 0, w.saturating_sub(3), 1), 0, &columns, scene.s(Role::Title));
    let rows = h.saturating_sub(2);
    scene.drawn.painted.sizes.list_rows = rows;
    for (y, row) in (1..=rows).zip(log.rows.iter().skip(log.top)) {
        let operation = &row.operation;
        let mut line = canvas.row(y);
        let (sign, word, role) = match operation.result {
            OperationResult::Ok => ("✓", phrase("done", "完成"), Role::Ok),
            OperationResult::Failed => ("✗", phrase("failed", "失败"), Role::Error),
            OperationResult::Refused => ("!", phrase("refused", "拒绝"), Role::Warn),
        };
        let at = operation.at.in_zone(&scene.model.zone).strftime("%m-%d %H:%M").to_string();
        let reason =
            operation.code.map_or_else(|| row.reason.to_string(), |code| format!("{code}  {}", row.reason));
        let cells = [
            cell(&at, scene.s(Role::Dim)),
            vec![Run::new(format!("{sign} {}", scene.t(word)), scene.s(role))],
            cell(&operation.operation, scene.s(Role::Text)),
            cell(scene.model.name_of(&row.target).as_str(), scene.s(Role::Text)),
            cell(row.author.as_str(), scene.s(Role::Dim)),
            cell(&reason, scene.s(Role::Text)),
        ];
        layout.row(&mut line.sub(2, 0, w.saturating_sub(3), 1), 0, &columns, &cells);
        if log.selected == Some(operation.seq) {
            scene.select(&mut line, true);
        }
        scene.click(line.area(), Action::SelectOperation(operation.seq));
    }
    let at = log.position().map_or(0, |at| at + 1);
    let count = number(u64::try_from(log.rows.len()).unwrap_or(u64::MAX));
    let more = if log.has_older { "+" } else { "" };
    let place =
        scene.fill(phrase("{} of {}{}, newest first", "第 {} / {}{} 条，最新在前"), &[&at, &count, &more]);
    canvas.right(w.saturating_sub(1), h.saturating_sub(1), w.saturating_sub(2), &place, scene.s(Role::Dim));
    let mark = words::load_mark(scene, &log.load);
    canvas.clip(2, h.saturating_sub(1), w / 3, mark, scene.s(Role::Dim));
}
