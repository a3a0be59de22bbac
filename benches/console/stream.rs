//! What a quiet console and one with a steady stream of messages cost.

use std::time::{Duration, Instant};

use super::{
    bed::{Bed, SMALL, WIDE, words},
    report::{self, line},
};

const QUIET: Duration = Duration::from_secs(20);
const MESSAGES: usize = 2_000;

pub fn idle() {
    report::head("idle for 20 s, connected");
    for size in [WIDE, SMALL] {
        let bed = Bed::full(1_000, 5_000);
        let mut terminal = bed.console_in_room(size);
        // Names, marks and the first sign of life are behind it then.
        terminal.pass(Duration::from_secs(5));
        let (before, bytes) = (terminal.usage(), terminal.bytes);
        terminal.pass(QUIET);
        let cpu = terminal.usage().cpu_since(&before);
        let name = format!("{}x{}", size.0, size.1);
        let share = 100.0 * cpu.as_secs_f64() / QUIET.as_secs_f64();
        line(&format!("{name}: processor"), &format!("{share:.3} %"), "<= 0.05 %", "0");
        let bytes = (terminal.bytes - bytes) as f64 / QUIET.as_secs_f64();
        line(&format!("{name}: to the terminal"), &format!("{bytes:.1} B/s"), "<= 10 B/s", "0");
        terminal.leave("q");
    }
}

pub fn run() {
    report::head("100 messages/s for 20 s");
    for (size, is_zoomed) in [(WIDE, true), (WIDE, false), (SMALL, false)] {
        let bed = Bed::full(1_000, 5_000);
        let mut terminal = bed.console_in_room(size);
        if is_zoomed {
            terminal.type_keys("z");
            terminal.settle(Duration::from_millis(300));
        }
        let (before, bytes) = (terminal.usage(), terminal.bytes);
        let mut said = 0;
        std::thread::scope(|scope| {
            let talking = scope.spawn(|| {
                talk(&bed, 100, || {
                    said += 1;
                    said > MESSAGES
                })
            });
            while !talking.is_finished() {
                terminal.pass(Duration::from_millis(50));
            }
        });
        terminal.settle(Duration::from_millis(400));
        let cpu = terminal.usage().cpu_since(&before);
        let name = format!("{}x{}{}", size.0, size.1, if is_zoomed { ", full width" } else { ", split" });
        let share = 100.0 * cpu.as_secs_f64() / (MESSAGES as f64 / 100.0);
        line(&format!("{name}: processor"), &format!("{share:.2} %"), "<= 2.5 %", "");
        let bytes = (terminal.bytes - bytes) as f64 / MESSAGES as f64;
        let goal = if is_zoomed { "<= 600 B" } else { "" };
        line(&format!("{name}: bytes a message"), &format!("{bytes:.0} B"), goal, "427 B (region)");
        terminal.leave("q");
    }
}

/// Says so many messages a second until it is enough.
pub fn talk(bed: &Bed, per_second: u32, mut is_enough: impl FnMut() -> bool) {
    let began = Instant::now();
    let mut said = 0;
    while !is_enough() {
        bed.say(&words(said as usize));
        said += 1;
        let due = began + Duration::from_secs(1) / per_second * said;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}
