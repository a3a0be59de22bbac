//! What a process uses, as the kernel counts it.

use std::{collections::HashMap, fs, time::Duration};

/// Processor time and memory of a process at one instant.
pub struct Usage {
    /// In clock ticks of 10 ms, threads that have ended included.
    ticks: u64,
    /// In nanoseconds, by living thread.
    threads: HashMap<String, u64>,
    /// Resident memory, in KiB: all of it, and without what belongs to files.
    pub rss_kib: u64,
    pub anon_kib: u64,
}

impl Usage {
    pub fn of(pid: u32) -> Self {
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let stat = read("stat");
        // The name before the bracket may hold spaces.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let tick = |at: usize| fields.get(at).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        let status = read("status");
        let kib = |key: &str| {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap_or_default();
            line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
        };
        let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let threads = threads.filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            let ns = text.split_whitespace().next()?.parse().ok()?;
            Some((thread.file_name().to_string_lossy().into_owned(), ns))
        });
        Self {
            ticks: tick(11) + tick(12),
            threads: threads.collect(),
            rss_kib: kib("VmRSS:"),
            anon_kib: kib("RssAnon:"),
        }
    }

    /// Processor time since the process began.
    pub fn cpu(&self) -> Duration {
        Duration::from_nanos(self.threads.values().sum())
    }

    /// Processor time since `before`: exact for threads that live, to 10 ms for all.
    pub fn cpu_since(&self, before: &Self) -> Duration {
        let ticks = Duration::from_millis(10 * self.ticks.saturating_sub(before.ticks));
        let ran =
            |(thread, ns): (&String, &u64)| ns - before.threads.get(thread).copied().unwrap_or(0).min(*ns);
        let exact = Duration::from_nanos(self.threads.iter().map(ran).sum());
        // Short work is under one tick; of long work a part may be of threads that have ended.
        if ticks < Duration::from_millis(200) { exact } else { exact.max(ticks) }
    }
}
