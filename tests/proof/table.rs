//! What was proved, as a table.

use std::{fmt, time::Duration};

/// Where the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// What came of one kind of trouble.
#[derive(Debug, Clone)]
pub struct Row {
    pub what: &'static str,
    pub engine: Engine,
    /// How often it struck.
    pub times: u32,
    /// Acknowledged to the platform, or to who asked.
    pub acknowledged: usize,
    pub stored: usize,
    /// Stored, sent or linked more than once.
    pub doubles: usize,
    /// Acknowledged and not there.
    pub lost: usize,
    /// There, though nobody was told so.
    pub foreign: usize,
    pub integrity: String,
    /// Every console has shown the same in the same order.
    pub alike: bool,
    pub took: Duration,
    /// What else is worth knowing.
    pub note: String,
    pub is_run: bool,
}

impl Row {
    pub fn new(what: &'static str, engine: Engine, times: u32, took: Duration) -> Self {
        Self {
            what,
            engine,
            times,
            acknowledged: 0,
            stored: 0,
            doubles: 0,
            lost: 0,
            foreign: 0,
            integrity: String::new(),
            alike: true,
            took,
            note: String::new(),
            is_run: true,
        }
    }

    /// It could not be tried here.
    pub fn not_run(what: &'static str, engine: Engine, why: impl Into<String>) -> Self {
        Self { note: why.into(), is_run: false, ..Self::new(what, engine, 0, Duration::ZERO) }
    }

    pub fn is_clean(&self) -> bool {
        let Self { acknowledged, stored, doubles, lost, foreign, integrity, alike, .. } = self;
        !self.is_run
            || (*acknowledged, *doubles, *lost, *foreign) == (*stored, 0, 0, 0) && *alike && integrity == "ok"
    }

    #[track_caller]
    pub fn assert_clean(&self) {
        say(&self.to_string());
        assert!(self.is_clean(), "{HEAD}\n{self}");
    }
}

pub const HEAD: &str = "what                  engine      times  acknowledged  stored  doubles  lost  \
                        unasked  integrity  consoles  seconds  note";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, engine, times, acknowledged, stored, doubles, lost, foreign, integrity, .. } = self;
        if !self.is_run {
            return write!(f, "{what:<21} {engine:<10}  not run: {}", self.note);
        }
        let consoles = if self.alike { "alike" } else { "DIFFER" };
        write!(
            f,
            "{what:<21} {engine:<10} {times:>6} {acknowledged:>13} {stored:>7} {doubles:>8} {lost:>5} {foreign:>8}  \
             {integrity:<9}  {consoles:<8} {:>8.1}  {}",
            self.took.as_secs_f64(),
            self.note
        )
    }
}

/// To the person who runs it, also where the test succeeds.
pub fn say(text: &str) {
    use std::io::Write as _;
    // Not the macro: its words are kept from who runs the tests.
    _ = writeln!(std::io::stderr(), "{text}");
}
