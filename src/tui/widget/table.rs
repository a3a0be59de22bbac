//! Rows in columns, with widths that fit the room there is.

use ratatui::style::Style;

use crate::tui::canvas::{Canvas, Run, runs_width, width};

/// Cells between two columns.
const GAP: u16 = 2;

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    /// Its head.
    pub title: &'a str,
    /// Cells without which it is not worth showing.
    pub min: u16,
    /// Cells that it uses at most.
    pub max: u16,
    /// Numbers stand at the right.
    pub is_right: bool,
    /// Where room is short the highest rank is left out first; rank 0 never is.
    pub rank: u8,
}

/// A column of text.
pub const fn left(title: &str, min: u16, max: u16, rank: u8) -> Column<'_> {
    Column { title, min, max, is_right: false, rank }
}

/// A column of numbers.
pub const fn right(title: &str, cells: u16, rank: u8) -> Column<'_> {
    Column { title, min: cells, max: cells, is_right: true, rank }
}

/// Columns with their places: (first column, cells); `None` where one is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    places: Vec<Option<(u16, u16)>>,
}

impl Layout {
    /// Fits `columns` into `room` cells.
    pub fn new(columns: &[Column<'_>], room: u16) -> Self {
        let mut is_shown = vec![true; columns.len()];
        loop {
            let needed = needed(columns, &is_shown);
            let last = columns.iter().zip(&is_shown).filter(|(column, shown)| **shown && column.rank > 0);
            let Some(rank) = last.map(|(column, _)| column.rank).max().filter(|_| needed > room) else {
                break;
            };
            let victim =
                columns.iter().zip(&mut is_shown).rfind(|(column, shown)| **shown && column.rank == rank);
            if let Some((_, shown)) = victim {
                *shown = false;
            }
        }
        let mut spare = room.saturating_sub(needed(columns, &is_shown));
        let mut x = 0u16;
        let mut places = Vec::with_capacity(columns.len());
        for (column, shown) in columns.iter().zip(&is_shown) {
            if !shown {
                places.push(None);
                continue;
            }
            let extra = column.max.saturating_sub(column.min).min(spare);
            spare -= extra;
            let cells = (column.min + extra).min(room.saturating_sub(x));
            places.push(Some((x, cells)));
            x = x.saturating_add(cells).saturating_add(GAP);
        }
        Self { places }
    }

    /// Draws the heads of `columns` in row `y`.
    pub fn head(&self, canvas: &mut Canvas<'_>, y: u16, columns: &[Column<'_>], style: Style) {
        for (column, place) in columns.iter().zip(&self.places) {
            let Some((x, cells)) = *place else { continue };
            if column.is_right {
                canvas.right(x + cells, y, cells, column.title, style);
            } else {
                canvas.clip(x, y, cells, column.title, style);
            }
        }
    }

    /// Draws a row of cells; each may be of several runs.
    pub fn row(&self, canvas: &mut Canvas<'_>, y: u16, columns: &[Column<'_>], row: &[Vec<Run<'_>>]) {
        for ((column, place), runs) in columns.iter().zip(&self.places).zip(row) {
            let Some((x, cells)) = *place else { continue };
            let shift = if column.is_right { cells.saturating_sub(runs_width(runs)) } else { 0 };
            canvas.runs(x + shift, y, cells - shift, runs);
        }
    }

    /// Where column `n` stands, if it is shown: its first cell and its cells.
    pub fn place(&self, n: usize) -> Option<(u16, u16)> {
        self.places.get(n).copied().flatten()
    }
}

fn needed(columns: &[Column<'_>], is_shown: &[bool]) -> u16 {
    let shown = columns.iter().zip(is_shown).filter(|(_, shown)| **shown);
    shown.fold(0u16, |sum, (column, _)| {
        let gap = if sum == 0 { 0 } else { GAP };
        sum.saturating_add(gap).saturating_add(column.min)
    })
}

/// A one-run cell.
pub fn cell(text: &str, style: Style) -> Vec<Run<'_>> {
    vec![Run::new(text, style)]
}

/// The widest of `texts` in cells, between `least` and `most`.
pub fn widest<'a>(texts: impl IntoIterator<Item = &'a str>, least: u16, most: u16) -> u16 {
    texts.into_iter().map(width).max().unwrap_or_default().clamp(least, most)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COLUMNS: [Column<'static>; 4] =
        [left("name", 8, 16, 0), left("email", 10, 24, 2), right("n", 6, 1), left("why", 10, u16::MAX, 0)];

    #[test]
    fn columns_go_by_rank_and_the_last_takes_the_rest() {
        let places = |room| Layout::new(&COLUMNS, room).places;
        assert_eq!(places(100), [Some((0, 16)), Some((18, 24)), Some((44, 6)), Some((52, 48))]);
        assert_eq!(places(30), [Some((0, 10)), None, Some((12, 6)), Some((20, 10))]);
        assert_eq!(places(21), [Some((0, 9)), None, None, Some((11, 10))]);
    }

    proptest! {
        #[test]
        fn columns_never_pass_the_edge(room in 0u16..200) {
            for (x, cells) in Layout::new(&COLUMNS, room).places.into_iter().flatten() {
                prop_assert!(cells == 0 || x + cells <= room);
            }
        }
    }
}
