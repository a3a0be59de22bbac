//! Drawing into a cell buffer: the only place of the screen that writes cells. Measures with
//! `core::text` alone, so that a wide character takes exactly the cells the layout gave it.

use std::borrow::Cow;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

use crate::core::text;

/// A stretch of text in one style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run<'a> {
    /// Safe text, one line.
    pub text: Cow<'a, str>,
    /// How it looks.
    pub style: Style,
}

impl<'a> Run<'a> {
    /// A run of `text` in `style`.
    pub fn new(text: impl Into<Cow<'a, str>>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

/// The width of `runs` in cells.
pub fn runs_width(runs: &[Run<'_>]) -> u16 {
    cells(runs.iter().map(|run| text::width(&run.text)).sum())
}

/// A count of cells as coordinates have it; saturates.
pub fn cells(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

/// The width of `text` in cells, as coordinates have it.
pub fn width(text: &str) -> u16 {
    cells(text::width(text))
}

/// A rectangle of the screen to draw in. Coordinates are relative to it; what lies outside is cut off.
#[derive(Debug)]
pub struct Canvas<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
}

impl<'a> Canvas<'a> {
    /// The whole of `buffer`.
    pub fn new(buffer: &'a mut Buffer) -> Self {
        let area = buffer.area;
        Self { buffer, area }
    }

    /// Its place on the screen.
    pub const fn area(&self) -> Rect {
        self.area
    }

    /// Its width in cells.
    pub const fn width(&self) -> u16 {
        self.area.width
    }

    /// Its height in rows.
    pub const fn height(&self) -> u16 {
        self.area.height
    }

    /// The part of it inside `area`, which is in screen coordinates.
    pub fn at(&mut self, area: Rect) -> Canvas<'_> {
        Canvas { area: area.intersection(self.area), buffer: self.buffer }
    }

    /// The part of it from column `x`, row `y`, in coordinates of this canvas.
    pub fn sub(&mut self, x: u16, y: u16, width: u16, height: u16) -> Canvas<'_> {
        let area = Rect::new(self.area.x.saturating_add(x), self.area.y.saturating_add(y), width, height);
        self.at(area)
    }

    /// Row `y` alone.
    pub fn row(&mut self, y: u16) -> Canvas<'_> {
        let width = self.area.width;
        self.sub(0, y, width, 1)
    }

    /// Writes `text` at (`x`, `y`) as far as it fits and answers the column after it.
    pub fn text(&mut self, x: u16, y: u16, text: &str, style: Style) -> u16 {
        if y >= self.area.height || x >= self.area.width {
            return x;
        }
        let row = self.area.y + y;
        let mut at = x;
        for (_, cluster) in text::graphemes(text) {
            let wide = width(cluster);
            if wide == 0 {
                continue;
            }
            if at.saturating_add(wide) > self.area.width {
                break;
            }
            self.cluster(self.area.x + at, row, cluster, wide, style);
            at += wide;
        }
        at
    }

    fn cluster(&mut self, x: u16, y: u16, cluster: &str, wide: u16, style: Style) {
        if let Some(cell) = self.buffer.cell_mut((x, y)) {
            cell.set_symbol(cluster);
            cell.set_style(style);
        }
        for rest in 1..wide {
            if let Some(cell) = self.buffer.cell_mut((x + rest, y)) {
                // An empty symbol marks a cell that the character before it covers.
                cell.set_symbol("");
                cell.set_style(style);
            }
        }
    }

    /// Writes `text` at (`x`, `y`) in at most `room` cells; what is cut off shows as `…`.
    pub fn clip(&mut self, x: u16, y: u16, room: u16, text: &str, style: Style) -> u16 {
        let room = room.min(self.area.width.saturating_sub(x));
        self.text(x, y, &text::truncate(text, usize::from(room)), style)
    }

    /// Writes `text` so that it ends before column `end`, in at most `room` cells.
    pub fn right(&mut self, end: u16, y: u16, room: u16, text: &str, style: Style) {
        let shown = text::truncate(text, usize::from(room));
        self.text(end.saturating_sub(width(&shown)), y, &shown, style);
    }

    /// Writes runs one after the other in at most `room` cells; what is cut off shows as `…`.
    pub fn runs(&mut self, x: u16, y: u16, room: u16, runs: &[Run<'_>]) -> u16 {
        let end = x.saturating_add(room).min(self.area.width);
        let mut at = x;
        let mut rest = runs_width(runs);
        for run in runs {
            let own = width(&run.text);
            let left = end.saturating_sub(at);
            if left == 0 {
                break;
            }
            // The run that crosses the end carries the ellipsis; so does one that fills it while more waits.
            if own > left || (own == left && rest > own) {
                let shown = text::prefix(&run.text, usize::from(left.saturating_sub(1)));
                at = self.text(at, y, shown, run.style);
                return self.text(at, y, "…", run.style);
            }
            at = self.text(at, y, &run.text, run.style);
            rest = rest.saturating_sub(own);
        }
        at
    }

    /// Writes `text` in the middle of row `y`.
    pub fn center(&mut self, y: u16, text: &str, style: Style) {
        let shown = text::truncate(text, usize::from(self.area.width)).into_owned();
        let x = self.area.width.saturating_sub(width(&shown)) / 2;
        self.text(x, y, &shown, style);
    }

    /// Writes `text` wrapped to the width, from row `y`, and answers the row after it.
    pub fn wrapped(&mut self, y: u16, body: &str, style: Style) -> u16 {
        let mut at = y;
        for range in text::wrap(body, usize::from(self.area.width)) {
            if at >= self.area.height {
                break;
            }
            self.text(0, at, body.get(range).unwrap_or_default(), style);
            at += 1;
        }
        at
    }

    /// Copies rows of `sheet`, from its row `first` on, over everything.
    pub fn copy(&mut self, sheet: &Buffer, first: u16) {
        for y in 0..self.area.height.min(sheet.area.height.saturating_sub(first)) {
            for x in 0..self.area.width.min(sheet.area.width) {
                let from = sheet.cell((sheet.area.x + x, sheet.area.y + first + y));
                if let (Some(from), Some(to)) =
                    (from, self.buffer.cell_mut((self.area.x + x, self.area.y + y)))
                {
                    to.clone_from(from);
                }
            }
        }
    }

    /// Fills everything with spaces in `style`; what stood there is gone.
    pub fn fill(&mut self, style: Style) {
        for y in self.area.top()..self.area.bottom() {
            for x in self.area.left()..self.area.right() {
                if let Some(cell) = self.buffer.cell_mut((x, y)) {
                    cell.reset();
                    cell.set_style(style);
                }
            }
        }
    }

    /// Lays `style` over what stands in it, keeping the characters.
    pub fn tint(&mut self, style: Style) {
        self.buffer.set_style(self.area, style);
    }

    /// Repeats a one-cell symbol from column `x` to before `end` of row `y`.
    pub fn rule(&mut self, x: u16, end: u16, y: u16, symbol: &str, style: Style) {
        for at in x..end.min(self.area.width) {
            self.text(at, y, symbol, style);
        }
    }

    /// A frame of single lines with round corners around everything.
    pub fn border(&mut self, style: Style) {
        let (w, h) = (self.area.width, self.area.height);
        if w < 2 || h < 2 {
            return;
        }
        for (y, left, right) in [(0, "╭", "╮"), (h - 1, "╰", "╯")] {
            self.text(0, y, left, style);
            self.rule(1, w - 1, y, "─", style);
            self.text(w - 1, y, right, style);
        }
        for y in 1..h - 1 {
            self.text(0, y, "│", style);
            self.text(w - 1, y, "│", style);
        }
    }
}

/// Makes every row consistent: a wide character whose second cell was drawn over becomes a space, and so does
/// a second cell that lost its character. Call once when everything is drawn.
pub fn heal(buffer: &mut Buffer) {
    let columns = usize::from(buffer.area.width).max(1);
    for row in buffer.content.chunks_mut(columns) {
        let mut covered = 0;
        for x in 0..row.len() {
            let Some(symbol) = row.get(x).map(|cell| cell.symbol()) else { break };
            if symbol.is_empty() {
                if covered == 0 {
                    blank(row, x);
                } else {
                    covered -= 1;
                }
                continue;
            }
            covered = 0;
            if symbol.len() == 1 {
                continue;
            }
            let wide = text::width(symbol);
            let whole =
                wide >= 1 && (1..wide).all(|n| row.get(x + n).is_some_and(|cell| cell.symbol().is_empty()));
            if whole {
                covered = wide - 1;
            } else {
                blank(row, x);
            }
        }
    }
}

fn blank(row: &mut [ratatui::buffer::Cell], x: usize) {
    if let Some(cell) = row.get_mut(x) {
        cell.set_symbol(" ");
        cell.modifier.remove(Modifier::UNDERLINED);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(buffer: &Buffer, y: u16) -> String {
        (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect()
    }

    #[test]
    fn wide_characters_never_hang_over_an_edge() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 7, 1));
        let end = Canvas::new(&mut buffer).sub(1, 0, 4, 1).text(0, 0, "支付网", Style::new());
        assert_eq!(end, 4);
        assert_eq!(line(&buffer, 0), " 支付  ");
        let end = Canvas::new(&mut buffer).sub(0, 0, 3, 1).text(0, 0, "支付", Style::new());
        assert_eq!(end, 2);
    }

    #[test]
    fn overdrawn_halves_become_spaces() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 1));
        let mut canvas = Canvas::new(&mut buffer);
        canvas.text(0, 0, "支付网", Style::new());
        canvas.text(1, 0, "x", Style::new());
        canvas.text(4, 0, "y", Style::new());
        heal(&mut buffer);
        assert_eq!(line(&buffer, 0), " x付y ");
    }

    #[test]
    fn runs_end_with_an_ellipsis_where_they_are_cut() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 1));
        let runs = [Run::new("支付", Style::new()), Run::new("gateway", Style::new())];
        Canvas::new(&mut buffer).runs(0, 0, 8, &runs);
        assert_eq!(line(&buffer, 0), "支付gat…");
        let mut buffer = Buffer::empty(Rect::new(0, 0, 4, 1));
        Canvas::new(&mut buffer).runs(0, 0, 4, &runs);
        assert_eq!(line(&buffer, 0), "支… ");
    }

    proptest! {
        #[test]
        fn healed_rows_cover_themselves_exactly(
            texts in prop::collection::vec(("[a-z一-龥👍é ]{0,9}", 0u16..12, 0u16..3), 0..12)
        ) {
            let mut buffer = Buffer::empty(Rect::new(0, 0, 11, 3));
            for (text, x, y) in &texts {
                Canvas::new(&mut buffer).text(*x, *y, text, Style::new());
            }
            heal(&mut buffer);
            for y in 0..3 {
                prop_assert_eq!(text::width(&line(&buffer, y)), 11);
            }
        }
    }
}
