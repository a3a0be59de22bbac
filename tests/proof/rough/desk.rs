//! A console in a terminal, and somebody who looks at it.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::seen::{self, Seen};
use crate::{
    common::{Home, dice::Dice},
    stage::{Load, ROOM},
    terminal::{PATIENCE, Start, Terminal},
};

/// A usual terminal.
const SIZE: (u16, u16) = (120, 40);
/// Between two looks.
const BLINK: Duration = Duration::from_millis(200);
/// So many looks are between two keys.
const LOOKS_A_KEY: u32 = 5;
/// Time for a key to be told from the next one.
const APART: Duration = Duration::from_millis(60);
/// Keys that somebody presses who does not look: whatever leaves the program or changes the integration is not
/// among them.
const ANY: [&str; 46] = [
    "1",
    "2",
    "3",
    "3",
    "3",
    "4",
    "5",
    "j",
    "j",
    "k",
    "k",
    "g",
    "G",
    "n",
    "z",
    "p",
    "t",
    "T",
    "d",
    "f",
    "i",
    "v",
    "/",
    "W",
    "?",
    "R",
    "r",
    "s",
    "l",
    "L",
    "u",
    "b",
    "h",
    " ",
    "\r",
    "\r",
    "\u{1b}",
    "\u{1b}",
    "\t",
    "\u{1b}[A",
    "\u{1b}[B",
    "\u{1b}[C",
    "\u{1b}[D",
    "\u{1b}[5~",
    "\u{1b}[6~",
    "\u{1b}[200~pasted 粘贴\u{1b}[201~",
];

pub struct Desk<'a> {
    pub name: &'static str,
    home: &'a Home,
    seat: Mutex<Seat>,
}

struct Seat {
    terminal: Terminal,
    /// Something is expected of it.
    is_watched: bool,
    seen: Seen,
}

fn start(home: &Home, name: &str, args: &[&str]) -> Terminal {
    let lang = if name == "bob" { "zh" } else { "en" };
    let all = [&["--lang", lang], args].concat();
    let mut terminal = Start::within(home, &all).sized(SIZE.0, SIZE.1).start();
    terminal.wait("the console", |terminal| terminal.row(0).starts_with(" ops"));
    settle_in(&mut terminal);
    terminal
}

/// Whatever is open is closed, and the room is shown to its end.
fn settle_in(terminal: &mut Terminal) {
    for _ in 0..5 {
        terminal.type_keys("\u{1b}");
        terminal.within(APART);
    }
    for keys in ["3", "/", ROOM, "\r", "G"] {
        terminal.type_keys(keys);
        terminal.within(APART);
    }
    terminal.wait("the room", |terminal| terminal.text().contains(&format!("{ROOM}  ")));
}

fn leave(terminal: &mut Terminal) {
    settle_in(terminal);
    terminal.type_keys("q");
    assert_eq!(terminal.end(PATIENCE), 0);
    terminal.assert_restored();
}

/// What was begun to be written is thrown away.
fn clear_composer(terminal: &mut Terminal) {
    terminal.type_keys("i\u{e}\u{e}\u{e}\u{e}\u{e}\u{e}");
    for _ in 0..8 {
        // To the end of the line, all of it away, and the break before it.
        terminal.type_keys("\u{5}\u{15}\u{8}");
        terminal.within(APART);
    }
    settle_in(terminal);
}

impl<'a> Desk<'a> {
    pub fn sit_down(name: &'static str, home: &'a Home) -> Self {
        let seat = Seat { terminal: start(home, name, &[]), is_watched: true, seen: Seen::new() };
        Self { name, home, seat: Mutex::new(seat) }
    }

    /// Looks until the end.
    pub fn watch(&self, load: &Load<'_>, ended: &AtomicBool) {
        let mut looks = 0;
        while !ended.load(Ordering::Relaxed) {
            std::thread::sleep(BLINK);
            looks += 1;
            let seat = &mut *self.seat.lock().unwrap();
            if !seat.is_watched {
                continue;
            }
            seat.look(self.name, load.is_resting());
            if looks % LOOKS_A_KEY == 0 {
                seat.press_help();
            }
        }
    }

    pub fn with_seen(&self, mut told: impl FnMut(&Seen)) {
        told(&self.seat.lock().unwrap().seen);
    }

    /// Whether the newest that it shows is this.
    pub fn ends_with(&self, text: &str) -> bool {
        let seat = &mut *self.seat.lock().unwrap();
        seat.terminal.within(Duration::from_millis(1));
        seen::said(&seat.terminal).last().is_some_and(|last| last == text)
    }

    pub fn screen(&self) -> String {
        format!("{}:\n{}", self.name, self.seat.lock().unwrap().terminal.text())
    }

    pub fn has_sign(&self, sign: &str) -> bool {
        let seat = &mut *self.seat.lock().unwrap();
        seat.terminal.within(Duration::from_millis(1));
        seat.terminal.row(0).contains(sign)
    }

    /// What stands on the screen is what would stand there if it were drawn anew.
    pub fn assert_drawn_right(&self) {
        let terminal = &mut self.seat.lock().unwrap().terminal;
        let body = |terminal: &Terminal| -> Vec<String> {
            (2..terminal.rows()).map(|row| terminal.row(row)).collect()
        };
        for tries in 0.. {
            terminal.settle(Duration::from_millis(150));
            let before = body(terminal);
            terminal.type_keys("\u{c}");
            terminal.settle(Duration::from_millis(150));
            let after = body(terminal);
            if before == after {
                return;
            }
            // Something may just have come.
            assert!(
                tries < 10,
                "{} is not drawn right:\n{}\n{}",
                self.name,
                before.join("\n"),
                after.join("\n")
            );
        }
    }

    /// `kill -9`, and another one in the same place.
    pub fn die_and_rise(&self, args: &[&str]) {
        let seat = &mut *self.seat.lock().unwrap();
        seat.terminal.signal(Signal::KILL);
        seat.terminal.end(PATIENCE);
        seat.terminal = start(self.home, self.name, args);
        seat.seen.expect_from_now();
    }

    /// Leaves in good order, and comes again.
    pub fn leave_and_return(&self, args: &[&str]) {
        let seat = &mut *self.seat.lock().unwrap();
        leave(&mut seat.terminal);
        seat.terminal = start(self.home, self.name, args);
        seat.seen.expect_from_now();
    }

    /// Leaves, and finds the terminal as it was before.
    pub fn leave(&self) {
        leave(&mut self.seat.lock().unwrap().terminal);
    }

    /// Stands still for so long; nobody looks meanwhile.
    pub fn stand_still(&self, lasting: Duration) {
        self.signal(Signal::STOP, false);
        std::thread::sleep(lasting);
        self.signal(Signal::CONT, true);
    }

    fn signal(&self, signal: Signal, is_watched: bool) {
        let seat = &mut *self.seat.lock().unwrap();
        seat.terminal.signal(signal);
        seat.is_watched = is_watched;
        seat.seen.expect_from_now();
    }

    /// The terminal becomes tiny and usual again, some times.
    pub fn resize(&self, dice: &mut Dice) {
        let terminal = &mut self.seat.lock().unwrap().terminal;
        for _ in 0..4 {
            let (cols, rows) = *dice.pick(&[(20, 5), (80, 24), (40, 12), (200, 50), (1, 1), (59, 16)]);
            terminal.resize(cols, rows);
            terminal.within(Duration::from_millis(dice.below(400)));
        }
        terminal.resize(SIZE.0, SIZE.1);
        terminal.wait("the header", |terminal| terminal.row(0).starts_with(" ops"));
    }

    /// Somebody presses keys without looking.
    pub fn press_any(&self, dice: &mut Dice, count: u32) {
        let seat = &mut *self.seat.lock().unwrap();
        for _ in 0..count {
            let key = dice.pick(&ANY);
            seat.terminal.type_keys(key);
            seat.terminal.within(APART);
            let told = seen::fault(&seat.terminal);
            assert!(
                told.is_none(),
                "{} after {key:?}: {}\n{}",
                self.name,
                told.unwrap(),
                seat.terminal.text()
            );
        }
        settle_in(&mut seat.terminal);
        clear_composer(&mut seat.terminal);
        seat.seen.expect_from_now();
    }

    /// Types the beginning of an answer.
    pub fn begin_answer(&self, text: &str) {
        let terminal = &mut self.seat.lock().unwrap().terminal;
        terminal.type_keys("i");
        terminal.within(APART);
        terminal.type_keys(text);
        terminal.wait_text(text);
    }

    /// Types the rest of it: all of it is there.
    pub fn finish_answer(&self, rest: &str, whole: &str) {
        let terminal = &mut self.seat.lock().unwrap().terminal;
        terminal.type_keys(rest);
        terminal.wait(&format!("{whole:?} in the composer"), |terminal| is_written(terminal, whole));
    }

    /// Presses Enter where the answer is still to be sent.
    pub fn send(&self, text: &str) {
        let terminal = &mut self.seat.lock().unwrap().terminal;
        terminal.within(APART);
        if is_written(terminal, text) {
            terminal.type_keys("\r");
        }
    }

    pub fn stop_typing(&self) {
        settle_in(&mut self.seat.lock().unwrap().terminal);
    }

    /// The newest of what the transcript has of the load, as far as so many pages up, oldest first.
    pub fn read_back(&self, pages: usize) -> Vec<String> {
        let terminal = &mut self.seat.lock().unwrap().terminal;
        settle_in(terminal);
        terminal.settle(Duration::from_millis(500));
        let mut read = seen::said(terminal);
        for _ in 0..pages {
            terminal.type_keys("\u{1b}[5~");
            terminal.settle(Duration::from_millis(150));
            let page = seen::said(terminal);
            // A page and the one after it share a line or more, or one follows the other.
            let shared = page.iter().position(|line| Some(line) == read.first()).unwrap_or(page.len());
            read.splice(0..0, page[..shared].iter().cloned());
        }
        read
    }
}

/// Whether the composer has exactly this.
fn is_written(terminal: &Terminal, text: &str) -> bool {
    let row = terminal.row(terminal.rows() - 3);
    row.trim_matches(['│', ' ']).ends_with(text)
}

impl Seat {
    fn look(&mut self, name: &str, is_resting: bool) {
        self.terminal.settle(Duration::from_millis(5));
        if is_resting {
            self.seen.expect_from_now();
        }
        self.seen.take(&self.terminal);
        if seen::fault(&self.terminal).is_some() {
            // In the middle of a frame, which the terminal would hold back until it is whole.
            self.terminal.settle(Duration::from_millis(100));
        }
        let told = seen::fault(&self.terminal);
        assert!(told.is_none(), "{name}: {}\n{}", told.unwrap(), self.terminal.text());
    }

    /// The help opens and closes.
    fn press_help(&mut self) {
        let is_open = |terminal: &Terminal| terminal.row(terminal.rows() - 1).starts_with(" esc ");
        let began = Instant::now();
        self.terminal.type_keys("\u{1b}OP");
        self.terminal.wait("the help", is_open);
        self.seen.slowest_key = self.seen.slowest_key.max(began.elapsed());
        self.terminal.type_keys("\u{1b}");
        self.terminal.wait("the help to close", |terminal| !is_open(terminal));
    }
}
