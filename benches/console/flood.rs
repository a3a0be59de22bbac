//! Fifty thousand messages as fast as they can be said.

use std::time::{Duration, Instant};

use super::{
    bed::{Bed, WIDE, words},
    report::{self, line, us},
    terminal::PATIENCE,
};

const MESSAGES: usize = 50_000;
/// How much of it is measured apart, at the beginning and at the end.
const PART: usize = 5_000;

pub fn run() {
    report::head("flood of 50,000 messages, 120x40");
    let bed = Bed::empty();
    let mut terminal = bed.console_in_room(WIDE);
    let (before, bytes) = (terminal.usage(), terminal.bytes);
    let began = Instant::now();
    let (mut marks, mut saying) = (Vec::new(), Duration::ZERO);
    for part in 0..MESSAGES / PART {
        let start = Instant::now();
        for n in part * PART..(part + 1) * PART - 1 {
            bed.say(&words(n));
        }
        saying += start.elapsed();
        // Messages of one millisecond are shown in the order of their ids: the last has one of its own.
        std::thread::sleep(Duration::from_millis(2));
        bed.say(&words((part + 1) * PART - 1));
        let last = format!("{} ", (part + 1) * PART - 1);
        assert!(bed.runtime.block_on(bed.control.wait_acked(PATIENCE)), "not all are acknowledged");
        terminal.wait("the last message", |text| text.lines().any(|line| line.contains(&last)));
        marks.push((began.elapsed(), terminal.usage()));
    }
    let (took, after) = marks.last().unwrap();
    let each = |cpu: Duration, count: usize| format!("{:.1} us", us(cpu) / count as f64);
    line(
        "processor time a message",
        &each(after.cpu_since(&before), MESSAGES),
        "<= 35 us",
        "14-25 us (store)",
    );
    let first = marks[0].1.cpu_since(&before);
    let last = after.cpu_since(&marks[marks.len() - 2].1);
    line(
        "  of the first and of the last 5,000",
        &format!("{} / {}", each(first, PART), each(last, PART)),
        "the same",
        "",
    );
    let rate = MESSAGES as f64 / took.as_secs_f64();
    let said = MESSAGES as f64 / saying.as_secs_f64();
    line(
        "stored, acknowledged and shown",
        &format!("{rate:.0}/s"),
        ">= 20,000/s",
        &format!("{said:.0}/s (said)"),
    );
    let bytes = (terminal.bytes - bytes) as f64 / MESSAGES as f64;
    line("bytes a message to the terminal", &format!("{bytes:.1} B"), "<= 10 B", "0");
    let resident = format!("{} ({} own)", report::mib(after.rss_kib), report::mib(after.anon_kib));
    line("resident memory afterwards", &resident, "<= 24 MiB", "");
    terminal.leave("q");
}
