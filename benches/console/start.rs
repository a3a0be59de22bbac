//! From the command to a settled frame, and what the console stands at then.

use std::time::Duration;

use super::{
    bed::{Bed, LARKDECK, NEWEST, ROOM, WIDE},
    report::{self, line, ms, share},
    terminal::Terminal,
};

const RUNS: usize = 15;
/// Members and messages of a full store.
const MEMBERS: usize = 100_000;
const MESSAGES: usize = 50_000;

pub fn run() {
    report::head("start and memory, 120x40");
    let size = std::fs::metadata(LARKDECK).map_or(0, |file| file.len());
    line("binary", &format!("{:.1} MB", size as f64 / 1e6), "<= 15 MB", "");
    let floor: Vec<Duration> = (0..RUNS).map(|_| version()).collect();
    let floor = format!("{:.1} ms (--version)", ms(share(&floor, 50)));

    let bed = Bed::empty();
    bed.console_in_room(WIDE).leave("q");
    let empty = measure(&bed, ROOM);
    print("empty store", &empty, &floor, "<= 16 MiB");

    let bed = Bed::full(MEMBERS, MESSAGES);
    bed.console_in_room(WIDE).leave("q");
    let full = measure(&bed, NEWEST);
    print("100k members and 50k messages, in a War Room", &full, &floor, "<= 60 MiB");

    let mut terminal = bed.console(WIDE);
    terminal.type_keys("2");
    terminal.wait_text("100,000");
    terminal.settle(Duration::from_millis(300));
    terminal.leave("q");
    let users = measure(&bed, "100,000");
    print("100k members and 50k messages, in the list of members", &users, &floor, "<= 60 MiB");

    let mut terminal = bed.console(WIDE);
    terminal.wait_text("100,000");
    terminal.type_keys("/wang");
    terminal.settle(Duration::from_secs(1));
    let after = terminal.usage();
    line("  resident after a search", &report::mib(after.rss_kib), "<= 60 MiB", "");
    terminal.leave("\u{3}");
}

/// What one kind of start came to.
#[derive(Default)]
struct Starts {
    first: Vec<Duration>,
    whole: Vec<Duration>,
    settled: Vec<Duration>,
    cpu: Vec<Duration>,
    rss_kib: u64,
    anon_kib: u64,
}

fn measure(bed: &Bed, content: &str) -> Starts {
    let mut starts = Starts::default();
    for _ in 0..RUNS {
        let mut terminal = bed.console(WIDE);
        starts.first.push(terminal.wait("a frame", |text| !text.trim().is_empty()) - terminal.started);
        starts.whole.push(terminal.wait_text(content) - terminal.started);
        bed.wait_connected();
        terminal.settle(Duration::from_millis(400));
        starts.settled.push(terminal.last_at - terminal.started);
        let usage = terminal.usage();
        starts.cpu.push(usage.cpu());
        (starts.rss_kib, starts.anon_kib) = (usage.rss_kib, usage.anon_kib);
        terminal.leave("q");
    }
    starts
}

fn print(what: &str, starts: &Starts, floor: &str, memory: &str) {
    let both = |times: &[Duration]| format!("{:.1} / {:.1} ms", ms(share(times, 50)), ms(share(times, 100)));
    line(&format!("{what}: first frame, median / worst"), &both(&starts.first), "", floor);
    line("  frame with everything of the store", &both(&starts.whole), "<= 25 ms", "");
    line("  last change, connection made", &both(&starts.settled), "", "");
    line("  processor time until then", &both(&starts.cpu), "", "");
    let resident = format!("{} ({} own)", report::mib(starts.rss_kib), report::mib(starts.anon_kib));
    line("  resident memory", &resident, memory, "");
}

/// The shortest that the program can do.
fn version() -> Duration {
    let mut terminal = Terminal::start(LARKDECK, &["--version"], &[], WIDE);
    terminal.wait_text("larkdeck") - terminal.started
}
