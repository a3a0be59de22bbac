//! What a pane says when it has nothing to show.

use ratatui::style::Style;

use crate::{
    core::text,
    tui::canvas::{Canvas, width},
};

/// Draws `title` and below it `lines` in the middle of `canvas`, a little above the centre.
pub fn draw(canvas: &mut Canvas<'_>, title: (&str, Style), lines: &[(&str, Style)]) {
    let room = usize::from(canvas.width().saturating_sub(4).clamp(1, 72));
    let mut rows: Vec<(&str, Style)> = Vec::new();
    for (body, style) in std::iter::once(&title).chain(lines) {
        rows.extend(
            text::wrap(body, room).into_iter().map(|range| (body.get(range).unwrap_or_default(), *style)),
        );
    }
    let count = u16::try_from(rows.len()).unwrap_or(u16::MAX);
    let widest = rows.iter().map(|(row, _)| width(row)).max().unwrap_or_default();
    let x = canvas.width().saturating_sub(widest) / 2;
    let mut y = canvas.height().saturating_sub(count) / 3;
    for (row, style) in rows {
        canvas.text(x, y, row.trim_start_matches(' '), style);
        y = y.saturating_add(1);
    }
}
