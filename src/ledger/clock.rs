//! The machine's clock as all its processes see it.

use std::hash::{DefaultHasher, Hash, Hasher};

#[cfg(not(target_os = "linux"))]
use crate::core::time::{Clock, SystemClock};

/// A clock that all processes of the machine share and that goes on while it sleeps.
pub trait BootClock: Send + Sync + 'static {
    /// Microseconds since the machine started.
    fn now_us(&self) -> i64;
    /// Names this start of the machine: instants of another one mean nothing.
    fn boot_tag(&self) -> u64;
}

/// CLOCK_BOOTTIME and the kernel's boot id. Elsewhere than on Linux, the wall clock: where that runs back,
/// buckets take their newest permit to be of now.
#[derive(Debug, Clone, Copy)]
pub struct MachineClock {
    boot_tag: u64,
}

impl MachineClock {
    /// Reads the boot id.
    pub fn new() -> Self {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let mut hasher = DefaultHasher::new();
        id.trim().hash(&mut hasher);
        Self { boot_tag: hasher.finish() }
    }
}

impl Default for MachineClock {
    fn default() -> Self {
        Self::new()
    }
}

impl BootClock for MachineClock {
    #[cfg(target_os = "linux")]
    fn now_us(&self) -> i64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1000)
    }

    #[cfg(not(target_os = "linux"))]
    fn now_us(&self) -> i64 {
        SystemClock.now().ms().saturating_mul(1000)
    }

    fn boot_tag(&self) -> u64 {
        self.boot_tag
    }
}
