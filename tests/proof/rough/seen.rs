//! What was seen on a screen: what may not be there, what was said, and the lines that tell of trouble.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::desk::Desk;
use crate::{table::say, terminal::Terminal};

/// Words of a program that fails.
const FAILURES: [&str; 4] = ["panicked at", "RUST_BACKTRACE", "stack backtrace", "Aborted"];
/// Signs of a line that tells of trouble.
const SIGNS: [&str; 6] = ["✗ ", "↻ ", "◌ ", "○ ", "! ", "⚠ "];
/// What messages of the load begin with; a number follows.
const KINDS: [&str; 4] = ["said", "line", "mark", "answer"];

/// What somebody at a console has seen.
#[derive(Debug)]
pub struct Seen {
    /// So often it was looked at.
    pub looks: u32,
    /// From a key to the frame with its answer, at worst.
    pub slowest_key: Duration,
    /// The longest time in which nothing new was shown though something was said.
    pub silence: Duration,
    /// The lines that tell of trouble, their figures left out.
    pub lines: BTreeMap<String, u32>,
    newest: String,
    newest_at: Instant,
}

impl Seen {
    pub fn new() -> Self {
        Self {
            looks: 0,
            slowest_key: Duration::ZERO,
            silence: Duration::ZERO,
            lines: BTreeMap::new(),
            newest: String::new(),
            newest_at: Instant::now(),
        }
    }

    /// Nothing is expected to have come until now.
    pub fn expect_from_now(&mut self) {
        self.newest_at = Instant::now();
    }

    pub fn take(&mut self, terminal: &Terminal) {
        self.looks += 1;
        let newest = said(terminal).pop().unwrap_or_default();
        if newest != self.newest {
            self.newest = newest;
            self.newest_at = Instant::now();
        }
        self.silence = self.silence.max(self.newest_at.elapsed());
        for line in troubles(terminal) {
            *self.lines.entry(line).or_default() += 1;
        }
    }
}

/// What nobody may ever see on a screen.
pub fn fault(terminal: &Terminal) -> Option<String> {
    let text = terminal.text();
    let is_odd = |c: char| c != '\n' && (c.is_control() || c == '\u{fffd}');
    if let Some(word) = FAILURES.iter().find(|word| text.contains(**word)) {
        return Some(format!("it says {word:?}"));
    }
    if text.chars().any(is_odd) {
        return Some("it is garbled".to_owned());
    }
    let header = terminal.row(0);
    (!header.contains("ops")).then(|| format!("its header is {header:?}"))
}

/// Lines that tell of trouble, their figures left out: those of one kind are one line.
fn troubles(terminal: &Terminal) -> Vec<String> {
    let mut found = Vec::new();
    for row in 0..terminal.rows() {
        let row = terminal.row(row);
        let pieces = row.split("  ").map(|piece| piece.trim_matches(['│', ' ', '·']));
        for piece in pieces.filter(|piece| SIGNS.iter().any(|sign| piece.starts_with(sign))) {
            let plain: String = piece.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
            found.push(plain.replace("##", "#"));
        }
    }
    found
}

/// A message of the load, without what follows its number.
pub fn numbered(text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    let (kind, no) = (words.next()?, words.next()?);
    (KINDS.contains(&kind) && no.parse::<u32>().is_ok()).then(|| format!("{kind} {no}"))
}

/// What the transcript on the screen has of the load, from top to bottom.
pub fn said(terminal: &Terminal) -> Vec<String> {
    let rows = 2..terminal.rows().saturating_sub(4);
    let find = |row: String| {
        // What a reply quotes was said before.
        if row.contains("╭ ") {
            return None;
        }
        let starts = KINDS.iter().filter_map(|kind| row.rfind(&format!(" {kind} ")));
        starts.max().and_then(|at| numbered(&row[at..]))
    };
    rows.filter_map(|row| find(terminal.row(row))).collect()
}

/// What everybody saw, printed; the worst of it in one line.
pub fn summary(desks: &[Desk<'_>]) -> String {
    let (mut silence, mut key, mut looks) = (Duration::ZERO, Duration::ZERO, 0);
    for desk in desks {
        desk.with_seen(|seen| {
            say(&format!(
                "{}: looked at {} times; silent for {:.1} s at worst; a key took {:.0} ms at worst; lines:",
                desk.name,
                seen.looks,
                seen.silence.as_secs_f64(),
                seen.slowest_key.as_secs_f64() * 1000.0
            ));
            seen.lines.iter().for_each(|(line, times)| say(&format!("  {times:>5}  {line}")));
            (silence, key) = (silence.max(seen.silence), key.max(seen.slowest_key));
            looks += seen.looks;
        });
    }
    format!(
        "{looks} looks; worst silence {:.1} s, worst key {:.0} ms",
        silence.as_secs_f64(),
        key.as_secs_f64() * 1000.0
    )
}
