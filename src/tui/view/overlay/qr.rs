//! A URL for a phone, and the choice of a reaction.

use qrcode::{Color, EcLevel, QrCode};

use super::{Canvas, Line, Role, Scene, text_cells, text_popup, wrap_into};
use crate::{
    app::{
        action::Action,
        model::{Glyphs, Qr, React},
    },
    core::{
        emoji::{CHOICES, picture_of},
        lang::phrase,
        text::SafeText,
    },
    tui::{
        canvas::{Run, cells, width},
        widget::popup,
    },
};

/// Light modules around the code that cameras need.
const QUIET: usize = 2;

/// Draws the code in half blocks, two modules a cell.
pub(super) fn draw(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, qr: &Qr) {
    let url = SafeText::line(&qr.url);
    let label = scene.t(qr.label);
    let code = QrCode::with_error_correction_level(qr.url.as_bytes(), EcLevel::L).ok();
    let side = code.as_ref().map_or(0, |code| code.width() + 2 * QUIET);
    let (columns, rows) = (cells(side), cells(side.div_ceil(2)));
    let room = canvas.area();
    let fits = columns + 4 <= room.width && rows + 4 <= room.height && scene.model.glyphs == Glyphs::Unicode;
    let Some(code) = code.filter(|_| fits) else {
        let cells = text_cells(canvas, 76);
        let mut lines: Vec<Line> = Vec::new();
        wrap_into(&mut lines, url.as_str(), cells, scene.link(&qr.url));
        lines.push(Vec::new());
        let words = phrase(
            "The code needs a larger window and Unicode signs; y copies the URL instead.",
            "二维码需要更大的窗口和 Unicode 符号；可按 y 复制 URL。",
        );
        wrap_into(&mut lines, scene.t(words), cells, scene.s(Role::Dim));
        text_popup(scene, canvas, label, 76, 0, &lines);
        return;
    };
    let place = popup::place(room, columns.max(width(url.as_str()).min(76)) + 4, rows + 4);
    let looks = scene.popup_looks();
    let mut inside = popup::open(canvas, place, label, "", looks);
    let x = inside.width().saturating_sub(columns) / 2;
    let style = scene.s(Role::Qr);
    let colours = code.to_colors();
    let is_dark = |column: usize, row: usize| {
        let (Some(column), Some(row)) = (column.checked_sub(QUIET), row.checked_sub(QUIET)) else {
            return false;
        };
        column < code.width() && colours.get(row * code.width() + column) == Some(&Color::Dark)
    };
    for (y, row) in (0..rows).zip((0..side).step_by(2)) {
        let line: String = (0..side)
            .map(|column| match (is_dark(column, row), is_dark(column, row + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            })
            .collect();
        inside.text(x, y, &line, style);
    }
    let w = inside.width();
    inside.clip(0, rows + 1, w, url.as_str(), scene.link(&qr.url));
}

/// Draws the choice of a reaction.
pub(super) fn react(scene: &mut Scene<'_>, canvas: &mut Canvas<'_>, react: &React) {
    let looks = scene.popup_looks();
    let is_ascii = scene.model.glyphs == Glyphs::Ascii;
    let per_row: u16 = if is_ascii { 3 } else { 6 };
    let cell = if is_ascii { 14 } else { 6 };
    let rows = cells(CHOICES.len()).div_ceil(per_row);
    let place = popup::place(canvas.area(), per_row * cell + 4, rows + 5);
    let title = scene.t(phrase("React", "添加表情"));
    let mut inside = popup::open(canvas, place, title, "", looks);
    let w = inside.width();
    inside.clip(0, 0, w, react.excerpt.as_str(), scene.s(Role::Dim));
    for (name, n) in CHOICES.iter().zip(0u16..) {
        let (x, y) = (n % per_row * cell, 2 + n / per_row);
        let mut own = inside.sub(x, y, cell, 1);
        let shown = picture_of(name).filter(|_| !is_ascii).unwrap_or(name);
        let is_selected = usize::from(n) == react.selected;
        let style = scene.s(if is_selected { Role::Strong } else { Role::Text });
        if is_selected {
            own.tint(scene.s(Role::Selection));
            own.text(0, 0, "▌", scene.s(Role::Accent));
        }
        own.text(2, 0, shown, style);
        scene.click(own.area(), Action::PressOverlayRow(usize::from(n)));
    }
    let name = CHOICES.get(react.selected).copied().unwrap_or_default();
    let y = inside.height().saturating_sub(1);
    inside.runs(0, y, w, &[Run::new(name, scene.s(Role::Dim))]);
}
