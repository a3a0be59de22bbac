//! From a key to its echo, and from a message to the terminal.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use super::{
    bed::{Bed, SMALL, WIDE, words},
    report::{self, line, p50_p99},
    stream::talk,
    terminal::Terminal,
};

const KEYS: usize = 300;
const MESSAGES: usize = 100;

pub fn run() {
    report::head("keys and messages");
    let floor = echo();
    for size in [WIDE, SMALL] {
        let name = format!("{}x{}", size.0, size.1);
        let bed = Bed::full(1_000, 5_000);
        let mut terminal = bed.console_in_room(size);
        let took = arrivals(&bed, &mut terminal);
        line(
            &format!("{name}: message said to message shown, p50 / p99"),
            &p50_p99(&took),
            "<= 2 / 5 ms",
            &floor,
        );
        terminal.type_keys("i");
        terminal.settle(Duration::from_millis(300));
        let took = typing(&mut terminal, "\u{7f}");
        line(&format!("{name}: key to echo, idle, p50 / p99"), &p50_p99(&took), "p99 <= 1.5 ms", &floor);
        let is_over = AtomicBool::new(false);
        let took = std::thread::scope(|scope| {
            scope.spawn(|| talk(&bed, 100, || is_over.load(Ordering::Relaxed)));
            terminal.pass(Duration::from_millis(500));
            let took = typing(&mut terminal, "\u{7f}");
            is_over.store(true, Ordering::Relaxed);
            took
        });
        line(&format!("{name}: key to echo, 100 messages/s"), &p50_p99(&took), "p99 <= 3 ms", &floor);
        terminal.leave("\u{3}");
    }
}

/// The same for a program that does nothing but echo.
fn echo() -> String {
    let mut terminal = Terminal::start("/bin/sh", &["-c", "stty raw -echo; echo ready; exec cat"], &[], WIDE);
    terminal.wait_text("ready");
    // A backspace that comes back only moves the cursor.
    p50_p99(&typing(&mut terminal, "\u{8} \u{8}"))
}

/// Types a character and takes it back, again and again.
fn typing(terminal: &mut Terminal, back: &str) -> Vec<Duration> {
    terminal.type_keys("zqj");
    terminal.wait_text("zqj");
    let mut took = Vec::with_capacity(KEYS);
    for n in 0..KEYS {
        // Not in step with anything that the console does on a timer.
        terminal.pass(Duration::from_micros(9_000 + 7_919 * u64::try_from(n % 13).unwrap()));
        let is_there = terminal.text().contains("zqjw");
        let began = Instant::now();
        terminal.type_keys(if is_there { back } else { "w" });
        took.push(terminal.wait("the key", |text| text.contains("zqjw") != is_there) - began);
    }
    took
}

fn arrivals(bed: &Bed, terminal: &mut Terminal) -> Vec<Duration> {
    (0..MESSAGES)
        .map(|n| {
            // A lone message: the cap on frames for what peers send does not hold it back.
            terminal.pass(Duration::from_micros(300_000 + 7_919 * u64::try_from(n % 13).unwrap()));
            let text = format!("{} mark-{n:04}-end", words(n));
            let began = Instant::now();
            bed.say(&text);
            terminal.wait_text(&format!("mark-{n:04}-end")) - began
        })
        .collect()
}
