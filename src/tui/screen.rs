//! What the terminal shows and what it should show: two cell buffers, the difference between them, and its
//! encoding in as few bytes as the terminals in use all understand.
//!
//! ratatui's own `Terminal` is not used: it has to copy the whole buffer to scroll a part of the screen, and
//! its encoder moves the cursor after every wide character.

use ratatui::{
    buffer::{Buffer, Cell},
    layout::{Position, Rect, Size},
    style::Style,
};

use super::{
    canvas,
    encode::Encoder,
    link::Links,
    shift::{self, Shift},
};

/// Frames go out between these, so that a terminal that knows them shows no half of one.
const BEGIN_UPDATE: &[u8] = b"\x1b[?2026h";
const END_UPDATE: &[u8] = b"\x1b[?2026l";

/// The screen as the terminal has it and the next frame.
#[derive(Debug)]
pub struct Screen {
    shown: Buffer,
    next: Buffer,
    /// Where the caret was left; `None` is hidden.
    caret: Option<Position>,
    /// What the terminal shows is not known: everything has to be written.
    is_unknown: bool,
}

impl Screen {
    /// A screen of `size` whose present content is not known.
    pub fn new(size: Size) -> Self {
        let area = Rect::new(0, 0, size.width, size.height);
        Self { shown: Buffer::empty(area), next: Buffer::empty(area), caret: None, is_unknown: true }
    }

    /// Its size.
    pub const fn size(&self) -> Size {
        Size::new(self.next.area.width, self.next.area.height)
    }

    /// Takes another size; everything will be written again.
    pub fn resize(&mut self, size: Size) {
        *self = Self::new(size);
    }

    /// Forgets what the terminal shows: somebody else may have written on it.
    pub const fn forget(&mut self) {
        self.is_unknown = true;
    }

    /// The next frame, empty.
    pub fn start(&mut self) -> &mut Buffer {
        self.next.reset();
        &mut self.next
    }

    /// What the terminal shows after the last [`Self::finish`].
    pub const fn shown(&self) -> &Buffer {
        &self.shown
    }

    /// Ends the frame: writes into `out` what turns the terminal into it. Nothing when nothing changed.
    pub fn finish(&mut self, caret: Option<Position>, links: &Links, out: &mut Vec<u8>) {
        canvas::heal(&mut self.next);
        let mut body = Encoder::new(self.size(), links);
        if self.is_unknown {
            body.clear_all();
            self.shown.reset();
        } else if let Some(shift) = shift::find(&self.shown, &self.next) {
            body.scroll(shift);
            rotate(&mut self.shown, shift);
        }
        diff(&self.shown, &self.next, &mut body);
        std::mem::swap(&mut self.shown, &mut self.next);
        let caret = caret.filter(|at| self.shown.area.contains(*at));
        if body.is_empty() && caret == self.caret && !self.is_unknown {
            return;
        }
        let was_visible = (!self.is_unknown).then_some(self.caret.is_some());
        write(out, body, was_visible, caret);
        self.is_unknown = false;
        self.caret = caret;
    }
}

/// `was_visible`: whether the terminal shows its cursor; `None` when that is not known.
fn write(out: &mut Vec<u8>, mut body: Encoder<'_>, was_visible: Option<bool>, caret: Option<Position>) {
    let hides_first = !body.is_empty() && was_visible != Some(false);
    body.reset_style();
    if let Some(at) = caret {
        body.move_to(at);
    }
    out.extend_from_slice(BEGIN_UPDATE);
    if hides_first {
        out.extend_from_slice(b"\x1b[?25l");
    }
    out.extend_from_slice(body.bytes());
    let is_visible = if hides_first { Some(false) } else { was_visible };
    match caret {
        Some(_) if is_visible != Some(true) => out.extend_from_slice(b"\x1b[?25h"),
        None if is_visible != Some(false) => out.extend_from_slice(b"\x1b[?25l"),
        _ => {}
    }
    out.extend_from_slice(END_UPDATE);
}

/// Writes the cells of `next` that differ from `shown`.
fn diff(shown: &Buffer, next: &Buffer, body: &mut Encoder<'_>) {
    let columns = usize::from(next.area.width).max(1);
    let rows = shown.content.chunks(columns).zip(next.content.chunks(columns));
    for ((before, after), y) in rows.zip(0u16..) {
        if before != after {
            row_diff(before, after, y, body);
        }
    }
}

fn row_diff(before: &[Cell], after: &[Cell], y: u16, body: &mut Encoder<'_>) {
    // The last column from which everything is plain blank: it may be erased in one go.
    let tail = after.iter().rposition(|cell| !is_plain_blank(cell)).map_or(0, |last| last + 1);
    let mut x = 0;
    while let Some(cell) = after.get(x) {
        let covered = after.iter().skip(x + 1).take_while(|cell| cell.symbol().is_empty()).count();
        let end = x + 1 + covered;
        if before.get(x..end) != after.get(x..end) {
            if x >= tail && after.len() - x > 3 {
                body.erase_line_from(canvas::cells(x), y);
                return;
            }
            body.cell(canvas::cells(x), y, cell, canvas::cells(end - x), after);
        }
        x = end;
    }
}

fn is_plain_blank(cell: &Cell) -> bool {
    cell.symbol() == " " && cell.style() == Cell::EMPTY.style()
}

/// Does to `buffer` what the terminal does on a scroll. Lines that come in are blank.
fn rotate(buffer: &mut Buffer, shift: Shift) {
    let columns = usize::from(buffer.area.width).max(1);
    let (from, to) = (usize::from(shift.top) * columns, usize::from(shift.bottom) * columns);
    let Some(part) = buffer.content.get_mut(from..to) else { return };
    let cells = (usize::from(shift.rows) * columns).min(part.len());
    let new = if shift.is_up {
        part.rotate_left(cells);
        part.len() - cells..part.len()
    } else {
        part.rotate_right(cells);
        0..cells
    };
    for cell in part.get_mut(new).into_iter().flatten() {
        cell.reset();
        cell.set_style(Style::reset());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::style::{Color, Modifier};

    use super::*;
    use crate::tui::canvas::Canvas;

    /// What a terminal shows after `bytes`, as (symbol, fg, bg, bold) a cell.
    fn terminal(parser: &vt100::Parser, size: Size) -> Vec<(String, vt100::Color, vt100::Color, bool)> {
        let mut cells = Vec::new();
        for y in 0..size.height {
            for x in 0..size.width {
                let cell = parser.screen().cell(y, x).unwrap();
                if cell.is_wide_continuation() {
                    cells.push((String::new(), vt100::Color::Default, vt100::Color::Default, false));
                    continue;
                }
                let text = if cell.contents().is_empty() { " " } else { cell.contents() };
                cells.push((text.to_owned(), cell.fgcolor(), cell.bgcolor(), cell.bold()));
            }
        }
        cells
    }

    fn colour(colour: Color) -> vt100::Color {
        match colour {
            Color::Indexed(n) => vt100::Color::Idx(n),
            Color::Rgb(r, g, b) => vt100::Color::Rgb(r, g, b),
            _ => vt100::Color::Default,
        }
    }

    fn expected(buffer: &Buffer) -> Vec<(String, vt100::Color, vt100::Color, bool)> {
        let cell = |cell: &Cell| {
            if cell.symbol().is_empty() {
                return (String::new(), vt100::Color::Default, vt100::Color::Default, false);
            }
            let bold = cell.modifier.contains(Modifier::BOLD);
            (cell.symbol().to_owned(), colour(cell.fg), colour(cell.bg), bold)
        };
        buffer.content.iter().map(cell).collect()
    }

    fn parser(size: Size) -> vt100::Parser {
        vt100::Parser::new(size.height.try_into().unwrap(), size.width.try_into().unwrap(), 0)
    }

    fn show(screen: &mut Screen, parser: &mut vt100::Parser, draw: impl FnOnce(&mut Canvas<'_>)) -> usize {
        draw(&mut Canvas::new(screen.start()));
        let mut out = Vec::new();
        screen.finish(None, &Links::default(), &mut out);
        parser.process(&out);
        let (seen, meant) = (terminal(parser, screen.size()), expected(screen.shown()));
        for (n, (seen, meant)) in seen.iter().zip(&meant).enumerate() {
            assert_eq!(seen, meant, "cell {n}: {:?}", String::from_utf8_lossy(&out));
        }
        out.len()
    }

    fn chat(canvas: &mut Canvas<'_>, newest: u16, is_painted: bool) {
        let ground = if is_painted { Style::new().bg(Color::Indexed(234)) } else { Style::new() };
        canvas.fill(ground);
        canvas.text(0, 0, "header that stays", ground.fg(Color::Indexed(2)));
        let height = canvas.height();
        for y in 1..height - 2 {
            let n = newest + y;
            let end = canvas.text(1, y, &format!("{n:05} 王伟  "), ground.fg(Color::Indexed(3)));
            canvas.text(
                end,
                y,
                &format!("支付网关 p99 to {} ms, {}", n * 7, "x".repeat(usize::from(n % 30))),
                ground,
            );
        }
        canvas.text(0, height - 1, "footer that stays", ground.add_modifier(Modifier::BOLD));
    }

    #[test]
    fn an_unchanged_frame_writes_nothing() {
        let size = Size::new(40, 10);
        let (mut screen, mut parser) = (Screen::new(size), parser(size));
        assert!(show(&mut screen, &mut parser, |canvas| chat(canvas, 0, false)) > 0);
        assert_eq!(show(&mut screen, &mut parser, |canvas| chat(canvas, 0, false)), 0);
    }

    #[test]
    fn an_appended_line_costs_a_line() {
        for is_painted in [false, true] {
            let size = Size::new(120, 40);
            let (mut screen, mut parser) = (Screen::new(size), parser(size));
            show(&mut screen, &mut parser, |canvas| chat(canvas, 0, is_painted));
            for newest in 1..50 {
                let bytes = show(&mut screen, &mut parser, |canvas| chat(canvas, newest, is_painted));
                assert!(bytes <= 320, "{bytes} bytes for one line");
            }
            for newest in (20..49).rev() {
                let bytes = show(&mut screen, &mut parser, |canvas| chat(canvas, newest, is_painted));
                assert!(bytes <= 320, "{bytes} bytes for one line back");
            }
        }
    }

    #[test]
    fn a_caret_alone_moves_in_few_bytes() {
        let size = Size::new(40, 10);
        let mut screen = Screen::new(size);
        let mut out = Vec::new();
        screen.start();
        screen.finish(Some(Position::new(3, 4)), &Links::default(), &mut out);
        assert!(String::from_utf8_lossy(&out).contains("\x1b[?25h"));
        out.clear();
        screen.start();
        screen.finish(Some(Position::new(4, 4)), &Links::default(), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), "\x1b[?2026h\x1b[5;5H\x1b[?2026l");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn the_terminal_shows_what_was_drawn(
            frames in prop::collection::vec(
                prop::collection::vec(("[a-z一-龥 ─]{0,14}", 0u16..16, 0u16..9, 0u8..5, any::<bool>()), 0..10), 1..6),
            scroll in prop::collection::vec(0u16..4, 6),
        ) {
            let size = Size::new(17, 9);
            let (mut screen, mut parser) = (Screen::new(size), parser(size));
            let mut base = 0;
            for (texts, by) in frames.iter().zip(scroll) {
                base += by;
                show(&mut screen, &mut parser, |canvas| {
                    for y in 1..8u16 {
                        canvas.text(0, y, &format!("{} 行 row", base + y), Style::new().fg(Color::Indexed(5)));
                    }
                    for (text, x, y, colour, bold) in texts {
                        let mut style = Style::new().bg(Color::Indexed(*colour));
                        if *bold { style = style.add_modifier(Modifier::BOLD) }
                        canvas.text(*x, *y, text, style);
                    }
                });
            }
        }
    }
}
