//! Cells to bytes. Uses only what xterm, tmux, screen, the Linux console and the usual emulators share.

use std::io::Write as _;

use ratatui::{
    buffer::Cell,
    layout::{Position, Size},
    style::{Color, Modifier},
};

use super::{link::Links, shift::Shift};

/// Cells between two changes that are written again when that is shorter than moving the cursor.
const BRIDGE_CELLS: u16 = 4;

/// Collects the bytes of a frame and knows what state they leave the terminal in.
#[derive(Debug)]
pub struct Encoder<'a> {
    bytes: Vec<u8>,
    links: &'a Links,
    size: Size,
    /// Where the terminal's cursor is; `None` when that is not sure.
    at: Option<Position>,
    pen: Pen,
}

/// The colours and attributes that the terminal writes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Pen {
    fg: Color,
    bg: Color,
    modifier: Modifier,
    /// The mark of the address that is led to.
    link: Color,
}

impl Pen {
    const fn of(cell: &Cell) -> Self {
        Self { fg: cell.fg, bg: cell.bg, modifier: cell.modifier, link: cell.underline_color }
    }
}

const ATTRIBUTES: [(Modifier, u8); 7] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::SLOW_BLINK, 5),
    (Modifier::REVERSED, 7),
    (Modifier::CROSSED_OUT, 9),
];

impl<'a> Encoder<'a> {
    /// For a terminal of `size` whose cursor may be anywhere and whose attributes are reset.
    pub fn new(size: Size, links: &'a Links) -> Self {
        Self { bytes: Vec::new(), links, size, at: None, pen: Pen::default() }
    }

    /// Whether nothing has been written.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What has been written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Clears the whole screen.
    pub fn clear_all(&mut self) {
        self.bytes.extend_from_slice(b"\x1b[r\x1b[m\x1b[2J");
        (self.at, self.pen) = (None, Pen::default());
    }

    /// Scrolls a region; the rows that come in are blank.
    pub fn scroll(&mut self, shift: Shift) {
        self.reset_style();
        // A line feed at the last line of the region, or a reverse index at its first: every terminal knows
        // these, while some know nothing of SU and SD.
        let (edge, step) = if shift.is_up { (shift.bottom, "\n") } else { (shift.top + 1, "\x1bM") };
        let steps = step.repeat(usize::from(shift.rows));
        self.put(format_args!("\x1b[{};{}r\x1b[{edge}H{steps}\x1b[r", shift.top + 1, shift.bottom));
        // Setting a region moves the cursor home, but not everywhere.
        self.at = None;
    }

    /// Back to plain colours and attributes.
    pub fn reset_style(&mut self) {
        self.set_pen(Pen::default());
    }

    /// Moves the cursor.
    pub fn move_to(&mut self, to: Position) {
        match self.at {
            Some(at) if at == to => {}
            Some(at) if at.y == to.y && to.x == at.x + 1 => self.bytes.extend_from_slice(b"\x1b[C"),
            Some(at) if at.y == to.y && to.x > at.x => self.put(format_args!("\x1b[{}C", to.x - at.x)),
            Some(at) if to.x == 0 && to.y == at.y + 1 => self.bytes.extend_from_slice(b"\r\n"),
            _ if to.x == 0 => self.put(format_args!("\x1b[{}H", to.y + 1)),
            _ => self.put(format_args!("\x1b[{};{}H", to.y + 1, to.x + 1)),
        }
        self.at = Some(to);
    }

    /// Writes one character of `cells` cells at (`x`, `y`) of `row`.
    pub fn cell(&mut self, x: u16, y: u16, cell: &Cell, cells: u16, row: &[Cell]) {
        self.bridge(x, y, row);
        self.move_to(Position::new(x, y));
        self.set_pen(Pen::of(cell));
        self.symbol(cell);
        let end = x.saturating_add(cells);
        // After the last column terminals differ in where the cursor is.
        self.at = (end < self.size.width).then_some(Position::new(end, y));
        if cell.symbol().len() > 3 {
            // Terminals disagree on the width of the newer emoji: the cursor is placed anew after them.
            self.at = None;
        }
    }

    /// Writes the few unchanged cells before `x` again when they look the same and that is shorter.
    fn bridge(&mut self, x: u16, y: u16, row: &[Cell]) {
        let Some(at) = self.at.filter(|at| at.y == y && at.x < x && x - at.x <= BRIDGE_CELLS) else { return };
        let Some(between) = row.get(usize::from(at.x)..usize::from(x)) else { return };
        let is_cheap = |cell: &Cell| Pen::of(cell) == self.pen && cell.symbol().len() == 1;
        if between.iter().all(is_cheap) {
            for cell in between {
                self.symbol(cell);
            }
            self.at = Some(Position::new(x, y));
        }
    }

    /// Blanks row `y` from column `x` to its end, in plain style.
    pub fn erase_line_from(&mut self, x: u16, y: u16) {
        self.move_to(Position::new(x, y));
        self.reset_style();
        self.bytes.extend_from_slice(b"\x1b[K");
    }

    fn symbol(&mut self, cell: &Cell) {
        // Every text is a SafeText by now; a control character that slipped through is shown, not obeyed.
        let symbol = cell.symbol();
        if symbol.chars().any(char::is_control) {
            self.bytes.push(b'?');
        } else {
            self.bytes.extend_from_slice(symbol.as_bytes());
        }
    }

    fn set_pen(&mut self, pen: Pen) {
        self.set_link(pen.link);
        if pen == self.pen {
            return;
        }
        if pen == Pen::default() {
            self.bytes.extend_from_slice(b"\x1b[m");
            self.pen = pen;
            return;
        }
        self.bytes.extend_from_slice(b"\x1b[");
        let mut codes = Codes { bytes: &mut self.bytes, is_first: true };
        let mut from = self.pen;
        if !pen.modifier.contains(from.modifier) {
            codes.push(format_args!("0"));
            from = Pen::default();
        }
        for (modifier, code) in ATTRIBUTES {
            if pen.modifier.contains(modifier) && !from.modifier.contains(modifier) {
                codes.push(format_args!("{code}"));
            }
        }
        if pen.fg != from.fg {
            codes.colour(pen.fg, 30);
        }
        if pen.bg != from.bg {
            codes.colour(pen.bg, 40);
        }
        self.bytes.push(b'm');
        self.pen = pen;
    }

    /// What is written from now on leads there. A link ends before anything else is done: each is whole.
    fn set_link(&mut self, link: Color) {
        if link == self.pen.link {
            return;
        }
        match self.links.opening(link) {
            Some(opening) => self.bytes.extend_from_slice(opening.as_bytes()),
            None if self.links.opening(self.pen.link).is_some() => {
                self.bytes.extend_from_slice(b"\x1b]8;;\x1b\\");
            }
            None => {}
        }
        self.pen.link = link;
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a Vec cannot fail.
        _ = self.bytes.write_fmt(text);
    }
}

struct Codes<'a> {
    bytes: &'a mut Vec<u8>,
    is_first: bool,
}

impl Codes<'_> {
    fn push(&mut self, code: std::fmt::Arguments<'_>) {
        if !std::mem::take(&mut self.is_first) {
            self.bytes.push(b';');
        }
        _ = self.bytes.write_fmt(code);
    }

    /// `base` is 30 for the foreground, 40 for the background.
    fn colour(&mut self, colour: Color, base: u8) {
        match colour {
            Color::Reset => self.push(format_args!("{}", base + 9)),
            Color::Rgb(r, g, b) => self.push(format_args!("{};2;{r};{g};{b}", base + 8)),
            Color::Indexed(n) => self.push(format_args!("{};5;{n}", base + 8)),
            named => match ansi(named) {
                n @ 0..8 => self.push(format_args!("{}", base + n)),
                n => self.push(format_args!("{}", base + 60 + n - 8)),
            },
        }
    }
}

/// The number of a named colour among the sixteen.
pub const fn ansi(colour: Color) -> u8 {
    match colour {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_change_by_what_differs() {
        let links = Links::default();
        let mut encoder = Encoder::new(Size::new(10, 2), &links);
        let mut bold = Cell::new("a");
        bold.modifier = Modifier::BOLD;
        bold.fg = Color::Red;
        let mut plain = Cell::new("b");
        plain.fg = Color::Red;
        let row = [bold.clone(), bold.clone(), plain.clone()];
        encoder.cell(0, 0, &bold, 1, &row);
        encoder.cell(1, 0, &bold, 1, &row);
        encoder.cell(2, 0, &plain, 1, &row);
        encoder.reset_style();
        assert_eq!(String::from_utf8_lossy(encoder.bytes()), "\x1b[1H\x1b[1;31maa\x1b[0;31mb\x1b[m");
    }

    #[test]
    fn links_are_whole() {
        let mut links = Links::default();
        let mut cell = Cell::new("a");
        cell.underline_color = links.mark("https://a.test/").unwrap();
        let row = [cell.clone(), cell.clone(), Cell::new("b")];
        let mut encoder = Encoder::new(Size::new(10, 2), &links);
        for (x, cell) in (0..).zip(&row) {
            encoder.cell(x, 0, cell, 1, &row);
        }
        encoder.reset_style();
        let opening = links.opening(cell.underline_color).unwrap();
        let expected = format!("\x1b[1H{opening}aa\x1b]8;;\x1b\\b");
        assert_eq!(String::from_utf8_lossy(encoder.bytes()), expected);
        // Switched off, the same cells are text.
        links.clear();
        let mut encoder = Encoder::new(Size::new(10, 2), &links);
        encoder.cell(0, 0, &cell, 1, &row);
        encoder.reset_style();
        assert_eq!(encoder.bytes(), b"\x1b[1Ha");
    }

    #[test]
    fn controls_are_never_obeyed() {
        let links = Links::default();
        let mut encoder = Encoder::new(Size::new(10, 2), &links);
        let mut cell = Cell::new("a");
        cell.set_symbol("\u{1b}[2J");
        encoder.cell(0, 0, &cell, 1, &[]);
        assert!(!String::from_utf8_lossy(encoder.bytes()).contains("[2J"));
    }
}
