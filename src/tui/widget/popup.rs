//! What lies over a pane: a framed box in its middle.

use ratatui::{layout::Rect, style::Style};

use crate::tui::canvas::{Canvas, width};

/// How a popup looks.
#[derive(Debug, Clone, Copy)]
pub struct Looks {
    /// Its ground.
    pub ground: Style,
    /// Its frame.
    pub border: Style,
    /// Its title.
    pub title: Style,
    /// What stands at the right end of the title line and of the bottom line.
    pub note: Style,
}

/// The rectangle of a popup of at most `columns` x `rows`, frame included, in the middle of `area`.
pub fn place(area: Rect, columns: u16, rows: u16) -> Rect {
    // Where there is no room for air around it, it takes everything.
    let columns = if area.width < 50 { area.width } else { columns.min(area.width - 4) };
    let rows = if area.height < 16 { area.height } else { rows.min(area.height - 2) };
    let x = area.x + (area.width - columns) / 2;
    let y = area.y + (area.height - rows.min(area.height)) / 2;
    Rect::new(x, y, columns, rows)
}

/// Draws the box over what is there and answers its inside.
pub fn open<'a>(canvas: &'a mut Canvas<'_>, area: Rect, title: &str, note: &str, looks: Looks) -> Canvas<'a> {
    let mut own = canvas.at(area);
    own.fill(looks.ground);
    own.border(looks.ground.patch(looks.border));
    let room = own.width().saturating_sub(4);
    let end = if title.is_empty() { 1 } else { own.clip(2, 0, room, &format!(" {title} "), looks.title) };
    let note_cells = width(note) + 2;
    if !note.is_empty() && end + note_cells + 2 <= own.width() {
        let at = own.width() - note_cells - 2;
        own.text(at, 0, &format!(" {note} "), looks.note);
    }
    let inside = Rect::new(
        area.x.saturating_add(2),
        area.y.saturating_add(1),
        area.width.saturating_sub(4),
        area.height.saturating_sub(2),
    );
    canvas.at(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn popups_stay_inside_at_any_size() {
        for (w, h) in [(1, 1), (20, 5), (49, 15), (80, 24), (300, 100)] {
            let area = Rect::new(3, 2, w, h);
            let at = place(area, 60, 20);
            assert_eq!(at.intersection(area), at, "{w}x{h}");
        }
    }
}
