//! Bars, and lines of small bars.

use ratatui::style::Style;

use crate::tui::canvas::{Canvas, cells};

const EIGHTHS: [&str; 9] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];
const HEIGHTS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Draws `used` of `of` as a bar of `width` cells at (`x`, `y`), in eighths of a cell.
pub fn bar(
    canvas: &mut Canvas<'_>,
    (x, y): (u16, u16),
    width: u16,
    (used, of): (u64, u64),
    full: Style,
    rest: Style,
) {
    let eighths = filled_eighths(width, used, of);
    let whole = cells(usize::try_from(eighths / 8).unwrap_or(usize::MAX)).min(width);
    canvas.rule(x, x + whole, y, "█", full);
    let part = EIGHTHS.get(usize::try_from(eighths % 8).unwrap_or_default()).copied().unwrap_or_default();
    canvas.rule(x + whole, x + width, y, "░", rest);
    if !part.is_empty() && whole < width {
        canvas.text(x + whole, y, part, full);
    }
}

/// Eighths of cells that are full; something used is never shown as nothing, and not all as all.
fn filled_eighths(width: u16, used: u64, of: u64) -> u64 {
    let room = u64::from(width) * 8;
    if used >= of {
        return if used == 0 { 0 } else { room };
    }
    let share = u128::from(used) * u128::from(room) / u128::from(of.max(1));
    let share = u64::try_from(share).unwrap_or(room);
    if used > 0 { share.clamp(1, room.saturating_sub(1)) } else { 0 }
}

/// Draws values as columns of `each` cells in a field of `width` by `height` cells at (`x`, `y`), the newest at
/// the right end. Columns wider than a cell stand apart.
pub fn spark(
    canvas: &mut Canvas<'_>,
    (x, y): (u16, u16),
    (width, height): (u16, u16),
    each: u16,
    values: &[u32],
    style: Style,
) {
    let each = each.max(1);
    let shown = values.get(values.len().saturating_sub(usize::from(width / each))..).unwrap_or_default();
    let most = u64::from(shown.iter().copied().max().unwrap_or_default()).max(1);
    let levels = u64::from(height) * 8;
    for (value, n) in shown.iter().zip(0u16..) {
        let column = x + n * each;
        let level = (u64::from(*value) * levels).div_ceil(most).min(levels);
        for row in 0..height {
            let below = u64::from(height - 1 - row) * 8;
            let here = level.saturating_sub(below).min(8);
            let symbol =
                usize::try_from(here).ok().and_then(|n| n.checked_sub(1)).and_then(|n| HEIGHTS.get(n));
            if let Some(symbol) = symbol {
                canvas.rule(column, column + each.saturating_sub(1).max(1), y + row, symbol, style);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::{buffer::Buffer, layout::Rect};

    use super::*;

    fn drawn(width: u16, used: u64, of: u64) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, 1));
        bar(&mut Canvas::new(&mut buffer), (0, 0), width, (used, of), Style::new(), Style::new());
        (0..width).map(|x| buffer[(x, 0)].symbol()).collect()
    }

    #[test]
    fn bars_tell_the_share_and_never_lie_at_the_ends() {
        assert_eq!(drawn(4, 0, 100), "░░░░");
        assert_eq!(drawn(4, 1, 10_000), "▏░░░");
        assert_eq!(drawn(4, 50, 100), "██░░");
        assert_eq!(drawn(4, 9_999, 10_000), "███▉");
        assert_eq!(drawn(4, 100, 100), "████");
        assert_eq!(drawn(4, 500, 100), "████");
        assert_eq!(drawn(4, 0, 0), "░░░░");
        assert_eq!(drawn(4, u64::MAX - 1, u64::MAX), "███▉");
    }

    #[test]
    fn sparks_scale_to_the_highest() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 4, 2));
        spark(&mut Canvas::new(&mut buffer), (0, 0), (4, 2), 1, &[9, 0, 1, 8, 16], Style::new());
        let row = |y| (0..4).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        assert_eq!((row(0).as_str(), row(1).as_str()), ("   █", " ▁██"));
    }
}
