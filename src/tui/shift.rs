//! Finds that a part of the screen has only moved up or down, so that the terminal can scroll it itself: an
//! appended chat line then costs a line and not a screen. A scroll region spans whole rows.

use std::hash::{Hash, Hasher};

use ratatui::buffer::{Buffer, Cell};

/// Rows that must be saved by a scroll before it is worth its bytes and the blank rows it makes.
const WORTH_ROWS: usize = 2;

/// Rows `top..bottom` move by `rows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    /// First row of the region.
    pub top: u16,
    /// Row after the region.
    pub bottom: u16,
    /// By so many rows.
    pub rows: u16,
    /// Up, as when a line is appended below; else down.
    pub is_up: bool,
}

/// The move of rows from `shown` to `next` that saves most, if any does.
pub fn find(shown: &Buffer, next: &Buffer) -> Option<Shift> {
    if shown.area != next.area || next.area.height < 3 {
        return None;
    }
    let columns = usize::from(next.area.width).max(1);
    let rows = || shown.content.chunks(columns).zip(next.content.chunks(columns));
    // Few changed rows, the usual case, are found without a hash.
    if rows().filter(|(before, after)| before != after).take(WORTH_ROWS + 1).count() <= WORTH_ROWS {
        return None;
    }
    let first = rows().position(|(before, after)| before != after)?;
    let (before, after): (Vec<u64>, Vec<u64>) =
        rows().map(|(before, after)| (hash(before), hash(after))).unzip();
    let last = before.iter().zip(&after).rposition(|(before, after)| before != after)?;
    let before = before.get(first..=last)?;
    let after = after.get(first..=last)?;
    (1..before.len())
        .flat_map(|by| [best_run(before, after, by, true), best_run(before, after, by, false)])
        .flatten()
        .max_by_key(|(saved, _)| *saved)
        .filter(|(saved, _)| *saved >= WORTH_ROWS)
        .map(|(_, shift)| Shift {
            top: shift.top + small(first),
            bottom: shift.bottom + small(first),
            ..shift
        })
}

/// The longest run of rows that moved by `by`, and how many rows it saves.
fn best_run(before: &[u64], after: &[u64], by: usize, is_up: bool) -> Option<(usize, Shift)> {
    // Pairs of (row before, row after); the row that stands still is not saved by moving it.
    let count = before.len() - by;
    let mut best: Option<(usize, Shift)> = None;
    let (mut start, mut saved) = (0, 0);
    for n in 0..=count {
        let (old, new) = if is_up { (n + by, n) } else { (n, n + by) };
        let moved = n < count && before.get(old) == after.get(new);
        if moved {
            saved += usize::from(before.get(new) != after.get(new));
            continue;
        }
        if saved > by.min(WORTH_ROWS) && best.is_none_or(|(most, _)| saved > most) {
            let shift = Shift { top: small(start), bottom: small(n + by), rows: small(by), is_up };
            best = Some((saved, shift));
        }
        (start, saved) = (n + 1, 0);
    }
    best
}

fn small(rows: usize) -> u16 {
    u16::try_from(rows).unwrap_or(u16::MAX)
}

fn hash(row: &[Cell]) -> u64 {
    let mut state = Fold(0);
    for cell in row {
        state.write(cell.symbol().as_bytes());
        if let Some(colours) = Some((cell.fg, cell.bg)).filter(|colours| *colours != Default::default()) {
            colours.hash(&mut state);
        }
        state.write_u16(cell.modifier.bits());
    }
    state.finish()
}

/// A fast, well-mixing fold; collisions only cost bytes, the difference is taken afterwards in any case.
struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let word = chunk.iter().fold(0u64, |word, byte| (word << 8) | u64::from(*byte));
            self.write_u64(word);
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(u64::from_ne_bytes(
            value.to_ne_bytes().first_chunk::<8>().copied().unwrap_or_default(),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(lines: &[&str]) -> Buffer {
        Buffer::with_lines(lines.iter().copied())
    }

    #[test]
    fn an_append_is_a_move_up() {
        let before = buffer(&["head", "a", "b", "c", "d", "foot"]);
        let after = buffer(&["head", "b", "c", "d", "e", "foot"]);
        assert_eq!(find(&before, &after), Some(Shift { top: 1, bottom: 5, rows: 1, is_up: true }));
        assert_eq!(find(&after, &before), Some(Shift { top: 1, bottom: 5, rows: 1, is_up: false }));
    }

    #[test]
    fn two_lines_at_once_are_one_move() {
        let before = buffer(&["a", "b", "c", "d", "e", "f"]);
        let after = buffer(&["c", "d", "e", "f", "g", "h"]);
        assert_eq!(find(&before, &after), Some(Shift { top: 0, bottom: 6, rows: 2, is_up: true }));
    }

    #[test]
    fn small_changes_and_other_screens_are_no_moves() {
        let before = buffer(&["head", "a", "b", "c"]);
        assert_eq!(find(&before, &before), None);
        assert_eq!(find(&before, &buffer(&["head", "a", "x", "c"])), None);
        assert_eq!(find(&before, &buffer(&["1", "2", "3", "4"])), None);
    }
}
