//! Figures, printed beside goal and floor.

use std::time::Duration;

/// One line of the table.
pub fn line(what: &str, figure: &str, goal: &str, floor: &str) {
    println!("{what:<62} {figure:>22} {goal:>16} {floor:>20}");
}

/// A heading.
pub fn head(title: &str) {
    println!();
    line(title, "measured", "goal", "floor");
}

/// What the given share of the samples does not exceed.
pub fn share(samples: &[Duration], percent: usize) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
}

/// Median and 99 % of samples.
pub fn p50_p99(samples: &[Duration]) -> String {
    format!("{:.2} / {:.2} ms", ms(share(samples, 50)), ms(share(samples, 99)))
}

pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

pub fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

pub fn mib(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}
