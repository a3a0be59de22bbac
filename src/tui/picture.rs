//! Finished screens as files: pictures for documents, styled text for tests.

use std::fmt::Write as _;

use ratatui::{
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};

use super::theme::{Theme, rgb_of};

/// Pixels of a cell and of the text in it.
const CELL_WIDTH: f64 = 8.4;
const CELL_HEIGHT: f64 = 18.0;
const FONT_PX: f64 = 14.0;
const FONTS: &str = "'DejaVu Sans Mono','Noto Sans Mono CJK SC','Sarasa Mono SC',Menlo,Consolas,monospace";

/// The screen as an SVG picture, in the colours of `theme`.
pub fn svg(buffer: &Buffer, theme: &Theme) -> String {
    let columns = usize::from(buffer.area.width).max(1);
    let (width, height) = (x_of(columns) + 16.0, y_of(usize::from(buffer.area.height)) + 16.0);
    let ground = hex(theme.ground().bg, [0x15, 0x17, 0x1c]);
    let ink = hex(theme.ground().fg, [0xd3, 0xd7, 0xdf]);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"-8 -8 {width:.1} {height:.1}\" font-family=\"{FONTS}\" font-size=\"{FONT_PX}\">\n<rect x=\"-8\" y=\"-8\" width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{ground}\"/>\n",
    );
    for (y, row) in buffer.content.chunks(columns).enumerate() {
        for (x, run) in runs(row) {
            svg_run(&mut out, (x, y), run, (&ground, &ink));
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Stretches of a row that look the same; a wide character stands alone, so that fonts cannot push the rest.
fn runs(row: &[Cell]) -> Vec<(usize, &[Cell])> {
    let mut runs = Vec::new();
    let mut from = 0;
    while let Some(first) = row.get(from) {
        let covered = row.iter().skip(from + 1).take_while(|cell| cell.symbol().is_empty()).count();
        let alike = |cell: &&Cell| {
            cell.symbol().is_ascii() && !cell.symbol().is_empty() && cell.style() == first.style()
        };
        let more = if first.symbol().is_ascii() && covered == 0 {
            // A wide character begins a run of its own; its first cell is not ASCII.
            row.iter().skip(from + 1).take_while(alike).count()
        } else {
            covered
        };
        let to = from + 1 + more;
        runs.extend(row.get(from..to).map(|run| (from, run)));
        from = to;
    }
    runs
}

fn svg_run(out: &mut String, (x, y): (usize, usize), run: &[Cell], (ground, ink): (&str, &str)) {
    let Some(first) = run.first() else { return };
    let is_reversed = first.modifier.contains(Modifier::REVERSED);
    let own_bg = if first.bg == Color::Reset { ground.to_owned() } else { hex(Some(first.bg), [0; 3]) };
    let own_fg =
        if first.fg == Color::Reset { ink.to_owned() } else { hex(Some(first.fg), [0xd3, 0xd7, 0xdf]) };
    let (fg, bg) = if is_reversed { (own_bg, own_fg) } else { (own_fg, own_bg) };
    let (left, top, width) = (x_of(x), y_of(y), x_of(run.len()));
    if bg != ground {
        _ = writeln!(
            out,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{CELL_HEIGHT}\" fill=\"{bg}\"/>"
        );
    }
    let text: String = run.iter().map(Cell::symbol).collect();
    if text.trim().is_empty() {
        return;
    }
    if let Some((across, down, up)) = block(&text) {
        let (w, h) = (CELL_WIDTH * across, CELL_HEIGHT * down);
        let top = top + CELL_HEIGHT * up;
        _ = writeln!(
            out,
            "<rect x=\"{left:.1}\" y=\"{top:.2}\" width=\"{w:.2}\" height=\"{h:.2}\" fill=\"{fg}\"/>"
        );
        return;
    }
    let mut style = String::new();
    for (modifier, attribute) in [
        (Modifier::BOLD, " font-weight=\"bold\""),
        (Modifier::ITALIC, " font-style=\"italic\""),
        (Modifier::UNDERLINED, " text-decoration=\"underline\""),
        (Modifier::DIM, " opacity=\"0.65\""),
    ] {
        if first.modifier.contains(modifier) {
            style.push_str(attribute);
        }
    }
    let base = top + CELL_HEIGHT * 0.72;
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    _ = writeln!(
        out,
        "<text x=\"{left:.1}\" y=\"{base:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{fg}\" xml:space=\"preserve\"{style}>{escaped}</text>",
    );
}

/// Block signs as rectangles: share of the cell's width, of its height, and where that begins.
fn block(text: &str) -> Option<(f64, f64, f64)> {
    let mut chars = text.chars();
    let (Some(sign), None) = (chars.next(), chars.next()) else { return None };
    let eighths = |from: u32| f64::from(u32::from(sign) - from + 1) / 8.0;
    match sign {
        '█' => Some((1.0, 1.0, 0.0)),
        '▀' => Some((1.0, 0.5, 0.0)),
        '▁'..='▇' => Some((1.0, eighths(0x2581), 1.0 - eighths(0x2581))),
        '▉'..='▏' => Some((1.0 - eighths(0x2589), 1.0, 0.0)),
        _ => None,
    }
}

fn x_of(column: usize) -> f64 {
    CELL_WIDTH * f64::from(u32::try_from(column).unwrap_or(u32::MAX))
}

fn y_of(row: usize) -> f64 {
    CELL_HEIGHT * f64::from(u32::try_from(row).unwrap_or(u32::MAX))
}

fn hex(colour: Option<Color>, or: [u8; 3]) -> String {
    let [r, g, b] = colour.and_then(rgb_of).unwrap_or(or);
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// The screen as text, row by row, without trailing blanks.
pub fn text(buffer: &Buffer) -> String {
    let columns = usize::from(buffer.area.width).max(1);
    let line = |row: &[Cell]| row.iter().map(Cell::symbol).collect::<String>().trim_end().to_owned();
    buffer.content.chunks(columns).map(line).collect::<Vec<_>>().join("\n")
}

/// The screen as text with a line of letters below each row that says how it looks, and what the letters mean.
pub fn styled(buffer: &Buffer) -> String {
    let columns = usize::from(buffer.area.width).max(1);
    let mut known: Vec<(Color, Color, Modifier)> = Vec::new();
    let mut out = String::new();
    for row in buffer.content.chunks(columns) {
        let line: String = row.iter().map(Cell::symbol).collect();
        let looks: String = row
            .iter()
            .map(|cell| {
                let look = (cell.fg, cell.bg, cell.modifier);
                let at = known.iter().position(|other| *other == look).unwrap_or_else(|| {
                    known.push(look);
                    known.len() - 1
                });
                letter(at)
            })
            .collect();
        _ = writeln!(out, "{}\n{}", line.trim_end(), looks);
    }
    for (at, (fg, bg, modifier)) in known.iter().enumerate() {
        _ = writeln!(out, "{} = {fg} on {bg} {modifier:?}", letter(at));
    }
    out
}

fn letter(at: usize) -> char {
    ".abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".chars().nth(at).unwrap_or('?')
}
