//! All commands, found by typing.

use super::{Canvas, Role, Scene};
use crate::{
    app::{action::Action, command::Risk, model::Palette},
    core::{lang::phrase, text},
    tui::{
        canvas::{Run, cells, width},
        view::rooms::before,
        widget::{popup, prompt},
    },
};

/// Rows of commands that are shown at most.
const MAX_ROWS: u16 = 16;

/// Draws the palette.
pub(super) fn draw(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, palette: &Palette) {
    // Its height does not follow the matches, so that it does not jump while one types.
    let place = popup::place(canvas.area(), 78, MAX_ROWS + 4);
    let looks = scene.popup_looks();
    let count = scene.fill(phrase("{} commands", "{} 个命令"), &[&palette.rows.len()]);
    let title = scene.t(phrase("Command", "命令"));
    let mut inside = popup::open(canvas, place, title, &count, looks);
    let w = inside.width();
    inside.text(0, 0, ":", scene.s(Role::Key));
    let value = palette.input.value();
    let caret = prompt::draw(
        &mut inside,
        (2, 0),
        w.saturating_sub(2),
        value,
        before(&palette.input),
        scene.s(Role::Input),
    );
    scene.caret(&inside, caret, 0);
    let rows = inside.height().saturating_sub(2);
    scene.drawn.painted.sizes.overlay_rows = rows;
    scene.drawn.painted.sizes.overlay_total = cells(palette.rows.len());
    if palette.rows.is_empty() {
        inside.clip(
            2,
            2,
            w,
            scene.t(phrase("no command of that name; backspace", "没有这样的命令")),
            scene.s(Role::Dim),
        );
    }
    let first = (palette.selected + 1).saturating_sub(usize::from(rows));
    for ((y, row), n) in (2..rows + 2).zip(palette.rows.iter().skip(first)).zip(first..) {
        let spec = row.command.spec();
        let mut line = inside.row(y);
        let is_off = row.disabled.is_some();
        let name = text::fit(spec.name, 18);
        let (mark, role) = match spec.risk {
            Risk::Read => (" ", Role::Dim),
            Risk::Change => ("•", Role::Warn),
            Risk::Destroy => ("!", Role::Error),
        };
        let words = row.disabled.map_or_else(|| scene.t(spec.help), |reason| scene.t(reason));
        let runs = [
            Run::new(name, scene.s(if is_off { Role::Dim } else { Role::Text })),
            Run::new(format!("{mark} "), scene.s(role)),
            Run::new(words, scene.s(Role::Dim)),
        ];
        let key_cells = width(&row.keys);
        line.runs(2, 0, w.saturating_sub(key_cells + 4), &runs);
        line.right(w, 0, key_cells, &row.keys, scene.s(Role::Key));
        if n == palette.selected {
            scene.select(&mut line, true);
        }
        scene.click(line.area(), Action::PressOverlayRow(n));
    }
}
