//! Tables for people and CSV for spreadsheets.

use std::io::{self, Write};

use crate::core::text::{SafeText, truncate, width};

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// At the left.
    Left,
    /// At the right: numbers.
    Right,
}

/// A table: a header and rows of safe text.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<SafeText>>,
}

/// Between columns.
const GAP: &str = "  ";

impl Table {
    /// A table with these columns and no rows.
    pub(super) fn new(columns: impl IntoIterator<Item = (&'static str, Align)>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row; every cell becomes safe text. An empty cell shows as `-`.
    pub(super) fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let safe = |cell: S| SafeText::line(if cell.as_ref().is_empty() { "-" } else { cell.as_ref() });
        self.rows.push(cells.into_iter().map(safe).collect());
    }

    /// Writes it, each line cut at `cells` where that is known.
    ///
    /// # Errors
    /// What the writer says.
    pub(super) fn write(&self, out: &mut dyn Write, cells: Option<usize>) -> io::Result<()> {
        let widths = self.widths();
        let header: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        self.write_row(out, &header, &widths, cells)?;
        for row in &self.rows {
            let row: Vec<&str> = row.iter().map(SafeText::as_str).collect();
            self.write_row(out, &row, &widths, cells)?;
        }
        Ok(())
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(SafeText::cells).max().unwrap_or_default()
        };
        self.columns.iter().enumerate().map(|(i, (name, _))| widest(i).max(width(name))).collect()
    }

    fn write_row(
        &self,
        out: &mut dyn Write,
        row: &[&str],
        widths: &[usize],
        cells: Option<usize>,
    ) -> io::Result<()> {
        let mut line = String::new();
        for (((_, align), text), wanted) in self.columns.iter().zip(row).zip(widths) {
            if !line.is_empty() {
                line.push_str(GAP);
            }
            let filler = " ".repeat(wanted.saturating_sub(width(text)));
            match align {
                Align::Left => line.extend([text, filler.as_str()]),
                Align::Right => line.extend([filler.as_str(), text]),
            }
        }
        let line = line.trim_end();
        let line = cells.map_or(line.into(), |cells| truncate(line, cells));
        writeln!(out, "{line}")
    }
}

/// A CSV cell that no spreadsheet takes for a formula, and no terminal for a command.
pub(super) fn csv_cell(text: &str) -> String {
    let safe = SafeText::line(text);
    let acts = |c: char| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r');
    // A full-width sign is normalised to the plain one by some spreadsheets.
    let acts_wide = |c: char| matches!(c, '＝' | '＋' | '－' | '＠');
    if safe.as_str().trim_start().starts_with(|c| acts(c) || acts_wide(c)) {
        return format!("'{safe}");
    }
    safe.as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(table: &Table, cells: Option<usize>) -> String {
        let mut out = Vec::new();
        table.write(&mut out, cells).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_line_up_in_cells() {
        let mut table = Table::new([("NAME", Align::Left), ("UNREAD", Align::Right), ("LAST", Align::Left)]);
        table.row(["支付网关", "7", "now"]);
        table.row(["ops\u{1b}[2J", "12", ""]);
        assert_eq!(
            text(&table, None),
            "NAME      UNREAD  LAST\n支付网关       7  now\nops␛[2J       12  -\n"
        );
        assert_eq!(text(&table, Some(6)), "NAME …\n支付…\nops␛[…\n");
    }

    #[test]
    fn spreadsheets_get_no_formula() {
        assert_eq!(csv_cell("=1+1"), "'=1+1");
        assert_eq!(csv_cell(" +86"), "' +86");
        assert_eq!(csv_cell("＝cmd"), "'＝cmd");
        assert_eq!(csv_cell("a=b"), "a=b");
        assert_eq!(csv_cell("a\u{1b}b"), "a␛b");
    }
}
