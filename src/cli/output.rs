//! Where a command prints: data to stdout, everything else to stderr; a closed pipe ends it quietly.

use std::io::{self, BufWriter, IsTerminal as _, Write};

use jiff::tz::TimeZone;
use serde_json::Value;

use super::{
    error::CliError,
    json,
    table::{Table, csv_cell},
};
use crate::core::{error::Kind, text::SafeText, time::Timestamp};

/// The standard output of one command.
pub struct Output {
    out: BufWriter<Box<dyn Write + Send>>,
    is_json: bool,
    zone: TimeZone,
    cells: Option<usize>,
}

impl Output {
    /// The process's stdout.
    pub fn stdout(is_json: bool, zone: TimeZone) -> Self {
        let stdout = io::stdout();
        let cells = stdout.is_terminal().then(|| terminal_cells(&stdout)).flatten();
        Self { out: BufWriter::new(Box::new(stdout)), is_json, zone, cells }
    }

    /// Whether `--json` was given.
    pub const fn is_json(&self) -> bool {
        self.is_json
    }

    /// The zone of printed times.
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// An instant as text; `-` where there is none.
    pub fn time(&self, at: Option<Timestamp>) -> String {
        at.map_or_else(
            || "-".to_owned(),
            |at| at.in_zone(&self.zone).strftime("%Y-%m-%d %H:%M:%S%:z").to_string(),
        )
    }

    /// An instant as JSON; null where there is none.
    pub fn time_json(&self, at: Option<Timestamp>) -> Value {
        json::at(at, &self.zone)
    }

    /// Prints one object.
    ///
    /// # Errors
    /// [`CliError`] when stdout fails or is closed, as with every method here that prints.
    pub fn object(&mut self, value: &Value) -> Result<(), CliError> {
        done(json::write_line(&mut self.out, value))
    }

    /// Prints one line of safe text.
    ///
    /// # Errors
    /// As [`Self::object`].
    pub fn line(&mut self, text: &str) -> Result<(), CliError> {
        done(writeln!(self.out, "{}", SafeText::line(text)))
    }

    /// Prints several lines of safe text.
    ///
    /// # Errors
    /// As [`Self::object`].
    pub fn block(&mut self, text: &str) -> Result<(), CliError> {
        done(writeln!(self.out, "{}", SafeText::block(text)))
    }

    /// Prints what larkdeck itself made: a script, a manual page.
    ///
    /// # Errors
    /// As [`Self::object`].
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        done(self.out.write_all(bytes))
    }

    /// Prints a table.
    ///
    /// # Errors
    /// As [`Self::object`].
    pub(super) fn table(&mut self, table: &Table) -> Result<(), CliError> {
        done(table.write(&mut self.out, self.cells))
    }

    /// Prints a row of CSV, each cell made harmless for spreadsheets.
    ///
    /// # Errors
    /// As [`Self::object`].
    pub fn csv_row(&mut self, cells: &[&str]) -> Result<(), CliError> {
        let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
        let row = writer
            .write_record(cells.iter().map(|cell| csv_cell(cell)))
            .map_err(io::Error::from)
            .and_then(|()| writer.into_inner().map_err(|error| io::Error::other(error.to_string())));
        done(row.and_then(|row| self.out.write_all(&row)))
    }

    /// Sends what was printed on its way: after each line that somebody waits for, and at the end.
    ///
    /// # Errors
    /// As [`Self::object`].
    pub fn flush(&mut self) -> Result<(), CliError> {
        done(self.out.flush())
    }
}

fn done(result: io::Result<()>) -> Result<(), CliError> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => CliError::Closed,
        _ => CliError::new(Kind::Storage, format!("cannot write to stdout: {error}")),
    })
}

#[cfg(unix)]
fn terminal_cells(stdout: &io::Stdout) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stdout).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

#[cfg(not(unix))]
fn terminal_cells(_stdout: &io::Stdout) -> Option<usize> {
    None
}

/// Prints a note for a person to stderr, safe, on one line.
pub fn note(text: &str) {
    // Nobody is left to tell when stderr is closed.
    _ = writeln!(io::stderr(), "larkdeck: {}", SafeText::line(text));
}
