//! A field of one line to type in.

use ratatui::style::Style;

use crate::{
    core::text,
    tui::canvas::{Canvas, cells, width},
};

/// Draws the text of a field of `room` cells at (`x`, `y`), scrolled so that the caret is in view, and answers
/// the column of the caret. `before` is the part of `value` before the caret.
pub fn draw(
    canvas: &mut Canvas<'_>,
    (x, y): (u16, u16),
    room: u16,
    value: &str,
    before: &str,
    style: Style,
) -> u16 {
    let room = room.min(canvas.width().saturating_sub(x)).max(1);
    canvas.sub(x, y, room, 1).fill(style);
    // The caret needs a cell of its own at the end.
    let space = room.saturating_sub(1);
    let caret = width(before);
    let mut hidden = 0;
    let mut from = 0;
    for (at, cluster) in text::graphemes(value) {
        if caret.saturating_sub(hidden) <= space {
            from = at;
            break;
        }
        hidden += cells(text::width(cluster));
        from = at + cluster.len();
    }
    let shown = value.get(from..).unwrap_or_default();
    canvas.sub(x, y, room, 1).text(0, 0, shown, style);
    if hidden > 0 {
        canvas.text(x, y, "…", style);
    }
    x + caret.saturating_sub(hidden).min(space)
}

#[cfg(test)]
mod tests {
    use ratatui::{buffer::Buffer, layout::Rect};

    use super::*;

    #[test]
    fn the_caret_is_always_in_view() {
        let value = "支付网关超时 checkout";
        for room in 1..30 {
            for (at, _) in text::graphemes(value) {
                let mut buffer = Buffer::empty(Rect::new(0, 0, 30, 1));
                let caret = draw(
                    &mut Canvas::new(&mut buffer),
                    (0, 0),
                    room,
                    value,
                    value.get(..at).unwrap(),
                    Style::new(),
                );
                assert!(caret < room, "{caret} in {room}");
            }
        }
    }
}
